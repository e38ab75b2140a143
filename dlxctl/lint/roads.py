"""Rules about the roads of messages: through tiers, into dead-letter queues, and never into nothing."""

from collections.abc import Iterator

from dlxctl.lint.checks import Finding, error, warning
from dlxctl.model.diagnostics import quoted
from dlxctl.model.effective import delivery_limit
from dlxctl.model.layout import Backend, Layout, WorkQueue, delay_text
from dlxctl.model.topology import Topology

SHORT_DELAY_MS = 100
"""Under load messages leave a tier up to some 100 ms late (facts 6.1)."""
SMALL_DELIVERY_LIMIT = 10_000
LIMITING_VERSION = (4, 0)
"""From here on a quorum queue has a limit even if nothing sets one."""
EXCHANGE, KEY = "x-dead-letter-exchange", "x-dead-letter-routing-key"


@error(
    "DLX330",
    "A hand-made dead-letter road leads nowhere",
    "RabbitMQ accepts a dead-letter exchange that does not exist, and then drops every dead letter without a word.",
)
def dead_letters_arrive(layout: Layout, topology: Topology) -> Iterator[Finding]:
    """An `x-dead-letter-exchange` in `arguments` is declared; with the default exchange, its queue is."""
    for queue, exchange, key in _hand_made(layout):
        place = layout.place("queues", queue.name, "arguments", EXCHANGE)
        if exchange == "" and topology.queue(key or queue.name) is None:
            cause = f"queue {quoted(queue.name)} dead-letters to queue {quoted(key)}, which is not declared."
            yield Finding(place, cause, "Use dead_letter, or declare the queue.")
        elif exchange and not exchange.startswith("amq.") and topology.exchange(exchange) is None:
            cause = f"queue {quoted(queue.name)} dead-letters to exchange {quoted(exchange)}, which is not declared."
            yield Finding(place, cause, "Use dead_letter, or declare the exchange.")


@error(
    "DLX331",
    "A queue dead-letters into a retry tier or into itself",
    "A message that dies there for any reason but a rejection comes back and is dropped as a cycle, silently, on every "
    "version of RabbitMQ. Tiers are for retries that the worker publishes.",
)
def deaths_avoid_tiers(layout: Layout, topology: Topology) -> Iterator[Finding]:
    """No dead-letter road of a work queue ends in a tier or where it began."""
    for queue, exchange, key in _hand_made(layout):
        target = exchange or key or queue.name
        if target in layout.tier_names or (exchange == "" and target == queue.name):
            what = "itself" if target == queue.name else f"the retry tier {quoted(target)}"
            cause = f"queue {quoted(queue.name)} dead-letters into {what}; deaths would be dropped as cycles."
            place = layout.place("queues", queue.name, "arguments", EXCHANGE)
            yield Finding(place, cause, "Use retry and dead_letter instead.")


@warning(
    "DLX332",
    "Dead letters go to a queue with a small delivery limit",
    "Looking into such a queue counts as a delivery; RabbitMQ 4.3 even carries the count along with a dead letter, so "
    "that the first look can destroy it.",
)
def dead_letters_survive_a_look(layout: Layout, topology: Topology) -> Iterator[Finding]:
    """A queue that gets dead letters by name has no small delivery limit."""
    for queue, exchange, key in _hand_made(layout):
        target = topology.queue(key or "") if exchange == "" and key != queue.name else None
        limit = delivery_limit(topology, target, LIMITING_VERSION) if target is not None else None
        if target is not None and limit is not None and limit < SMALL_DELIVERY_LIMIT:
            cause = f"queue {quoted(queue.name)} dead-letters to {quoted(target.name)}, whose delivery limit is small."
            place = layout.place("queues", queue.name, "arguments", KEY)
            yield Finding(place, cause, "Use dead_letter: its queues are safe to look into.")


@warning("DLX334", "Delays that are never used", "A retry uses the delay of its number; later delays wait for nobody.")
def delays_are_reached(layout: Layout, topology: Topology) -> Iterator[Finding]:
    """A ladder has at least as many attempts as delays."""
    for name, ladder in layout.ladders.items():
        if ladder.backend is Backend.TIERS and ladder.attempts < len(ladder.delays_ms):
            unused = delay_text(ladder.delays_ms[ladder.attempts])
            cause = f"ladder {quoted(name)} has attempts: {ladder.attempts} and so never reaches its delay {unused}."
            remedy = f"Raise attempts to {len(ladder.delays_ms)}, or remove delays."
            yield Finding(layout.place("retry", name, "attempts"), cause, remedy)


@warning("DLX335", "A delay too short to hold", "Under load a message leaves a tier up to some 100 ms late.")
def delays_are_not_tiny(layout: Layout, topology: Topology) -> Iterator[Finding]:
    """Delays are 100 ms or more."""
    for name, ladder in layout.ladders.items():
        for index, delay in enumerate(ladder.delays_ms):
            if delay < SHORT_DELAY_MS:
                cause = f"ladder {quoted(name)} has a delay of {delay_text(delay)}, shorter than a busy broker is late."
                yield Finding(layout.place("retry", name, "delays", index), cause, f"Use {SHORT_DELAY_MS}ms or more.")


@error(
    "DLX336",
    "A dead-letter routing key or strategy without its exchange",
    "RabbitMQ refuses the key with 406, and ignores the strategy.",
)
def dead_letter_arguments_are_whole(layout: Layout, topology: Topology) -> Iterator[Finding]:
    """`x-dead-letter-routing-key` and `-strategy` come with `x-dead-letter-exchange`."""
    for queue in layout.work_queues.values():
        for name in (KEY, "x-dead-letter-strategy"):
            if name in queue.arguments and EXCHANGE not in queue.arguments and queue.dead_letter is None:
                cause = f"argument {name} of queue {quoted(queue.name)} needs {EXCHANGE}."
                yield Finding(layout.place("queues", queue.name, "arguments", name), cause, "Use dead_letter instead.")


@error(
    "DLX337",
    "At-least-once dead-lettering without reject-publish",
    "RabbitMQ accepts `x-dead-letter-strategy: at-least-once` with another overflow, and silently dead-letters at most "
    "once.",
)
def at_least_once_rejects_when_full(layout: Layout, topology: Topology) -> Iterator[Finding]:
    """A queue with the at-least-once strategy has the overflow that it needs."""
    for queue in layout.work_queues.values():
        overflow = queue.arguments.get("x-overflow", queue.overflow)
        if queue.arguments.get("x-dead-letter-strategy") == "at-least-once" and overflow != "reject-publish":
            cause = f"queue {quoted(queue.name)} asks for at-least-once dead-lettering without reject-publish."
            place = layout.place("queues", queue.name, "arguments", "x-dead-letter-strategy")
            yield Finding(place, cause, "Say overflow: reject-publish.")


@warning(
    "DLX338",
    "An alternate exchange that is not declared",
    "Messages that no binding takes go to the alternate exchange; if it does not exist they are dropped.",
)
def alternate_exchanges_exist(layout: Layout, topology: Topology) -> Iterator[Finding]:
    """`alternate-exchange` of a public exchange is declared."""
    for name, exchange in layout.exchanges.items():
        alternate = exchange.arguments.get("alternate-exchange")
        if isinstance(alternate, str) and not alternate.startswith("amq.") and topology.exchange(alternate) is None:
            cause = f"exchange {quoted(name)} has the alternate exchange {quoted(alternate)}, which is not declared."
            place = layout.place("exchanges", name, "arguments", "alternate-exchange")
            yield Finding(place, cause, "Declare it under exchanges, or fix the name.")


def _hand_made(layout: Layout) -> Iterator[tuple[WorkQueue, str, str | None]]:
    """Work queues with a dead-letter exchange in `arguments`, and its routing key."""
    for queue in layout.work_queues.values():
        exchange, key = queue.arguments.get(EXCHANGE), queue.arguments.get(KEY)
        if isinstance(exchange, str):
            yield queue, exchange, key if isinstance(key, str) else None
