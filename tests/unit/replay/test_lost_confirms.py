"""dlxctl.ops.replay: a confirm that never comes does not keep a run for ever."""

from collections import deque

from dlxctl.broker.memory_link import MemoryBroker, MemoryLink, StoredMessage
from dlxctl.broker.run_guard import MemoryGuard
from dlxctl.model import headers as names
from dlxctl.ops.replay import Patience, replay
from dlxctl.replay.order import ReplayOrder
from dlxctl.replay.report import Outcome
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


def test_a_confirm_that_never_comes_ends_the_connection_and_not_the_run() -> None:
    """The run goes on over a new connection; what may be there twice is marked, and nothing is lost."""
    broker = MemoryBroker(
        queues={"dead": deque(StoredMessage(*message(str(n))) for n in range(5)), "orders": deque()}
    )  # fmt: skip
    links = [ForgetfulLink(broker), MemoryLink(broker)]
    marks: dict[str, object] = {}
    locks: dict[str, MemoryLink] = {}

    def connect() -> tuple[MemoryLink, MemoryGuard]:
        link = links.pop(0)
        return link, MemoryGuard(marks, locks, link)

    report = replay(connect, ORDER, {"run": "r1"}, Watching(), Patience(silent_s=0.2))
    assert (report.outcome, report.reconnects) == (Outcome.COMPLETE, 1)
    assert not broker.queues["dead"]
    arrived = broker.queues["orders"]
    bodies = [stored.body for stored in arrived]
    assert set(bodies) == {message(str(n))[1] for n in range(5)}
    doubled = {body for body in bodies if bodies.count(body) == 2}
    marked = [stored.body for stored in arrived if names.MAYBE_DUPLICATE.encode() in stored.header]
    assert message(str(LOST - 1))[1] in doubled
    assert sorted(marked) == sorted(doubled)
