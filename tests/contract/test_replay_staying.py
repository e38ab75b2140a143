"""Replay where many messages stay, where the connection is lost, and where it goes slowly, on double and broker."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from dlxctl.broker.link import Link
from dlxctl.broker.run_guard import RunGuard
from dlxctl.errors import Locked
from dlxctl.model import headers as names
from dlxctl.ops.carrier import Carrier
from dlxctl.ops.replay import Patience, replay
from dlxctl.ops.run_state import RunState
from dlxctl.replay.letter import Letter
from dlxctl.replay.order import Canary, ReplayOrder
from dlxctl.replay.origin import Held, Hold, OriginRules
from dlxctl.replay.prefetch import Prefetch
from dlxctl.replay.report import Outcome, RunReport
from dlxctl.wire.intake import Delivery
from tests import amqp_values as amqp
from tests.contract.test_replay import ORDER, bodies, dead_letter, prepared
from tests.links import World, drained, message
from tests.oracle import judged, marked
from tests.workers import wait_until


@dataclass
class Watching:
    """Counts links, and does something to the newest one when asked at a number of moved messages."""

    at: int | None = None
    act: Callable[[Any], None] = lambda link: None
    stopping: bool = False
    links: list[Any] = field(default_factory=list)

    def remark(self, text: str) -> None:
        print(text)

    def progress(self, report: RunReport, in_flight: int, blocked: str | None) -> None:
        if self.at is not None and report.moved_total + in_flight >= self.at:
            self.at = None
            self.act(self.links[-1])


@dataclass
class Told:
    """Returns that somebody made up."""

    back: int

    def count(self, run_id: str) -> int:
        return self.back


@dataclass
class EveryHundredth:
    """Chooses the messages whose id ends in 00."""

    def matches(self, letter: Letter, rules: OriginRules) -> bool:
        return (letter.id or "").endswith("00")


def run(world: World, order: ReplayOrder, watch: Watching | None = None, returns: Told | None = None) -> RunReport:
    watching = watch or Watching()

    def connect() -> tuple[Link, RunGuard]:
        watching.links.append(world.link())
        return watching.links[-1], world.guard(watching.links[-1])

    return replay(connect, order, {"run": order.rewrite.run_id}, watching, Patience(), returns)


def test_more_than_a_few_that_stay_go_to_the_tail_in_order(world: World) -> None:
    """The first thousand are kept, the others pass to the tail by confirmed copies; none is lost or doubled."""
    sent = [message(f"stays {n}") if n % 2 else dead_letter(str(n), "orders") for n in range(3_000)]
    prepared(world, *sent)
    report = run(world, replace(ORDER, may_rotate=True))
    assert (report.outcome, report.moved_total, report.rotated) == (Outcome.COMPLETE, 1_500, 500)
    assert report.held == {Held(why=Hold.NO_ORIGIN): 1_500}
    assert report.remaining == 1_500
    assert sorted(bodies(world, "dead")) == sorted(body for n, (_, body) in enumerate(sent) if n % 2)


def test_what_goes_to_the_tail_after_an_unfinished_run_carries_the_mark(world: World) -> None:
    """Its copy does not look redelivered, so a later run could not flag what may be a duplicate."""
    prepared(world, *[message(f"stays {n}") for n in range(1_050)])
    begun = world.link()
    world.guard(begun).begin("dead", {"run": "one that dies"})
    begun.consume("dead", 1_050)
    taken = 0
    while taken < 1_050:
        taken += sum(isinstance(event, Delivery) for event in begun.pump(5))
    begun.abort()
    once_free = Retrying(
        retry=retry_if_exception_type(Locked), wait=wait_fixed(0.05), stop=stop_after_delay(30), reraise=True
    )
    report = once_free(run, world, replace(ORDER, may_rotate=True))  # a broker takes a moment to mind a lost connection
    assert report.rotated == 50
    flags = [Letter(delivery).field(names.MAYBE_DUPLICATE) for delivery in drained(world.link(), "dead")]
    assert len(list(filter(None, flags))) == 50


def test_where_the_tail_is_not_safe_the_run_stops(world: World) -> None:
    """A bounded queue would push others out: then a thousand is the most, and the report says so."""
    prepared(world, *[message(f"stays {n}") for n in range(1_100)])
    report = run(world, ORDER)
    assert (report.outcome, int(report.exit_code)) == (Outcome.FAILED, 1)
    assert "have to stay" in report.trouble
    wait_until(lambda: world.link().depth("dead") == 1_100)  # the connection was cut off, which a broker minds in time
    assert len(bodies(world, "dead")) == 1_100


def test_a_few_chosen_out_of_many(world: World) -> None:
    """What is not chosen stays in the queue, in its order, and is nobody's trouble."""

    def numbered(n: int) -> tuple[bytes, bytes]:
        _, body = dead_letter(str(n), "orders")
        name = {"message_id": amqp.short(f"{n:05}".encode()), "delivery_mode": b"\x02"}
        entries = (amqp.entry(b"x-death", amqp.array(amqp.death("orders"))),)
        return amqp.Header(str(n).encode(), entries, name).payload(), body

    prepared(world, *[numbered(n) for n in range(2_500)])
    report = run(world, replace(ORDER, chosen=EveryHundredth(), may_rotate=True))
    assert (report.moved_total, report.left, int(report.exit_code)) == (25, 2_475, 0)
    assert len(bodies(world, "orders")) == 25
    assert len(bodies(world, "dead")) == 2_475


def test_a_lost_connection_is_found_again(world: World) -> None:
    """The run goes on by itself; nothing is lost, and what may be doubled is marked, and nothing else."""
    sent = []
    for n in range(4_000):
        header, body = message(str(n), marked(n), _death(n))
        sent.append((header, body))
    prepared(world, *sent)
    report = run(world, ORDER, Watching(at=1_500, act=lambda link: link.abort()))
    assert (report.outcome, report.reconnects) == (Outcome.COMPLETE, 1), report.trouble
    counts = judged(sent, [*drained(world.link(), "orders"), *drained(world.link(), "default")],
                    drained(world.link(), "dead"))  # fmt: skip
    assert (counts.lost, counts.unflagged, counts.altered) == (0, 0, 0)
    assert counts.duplicated <= 1_000
    assert report.remaining == 0


def _death(n: int) -> bytes:
    return amqp.entry(b"x-death", amqp.array(amqp.death("orders" if n % 2 else "default")))


WORN = message("worn", amqp.entry(b"dlxctl-replays", amqp.integer(5)), _death(1))


def test_a_canary_that_dies_again_stops_the_run(world: World) -> None:
    """Ten moved, ten came back: the rest is not touched."""
    prepared(world, *[dead_letter(str(n), "orders") for n in range(50)])
    report = run(world, replace(ORDER, canary=Canary(size=10, percent=20, wait_s=0.3)), returns=Told(10))
    assert (report.outcome, report.moved_total, int(report.exit_code)) == (Outcome.CANARY_FAILED, 10, 4)
    assert len(bodies(world, "dead")) == 40


def test_a_canary_that_lives_lets_the_rest_go(world: World) -> None:
    """Not more than the percentage came back: the run goes on to its end."""
    prepared(world, *[dead_letter(str(n), "orders") for n in range(50)])
    report = run(world, replace(ORDER, canary=Canary(size=10, percent=20, wait_s=0.3)), returns=Told(2))
    assert (report.outcome, report.moved_total) == (Outcome.COMPLETE, 50)


def test_a_rate_is_not_exceeded(world: World) -> None:
    """Thirty messages at fifty a second take more than a third of a second."""
    prepared(world, *[dead_letter(str(n), "orders") for n in range(30)])
    report = run(world, replace(ORDER, rate=50))
    assert report.moved_total == 30
    assert report.seconds > 0.35


def test_what_was_replayed_too_often_is_parked(world: World) -> None:
    """With a parking queue it goes there as it is; nothing has to be looked into."""
    prepared(world, WORN, queues=("orders", "default", "parked"))
    report = run(world, replace(ORDER, parking="parked"))
    assert (report.parked, report.moved_total, int(report.exit_code)) == (1, 0, 0)
    assert [(d.header, d.body) for d in drained(world.link(), "parked")] == [WORN]


def test_a_parking_queue_that_is_missing_holds_what_is_worn(world: World) -> None:
    """It is named as the reason; the rest moves, and nobody says that the dead-letter queue is gone."""
    prepared(world, *[WORN, dead_letter("fresh", "orders"), WORN])
    report = run(world, replace(ORDER, parking="parked"))
    assert (report.outcome, report.parked, report.moved_total) == (Outcome.COMPLETE, 0, 1)
    assert report.held == {Held(why=Hold.NO_QUEUE, detail="parked"): 2}


def test_what_would_be_another_message_in_the_parking_queue_stays(world: World) -> None:
    """A copy with its CC would go to that queue, too."""
    copied = amqp.entry(b"CC", amqp.array(amqp.string(b"elsewhere")))
    worn = message("worn", amqp.entry(b"dlxctl-replays", amqp.integer(5)), _death(1), copied)
    prepared(world, worn, queues=("orders", "default", "parked"))
    world.queue("elsewhere")
    report = run(world, replace(ORDER, parking="parked"))
    assert report.held == {Held(why=Hold.TOO_MANY_REPLAYS, detail="5 times"): 1}
    assert not bodies(world, "elsewhere")


def test_what_was_replayed_too_often_is_held_where_parking_would_drop_others(world: World) -> None:
    """A parking queue that drops its head loses a message for each that it takes."""
    worn = message("worn", amqp.entry(b"dlxctl-replays", amqp.integer(5)), _death(1))
    prepared(world, worn, queues=("orders", "default", "parked"))
    report = run(world, replace(ORDER, parking="parked", dropping=frozenset({"parked"})))
    assert (report.parked, report.held_total, int(report.exit_code)) == (0, 1, 4)
    assert len(drained(world.link(), "dead")) == 1


@pytest.mark.parametrize("rotates", [False, True])
def test_what_is_kept_too_long_is_given_back_and_taken_again(world: World, rotates: bool) -> None:
    """A consumer_timeout must not meet it; where the tail is not safe it is kept anew, and nothing is counted twice."""
    prepared(world, message("stays"), *[dead_letter(str(n), "orders") for n in range(8)])
    link = world.link()
    report = RunReport(run_id="r1", queue="dead", found=9)
    order = replace(ORDER, may_rotate=rotates)
    carrier = Carrier(link, RunState(order=order, report=report, prefetch=Prefetch(window=4), goal=9))
    released = False
    for _ in range(200):
        carrier.turn(0.05, taking=True)
        if carrier.window.kept and not released:
            carrier._kept_since, released = 0.0, True  # as if it had been kept for long
            carrier.turn(0.05, taking=True)
        elif released and report.examined == 9 and not carrier.window:
            break
    carrier.leave()
    link.close()
    assert released
    assert (report.moved_total, report.held.total(), report.examined) == (8, 1, 9)
    assert (report.rotated == 1) is rotates
    assert len(bodies(world, "orders")) == 8
    assert bodies(world, "dead") == [message("stays")[1]]


def test_a_run_that_ended_leaves_no_acknowledgement_behind(world: World) -> None:
    """One message stays, so each of the others is acknowledged by itself; after the end none of them comes back."""
    prepared(world, message("stays"), *[dead_letter(str(n), "orders") for n in range(2_000)])
    report = run(world, ORDER)
    assert (report.moved_total, report.remaining, report.arrived) == (2_000, 1, 0)
    deadline = time.monotonic() + 1
    while time.monotonic() < deadline:
        assert world.link().depth("dead") == 1
        time.sleep(0.2)
