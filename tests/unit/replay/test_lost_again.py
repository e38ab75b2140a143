"""dlxctl.ops.replay: what a run counts, says and leaves behind when connections are lost more than once, or late."""

from collections import deque
from dataclasses import replace

import pytest

from dlxctl.broker.memory_link import MemoryLink
from dlxctl.broker.run_guard import MemoryGuard
from dlxctl.ops.replay import Patience, replay
from dlxctl.replay.order import Canary
from dlxctl.replay.origin import Held, Hold
from dlxctl.replay.report import Outcome
from tests import amqp_values as amqp
from tests.contract.test_replay_staying import Watching
from tests.links import message
from tests.unit.replay.losses import (
    DEATH,
    ORDER,
    CutLink,
    DeafLink,
    FanLink,
    LateLink,
    Marks,
    Nine,
    Odd,
    PickyLink,
    run,
    stored,
    unmarked,
)  # fmt: skip


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


def test_what_one_of_several_queues_refused_may_be_in_the_others() -> None:
    """The broker says no when any queue does; a later run marks what it sends to those that took it."""
    broker, marks = stored(3), Marks()
    broker.queues["audit"], broker.capacity["orders"] = deque(), 0
    for one in broker.queues["dead"]:
        one.header, _ = message("0", amqp.entry(b"x-death", amqp.array(DEATH)))
    order = replace(ORDER, to=None, via_exchange=True)
    report = run(FanLink(broker), marks=marks, order=order)
    assert report.held == {Held(why=Hold.REFUSED, detail="work:key"): 3}
    assert len(broker.queues["audit"]) == 3
    broker.capacity.clear()
    run(FanLink(broker), marks=marks, order=replace(order, rewrite=replace(ORDER.rewrite, run_id="r2")))
    assert len(broker.queues["audit"]) == 6
    assert len(unmarked(broker, "audit")) == 3
    assert not marks


def test_nothing_is_held_while_a_canary_is_watched() -> None:
    """The wait may be longer than a consumer_timeout, which closes the channel over what is taken and not moved."""
    broker, held = stored(10), []
    link = MemoryLink(broker)

    class Looking:
        def count(self, run_id: str) -> int:
            held.append(len(link._outstanding))
            return 0

    order = replace(ORDER, chosen=Odd(), canary=Canary(size=2, wait_s=0.1))
    report = replay(lambda: (link, MemoryGuard({}, {}, link)), order, {"run": "r1"}, Watching(), Patience(), Looking())
    assert set(held) == {0}
    assert (report.outcome, report.moved_total, report.left) == (Outcome.COMPLETE, 5, 5)
    assert report.remaining == 5


def test_what_somebody_looks_at_meanwhile_stays_in_doubt() -> None:
    """`dlxctl inspect` holds what an unfinished run may have moved: the queue looks empty, and the mark stays."""
    broker, marks = stored(10), Marks()
    other = replace(ORDER, rewrite=replace(ORDER.rewrite, run_id="other"))
    run(DeafLink(broker), marks=marks, order=other)
    looking = MemoryLink(broker)
    looking.consume("dead", 4)
    looking.pump(0)
    report = run(MemoryLink(broker), marks=marks)
    assert (report.outcome, report.moved_total, report.remaining) == (Outcome.COMPLETE, 6, 0)
    looking.close()
    again = replace(ORDER, rewrite=replace(ORDER.rewrite, run_id="r2"))
    assert run(MemoryLink(broker), marks=marks, order=again).moved_total == 4
    assert len(unmarked(broker)) == 10
    assert not marks


def test_a_member_of_a_chord_that_stays_is_not_told_to_run() -> None:
    """The report says of those counted that their task runs."""
    broker = stored(3, orders=1)
    for n, one in enumerate(broker.queues["dead"]):
        group = amqp.entry(b"group", amqp.string("g"))
        one.header, one.body = message('{"chord": {"task": "t"}}', amqp.entry(b"id", amqp.string(str(n))), group)
    report = run(MemoryLink(broker), marks={})
    assert (report.moved_total, report.held_total, report.chord_members) == (1, 2, 1)
