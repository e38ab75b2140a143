"""What refers to what: after these checks every name in a layout leads somewhere, so that it can be expanded."""

from collections.abc import Iterable, Iterator

from dlxctl.model.diagnostics import Diagnostic, Place, quoted
from dlxctl.model.layout import Layout, VerbatimQueue, WorkQueue, delay_text
from dlxctl.spec import rules
from dlxctl.spec.form import nearest
from dlxctl.spec.model import TopologyForm

PREDECLARED = frozenset(
    {"amq.direct", "amq.fanout", "amq.topic", "amq.headers", "amq.match",
     "amq.rabbitmq.trace", "amq.rabbitmq.event", "amq.rabbitmq.log"}
)  # fmt: skip
"""Exchanges that every vhost has; the last two where the broker was told to have them."""


def check_references(form: TopologyForm, layout: Layout) -> Iterator[Diagnostic]:
    """Every reference that leads nowhere; `form` tells what was said and what is default."""
    yield from _ladders(layout)
    yield from _retentions(layout)
    for queue in layout.work_queues.values():
        yield from _ladder_of(queue, layout)
        yield from _dead_letter_queue_of(queue, form, layout)
        yield from _exchanges_of(queue, layout, "queues", queue.name)
    for kept in layout.verbatim.queues.values():
        yield from _exchanges_of(kept, layout, "verbatim", "queues", kept.name)
    yield from _ends(layout)
    yield from _default_queue(layout)


def _ladders(layout: Layout) -> Iterator[Diagnostic]:
    for name, ladder in layout.ladders.items():
        for index, (before, after) in enumerate(zip(ladder.delays_ms, ladder.delays_ms[1:], strict=False), start=1):
            if after <= before:
                place = layout.place("retry", name, "delays", index)
                cause = f"ladder {quoted(name)} has {delay_text(after)} after {delay_text(before)}."
                remedy = "Write each delay once, the shortest first; the last one repeats by itself."
                yield rules.DELAYS_NOT_GROWING.at(place, cause, remedy)


def _retentions(layout: Layout) -> Iterator[Diagnostic]:
    for name, queue in layout.dead_letter_queues.items():
        if queue.retention_ms is not None and queue.parking is None:
            place = layout.place("dead_letter", name, "retention")
            cause = (
                f"dead-letter queue {quoted(name)} has a retention and no parking queue; its messages would be lost."
            )
            remedy = f"Add parking: {name}.parked, or remove the retention."
            yield rules.RETENTION_WITHOUT_PARKING.at(place, cause, remedy)


def _ladder_of(queue: WorkQueue, layout: Layout) -> Iterator[Diagnostic]:
    if queue.retry is not None and queue.retry not in layout.ladders:
        place = _place_of(queue, "retry", layout)
        cause = f"queue {quoted(queue.name)} retries through ladder {quoted(queue.retry)}, which is not declared."
        yield rules.NO_SUCH_LADDER.at(place, cause, _remedy(queue.retry, layout.ladders, "retry"))


def _dead_letter_queue_of(queue: WorkQueue, form: TopologyForm, layout: Layout) -> Iterator[Diagnostic]:
    if queue.dead_letter is None:
        said = (
            "dead_letter" in form.queues[queue.name].model_fields_set or "dead_letter" in form.defaults.model_fields_set
        )
        if not said:
            place = layout.place("queues", queue.name)
            cause = f"queue {quoted(queue.name)} has no dead-letter queue; its failures would vanish."
            remedy = "Name one with dead_letter (here or in defaults), or write dead_letter: null."
            yield rules.DEAD_LETTER_UNSAID.at(place, cause, remedy)
    elif queue.dead_letter not in layout.dead_letter_queues:
        place = _place_of(queue, "dead_letter", layout)
        cause = (
            f"queue {quoted(queue.name)} dead-letters to {quoted(queue.dead_letter)}, which is not declared; "
            "its failures would vanish."
        )
        remedy = _remedy(queue.dead_letter, layout.dead_letter_queues, "dead_letter")
        yield rules.NO_SUCH_DLQ.at(place, cause, remedy)


def _exchanges_of(queue: WorkQueue | VerbatimQueue, layout: Layout, *path: str) -> Iterator[Diagnostic]:
    for index, binding in enumerate(queue.bindings):
        if binding.exchange not in layout.exchanges and binding.exchange not in PREDECLARED:
            place = layout.place(*path, "bindings", index, "exchange")
            cause = (
                f"queue {quoted(queue.name)} is bound to exchange {quoted(binding.exchange)}, which is not declared."
            )
            yield rules.NO_SUCH_EXCHANGE.at(place, cause, _remedy(binding.exchange, layout.exchanges, "exchanges"))


def _ends(layout: Layout) -> Iterator[Diagnostic]:
    made = {layout.naming.dlx, layout.naming.unrouted} if layout.dead_letter_queues else set()
    known = PREDECLARED | layout.exchanges.keys() | layout.tier_names | made
    for index, binding in enumerate(layout.verbatim.bindings):
        for end, name in (("source", binding.source), ("destination", binding.destination)):
            if name not in known:
                place = layout.place("verbatim", "bindings", index, end)
                cause = f"the {end} of a binding is exchange {quoted(name)}, which is not declared."
                yield rules.NO_SUCH_EXCHANGE.at(place, cause, _remedy(name, layout.exchanges, "exchanges"))


def _default_queue(layout: Layout) -> Iterator[Diagnostic]:
    name = layout.celery.default_queue
    if name is not None and name not in layout.work_queues:
        place = layout.place("celery", "default_queue")
        cause = f"Celery's default queue {quoted(name)} is not a work queue."
        yield rules.NO_SUCH_DEFAULT_QUEUE.at(place, cause, _remedy(name, layout.work_queues, "queues"))


def _place_of(queue: WorkQueue, key: str, layout: Layout) -> Place:
    """Where the queue says it, or where `defaults` says it for the queue."""
    own = ("queues", queue.name, key)
    return layout.place(*(own if own in layout.places else ("defaults", key)))


def _remedy(name: str, declared: Iterable[str], section: str) -> str:
    meant = nearest(name, declared)
    return f"Did you mean {quoted(meant)}?" if meant else f"Declare it under {section}, or fix the name."
