"""Looking at dead letters: take some, read them, give every one back by a single nack, never by closing.

Closing a channel counts as a failed delivery of each message on a quorum queue, on every version; one nack with
`multiple` counts least and keeps the order best (facts 3.1 and 3.3).
"""

import time
from collections.abc import Iterator

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
    try:
        yield from _deliveries(link, queue, expected)
    finally:
        link.cancel()
        link.give_back_all()
        link.settle()


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
