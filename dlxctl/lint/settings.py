"""Rules about the settings of work queues: what their type knows, and what keeps failures safe."""

from collections.abc import Iterator

from dlxctl.lint.checks import Finding, error, warning
from dlxctl.model.attributes import DEFAULT_DELIVERY_LIMIT
from dlxctl.model.diagnostics import quoted
from dlxctl.model.layout import Layout, SettingsMode, WorkQueue
from dlxctl.model.topology import QueueType, Topology

SHORT_CONSUMER_TIMEOUT_MS = 60_000


@error(
    "DLX310",
    "A setting that the queue's type does not have",
    "Priorities are for classic queues, delivery limits for quorum queues; `reject-publish-dlx` is classic only. "
    "RabbitMQ refuses such an argument, and ignores a whole policy because of one such key. In arguments, 4.3 refuses "
    "a consumer timeout on classic queues.",
)
def settings_fit_the_type(layout: Layout, topology: Topology) -> Iterator[Finding]:
    """`priority`, `delivery_limit`, `overflow` and `consumer_timeout` against the queue's type."""
    for queue in layout.work_queues.values():
        for key, needed in _misfits(queue, layout):
            cause = f"{key} of queue {quoted(queue.name)} is for {needed} queues, and the queue is {queue.type}."
            yield Finding(layout.place("queues", queue.name, key), cause, f"Remove {key}, or say type: {needed}.")


def _misfits(queue: WorkQueue, layout: Layout) -> Iterator[tuple[str, str]]:
    classic = queue.type is QueueType.CLASSIC
    if queue.priority is not None and not classic:
        yield "priority", "classic"
    if queue.delivery_limit is not None and classic:
        yield "delivery_limit", "quorum"
    if queue.overflow == "reject-publish-dlx" and not classic:
        yield "overflow", "classic"
    if queue.consumer_timeout_ms is not None and classic and layout.settings is SettingsMode.ARGUMENTS:
        yield "consumer_timeout", "quorum"


@warning(
    "DLX311",
    "Dead-lettering at most once",
    "With `overflow: drop-head` a quorum queue cannot dead-letter at least once: a failure that its dead-letter queue "
    "cannot take at that moment is lost, and a full queue dead-letters its oldest tasks.",
)
def quorum_queues_reject_when_full(layout: Layout, topology: Topology) -> Iterator[Finding]:
    """A quorum queue with a DLQ keeps reject-publish."""
    for queue in layout.work_queues.values():
        if queue.type is QueueType.QUORUM and queue.dead_letter is not None and queue.overflow == "drop-head":
            cause = f"queue {quoted(queue.name)} drops its head, so its failures are dead-lettered at most once."
            remedy = "Use overflow: reject-publish, which is the default, unless losing a failure is acceptable."
            yield Finding(layout.place("queues", queue.name, "overflow"), cause, remedy)


@warning(
    "DLX312",
    "A quorum queue without a delivery limit",
    "A task that kills its worker comes back until the limit is reached. Without a limit that is for ever on RabbitMQ "
    "3.10, and 20 times on 4.0 and later. Returns are counted, not failures of the task.",
)
def quorum_queues_have_a_delivery_limit(layout: Layout, topology: Topology) -> Iterator[Finding]:
    """`delivery_limit` is said for every quorum work queue."""
    for queue in layout.work_queues.values():
        limited = "x-delivery-limit" in queue.arguments or layout.native_ladder(queue) is not None
        if queue.type is QueueType.QUORUM and queue.delivery_limit is None and not limited:
            cause = (
                f"quorum queue {quoted(queue.name)} has no delivery_limit; a task that kills workers returns for ever "
                f"on RabbitMQ 3.10 and {DEFAULT_DELIVERY_LIMIT} times on 4.0 and later."
            )
            remedy = f"Say delivery_limit: {DEFAULT_DELIVERY_LIMIT}, or fewer."
            yield Finding(layout.place("queues", queue.name), cause, remedy)


@warning(
    "DLX313",
    "A work queue without a dead-letter queue",
    "`dead_letter: null` was said, so a failed message is dropped by the broker.",
)
def work_queues_dead_letter(layout: Layout, topology: Topology) -> Iterator[Finding]:
    """Each work queue has a DLQ; silence about it is an error already (DLX204)."""
    for queue in layout.work_queues.values():
        if _refuses_dead_letters(queue, layout) and "x-dead-letter-exchange" not in queue.arguments:
            cause = f"queue {quoted(queue.name)} has no dead-letter queue; its failures vanish."
            place = layout.place("queues", queue.name, "dead_letter")
            yield Finding(place, cause, "Name one, if failures of these tasks matter.")


@warning(
    "DLX314",
    "A consumer timeout under a minute",
    "RabbitMQ 3.10 and 4.0 look once a minute; a worker that holds a task longer loses its channel with all it has "
    "fetched.",
)
def consumer_timeouts_are_long(layout: Layout, topology: Topology) -> Iterator[Finding]:
    """`consumer_timeout` is a minute or more."""
    for queue in layout.work_queues.values():
        if queue.consumer_timeout_ms is not None and queue.consumer_timeout_ms < SHORT_CONSUMER_TIMEOUT_MS:
            cause = f"queue {quoted(queue.name)} takes tasks from workers that hold them for less than a minute."
            remedy = "Make it longer than the longest task, and at least 1m."
            yield Finding(layout.place("queues", queue.name, "consumer_timeout"), cause, remedy)


@error(
    "DLX315",
    "Retries without a dead-letter queue",
    "When its attempts are spent a message goes to the dead-letter queue; without one it would be lost after all.",
)
def retrying_queues_dead_letter(layout: Layout, topology: Topology) -> Iterator[Finding]:
    """A queue with a ladder has a DLQ."""
    for queue in layout.work_queues.values():
        if queue.retry is not None and _refuses_dead_letters(queue, layout):
            cause = (
                f"queue {quoted(queue.name)} retries through {quoted(queue.retry)} and then has no dead-letter queue."
            )
            place = layout.place("queues", queue.name, "dead_letter")
            yield Finding(place, cause, "Name a dead-letter queue, or say retry: null too.")


def _refuses_dead_letters(queue: WorkQueue, layout: Layout) -> bool:
    """Whether `dead_letter: null` was said, for the queue or in `defaults`; silence is DLX204 already."""
    said = {("queues", queue.name, "dead_letter"), ("defaults", "dead_letter")}
    return queue.dead_letter is None and not said.isdisjoint(layout.places)
