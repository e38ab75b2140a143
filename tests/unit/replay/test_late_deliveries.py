"""dlxctl.ops.replay: a broker that is slow to hand out what it has taken out of the queue is waited for."""

from collections import deque

from dlxctl.broker.memory_link import MemoryBroker, MemoryLink, StoredMessage
from dlxctl.broker.run_guard import MemoryGuard
from dlxctl.ops.replay import Patience, replay
from dlxctl.replay.order import ReplayOrder
from dlxctl.replay.report import Outcome
from dlxctl.replay.rewrite import RewriteOptions
from dlxctl.wire.intake import Delivery, Event
from tests.contract.test_replay_staying import Watching
from tests.links import message

ORDER = ReplayOrder(queue="dead", to="orders", rewrite=RewriteOptions(run_id="r1", user="guest"))


class SlowLink(MemoryLink):
    """Keeps its deliveries to itself until it was asked for the depth, as a channel that is busy with them."""

    late: tuple[Event, ...] = ()
    asked = 0

    def depth(self, queue: str) -> int:
        self.asked += 1
        return super().depth(queue)

    def pump(self, timeout_s: float, *, gather: bool = False) -> list[Event]:
        events = super().pump(timeout_s, gather=gather)
        if self.asked < 3:  # at the start, by its consumer, and when the run believes that the queue is empty
            self.late += tuple(event for event in events if isinstance(event, Delivery))
            return [event for event in events if not isinstance(event, Delivery)]
        late, self.late = self.late, ()
        return [*late, *events]


def test_what_was_on_its_way_is_moved() -> None:
    """A second of quiet and an empty queue do not end the run while deliveries are still to come."""
    stored = deque(StoredMessage(*message(str(n))) for n in range(5))
    broker = MemoryBroker(queues={"dead": stored, "orders": deque()})
    link = SlowLink(broker)
    report = replay(lambda: (link, MemoryGuard({}, {}, link)), ORDER, {"run": "r1"}, Watching(), Patience())
    assert (report.outcome, report.moved_total) == (Outcome.COMPLETE, 5)
    assert link.asked > 2
