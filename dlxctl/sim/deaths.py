"""How a death is written into the history of a message, and the rule by which a history stops a message.

A dead letter is kept from a queue that it died in before if no death since then, newest to oldest, was a rejection:
the broker takes that for an automatic cycle, and drops the message without a word. A rejection itself is never
checked. (rabbit_dead_letter:detect_cycles, and https://www.rabbitmq.com/docs/dlx#automatic-dead-letter-cycles.)
"""

from dataclasses import replace

from dlxctl.sim.message import Death, Message, Reason
from dlxctl.sim.versions import Release


def died(message: Message, queue: str, reason: Reason, release: Release) -> Message:
    """`message` with one more death in its history and without its expiration; where it goes is not decided here."""
    death = Death(
        queue=queue,
        reason=reason,
        exchange=message.exchange,
        routing_key=message.routing_key,
        original_expiration_ms=message.expiration_ms,
    )
    return replace(
        message,
        deaths=_written(message.deaths, death, release),
        first=message.first or death,
        last=death,
        expiration_ms=None,
    )


def is_cycle(message: Message, target: str) -> bool:
    """Whether `message`, whose newest death is no rejection, is kept from `target`."""
    since = []
    for death in message.deaths:
        since.append(death.reason)
        if death.queue == target:
            return Reason.REJECTED not in since
    return False


def _written(deaths: tuple[Death, ...], death: Death, release: Release) -> tuple[Death, ...]:
    """`deaths` with `death` first. RabbitMQ 3.10 groups older ones by a fold, which turns them round."""
    same = next((old for old in deaths if (old.queue, old.reason) == (death.queue, death.reason)), None)
    older = deaths if release.newest_first else deaths[::-1]
    others = tuple(old for old in older if old is not same)
    return (replace(same, count=same.count + 1) if same else death, *others)
