"""dlxctl.ops.replay: what a run counts, says and leaves behind when connections are lost more than once, or late."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from dlxctl.broker.memory_link import MemoryBroker, MemoryLink, StoredMessage
from dlxctl.broker.run_guard import MemoryGuard
from dlxctl.errors import BrokerRefused, BrokerUnavailable
from dlxctl.model import headers as names
from dlxctl.ops.replay import Patience, replay
from dlxctl.replay.letter import Letter
from dlxctl.replay.order import Canary, ReplayOrder
from dlxctl.replay.origin import Held, Hold, OriginRules
from dlxctl.replay.report import Outcome, RunReport
from dlxctl.replay.rewrite import RewriteOptions
from dlxctl.wire.intake import Confirm, Event
from tests import amqp_values as amqp
from tests.contract.test_replay_staying import Told, Watching
from tests.links import message

ORDER = ReplayOrder(queue="dead", to="orders", rewrite=RewriteOptions(run_id="r1", user="guest"))
_DEATH = amqp.table(
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


def test_what_came_back_twice_is_taken_to_the_end() -> None:
    """Each lost connection brings messages back, and a run that calls itself complete has looked at all of them."""
    broker, marks = stored(40), Marks()
    report = run(DeafLink(broker), DeafLink(broker), MemoryLink(broker), marks=marks)
    assert (report.outcome, report.reconnects) == (Outcome.COMPLETE, 2)
    assert not broker.queues["dead"]
    assert {stored.body for stored in broker.queues["orders"]} == {message(str(n))[1] for n in range(40)}
    assert len(unmarked(broker)) == len(set(unmarked(broker)))


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two may be kept, the others go to the tail; of two the acknowledgements are uncertain."""
    monkeypatch.setattr("dlxctl.ops.carrier.MOST_KEPT", 2)
    monkeypatch.setattr("dlxctl.replay.window.MOST_UNCERTAIN", 2)


@pytest.mark.usefixtures("few")
def test_what_was_on_its_way_to_the_tail_is_looked_at_again() -> None:
    """Copies that never arrived do not count as examined: the last message is still found, and moved."""
    broker, marks = stored(10), Marks()
    order = replace(ORDER, chosen=Nine(), may_rotate=True)
    report = run(CutLink(broker), MemoryLink(broker), marks=marks, order=order)
    assert (report.outcome, report.moved_total, report.left) == (Outcome.COMPLETE, 1, 9)
    assert report.rotated == 7
    assert len(broker.queues["dead"]) == 9


@pytest.mark.usefixtures("few")
def test_a_broker_that_ends_over_each_copy_to_the_tail_is_given_up() -> None:
    """What was only sent is no progress."""
    broker, marks = stored(10), Marks()
    links = [CutLink(broker) for _ in range(30)]
    order = replace(ORDER, chosen=Nine(), may_rotate=True)
    report = run(*links, marks=marks, order=order)
    assert (report.outcome, report.reconnects) == (Outcome.UNAVAILABLE, 6)


@pytest.mark.usefixtures("few")
def test_what_went_to_the_tail_before_a_loss_is_still_told() -> None:
    """It stays in the queue for its reason, which somebody has to look into."""
    broker, marks = stored(10), Marks()
    order = replace(ORDER, to=None, may_rotate=True)
    report = run(LateLink(broker), MemoryLink(broker), marks=marks, order=order)
    assert (report.outcome, report.reconnects) == (Outcome.COMPLETE, 1)
    assert report.held == {Held(why=Hold.NO_ORIGIN): 10}
    assert (report.remaining, report.arrived) == (10, 0)


def test_a_run_that_fails_tells_what_it_held() -> None:
    """The broker went away for good: what had to stay until then, and why, is in the report."""
    broker, marks = stored(3), Marks()
    report = run(LateLink(broker), marks=marks, order=replace(ORDER, to=None))
    assert report.outcome is Outcome.UNAVAILABLE
    assert report.held == {Held(why=Hold.NO_ORIGIN): 3}


@pytest.mark.parametrize("first", [DeafLink, LateLink])
def test_a_canary_that_dies_again_stops_the_run_over_a_lost_connection_too(first: type[MemoryLink]) -> None:
    """Whether it is lost while the canary is watched, or after its verdict: the rest is not touched."""
    broker, marks = stored(10), Marks()
    order = replace(ORDER, canary=Canary(size=2, percent=20, wait_s=0.3))
    report = run(first(broker), MemoryLink(broker), marks=marks, order=order, back=2)
    assert (report.outcome, report.reconnects, report.moved_total) == (Outcome.CANARY_FAILED, 1, 2)
    assert len(broker.queues["orders"]) == 2


def test_a_canary_that_lives_lets_the_rest_go_over_a_lost_connection_too() -> None:
    """It is watched again, and then the run goes on to its end, which is not the canary's."""
    broker, marks = stored(10), Marks()
    order = replace(ORDER, canary=Canary(size=2, percent=20, wait_s=0.3))
    report = run(DeafLink(broker), MemoryLink(broker), marks=marks, order=order)
    assert (report.outcome, report.reconnects) == (Outcome.COMPLETE, 1)
    assert not broker.queues["dead"]


def test_what_another_run_left_meanwhile_is_marked() -> None:
    """It began while the connection of this one was lost, and was killed: its copies are out, as its mark tells."""
    broker, marks = stored(10), Marks()
    other = replace(ORDER, rewrite=replace(ORDER.rewrite, run_id="other"))
    lost = MemoryLink(broker)
    lost.close()
    report = run(
        lost, MemoryLink(broker), marks=marks,
        between=lambda: run(DeafLink(broker), marks=marks, order=other),
    )  # fmt: skip
    assert (report.outcome, report.moved_total) == (Outcome.COMPLETE, 10)
    assert len(broker.queues["orders"]) == 20
    assert len(unmarked(broker)) == 10
    assert report.maybe_duplicates == 10
    assert not marks


def test_a_run_that_dies_while_the_next_begins_leaves_its_mark() -> None:
    """It holds all messages until just before it loses its lock: they are looked at, not taken for an empty queue."""
    broker, marks = stored(10), Marks()
    dying = MemoryLink(broker)
    dying.consume("dead", 10)
    dying.pump(0)
    marks["dead"] = {"run": "dying"}

    class NextLink(MemoryLink):
        def depth(self, queue: str) -> int:
            depth = super().depth(queue)
            dying.close()
            return depth

    report = run(NextLink(broker), marks=marks)
    assert (report.found, report.moved_total, report.maybe_duplicates) == (10, 10, 10)
    assert (report.outcome, report.remaining) == (Outcome.COMPLETE, 0)


class PickyLink(MemoryLink):
    """Closes the channel over the message that says 0, and does not say why."""

    def pump(self, timeout_s: float, *, gather: bool = False) -> list[Event]:
        if any(copy.body == message("0")[1] for _, _, copy in self._out):
            self.close()
            raise BrokerRefused("moving messages was refused", why="PRECONDITION_FAILED - who knows", remedy="")
        time.sleep(0.01)
        return super().pump(timeout_s, gather=gather)


def test_a_message_that_closes_the_channel_does_not_close_its_target(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kept for long, it is given back; the others still go to the queue that it was meant for."""
    monkeypatch.setattr("dlxctl.ops.carrier.KEEP_S", 0.1)
    broker, marks = stored(10), Marks()
    for n, one in enumerate(broker.queues["dead"]):
        one.header, _ = message("0", amqp.entry(b"id", amqp.string(str(n))))
    report = run(*[PickyLink(broker) for _ in range(3)], marks=marks, order=replace(ORDER, rate=20))
    assert (report.outcome, report.moved_total, report.held.total()) == (Outcome.COMPLETE, 9, 1)


def test_what_came_back_and_was_moved_again_did_not_arrive() -> None:
    """A report that speaks of new dead letters would say that the cause is not gone."""
    broker, marks = stored(40), Marks()
    report = run(DeafLink(broker), MemoryLink(broker), marks=marks)
    assert (report.outcome, report.moved_total) == (Outcome.COMPLETE, 56)
    assert (report.remaining, report.arrived) == (0, 0)


def test_a_parking_queue_that_is_gone_holds_what_is_worn_and_nothing_else() -> None:
    """The broker returns the copies; the others go on, and the report names the queue that is missing."""
    broker, marks = stored(10), Marks()
    earlier = amqp.entry(b"dlxctl-run", amqp.string("r0/1"))
    for n, one in enumerate(list(broker.queues["dead"])[:8]):
        worn = amqp.entry(b"dlxctl-replays", amqp.integer(5))
        one.header, _ = message("0", earlier, worn, amqp.entry(b"id", amqp.string(str(n))))
    report = run(*[MemoryLink(broker) for _ in range(30)], marks=marks, order=replace(ORDER, parking="parked"))
    assert (report.outcome, report.moved_total) == (Outcome.COMPLETE, 2), report.trouble
    assert report.held == {Held(why=Hold.NO_QUEUE, detail="parked"): 8}
    assert report.reconnects == 0


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


def test_what_one_of_several_queues_refused_may_be_in_the_others() -> None:
    """The broker says no when any queue does; a later run marks what it sends to those that took it."""
    broker, marks = stored(3), Marks()
    broker.queues["audit"], broker.capacity["orders"] = deque(), 0
    for one in broker.queues["dead"]:
        one.header, _ = message("0", amqp.entry(b"x-death", amqp.array(_DEATH)))
    order = replace(ORDER, to=None, via_exchange=True)
    report = run(FanLink(broker), marks=marks, order=order)
    assert report.held == {Held(why=Hold.REFUSED, detail="work:key"): 3}
    assert len(broker.queues["audit"]) == 3
    broker.capacity.clear()
    run(FanLink(broker), marks=marks, order=replace(order, rewrite=replace(ORDER.rewrite, run_id="r2")))
    assert len(broker.queues["audit"]) == 6
    assert len(unmarked(broker, "audit")) == 3
    assert not marks
