"""Our policies: which are to stand, and in which order they change, so that no queue is ever without its own.

Only one policy applies to a queue (https://www.rabbitmq.com/docs/policies). A queue that changes over from one of our
policies to another is first taken in by the new one, then let go by the old one; for a moment both take it, and
either of them is right. A queue of ours that is no longer in the file keeps the policy that it has, or its failures
would vanish while it is still in use.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from dlxctl.model.layout import Layout
from dlxctl.model.topology import Policy, Queue, Topology
from dlxctl.plan.changes import Change, DeletePolicy, PutPolicy
from dlxctl.plan.coverage import covered
from dlxctl.plan.places import place_of
from dlxctl.spec.policies import pattern


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySteps:
    """`early`: before the queues that need them; `late`: what lets queues go, once another policy has them."""

    early: tuple[PutPolicy, ...]
    late: tuple[Change, ...]


def is_ours(policy: Policy, layout: Layout) -> bool:
    """Whether the name is one that `spec.policies` gives for this topology, and not for `shop-eu` beside `shop`."""
    return re.fullmatch(rf"dlxctl\.{re.escape(layout.name)}\.[0-9a-f]{{12}}(\.\d+)?", policy.name) is not None


def standing(layout: Layout, desired: Topology, observed: Topology, leftover: Iterable[Queue]) -> tuple[Policy, ...]:
    """The policies that are to stand: the desired ones, widened or kept for the queues in `leftover`."""
    stay = dict(desired.policies)
    queues = tuple(leftover)
    for key, policy in observed.policies.items():
        names = covered(policy, queues) if is_ours(policy, layout) else frozenset()
        if names:
            base = stay.get(key)
            wanted = covered(base, desired.queues.values()) if base else frozenset()
            stay[key] = replace(base or policy, pattern=pattern(sorted(names | wanted)))
    return tuple(stay.values())


def steps(
    layout: Layout, desired: Topology, observed: Topology, stand: tuple[Policy, ...], leftover: Iterable[Queue]
) -> PolicySteps:
    """From the observed policies to those in `stand`."""
    queues = (*desired.queues.values(), *leftover)
    early: list[PutPolicy] = []
    late: list[Change] = []
    for policy in stand:
        before = observed.policies.get(policy.key)
        if before == policy:
            continue
        why = place_of(policy, layout, desired)
        both = _both(before, policy, queues)
        if both not in (before, policy):
            early.append(PutPolicy(policy=both, before=before, why=why))
        last = PutPolicy(policy=policy, before=before if both == policy else both, why=why)
        early.append(last) if both == policy else late.append(last)
    keep = {policy.key for policy in stand}
    for key, policy in observed.policies.items():
        if is_ours(policy, layout) and key not in keep:
            late.append(DeletePolicy(policy=policy, why=layout.place("queues")))
    return PolicySteps(early=tuple(early), late=tuple(late))


def _both(before: Policy | None, after: Policy, queues: tuple[Queue, ...]) -> Policy:
    """`after`, but still with those `queues` that `before` has: the step between, where some leave."""
    leaving = (covered(before, queues) if before else frozenset()) - covered(after, queues)
    return replace(after, pattern=pattern(sorted(leaving | covered(after, queues)))) if leaving else after
