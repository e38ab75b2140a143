"""One broker behind a `Link`, real or in memory, with what tests need around it: queues, seeds and a look inside."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any, Protocol

from dlxctl.broker.address import Access
from dlxctl.broker.amqp import open_connection
from dlxctl.broker.link import Link
from dlxctl.broker.memory_link import MemoryBroker, MemoryLink, StoredMessage
from dlxctl.broker.raw_link import RawLink
from dlxctl.broker.run_guard import BrokerGuard, MemoryGuard, RunGuard
from dlxctl.wire.intake import Confirm, Delivery
from tests import amqp_values as amqp

Message = tuple[bytes, bytes]
"""(content header payload, body frames)."""


class World(Protocol):
    """A broker under test. `keeps_order`: whether few given back keep theirs; 3.10's quorum queues may not."""

    keeps_order: bool

    def queue(self, name: str, *, capacity: int | None = None) -> None: ...
    def delete(self, name: str) -> None: ...
    def link(self) -> Link: ...
    def guard(self, link: Any) -> RunGuard: ...


@dataclass
class MemoryWorld:
    """The in-memory double."""

    broker: MemoryBroker = field(default_factory=MemoryBroker)
    marks: dict[str, Any] = field(default_factory=dict)
    locks: dict[str, MemoryLink] = field(default_factory=dict)
    keeps_order: bool = True

    def queue(self, name: str, *, capacity: int | None = None) -> None:
        self.broker.queues[name] = deque()
        if capacity is not None:
            self.broker.capacity[name] = capacity

    def delete(self, name: str) -> None:
        del self.broker.queues[name]

    def link(self) -> Link:
        return self.broker.link()

    def guard(self, link: Any) -> RunGuard:
        return MemoryGuard(self.marks, self.locks, link)


@dataclass
class RabbitWorld:
    """A vhost of a real broker, with queues of one type."""

    reach: Access
    queue_type: str
    links: list[RawLink] = field(default_factory=list)
    keeps_order: bool = True

    def queue(self, name: str, *, capacity: int | None = None) -> None:
        arguments: dict[str, Any] = {"x-queue-type": self.queue_type}
        if capacity is not None:  # a quorum queue takes any number over its limit before it tells the channel
            arguments = {"x-queue-type": "classic", "x-max-length": capacity, "x-overflow": "reject-publish"}
        elif self.queue_type == "quorum":
            arguments["x-delivery-limit"] = 1_000_000
        connection = open_connection(self.reach, purpose="test")
        connection.channel().queue_declare(name, durable=True, arguments=arguments)
        connection.close()

    def delete(self, name: str) -> None:
        connection = open_connection(self.reach, purpose="test")
        connection.channel().queue_delete(name)
        connection.close()

    def link(self) -> Link:
        self.links.append(RawLink(self.reach, purpose="test"))
        return self.links[-1]

    def guard(self, link: Any) -> RunGuard:
        return BrokerGuard(link.connection)

    def close(self) -> None:
        for link in self.links:
            link.close()


def message(text: str, *entries: bytes) -> Message:
    """A persistent message with a header table."""
    body = text.encode()
    return amqp.Header(body, entries, {"delivery_mode": b"\x02"}).payload(), amqp.body_frame(body)


def seed(link: Link, queue: str, messages: list[Message]) -> None:
    """Publish raw messages and wait until each is confirmed."""
    waiting: set[int] = set()
    for at in range(0, len(messages), 500):
        for header, body in messages[at : at + 500]:
            waiting.add(link.publish(b"", queue.encode(), header, body))
        while waiting:
            for event in link.pump(5):
                assert isinstance(event, Confirm), event
                assert event.ok
                waiting -= {n for n in waiting if n == event.sequence or (event.multiple and n <= event.sequence)}


def drained(link: Link, queue: str) -> list[Delivery]:
    """Every message of `queue`, in order, acknowledged."""
    expected, found = link.depth(queue), []
    if expected:
        link.consume(queue, 2_000)
    while len(found) < expected:
        events = link.pump(10)
        assert events, f"{len(found)} of {expected} came"
        found += [event for event in events if isinstance(event, Delivery)]
        link.ack(found[-1].tag, multiple=True)
    link.cancel()
    link.settle()
    return found


__all__ = ["MemoryWorld", "RabbitWorld", "StoredMessage", "World", "drained", "message", "seed"]
