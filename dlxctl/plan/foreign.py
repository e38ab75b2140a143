"""Policies that are not ours, and what they do to our queues or ours to theirs: both are always named (facts 5.5)."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from dlxctl.model.attributes import BY_POLICY
from dlxctl.model.diagnostics import Diagnostic, Place, quoted
from dlxctl.model.layout import Layout
from dlxctl.model.topology import Policy, Queue, Topology
from dlxctl.plan import rules
from dlxctl.plan.coverage import covers, readable, winner
from dlxctl.plan.places import place_of
from dlxctl.plan.policies import is_ours

_SHOWN = 3
_LOSSY = frozenset(BY_POLICY) - {"queue-mode", "queue-version", "queue-leader-locator", "target-group-size"}
"""Policy keys that change which messages a queue keeps or where they go."""


def foreign_policies(
    layout: Layout, desired: Topology, observed: Topology, stand: tuple[Policy, ...]
) -> Iterator[Diagnostic]:
    """Warnings about every user policy of others, given the policies of ours that are to stand."""
    queues = tuple(desired.queues.values())
    now = tuple(policy for policy in observed.policies.values() if is_ours(policy, layout))
    for policy in observed.policies.values():
        if is_ours(policy, layout):
            continue
        if not readable(policy):
            yield _unreadable(policy)
        hit = [queue for queue in queues if covers(policy, queue)]
        yield from _against(policy, hit, layout, desired, stand)
        yield from _taken(policy, [queue for queue in hit if not winner(now, queue)], layout, desired, stand)


def operator_policies(layout: Layout, desired: Topology, observed: Topology) -> Iterator[Diagnostic]:
    """Warnings about operator policies that cover our queues."""
    for policy in observed.operator_policies.values():
        if not readable(policy):
            yield _unreadable(policy)
        hit = [queue for queue in desired.queues.values() if covers(policy, queue)]
        if hit:
            sets = _settings(policy.definition) or "settings that only an administrator may read"
            yield rules.OPERATOR.at(
                _first(hit, layout, desired),
                f"operator policy {quoted(policy.name)} applies to {_names(hit)} and sets {sets};"
                " of numbers the lowest wins.",
                "Ask the broker's operator, or keep the file's values below.",
            )


def _against(
    policy: Policy, hit: list[Queue], layout: Layout, desired: Topology, stand: tuple[Policy, ...]
) -> Iterator[Diagnostic]:
    """`policy` beats ours, or reaches queues that have none."""
    beaten: dict[str, tuple[Policy, list[Queue]]] = {}
    bare: list[Queue] = []
    for queue in hit:
        ours = winner(stand, queue)
        if ours is None:
            bare.append(queue)
        elif policy.priority >= ours.priority:
            beaten.setdefault(ours.name, (ours, []))[1].append(queue)
    for ours, queues in beaten.values():
        tied = " or, since their priorities are equal, may take" if policy.priority == ours.priority else ""
        yield rules.SHADOWED.at(
            _first(queues, layout, desired),
            f"policy {_shown(policy)} takes{tied} {_names(queues)} from our policy {_shown(ours)},"
            f" which sets {_settings(ours.definition)}.",
            f"Lower its priority below {ours.priority}, or narrow its pattern.",
        )
    lossy = {key: value for key, value in policy.definition.items() if key in _LOSSY}
    if bare and lossy and policy.key not in desired.policies:
        yield rules.FOREIGN.at(
            _first(bare, layout, desired),
            f"policy {_shown(policy)} applies to {_names(bare)} and sets {_settings(lossy)} there.",
            "Narrow its pattern, so that it takes its own queues only.",
        )


def _taken(
    policy: Policy, hit: list[Queue], layout: Layout, desired: Topology, stand: tuple[Policy, ...]
) -> Iterator[Diagnostic]:
    """Queues that `policy` rules today, and ours will when this plan is made."""
    taken: dict[str, tuple[Policy, list[Queue]]] = {}
    for queue in hit:
        ours = winner(stand, queue)
        if ours and ours.priority > policy.priority and not set(policy.definition) <= set(ours.definition):
            taken.setdefault(ours.name, (ours, []))[1].append(queue)
    for ours, queues in taken.values():
        ends = {key: value for key, value in policy.definition.items() if key not in ours.definition}
        yield rules.SHADOWS.at(
            _first(queues, layout, desired),
            f"our policy {_shown(ours)} takes {_names(queues)} from policy {_shown(policy)};"
            f" its {_settings(ends)} ends there.",
            "Write what the queue still needs into the topology file.",
        )


def _unreadable(policy: Policy) -> Diagnostic:
    return rules.UNREADABLE.at(
        Place(),
        f"whether policy {quoted(policy.name)} applies to our queues is unknown, for its pattern"
        f" {quoted(policy.pattern)} cannot be read here.",
        "Compare it with the queue names by hand.",
    )


def _first(queues: Iterable[Queue], layout: Layout, desired: Topology) -> Place:
    return min((place_of(queue, layout, desired) for queue in queues), default=Place())


def _shown(policy: Policy) -> str:
    return f"{quoted(policy.name)} (priority {policy.priority}, pattern {quoted(policy.pattern)})"


def _names(queues: list[Queue]) -> str:
    shown = ", ".join(quoted(queue.name) for queue in queues[:_SHOWN])
    return f"{shown} and {len(queues) - _SHOWN} more" if len(queues) > _SHOWN else shown


def _settings(definition: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {quoted(value)}" for key, value in sorted(definition.items()))
