"""A shop that is open while its queue is made anew: a publisher at a rate, a worker, and a ledger of both."""

import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

from dlxctl.broker.address import Access
from dlxctl.broker.raw_link import RawLink
from dlxctl.errors import DlxctlError
from dlxctl.wire.frames import body_of
from dlxctl.wire.intake import Cancelled, Confirm, Delivery, Returned
from tests.links import message
from tests.oracle import Counts

EXCHANGE, KEY, QUEUE = b"shop.events", b"order.new", "orders"
MOST_WAITING = 500
"""Messages that wait for their confirm at a time."""


@dataclass
class Ledger:
    """Numbers of the messages. `returned`: how often the broker said that no queue was there; it confirms those."""

    sent: set[int] = field(default_factory=set)
    confirmed: set[int] = field(default_factory=set)
    returned: int = 0
    worked: Counter[int] = field(default_factory=Counter)

    def counts(self) -> Counts:
        """What was confirmed against what was worked on; a migration does not flag its duplicates."""
        doubled = sum(number - 1 for number in self.worked.values())
        return Counts(
            attempted=len(self.sent), moved=sum(self.worked.values()), lost=len(self.confirmed - self.worked.keys()),
            duplicated=doubled, unflagged=doubled,
        )  # fmt: skip


class Publisher:
    """A thread that publishes `rate` messages a second to `exchange`, confirmed, from `start` to `close`."""

    def __init__(
        self, reach: Access, ledger: Ledger, *, rate: float, exchange: bytes = EXCHANGE, key: bytes = KEY
    ) -> None:
        self._reach, self._ledger, self._rate, self._exchange, self._key = reach, ledger, rate, exchange, key
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._publish)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """Publish no more; every confirm is there."""
        self._closed.set()
        self._thread.join()

    def _publish(self) -> None:
        """At the rate that was asked for, a piece every hundredth of a second; again when a connection is lost."""
        number = 0
        while not self._closed.is_set():
            with suppress(DlxctlError):
                link = RawLink(self._reach, purpose="test publisher")
                waiting: dict[int, int] = {}
                begun, sent = time.monotonic(), 0
                while waiting or not self._closed.is_set():
                    due = 0 if self._closed.is_set() else int((time.monotonic() - begun) * self._rate) - sent
                    for _ in range(min(due, MOST_WAITING - len(waiting))):
                        number, sent = number + 1, sent + 1
                        waiting[link.publish(self._exchange, self._key, *message(str(number)))] = number
                        self._ledger.sent.add(number)
                    for event in link.pump(0.01):
                        self._heard(event, waiting)
                link.close()

    def _heard(self, event: object, waiting: dict[int, int]) -> None:
        match event:
            case Returned():
                self._ledger.returned += 1
            case Confirm():
                first = min(waiting) if event.multiple else event.sequence
                for sequence in range(first, event.sequence + 1):
                    number = waiting.pop(sequence, None)
                    if number is not None and event.ok:
                        self._ledger.confirmed.add(number)


class Shop:
    """Open within the block. `rate` messages a second go to `exchange`; a worker takes them from the queue."""

    def __init__(self, reach: Access, *, rate: float, exchange: bytes = EXCHANGE, key: bytes = KEY) -> None:
        self.ledger = Ledger()
        self._reach, self._served = reach, threading.Event()
        self._publisher = Publisher(reach, self.ledger, rate=rate, exchange=exchange, key=key)
        self._worker = threading.Thread(target=self._work)

    def __enter__(self) -> "Shop":
        self._publisher.start()
        self._worker.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self._served.set()
        self._worker.join()

    def close(self) -> None:
        """Publish no more."""
        self._publisher.close()

    def until_worked(self, seconds: float = 60) -> Counts:
        """Close, and wait until the worker has seen all that was confirmed."""
        self.close()
        deadline = time.monotonic() + seconds
        while self.ledger.confirmed - self.ledger.worked.keys() and time.monotonic() < deadline:
            time.sleep(0.1)
        return self.ledger.counts()

    def _work(self) -> None:
        """A worker that comes back whatever happens to its queue or its connection."""
        while not self._served.is_set():
            with suppress(DlxctlError):
                link = RawLink(self._reach, purpose="test worker")
                link.consume(QUEUE, 100)
                while not self._served.is_set():
                    events = link.pump(0.1)
                    taken = [event for event in events if isinstance(event, Delivery)]
                    self.ledger.worked.update(int(body_of(delivery.body)) for delivery in taken)
                    if taken:
                        link.ack(taken[-1].tag, multiple=True)
                    if any(isinstance(event, Cancelled) for event in events):
                        break
                link.close()
            time.sleep(0.02)
