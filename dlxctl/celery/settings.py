"""The Celery settings that a topology calls for: which, with what value, and why. Pure; the text is `module`'s.

Each rule is from Celery's configuration reference (https://docs.celeryq.dev/en/stable/userguide/configuration.html)
and was measured with Celery 5.4 to 5.7 on RabbitMQ 3.10, 4.0 and 4.3.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dlxctl.celery.road import SETTING, road_of
from dlxctl.errors import UsageError
from dlxctl.model.layout import Layout, WorkQueue
from dlxctl.model.topology import QueueType, Topology

OURS = ("task_queues", "task_default_queue", "task_default_exchange", "task_routes", SETTING)
"""Settings that follow from `queues:` alone; `celery: extra` may not contradict them."""

CONSUMER = "dlxctl.celery.worker.consumer:Consumer"
DELAYING_CONSUMER = "dlxctl.celery.worker.consumer:DelayingConsumer"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueEntry:
    """One `kombu.Queue` of `task_queues`; `arguments` are those that the broker's queue is declared with."""

    name: str
    arguments: dict[str, Any]
    declare: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One assignment of the generated module; `why` becomes the comment above it, '' for none."""

    name: str
    value: Any
    why: str = ""


def celery_settings(layout: Layout, desired: Topology) -> tuple[Setting, ...]:
    """Every setting, in the order of the module. Raises UsageError where `celery: extra` contradicts it."""
    extra = dict(layout.celery.extra)
    for name in OURS:
        if name in extra:
            place = layout.place("celery", "extra", name)
            raise UsageError(
                f"{layout.source}:{place.line}:{place.column}: {name} cannot be set under celery: extra",
                why="it follows from the queues of the file",
                remedy="Use queues:, their tasks:, and celery: default_queue.",
            )
    transport = {"confirm_publish": True, **extra.pop("broker_transport_options", {})}
    settings = [*_queues(layout, desired), *_failures(layout, transport), *_worker(layout)]
    merged = [Setting(name=s.name, value=extra.pop(s.name, s.value), why=s.why) for s in settings]
    return (*merged, *(Setting(name=name, value=value) for name, value in extra.items()))


def _queues(layout: Layout, desired: Topology) -> Iterator[Setting]:
    declare = layout.celery.declare
    yield Setting(
        name="task_queues",
        value=tuple(_entry(queue, desired, declare) for queue in layout.work_queues.values()),
        why="Work queues only: a worker started without -Q consumes all of these, and must not eat tiers or the DLQ. "
        + ("Declared as the broker has them." if declare else "Declared by `dlxctl apply`, never by Celery."),
    )
    yield Setting(name="task_default_queue", value=layout.celery.default_queue or next(iter(layout.work_queues), None))
    yield Setting(
        name="task_default_exchange", value="", why="Queues are reached by name; no exchange of Celery's own."
    )
    routes: dict[str, dict[str, str]] = {}
    for queue in layout.work_queues.values():
        for pattern in queue.tasks:
            routes.setdefault(pattern, {"queue": queue.name})
    yield Setting(name="task_routes", value=routes)
    yield Setting(
        name="task_create_missing_queues", value=False,
        why="A misspelt queue name raises QueueNotFound, instead of making a queue without a dead-letter exchange.",
    )  # fmt: skip


def _failures(layout: Layout, transport: dict[str, Any]) -> Iterator[Setting]:
    yield Setting(
        name="task_acks_late", value=True,
        why="By default Celery acknowledges a failed task, and it is gone; so set, it is rejected to its DLX.",
    )  # fmt: skip
    yield Setting(name="task_acks_on_failure_or_timeout", value=False)
    yield Setting(name="task_acks_on_failure", value=False, why="The two successors, Celery 5.7 and later.")
    yield Setting(name="task_acks_on_timeout", value=False)
    unlimited = [queue.name for queue in layout.work_queues.values() if not _limits_deliveries(queue, layout)]
    yield Setting(
        name="task_reject_on_worker_lost", value=not unlimited,
        why="A task that kills its worker is tried again until the delivery limit, then dead-lettered."
        if not unlimited
        else "A task that kills its worker is dead-lettered at once. Trying again would never end on a queue that is "
        f"not quorum with a delivery_limit, and the setting holds for all queues: {', '.join(unlimited)}.",
    )  # fmt: skip
    yield Setting(
        name="broker_transport_options", value=transport,
        why="Without confirms a publish to a missing exchange or a full queue is lost without an error.",
    )  # fmt: skip


def _worker(layout: Layout) -> Iterator[Setting]:
    yield Setting(
        name="worker_prefetch_multiplier", value=1,
        why="Prefetch counts for each queue; what is prefetched is redelivered when a worker dies.",
    )  # fmt: skip
    # Only where retries need dlxctl in the worker anyway.
    if any(queue.retry for queue in layout.work_queues.values()):
        yield consumer_setting(layout)
    yield Setting(
        name=SETTING, value={queue.name: road_of(layout, queue).as_data() for queue in layout.work_queues.values()},
        why="Read by dlxctl.celery.worker.RetryTask: tiers as [exchange, milliseconds], retries, where failures rest.",
    )  # fmt: skip


def consumer_setting(layout: Layout) -> Setting:
    """The class that dead-letters what Celery would drop, such as a body that cannot be decoded."""
    if layout.celery.native_delay:
        return Setting(
            name="worker_consumer", value=DELAYING_CONSUMER, why="Dead-letters messages that Celery cannot read."
        )
    return Setting(
        name="worker_consumer", value=CONSUMER,
        why="Dead-letters messages that Celery cannot read, and leaves out its 28 delay queues: the retry tiers "
        "replace them (celery: native_delay: true).",
    )  # fmt: skip


def _entry(queue: WorkQueue, desired: Topology, declare: bool) -> QueueEntry:
    declared = desired.queue(queue.name)
    assert declared is not None, f"expansion left out the work queue {queue.name}"
    return QueueEntry(name=queue.name, arguments=dict(declared.arguments), declare=declare)


def _limits_deliveries(queue: WorkQueue, layout: Layout) -> bool:
    """Whether redelivery ends on every broker: 3.10 has no default limit, and takes -1 for "drop at once"."""
    if layout.native_ladder(queue):
        return True
    limits = (queue.delivery_limit, queue.arguments.get("x-delivery-limit"))
    return queue.type is QueueType.QUORUM and any(isinstance(limit, int) and limit > 0 for limit in limits)
