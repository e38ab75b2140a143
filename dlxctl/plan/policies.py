"""Our policies: which are to stand, and in which order they change, so that no queue is ever without its own.

Only one policy applies to a queue (https://www.rabbitmq.com/docs/policies). A queue that changes over from one of our
policies to another is first taken in by the new one, then let go by the old one; for a moment both take it, and
either of them is right. Where queues swap, the policy that takes in and lets go at once gets a bridge: a second policy
of the same settings, for the newcomers, until the first has them. A queue of ours that is no longer in the file keeps
the policy that it has, or its failures would vanish while it is still in use. No pattern grows past the limit of
`spec.policies`, whose parts are named in 0 and 1, so that the other digits are free for the names here.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from dlxctl.model.layout import Layout
from dlxctl.model.topology import Key, Policy, Queue, Topology
from dlxctl.plan.changes import Change, DeletePolicy, PutPolicy
from dlxctl.plan.coverage import covered
from dlxctl.plan.places import place_of
from dlxctl.spec.policies import PATTERN_BYTES, pattern

_PART = re.compile(r"\.\d+$")
_LEFT, _BRIDGE = "8", "9"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySteps:
    """`early`: before the queues that need them; `late`: what lets queues go, once another policy has them."""

    early: tuple[PutPolicy, ...]
    late: tuple[Change, ...]


def is_ours(policy: Policy, layout: Layout) -> bool:
    """Whether the name is one that `spec.policies` gives for this topology, and not for `shop-eu` beside `shop`."""
    return re.fullmatch(rf"dlxctl\.{re.escape(layout.name)}\.[0-9a-f]{{12}}(\.[0-9]+)?", policy.name) is not None


def standing(layout: Layout, desired: Topology, observed: Topology, leftover: Iterable[Queue]) -> tuple[Policy, ...]:
    """The policies that are to stand: the desired ones, and those that the queues in `leftover` have now."""
    stay = dict(desired.policies)
    queues = tuple(leftover)
    for key, policy in observed.policies.items():
        names = covered(policy, queues) if is_ours(policy, layout) else frozenset()
        if names:
            kept = _kept(policy, desired.policies.get(key), names, desired)
            stay[kept.key] = kept
    return tuple(stay.values())


def _kept(policy: Policy, wanted: Policy | None, names: frozenset[str], desired: Topology) -> Policy:
    """`policy`, or what it is `wanted` to be, with `names` as well; a policy of its own if that would be too long."""
    if wanted is None:
        return replace(policy, pattern=pattern(sorted(names)))
    together = pattern(sorted(names | covered(wanted, desired.queues.values())))
    if len(together.encode()) <= PATTERN_BYTES:
        return replace(wanted, pattern=together)
    return replace(_beside(wanted, _LEFT, desired.policies), pattern=pattern(sorted(names)))


def steps(
    layout: Layout, desired: Topology, observed: Topology, stand: tuple[Policy, ...], leftover: Iterable[Queue]
) -> PolicySteps:
    """From the observed policies to those in `stand`."""
    queues = (*desired.queues.values(), *leftover)
    keep = {policy.key: policy for policy in stand}
    early: list[PutPolicy] = []
    late: list[Change] = []
    spent = {key: policy for key, policy in observed.policies.items() if is_ours(policy, layout) and key not in keep}
    for policy in stand:
        before = observed.policies.get(policy.key)
        if before == policy:
            continue
        why = place_of(policy, layout, desired)
        put = PutPolicy(policy=policy, before=before, why=why)
        had, has = covered(before, queues) if before else frozenset(), covered(policy, queues)
        if had <= has:
            early.append(put)
            continue
        late.append(put)
        if has - had:
            bridge = replace(_beside(policy, _BRIDGE, keep), pattern=pattern(sorted(has - had)))
            early.append(PutPolicy(policy=bridge, before=observed.policies.get(bridge.key), why=why))
            spent[bridge.key] = bridge
    late.extend(DeletePolicy(policy=policy, why=layout.place("queues")) for policy in spent.values())
    return PolicySteps(early=tuple(early), late=tuple(late))


def _beside(policy: Policy, digit: str, taken: Mapping[Key, Policy]) -> Policy:
    """`policy` under a free name: `<digest>.<part><digit>`."""
    name = f"{policy.name}{digit}" if _PART.search(policy.name) else f"{policy.name}.{digit}"
    found = replace(policy, name=name)
    return _beside(found, digit, taken) if found.key in taken else found
