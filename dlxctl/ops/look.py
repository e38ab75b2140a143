"""Looking at dead letters: take some, read them, give every one back by nack in their order, never by closing.

Closing a channel counts as a failed delivery of each message on a quorum queue, on every version; a nack counts least
(not at all on 4.3).
"""

import time
from collections.abc import Iterable, Iterator

from dlxctl.broker.link import Link
from dlxctl.errors import DlxctlError
from dlxctl.replay.letter import Letter
from dlxctl.wire.intake import Cancelled, Delivery

MOST_UNACKNOWLEDGED = 1_000
QUIET_S = 1.0


def letters(link: Link, queue: str, most: int = MOST_UNACKNOWLEDGED) -> Iterator[Letter]:
    """At most `most` letters from the head of `queue`; all of them are back in it when the iteration has ended.

    Raises NotFound, BrokerRefused, BrokerUnavailable.
    """
    expected = min(link.depth(queue), most, MOST_UNACKNOWLEDGED)
    if not expected:
        return
    link.consume(queue, expected)
    tags: list[int] = []
    try:
        for letter in _deliveries(link, queue, expected):
            tags.append(letter.delivery.tag)
            yield letter
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


def _deliveries(link: Link, queue: str, expected: int) -> Iterator[Letter]:
    seen, quiet_since = 0, time.monotonic()
    while seen < expected and time.monotonic() - quiet_since < QUIET_S:
        for event in link.pump(0.1):
            if isinstance(event, Cancelled):
                raise DlxctlError(f"queue {queue!r} was deleted while it was looked at")
            if isinstance(event, Delivery):
                quiet_since = time.monotonic()
                seen += 1
                yield Letter(event)
