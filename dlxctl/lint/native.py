"""Rules about ladders with `backend: native`: what RabbitMQ's delayed retry can be told, and on which queues.

https://www.rabbitmq.com/docs/quorum-queues#delayed-retries; measured on 4.3.6 (docs/topology-file.md has the table).
"""

from collections.abc import Iterator

from dlxctl.lint.checks import Finding, error, warning
from dlxctl.model.diagnostics import quoted
from dlxctl.model.layout import Backend, Ladder, Layout, WorkQueue, delay_text, native_delay_ms
from dlxctl.model.topology import QueueType, Topology

MOST_DELAYS = 2


@error(
    "DLX350",
    "A native ladder on a queue that is not quorum",
    "Only quorum queues can delay what is returned to them. On a classic queue a retry would come back at once, "
    "without end.",
)
def native_queues_are_quorum(layout: Layout, topology: Topology) -> Iterator[Finding]:
    """A queue that retries natively is quorum."""
    for queue, ladder in _native(layout):
        if queue.type is not QueueType.QUORUM:
            cause = f"queue {quoted(queue.name)} is {queue.type}, and ladder {quoted(ladder.name)} has backend: native."
            place = layout.place("queues", queue.name, "type")
            yield Finding(place, cause, "Make it type: quorum, or give it a ladder with backend: tiers.")


@error(
    "DLX351",
    "A native ladder and a delivery limit",
    "Natively the delivery limit is what ends the attempts: the broker counts a retry and a worker that died with one "
    "counter.",
)
def attempts_are_the_limit(layout: Layout, topology: Topology) -> Iterator[Finding]:
    """A queue that retries natively says nothing else about its delivery limit."""
    for queue, ladder in _native(layout):
        for path in (("delivery_limit",), ("arguments", "x-delivery-limit")):
            said = queue.delivery_limit is not None if len(path) == 1 else path[1] in queue.arguments
            if said:
                cause = (
                    f"queue {quoted(queue.name)} says {path[-1]}, and the attempts of ladder {quoted(ladder.name)} "
                    "are its delivery limit."
                )
                place = layout.place("queues", queue.name, *path)
                yield Finding(place, cause, f"Remove it; attempts: {ladder.attempts} says it.")


@error(
    "DLX352",
    "More delays than RabbitMQ can be told",
    "A native delay grows by itself: the first delay, twice, three times as much, up to the last. Nothing in between "
    "can be set.",
)
def native_delays_are_two(layout: Layout, topology: Topology) -> Iterator[Finding]:
    """A native ladder has a shortest and a longest delay."""
    for name, ladder in layout.ladders.items():
        if ladder.backend is Backend.NATIVE and len(ladder.delays_ms) > MOST_DELAYS:
            shortest, longest = delay_text(ladder.delays_ms[0]), delay_text(ladder.delays_ms[-1])
            cause = f"ladder {quoted(name)} has backend: native and {len(ladder.delays_ms)} delays."
            remedy = f"Say delays: [{shortest}, {longest}], or backend: tiers."
            yield Finding(layout.place("retry", name, "delays", MOST_DELAYS), cause, remedy)


@warning(
    "DLX353",
    "A longest delay that is never reached",
    "A native delay grows by the first delay with each attempt, and the attempts are over before it is as long as the "
    "last.",
)
def native_delays_are_reached(layout: Layout, topology: Topology) -> Iterator[Finding]:
    """The last retry of a native ladder waits for the longest delay."""
    for name, ladder in layout.ladders.items():
        grown = native_delay_ms(ladder.delays_ms[0], ladder.delays_ms[-1], ladder.attempts - 1)
        if ladder.backend is Backend.NATIVE and grown < ladder.delays_ms[-1]:
            cause = (
                f"ladder {quoted(name)} has grown to {delay_text(grown)} at its last attempt, and never reaches "
                f"{delay_text(ladder.delays_ms[-1])}."
            )
            remedy = f"Raise attempts, lengthen the first delay, or say delays: [..., {delay_text(grown)}]."
            yield Finding(layout.place("retry", name, "delays", 1), cause, remedy)


def _native(layout: Layout) -> Iterator[tuple[WorkQueue, Ladder]]:
    for queue in layout.work_queues.values():
        if ladder := layout.native_ladder(queue):
            yield queue, ladder
