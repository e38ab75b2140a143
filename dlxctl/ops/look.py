"""Looking at dead letters: take some, read them, give every one back by nack in their order, never by closing.

Closing a channel counts as a failed delivery of each message on a quorum queue, on every version; a nack counts least
(not at all on 4.3).
"""

import time
from collections.abc import Callable, Iterable, Iterator

from dlxctl.broker.link import Link
from dlxctl.errors import BrokerUnavailable, DlxctlError
from dlxctl.replay.letter import Letter
from dlxctl.wire.intake import Cancelled, Delivery, Event

MOST_UNACKNOWLEDGED = 1_000
QUIET_S = 1.0
PATIENCE_S = 15.0
"""How long to wait for a queue that has messages and sends none."""


class HandsOutNone(BrokerUnavailable):
    """A queue has messages and sends none of them."""

    def __init__(self, queue: str) -> None:
        super().__init__(
            f"queue {queue!r} hands out no more, and is not empty",
            why=f"nothing came for {PATIENCE_S:g} s; another consumer may be its single active consumer",
            remedy="Stop that consumer, or look at the broker's log; then run the same command again.",
        )


def letters(link: Link, queue: str, most: int = MOST_UNACKNOWLEDGED) -> Iterator[Letter]:
    """At most `most` letters from the head of `queue`; all of them are back in it when the iteration has ended.

    Fewer when others took them, or the queue hands out none.

    Raises NotFound, BrokerRefused, BrokerUnavailable.
    """
    expected = min(link.depth(queue), most, MOST_UNACKNOWLEDGED)
    if not expected:
        return
    link.consume(queue, expected)
    tags: list[int] = []
    try:
        for delivery in deliveries(link, queue, expected, lambda event: _end_of(queue, event)):
            tags.append(delivery.tag)
            yield Letter(delivery)
    except HandsOutNone:
        return
    finally:
        return_in_order(link, queue, tags, expected)


def return_in_order(link: Link, queue: str, tags: Iterable[int], least: int) -> int:
    """Take no more, give back `tags` one by one in their order and whatever else is outstanding; the depth then.

    `least` is the depth to wait for, as long as `wait_for_depth` waits.

    One nack for all would do, but RabbitMQ 3.10 scrambles more than 32 messages of a quorum queue over it; returned
    one by one they keep their order on every version and queue type (docs/decisions/0001).
    """
    link.cancel()
    for tag in sorted(tags):
        link.give_back(tag)
    link.give_back_all()
    link.settle()
    return wait_for_depth(link, queue, least)


def wait_for_depth(link: Link, queue: str, least: int) -> int:
    """The depth once returned messages are counted again: a quorum queue does so a moment after its answer.

    Gives up after QUIET_S, since others may take messages, and returns what is there then.
    """
    deadline = time.monotonic() + QUIET_S
    while (depth := link.depth(queue)) < least and time.monotonic() < deadline:
        time.sleep(0.02)
    return depth


def _end_of(queue: str, event: Event) -> None:
    if isinstance(event, Cancelled):
        raise DlxctlError(
            f"queue {queue!r} was deleted while it was looked at", remedy="`dlxctl status` shows what queues there are."
        )


def deliveries(link: Link, queue: str, number: int, other: Callable[[Event], None]) -> Iterator[Delivery]:
    """At most `number` deliveries of the consumer; fewer when others took them. `other` hears every other event,
    those that came together with a delivery before it: whoever takes that may fail, and a confirm comes only once.

    That others took them is told by quiet and an empty queue together. Quiet alone is not enough: a broker takes
    seconds over a header of thousands of nested tables. Its answer about the depth comes behind what it sent before.
    Raises HandsOutNone when the queue was not empty for PATIENCE_S and nothing came.
    """
    came, empty, since = 0, False, time.monotonic()
    asked = since
    while came < number:
        events = link.pump(0.1)
        for event in events:
            if not isinstance(event, Delivery):
                other(event)
        for event in events:
            if isinstance(event, Delivery):
                came += 1
                yield event
        now = time.monotonic()
        if events:
            empty, since, asked = False, now, now
        elif empty:
            return
        elif now - since > PATIENCE_S:
            raise HandsOutNone(queue)
        elif now - asked > QUIET_S:
            empty, asked = link.depth(queue) == 0, time.monotonic()
