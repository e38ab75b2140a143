"""Which queues a policy takes, as RabbitMQ decides it (https://www.rabbitmq.com/docs/policies)."""

from collections.abc import Iterable

from dlxctl.model import patterns
from dlxctl.model.topology import Policy, Queue, QueueType

_APPLIES: dict[str, frozenset[QueueType]] = {
    "all": frozenset(QueueType),
    "queues": frozenset(QueueType),
    "exchanges": frozenset(),
    "classic_queues": frozenset({QueueType.CLASSIC}),
    "quorum_queues": frozenset({QueueType.QUORUM}),
    "streams": frozenset({QueueType.STREAM}),
}
"""`apply-to` -> the queue types that it takes in."""


def readable(policy: Policy) -> bool:
    """Whether the pattern can be judged here."""
    return patterns.readable(policy.pattern)


def covers(policy: Policy, queue: Queue) -> bool:
    """Whether `policy` is one of those that could apply to `queue`; false for a pattern that cannot be read."""
    if queue.type not in _APPLIES[policy.apply_to]:
        return False
    return patterns.finds(policy.pattern, queue.name) is True


def covered(policy: Policy, queues: Iterable[Queue]) -> frozenset[str]:
    """The names of those `queues` that `policy` could apply to."""
    return frozenset(queue.name for queue in queues if covers(policy, queue))


def winner(policies: Iterable[Policy], queue: Queue) -> Policy | None:
    """The policy with the highest priority among those that cover `queue`."""
    return max((p for p in policies if covers(p, queue)), key=lambda p: p.priority, default=None)
