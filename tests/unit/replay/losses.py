"""Runs on a broker in memory whose links fail in their own ways, for tests of what replay promises then."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from dlxctl.broker.memory_link import MemoryBroker, MemoryLink, StoredMessage
from dlxctl.broker.run_guard import MemoryGuard
from dlxctl.errors import BrokerRefused, BrokerUnavailable
from dlxctl.model import headers as names
from dlxctl.ops.replay import Patience, replay
from dlxctl.replay.letter import Letter
from dlxctl.replay.order import ReplayOrder
from dlxctl.replay.origin import OriginRules
from dlxctl.replay.report import RunReport
from dlxctl.replay.rewrite import RewriteOptions
from dlxctl.wire.intake import Confirm, Event
from tests import amqp_values as amqp
from tests.contract.test_replay_staying import Told, Watching
from tests.links import message

ORDER = ReplayOrder(queue="dead", to="orders", rewrite=RewriteOptions(run_id="r1", user="guest"))
DEATH = amqp.table(
    amqp.entry(b"count", amqp.integer(1)), amqp.entry(b"queue", amqp.string("orders")),
    amqp.entry(b"exchange", amqp.string("work")), amqp.entry(b"routing-keys", amqp.array(amqp.string("key"))),
)  # fmt: skip
Marks = dict[str, Any]


class DeafLink(MemoryLink):
    """Confirms copies and hears no acknowledgement; the connection ends after `most` confirms."""

    most = 1

    def ack(self, tag: int, *, multiple: bool) -> None:
        pass

    def pump(self, timeout_s: float, *, gather: bool = False) -> list[Event]:
        if self.most <= 0:
            self.close()
        events = super().pump(timeout_s, gather=gather)
        self.most -= sum(isinstance(event, Confirm) for event in events)
        return events


class CutLink(MemoryLink):
    """Ends before its copies go out, when there are any."""

    def pump(self, timeout_s: float, *, gather: bool = False) -> list[Event]:
        if self._out:
            self.close()
        return super().pump(timeout_s, gather=gather)


class LateLink(MemoryLink):
    """Ends when the run is over and gives back what it kept."""

    def settle(self) -> None:
        self.close()
        super().settle()


class Nine:
    """Chooses the message that says 9."""

    def matches(self, letter: Letter, rules: OriginRules) -> bool:
        return letter.delivery.body == message("9")[1]


class Odd:
    """Chooses every other message."""

    def matches(self, letter: Letter, rules: OriginRules) -> bool:
        return letter.delivery.body in {message(str(n))[1] for n in range(1, 10, 2)}


class PickyLink(MemoryLink):
    """Closes the channel over the message that says 0, and does not say why."""

    def pump(self, timeout_s: float, *, gather: bool = False) -> list[Event]:
        if any(copy.body == message("0")[1] for _, _, copy in self._out):
            self.close()
            raise BrokerRefused("moving messages was refused", why="PRECONDITION_FAILED - who knows", remedy="")
        time.sleep(0.01)
        return super().pump(timeout_s, gather=gather)


class FanLink(MemoryLink):
    """Its exchanges lead to `orders` and to `audit`, and a copy that either refuses is refused, as by RabbitMQ."""

    def _route(self, sequence: int, exchange: bytes, message: StoredMessage) -> None:
        if not exchange:
            super()._route(sequence, exchange, message)
            return
        for queue in (b"audit", b"orders"):
            super()._route(sequence, b"", replace(message, routing_key=queue))
        refused = {event.ok for event in self._events[-2:] if isinstance(event, Confirm)} == {True, False}
        self._events[-2:] = [Confirm(sequence, False, not refused)]


def stored(number: int, orders: int | None = None) -> MemoryBroker:
    """A broker with so many dead letters, each with its place, and room for `orders` in their target."""
    dead = deque(StoredMessage(*message(str(n)), position=n) for n in range(number))
    broker = MemoryBroker(queues={"dead": dead, "orders": deque()}, arrivals=number)
    if orders is not None:
        broker.capacity["orders"] = orders
    return broker


def run(
    *links: MemoryLink, marks: Marks, order: ReplayOrder = ORDER, back: int = 0,
    between: Callable[[], object] = lambda: None,
) -> RunReport:  # fmt: skip
    """One run over these links in turn; `back` of a canary die again; `between` happens before each but the first."""
    left, locks = list(links), dict[str, MemoryLink]()

    def connect() -> tuple[MemoryLink, MemoryGuard]:
        if len(left) < len(links):
            between()
        if not left:
            raise BrokerUnavailable("it is gone")
        link = left.pop(0)
        return link, MemoryGuard(marks, locks, link)

    holder = {"run": order.rewrite.run_id}
    return replay(connect, order, holder, Watching(), Patience(silent_s=0.2, reconnect_s=0.1), Told(back))


def unmarked(broker: MemoryBroker, queue: str = "orders") -> list[bytes]:
    """Bodies of the messages that do not say that they may be duplicates."""
    found = [m.body for m in broker.queues[queue] if names.MAYBE_DUPLICATE.encode() not in m.header]
    return sorted(found)
