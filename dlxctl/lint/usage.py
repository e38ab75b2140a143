"""Rules about what is declared and not used, or used twice."""

from collections.abc import Iterator

from dlxctl.lint.checks import Finding, error, warning
from dlxctl.model.diagnostics import quoted
from dlxctl.model.layout import Layout
from dlxctl.model.topology import Topology


@warning("DLX340", "A ladder that no queue uses", "Its tiers would be declared and lead nowhere.")
def ladders_are_used(layout: Layout, topology: Topology) -> Iterator[Finding]:
    """Each ladder is the `retry` of a queue."""
    used = {queue.retry for queue in layout.work_queues.values()}
    for name in layout.ladders:
        if name not in used:
            cause = f"no queue retries through ladder {quoted(name)}."
            yield Finding(layout.place("retry", name), cause, "Remove it, or use it.")


@warning("DLX341", "A dead-letter queue that no queue uses", "It would stay empty, and look as if all were well.")
def dead_letter_queues_are_used(layout: Layout, topology: Topology) -> Iterator[Finding]:
    """Each DLQ is the `dead_letter` of a queue."""
    used = {queue.dead_letter for queue in layout.work_queues.values()}
    for name in layout.dead_letter_queues:
        if name not in used:
            cause = f"no queue dead-letters to {quoted(name)}."
            yield Finding(layout.place("dead_letter", name), cause, "Remove it, or use it.")


@warning("DLX342", "An exchange that no queue is bound to", "What is published to it is dropped.")
def exchanges_are_bound(layout: Layout, topology: Topology) -> Iterator[Finding]:
    """Each public exchange has a binding, or is the alternate of one."""
    used = {binding.source for binding in topology.bindings.values()}
    used |= {str(exchange.arguments.get("alternate-exchange")) for exchange in layout.exchanges.values()}
    for name in layout.exchanges:
        if name not in used:
            cause = f"no queue of this file is bound to exchange {quoted(name)}."
            yield Finding(layout.place("exchanges", name), cause, "Bind a queue to it, or remove it.")


@error("DLX343", "One task pattern, two queues", "A task has one route; which of the two would be chance.")
def task_patterns_are_unique(layout: Layout, topology: Topology) -> Iterator[Finding]:
    """No pattern stands under `tasks` twice."""
    owners: dict[str, str] = {}
    for queue in layout.work_queues.values():
        for index, pattern in enumerate(queue.tasks):
            if pattern in owners:
                cause = f"tasks {quoted(pattern)} go to queue {quoted(queue.name)} and to {quoted(owners[pattern])}."
                place = layout.place("queues", queue.name, "tasks", index)
                yield Finding(place, cause, "Keep it under one queue.")
            owners.setdefault(pattern, queue.name)


@warning("DLX344", "No work queues", "The file would make tiers and dead-letter queues that nothing uses.")
def there_are_work_queues(layout: Layout, topology: Topology) -> Iterator[Finding]:
    """At least one work queue is declared."""
    if not layout.work_queues:
        yield Finding(layout.place("queues"), "the file declares no work queues.", "Add them under queues.")
