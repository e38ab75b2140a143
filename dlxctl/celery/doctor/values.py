"""What is known of a Celery app: plain values, read in a child process and handed over as JSON."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

PROCESS_POOLS = frozenset({"prefork", "processes"})
"""Pools that run tasks in child processes; only there time limits hold and a child can be lost (facts 1.2)."""

Version = tuple[int, ...]


class Hook(StrEnum):
    """Code of dlxctl inside the worker, by where it sits."""

    RETRY = "retry"
    """`RetryTask`: retries through tiers, confirmed and mandatory, and no `Reject` that cannot be unpickled."""
    REQUEST = "request"
    """Its request class: writes the failure on a copy, and buries what Celery requeues, forgets, or dies of."""
    CONSUMER = "consumer"
    """Its consumer: sends what Celery cannot decode, or does not know, to the DLQ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFacts:
    """One registered task: its options as Celery resolved them (seconds), and where its route leads.

    `queue` is None where the route names none, or `trouble` says why it cannot be followed.
    """

    name: str
    queue: str | None = None
    trouble: str = ""
    acks_late: bool = False
    acks_on_failure: bool = True
    acks_on_timeout: bool = True
    reject_on_worker_lost: bool = False
    retry_on_worker_lost: bool = False
    time_limit: float | None = None
    retry_delay: float = 180
    hooks: frozenset[Hook] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class AppQueue:
    """One queue of the app's settings, with the arguments that Celery would declare it with.

    `listed`: it stands in `task_queues`; else Celery makes it up for a name that it does not find there.
    """

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    durable: bool = True
    exclusive: bool = False
    auto_delete: bool = False
    declares: bool = True
    listed: bool = True
    exchange: str = ""
    exchange_type: str = "direct"


@dataclass(frozen=True, slots=True, kw_only=True)
class AppFacts:
    """One app. Versions are numbers; `settings` holds the values of `task_acks_*` and the like, by Celery's names.

    `roads` are the names of the queues of which the generated settings tell the road; None without these settings.
    `delays`: the worker declares Celery's native delay queues. `exclusive_control`: so are the queues of remote
    control and events.
    """

    name: str
    celery: Version
    transport: str = "amqp"
    vhost: str = "/"
    pool: str = "prefork"
    tasks: tuple[TaskFacts, ...] = ()
    queues: tuple[AppQueue, ...] = ()
    default_queue: str = "celery"
    creates_missing: bool = True
    confirms: bool = False
    max_priority: int | None = None
    delays: bool = True
    exclusive_control: bool = True
    settings: Mapping[str, Any] = field(default_factory=dict)
    roads: Mapping[str, Any] | None = None
    hooks: frozenset[Hook] = frozenset()

    def queue(self, name: str | None) -> AppQueue | None:
        """The queue of that name."""
        return next((queue for queue in self.queues if queue.name == name), None)

    def as_data(self) -> dict[str, Any]:
        """For JSON."""
        data = asdict(self)
        data["hooks"] = sorted(data["hooks"])
        for task in data["tasks"]:
            task["hooks"] = sorted(task["hooks"])
        return data

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> "AppFacts":
        """Read what `as_data` wrote."""
        tasks = (TaskFacts(**{**task, "hooks": _hooks(task["hooks"])}) for task in data["tasks"])
        queues = (AppQueue(**queue) for queue in data["queues"])
        read = {"tasks": tuple(tasks), "queues": tuple(queues), "hooks": _hooks(data["hooks"])}
        return cls(**{**data, **read, "celery": tuple(data["celery"])})


def _hooks(names: list[str]) -> frozenset[Hook]:
    return frozenset(map(Hook, names))
