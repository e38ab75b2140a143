"""dlxctl.ops.look: a queue that has messages and hands none out is no queue that was gone through."""

import time
from collections import deque

import pytest

from dlxctl.broker.memory_link import MemoryBroker, MemoryLink, StoredMessage
from dlxctl.broker.run_guard import MemoryGuard
from dlxctl.errors import BrokerUnavailable
from dlxctl.ops.look import letters
from dlxctl.ops.replay import Patience, replay
from dlxctl.ops.rotation import Round
from dlxctl.replay.order import ReplayOrder
from dlxctl.replay.report import Outcome
from dlxctl.replay.rewrite import RewriteOptions
from dlxctl.replay.verdict import DROP
from dlxctl.wire.intake import Event
from tests.contract.test_replay_staying import Watching
from tests.links import message


class WaitingLink(MemoryLink):
    """Its consumer waits behind the active one of a queue with `x-single-active-consumer`."""

    def _deliver(self) -> None:
        """Nothing comes."""


@pytest.fixture
def link(monkeypatch: pytest.MonkeyPatch) -> WaitingLink:
    """To five messages; the patience is short."""
    monkeypatch.setattr("dlxctl.ops.look.QUIET_S", 0.05)
    monkeypatch.setattr("dlxctl.ops.look.PATIENCE_S", 0.2)
    return WaitingLink(MemoryBroker(queues={"dead": deque(StoredMessage(*message(str(n))) for n in range(5))}))


def test_a_round_that_gets_nothing_is_not_done(link: WaitingLink) -> None:
    """An export would end its archive with zero messages, a discard would say that it is complete: exit 0."""
    with pytest.raises(BrokerUnavailable, match=r"'dead' hands out no more.*single active consumer"):
        Round(link, "dead", lambda _: DROP, copies=False, user="guest").go(5)


def test_a_queue_that_others_emptied_is_done(link: WaitingLink) -> None:
    """They took what there was: nothing is left to do."""
    link._broker.queues["dead"].clear()
    assert Round(link, "dead", lambda _: DROP, copies=False, user="guest").go(5).judged == 0


def test_a_glance_shows_what_there_is(link: WaitingLink) -> None:
    """The age of a queue, or a rehearsal, which says how many it saw, need not fail over it."""
    assert list(letters(link, "dead")) == []


def test_a_replay_of_it_ends(link: WaitingLink, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is tried over a few connections, and said; it does not wait for ever without a word."""
    monkeypatch.setattr("dlxctl.ops.replay.QUIET_S", 0.05)
    monkeypatch.setattr("dlxctl.ops.replay.TURN_S", 0.01)
    monkeypatch.setattr("dlxctl.ops.replay.PATIENCE_S", 0.2)
    order = ReplayOrder(queue="dead", to="orders", rewrite=RewriteOptions(run_id="r1", user="guest"))
    deadline = time.monotonic() + 20
    watch = Watching()

    class Deadline(WaitingLink):
        def pump(self, timeout_s: float, *, gather: bool = False) -> list[Event]:
            assert time.monotonic() < deadline, "it hangs"
            return super().pump(timeout_s)

    def connect() -> tuple[MemoryLink, MemoryGuard]:
        one = Deadline(link._broker)
        return one, MemoryGuard({}, {}, one)

    report = replay(connect, order, {"run": "r1"}, watch, Patience())
    assert (report.outcome, report.moved_total) == (Outcome.UNAVAILABLE, 0)
    assert "hands out no more" in report.trouble
