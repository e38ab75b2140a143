"""How queues are doing, as values: what each is for, how much is in it, how old that is, and what is too much."""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a queue is for."""

    WORK = "work"
    TIER = "tier"
    DEAD_LETTER = "dead-letter"
    PARKING = "parking"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueHealth:
    """One queue now. `ready` and `consumers` are exact, and None where there is no such queue.

    `unacked`: messages that workers hold. `elsewhere`: messages that nobody can have now, because the queue itself
    delays them (`backend: native`) or because they are on the way to a dead-letter queue; when that number stays, they
    cannot get there. Both are seconds old, and None where the management API does not tell, like `in_per_s` and
    `out_per_s`, what comes and goes a second. `oldest_s`: seconds since the oldest message died; None for queues other
    than dead-letter and parking queues, and where nobody knows.
    """

    name: str
    role: Role
    ready: int | None
    consumers: int | None
    unacked: int | None = None
    elsewhere: int | None = None
    oldest_s: float | None = None
    in_per_s: float | None = None
    out_per_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Every queue of the file: work, tiers, dead-letter, parking. `remarks`: what could not be found out, and why."""

    queues: tuple[QueueHealth, ...]
    remarks: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[str, ...]:
        """Queues that the file names and the broker does not have."""
        return tuple(queue.name for queue in self.queues if queue.ready is None)

    @property
    def dead_letters(self) -> int:
        """Messages in the dead-letter queues; those that moved on to a parking queue are not in it."""
        return sum(queue.ready or 0 for queue in self.queues if queue.role is Role.DEAD_LETTER)

    @property
    def oldest_dead_letter_s(self) -> float | None:
        """Seconds since the oldest message of a dead-letter queue died; None when there is none, or nobody knows."""
        ages = (q.oldest_s for q in self.queues if q.role is Role.DEAD_LETTER and q.oldest_s is not None)
        return max(ages, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """`alarms`: of the broker's nodes, None where nobody tells. `exceeded`: a sentence for each limit that is."""

    health: Health
    alarms: tuple[str, ...] | None = None
    exceeded: tuple[str, ...] = ()
