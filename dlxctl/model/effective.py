"""What a setting of a queue amounts to when arguments, the user policy and the operator policy are put together.

Computed, because the API's `effective_policy_definition` lags by up to ten seconds and leaves arguments out (facts
5.5, 5.8). Only the user policy with the highest priority applies; ties resolve differently by version.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from dlxctl.model.attributes import BY_ARGUMENT, BY_POLICY, DEFAULT_DELIVERY_LIMIT, Version
from dlxctl.model.patterns import finds, names_in
from dlxctl.model.topology import Policy, Queue, QueueType, Topology

_QUEUE_SCOPES = {
    QueueType.CLASSIC: {"all", "queues", "classic_queues"},
    QueueType.QUORUM: {"all", "queues", "quorum_queues"},
    QueueType.STREAM: {"all", "queues", "streams"},
}


def applying_policy(queue: Queue, policies: Iterable[Policy]) -> Policy | None:
    """The policy of highest priority that matches, by name when tied; a pattern Python cannot compile never matches."""
    matching = [policy for policy in policies if applies(policy, queue)]
    return max(matching, key=lambda policy: (policy.priority, policy.name), default=None)


def setting(topology: Topology, queue: Queue, argument: str) -> Any:
    """The effective value of `x-...` for `queue`, None when nothing sets it.

    Numbers: the lowest of argument, policy and operator policy. Others: operator policy, then argument, then policy.
    A policy with a key that the queue's type does not know is ignored whole (facts 5.6).
    """
    attribute = BY_ARGUMENT[argument]
    policy_values = [
        policy.definition.get(attribute.policy)
        for policy in (
            applying_policy(queue, topology.operator_policies.values()),
            applying_policy(queue, topology.policies.values()),
        )
        if policy is not None and attribute.policy is not None and understood(policy, queue)
    ]
    values = [value for value in (queue.arguments.get(argument), *policy_values) if value is not None]
    if not values:
        return None
    if attribute.lowest_wins:
        numbers = [value for value in values if isinstance(value, int)]
        return min((value for value in numbers if value >= 0), default=min(numbers, default=None))
    return values[0]


def delivery_limit(topology: Topology, queue: Queue, version: Version) -> int | None:
    """After how many returns the broker drops or dead-letters a message; None for never (facts 3.1, L10)."""
    if queue.type is not QueueType.QUORUM:
        return None
    limit = setting(topology, queue, "x-delivery-limit")
    if limit is None:
        return DEFAULT_DELIVERY_LIMIT if version >= (4, 0) else None
    if limit < 0:
        return None if version >= (4, 0) else 0
    return int(limit)


def applies(policy: Policy, queue: Queue) -> bool:
    """Whether `policy` is for queues of this type and its pattern finds the name."""
    return policy.apply_to in _QUEUE_SCOPES[queue.type] and matches(policy, queue.name)


class Matching:
    """Policies by the names that their patterns spell out, so that one queue among thousands need not try them all."""

    def __init__(self, policies: Iterable[Policy]) -> None:
        self._all = tuple(policies)
        self._unlisted: list[Policy] = []
        self._listed: dict[str, list[Policy]] = {}
        for policy in self._all:
            names = names_in(policy.pattern)
            for name in names or ():
                self._listed.setdefault(name, []).append(policy)
            self._unlisted += [policy] if names is None else []

    def applying(self, queue: Queue) -> Iterator[Policy]:
        """Those that apply to `queue`, in no order."""
        listed = self._all if queue.name.endswith("\n") else (*self._listed.get(queue.name, ()), *self._unlisted)
        return (policy for policy in listed if applies(policy, queue))


def matches(policy: Policy, name: str) -> bool:
    """Whether the pattern finds `name`; one that Python cannot compile never does."""
    return finds(policy.pattern, name) is True


def understood(policy: Policy, queue: Queue) -> bool:
    """Whether the queue's type knows every key of `policy`: one that it does not know voids the whole (facts 5.6)."""
    return all(queue.type in BY_POLICY[key].types for key in policy.definition if key in BY_POLICY)
