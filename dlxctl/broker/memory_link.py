"""The double of `Link`: queues of raw messages in memory, with the confirms, returns and tags of a channel.

It keeps RabbitMQ's order of events: a return before the confirm of the same copy, returned messages at their old
place, a negative confirm for a full queue. tests/contract/test_link.py holds it equal to a real broker.
"""

from collections import deque
from dataclasses import dataclass, field

from dlxctl.errors import BrokerUnavailable, NotFound
from dlxctl.wire.intake import Cancelled, Confirm, Delivery, Event, Returned


@dataclass(slots=True)
class StoredMessage:
    """One message at rest; `header` and `body` as a Delivery has them."""

    header: bytes
    body: bytes
    exchange: bytes = b""
    routing_key: bytes = b""
    redelivered: bool = False
    position: int = 0


@dataclass(slots=True)
class MemoryBroker:
    """Queues by name; `capacity` bounds a queue that refuses more (`reject-publish`). `blocked` is an alarm."""

    queues: dict[str, deque[StoredMessage]] = field(default_factory=dict)
    capacity: dict[str, int] = field(default_factory=dict)
    blocked: str | None = None
    arrivals: int = 0
    links: list["MemoryLink"] = field(default_factory=list, repr=False, compare=False)

    def link(self) -> "MemoryLink":
        """A new channel."""
        return MemoryLink(self)


class MemoryLink:
    """A channel of a `MemoryBroker`."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker
        self._queue = ""
        self._prefetch = 0
        self._tag = 0
        self._sequence = 0
        self._outstanding: dict[int, StoredMessage] = {}
        self._out: list[tuple[int, bytes, StoredMessage]] = []
        self._events: list[Event] = []
        self._consuming = False
        self._before = 0
        self.alive = True
        broker.links.append(self)

    @property
    def blocked(self) -> str | None:
        return self._broker.blocked

    def depth(self, queue: str) -> int:
        if queue not in self._broker.queues:
            raise NotFound(f"reading queue {queue!r}: it does not exist", remedy="Check the name and the vhost.")
        return len(self._broker.queues[queue])

    def takers(self, queue: str) -> int:
        self.depth(queue)
        return sum(link._consuming and link._queue == queue for link in self._broker.links)

    def consume(self, queue: str, prefetch: int) -> None:
        self.depth(queue)
        self._queue, self._prefetch, self._consuming = queue, prefetch, True
        self._before = self._tag  # what earlier consumers took does not count for this one

    def cancel(self) -> None:
        self._consuming = False

    def publish(self, exchange: bytes, routing_key: bytes, header: bytes, body: bytes) -> int:
        self._sequence += 1
        self._out.append((self._sequence, exchange, StoredMessage(header, body, exchange, routing_key)))
        return self._sequence

    def ack(self, tag: int, *, multiple: bool) -> None:
        for one in [t for t in self._outstanding if t == tag or (multiple and t <= tag)]:
            del self._outstanding[one]

    def give_back(self, tag: int) -> None:
        self._return({tag: self._outstanding.pop(tag)})

    def give_back_all(self) -> None:
        back, self._outstanding = self._outstanding, {}
        self._return(back)

    def pump(self, timeout_s: float, *, gather: bool = False) -> list[Event]:
        if not self.alive:
            raise BrokerUnavailable("moving messages: the connection was lost")
        if self._broker.blocked is None:
            for sequence, exchange, message in self._out:
                self._route(sequence, exchange, message)
            self._out.clear()
        self._deliver()
        events, self._events = self._events, []
        return events

    def settle(self) -> None:
        self._events += self.pump(0)

    def close(self) -> None:
        self._consuming = self.alive = False
        self.give_back_all()

    def abort(self) -> None:
        self.close()

    def _route(self, sequence: int, exchange: bytes, message: StoredMessage) -> None:
        name = message.routing_key.decode()
        queue = self._broker.queues.get(name) if not exchange else None
        if queue is None:
            self._events.append(Returned(312, "NO_ROUTE", message.routing_key, message.header))
            self._events.append(Confirm(sequence, False, True))
        elif len(queue) >= self._broker.capacity.get(name, 2**63):
            self._events.append(Confirm(sequence, True, False))
        else:
            self._broker.arrivals += 1
            message.position = self._broker.arrivals
            queue.append(message)
            self._events.append(Confirm(sequence, False, True))

    def _deliver(self) -> None:
        if self._consuming and self._queue not in self._broker.queues:
            self._consuming = False
            self._events.append(Cancelled())
        queue = self._broker.queues.get(self._queue, deque())
        taken = sum(tag > self._before for tag in self._outstanding)
        while self._consuming and queue and taken < self._prefetch:
            taken += 1
            message = queue.popleft()
            self._tag += 1
            self._outstanding[self._tag] = message
            self._events.append(
                Delivery(
                    self._tag, message.redelivered, message.exchange, message.routing_key, message.header, message.body
                )
            )

    def _return(self, messages: dict[int, StoredMessage]) -> None:
        queue = self._broker.queues.get(self._queue)
        if queue is not None:
            back = messages.values()
            for message in back:
                message.redelivered = True
            ordered = sorted((*back, *queue), key=lambda message: message.position)
            queue.clear()
            queue.extend(ordered)
