"""In which order our policies change, so that at no step a queue is without its own, whatever a dead run has left.

A queue that changes over from one of our policies to another is first taken in by the new one, then let go by the old
one; for a moment both take it, and either of them is right. A policy that has to take in and let go at once gets a
bridge: a second policy of the same settings, for the newcomers, until the first has them. What is on the broker under
another name may carry queues, so a bridge has a name that is free: `spec.policies` names parts in 0 and 1, bridges end
in 9. Every pattern is one of `spec.policies` or has fewer names, so none is too long, and at each step the priorities
are unique.
"""

import re
from collections.abc import Container, Mapping
from dataclasses import dataclass, replace

from dlxctl.model.patterns import names_in, pattern
from dlxctl.model.topology import Key, Policy
from dlxctl.plan.changes import Change, DeletePolicy, PutPolicy
from dlxctl.plan.coverage import covered, covers
from dlxctl.plan.drift import Drift
from dlxctl.plan.policies import ours
from dlxctl.spec.policies import free_priority

_PART = re.compile(r"\.\d+$")
_BRIDGE = "9"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySteps:
    """`first`: before any queue; `early`: before the queues that need them; `late`: once `early` has taken all in."""

    first: tuple[Change, ...]
    early: tuple[PutPolicy, ...]
    late: tuple[Change, ...]


def steps(drift: Drift) -> PolicySteps:
    """From the observed policies to those that are to stand."""
    first: list[Change] = []
    there = ours(drift.layout, drift.observed)
    for key, policy in list(there.items()):
        left = _without_unmade(policy, drift)
        if left is None:
            first.append(_deletion(there.pop(key), drift))
        elif left != policy:
            first.append(PutPolicy(policy=left, before=policy, why=drift.place(policy)))
            there[key] = left
    early, late = _take_over(there, drift)
    return PolicySteps(first=tuple(first), early=tuple(early), late=tuple(late))


def _without_unmade(policy: Policy, drift: Drift) -> Policy | None:
    """`policy` without those queues still to be made that it is not to have; None if it has no others.

    A dead run left it for a queue that it did not make, or somebody deleted the queue. It may come as another type
    now, for which a policy of the old type is void.
    """
    stays = next((p for p in drift.stand if p.key == policy.key), None)
    named = names_in(policy.pattern) or frozenset()
    keys = [("queue", name) for name in named]
    desired, observed = drift.desired.queues, drift.observed.queues
    unmade = [desired[key] for key in keys if key in desired and key not in observed]
    wrong = {queue.name for queue in unmade if not (stays and covers(stays, queue))}
    if not wrong:
        return policy
    return replace(policy, pattern=pattern(sorted(named - wrong))) if named - wrong else None


def _take_over(there: Mapping[Key, Policy], drift: Drift) -> tuple[list[PutPolicy], list[Change]]:
    """Early and late steps. What lets go does so from the lowest priority up: a queue keeps the settings that win."""
    queues = (*drift.desired.queues.values(), *drift.kept_queues)
    keep = {policy.key: policy for policy in drift.stand}
    taken = {policy.priority for policy in (*there.values(), *drift.stand)}
    early: list[PutPolicy] = []
    letting_go: list[tuple[Policy, Change]] = [(p, _deletion(p, drift)) for key, p in there.items() if key not in keep]
    spent: list[Change] = []
    passed: list[Change] = []
    for policy in drift.stand:
        before, why = there.get(policy.key), drift.place(policy)
        if before == policy:
            continue
        put = PutPolicy(policy=policy, before=before, why=why)
        if any(other.priority == policy.priority for other in there.values() if other.key != policy.key):
            passing = replace(policy, priority=free_priority(policy.name, taken))
            put = replace(put, policy=passing)
            passed.append(PutPolicy(policy=policy, before=passing, why=why))
        had, has = covered(before, queues) if before else frozenset(), covered(policy, queues)
        if before is None or had <= has:
            early.append(put)
            continue
        letting_go.append((before, put))
        if has - had:
            bridge = _bridge(policy, has - had, {*there, *keep}, taken)
            early.append(PutPolicy(policy=bridge, before=None, why=why))
            spent.append(_deletion(bridge, drift))
    late = [change for _, change in sorted(letting_go, key=lambda pair: pair[0].priority)]
    return early, [*late, *spent, *passed]


def _bridge(policy: Policy, names: frozenset[str], there: Container[Key], taken: set[int]) -> Policy:
    """`policy` for `names`, under a name of its own that is free, and with a priority that is free."""
    name = f"{policy.name}{_BRIDGE}" if _PART.search(policy.name) else f"{policy.name}.{_BRIDGE}"
    while ("policy", name) in there:
        name += _BRIDGE
    return replace(policy, name=name, pattern=pattern(sorted(names)), priority=free_priority(name, taken))


def _deletion(policy: Policy, drift: Drift) -> DeletePolicy:
    return DeletePolicy(policy=policy, why=drift.layout.place("queues"))
