"""A shop that is open while its queue is made anew: a publisher at a rate, a worker, and a ledger of both."""

import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pika
from pika import exceptions as pika_errors

from tests.oracle import Counts

EXCHANGE, KEY, QUEUE = "shop.events", "order.new", "orders"
ERRORS = (pika_errors.AMQPError, OSError)


@dataclass
class Ledger:
    """Numbers of the messages. `returned`: the broker said that no queue was there for it."""

    confirmed: set[int] = field(default_factory=set)
    unsure: set[int] = field(default_factory=set)
    returned: set[int] = field(default_factory=set)
    worked: Counter[int] = field(default_factory=Counter)

    def counts(self) -> Counts:
        """What was confirmed against what was worked on; a migration does not flag its duplicates."""
        doubled = sum(number - 1 for number in self.worked.values())
        return Counts(
            attempted=len(self.confirmed) + len(self.unsure), moved=sum(self.worked.values()),
            lost=len(self.confirmed - self.worked.keys()), duplicated=doubled, unflagged=doubled,
        )  # fmt: skip


class Shop:
    """Open within the block. `rate` messages a second go to `exchange`; a worker takes them from the queue."""

    def __init__(self, url: str, *, rate: float, exchange: str = EXCHANGE, key: str = KEY) -> None:
        self.ledger = Ledger()
        self._url, self._rate, self._exchange, self._key = url, rate, exchange, key
        self._closed, self._served = threading.Event(), threading.Event()
        self._threads = [threading.Thread(target=self._publish), threading.Thread(target=self._work)]

    def __enter__(self) -> "Shop":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self._served.set()
        self._threads[1].join()

    def close(self) -> None:
        """Publish no more."""
        self._closed.set()
        self._threads[0].join()

    def until_worked(self, seconds: float = 60) -> Counts:
        """Close, and wait until the worker has seen all that was confirmed."""
        self.close()
        deadline = time.monotonic() + seconds
        while self.ledger.confirmed - self.ledger.worked.keys() and time.monotonic() < deadline:
            time.sleep(0.1)
        return self.ledger.counts()

    def _connection(self) -> Any:
        return pika.BlockingConnection(pika.URLParameters(self._url))

    def _publish(self) -> None:
        number, ledger = 0, self.ledger
        while not self._closed.is_set():
            with suppress(*ERRORS):
                connection = self._connection()
                channel = connection.channel()
                channel.confirm_delivery()
                begun, sent = time.monotonic(), 0
                while not self._closed.is_set():
                    number, sent = number + 1, sent + 1
                    ledger.unsure.add(number)
                    try:
                        properties = pika.BasicProperties(delivery_mode=2)
                        channel.basic_publish(self._exchange, self._key, b"%d" % number, properties, mandatory=True)
                        ledger.confirmed.add(number)
                    except pika_errors.UnroutableError:
                        ledger.returned.add(number)
                    ledger.unsure.discard(number)
                    time.sleep(max(0.0, begun + sent / self._rate - time.monotonic()))
                connection.close()

    def _work(self) -> None:
        """A worker that comes back whatever happens to its queue or its connection."""
        while not self._served.is_set():
            with suppress(*ERRORS):
                connection = self._connection()
                channel = connection.channel()
                channel.basic_qos(prefetch_count=20)
                for method, _, body in channel.consume(QUEUE, inactivity_timeout=0.1):
                    if method is not None:
                        self.ledger.worked[int(body)] += 1
                        channel.basic_ack(method.delivery_tag)
                    if self._served.is_set():
                        break
                connection.close()
            time.sleep(0.02)
