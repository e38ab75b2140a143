"""dlxctl.ops.replay: a confirm that never comes does not keep a run for ever."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from dlxctl.broker.memory_link import MemoryBroker, MemoryLink, StoredMessage
from dlxctl.broker.run_guard import MemoryGuard
from dlxctl.model import headers as names
from dlxctl.ops.replay import Patience, replay
from dlxctl.replay.order import ReplayOrder
from dlxctl.replay.report import Outcome, RunReport
from dlxctl.replay.rewrite import RewriteOptions
from dlxctl.wire.intake import Confirm, Event
from tests.contract.test_replay_staying import Watching
from tests.links import message

ORDER = ReplayOrder(queue="dead", to="orders", rewrite=RewriteOptions(run_id="r1", user="guest"))
LOST = 3
"""The sequence number whose confirm is lost."""


class ForgetfulLink(MemoryLink):
    """Takes every copy, and never says so of one."""

    def pump(self, timeout_s: float, *, gather: bool = False) -> list[Event]:
        events = super().pump(timeout_s, gather=gather)
        return [event for event in events if not (isinstance(event, Confirm) and event.sequence == LOST)]


@dataclass
class Trade:
    """A broker with dead letters, and runs on it that share marks and locks."""

    broker: MemoryBroker
    marks: dict[str, Any] = field(default_factory=dict)
    locks: dict[str, MemoryLink] = field(default_factory=dict)
    runs: int = 0

    def run(
        self, *links: MemoryLink, between: Callable[[], object] = lambda: None, order: ReplayOrder = ORDER
    ) -> RunReport:
        """One run over these links in turn; `between` is called before the second is given out."""
        left = list(links)

        def connect() -> tuple[MemoryLink, MemoryGuard]:
            if len(left) < len(links):
                between()
            link = left.pop(0)
            return link, MemoryGuard(self.marks, self.locks, link)

        self.runs += 1
        return replay(connect, order, {"run": "r1", "started": self.runs}, Watching(), Patience(silent_s=0.2))

    def doubled_and_marked(self, queue: str = "orders") -> tuple[list[bytes], list[bytes]]:
        """Bodies that lie in a queue twice, and those of messages that say they may; each once and sorted."""
        bodies = [stored.body for stored in self.broker.queues[queue]]
        marked = [m.body for m in self.broker.queues[queue] if names.MAYBE_DUPLICATE.encode() in m.header]
        return sorted({body for body in bodies if bodies.count(body) == 2}), sorted(marked)


@pytest.fixture
def trade() -> Trade:
    """Five dead letters of `orders`."""
    dead = deque(StoredMessage(*message(str(n))) for n in range(5))
    return Trade(MemoryBroker(queues={"dead": dead, "orders": deque()}))


def test_a_confirm_that_never_comes_ends_the_connection_and_not_the_run(trade: Trade) -> None:
    """The run goes on over a new connection; what may be there twice is marked, and nothing is lost."""
    report = trade.run(ForgetfulLink(trade.broker), MemoryLink(trade.broker))
    assert (report.outcome, report.reconnects) == (Outcome.COMPLETE, 1)
    assert not trade.broker.queues["dead"]
    assert {stored.body for stored in trade.broker.queues["orders"]} == {message(str(n))[1] for n in range(5)}
    doubled, marked = trade.doubled_and_marked()
    assert message(str(LOST - 1))[1] in doubled
    assert doubled == marked


def test_what_may_be_there_twice_and_had_to_stay_is_marked_by_the_next_run(trade: Trade) -> None:
    """The target is full when the run comes back: what is held then has a copy already, and a later run says so."""
    broker = trade.broker

    def fill() -> None:
        broker.capacity["orders"] = len(broker.queues["orders"])

    report = trade.run(ForgetfulLink(broker), MemoryLink(broker), between=fill)
    assert (report.outcome, report.reconnects) == (Outcome.COMPLETE, 1)
    assert broker.queues["dead"]
    assert trade.doubled_and_marked() == ([], [])
    broker.capacity.clear()
    assert trade.run(MemoryLink(broker)).outcome is Outcome.COMPLETE
    doubled, marked = trade.doubled_and_marked()
    assert message(str(LOST - 1))[1] in doubled
    assert doubled == marked
    assert not trade.marks


def test_what_may_lie_in_the_parking_queue_twice_is_marked(trade: Trade) -> None:
    """What was replayed too often is parked as it is, but for that mark."""
    trade.broker.queues["parked"] = deque()
    park = replace(ORDER, max_replays=0, parking="parked")
    report = trade.run(ForgetfulLink(trade.broker), MemoryLink(trade.broker), order=park)
    assert (report.outcome, report.reconnects) == (Outcome.COMPLETE, 1)
    doubled, marked = trade.doubled_and_marked("parked")
    assert message(str(LOST - 1))[1] in doubled
    assert doubled == marked
