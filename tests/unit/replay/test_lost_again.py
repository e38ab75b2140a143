"""dlxctl.ops.replay: what a run counts, says and leaves behind when connections are lost more than once, or late."""

from collections import deque
from typing import Any

from dlxctl.broker.memory_link import MemoryBroker, MemoryLink, StoredMessage
from dlxctl.broker.run_guard import MemoryGuard
from dlxctl.errors import BrokerUnavailable
from dlxctl.model import headers as names
from dlxctl.ops.replay import Patience, replay
from dlxctl.replay.order import ReplayOrder
from dlxctl.replay.report import Outcome, RunReport
from dlxctl.replay.rewrite import RewriteOptions
from dlxctl.wire.intake import Confirm, Event
from tests.contract.test_replay_staying import Watching
from tests.links import message

ORDER = ReplayOrder(queue="dead", to="orders", rewrite=RewriteOptions(run_id="r1", user="guest"))
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


def stored(number: int, orders: int | None = None) -> MemoryBroker:
    """A broker with so many dead letters, each with its place, and room for `orders` in their target."""
    dead = deque(StoredMessage(*message(str(n)), position=n) for n in range(number))
    broker = MemoryBroker(queues={"dead": dead, "orders": deque()}, arrivals=number)
    if orders is not None:
        broker.capacity["orders"] = orders
    return broker


def run(*links: MemoryLink, marks: Marks, order: ReplayOrder = ORDER) -> RunReport:
    """One run over these links in turn."""
    left, locks = list(links), dict[str, MemoryLink]()

    def connect() -> tuple[MemoryLink, MemoryGuard]:
        if not left:
            raise BrokerUnavailable("it is gone")
        link = left.pop(0)
        return link, MemoryGuard(marks, locks, link)

    holder = {"run": order.rewrite.run_id}
    return replay(connect, order, holder, Watching(), Patience(silent_s=0.2, reconnect_s=0.1))


def unmarked(broker: MemoryBroker, queue: str = "orders") -> list[bytes]:
    """Bodies of the messages that do not say that they may be duplicates."""
    found = [m.body for m in broker.queues[queue] if names.MAYBE_DUPLICATE.encode() not in m.header]
    return sorted(found)


def test_what_came_back_twice_is_taken_to_the_end() -> None:
    """Each lost connection brings messages back, and a run that calls itself complete has looked at all of them."""
    broker, marks = stored(40), Marks()
    report = run(DeafLink(broker), DeafLink(broker), MemoryLink(broker), marks=marks)
    assert (report.outcome, report.reconnects) == (Outcome.COMPLETE, 2)
    assert not broker.queues["dead"]
    assert {stored.body for stored in broker.queues["orders"]} == {message(str(n))[1] for n in range(40)}
    assert len(unmarked(broker)) == len(set(unmarked(broker)))
