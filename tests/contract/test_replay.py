"""The contract of replay: the same runs on the double and on RabbitMQ, classic and quorum."""

import time
from dataclasses import dataclass, replace
from typing import Any

import pytest

from dlxctl.broker.link import Link
from dlxctl.broker.run_guard import RunGuard
from dlxctl.errors import Locked, NotFound
from dlxctl.ops.look import letters
from dlxctl.ops.rehearse import rehearse
from dlxctl.ops.replay import Patience
from dlxctl.ops.replay import replay as run_replay
from dlxctl.replay.order import ReplayOrder
from dlxctl.replay.origin import Held, Hold, OriginRules
from dlxctl.replay.report import Outcome, RunReport
from dlxctl.replay.rewrite import RewriteOptions
from tests import amqp_values as amqp
from tests.links import Message, World, drained, message, seed

RULES = OriginRules(skipped=frozenset({"dead"}), feeders=frozenset({"orders", "default", "gone", "small"}))
ORDER = ReplayOrder(queue="dead", rewrite=RewriteOptions(run_id="r1", user="guest"), rules=RULES)


@dataclass
class Watching:
    """A watch that asks to stop once so many have moved."""

    stop_at: int | None = None
    stopping: bool = False

    def remark(self, text: str) -> None:
        print(text)

    def progress(self, report: RunReport, in_flight: int, blocked: str | None) -> None:
        self.stopping = self.stop_at is not None and report.moved_total + in_flight >= self.stop_at


def dead_letter(text: str, origin: str) -> Message:
    return message(text, amqp.entry(b"x-death", amqp.array(amqp.death(origin))))


def replayed(world: World, order: ReplayOrder = ORDER, watch: Watching | None = None, **options: Any) -> RunReport:
    def connect() -> tuple[Link, RunGuard]:
        link = world.link()
        return link, world.guard(link)

    return run_replay(
        connect, order, {"run": "r1", "started": time.monotonic_ns()}, watch or Watching(), Patience(**options)
    )


def prepared(world: World, *messages: Message, queues: tuple[str, ...] = ("orders", "default")) -> None:
    for name in ("dead", *queues):
        world.queue(name)
    seed(world.link(), "dead", list(messages))


def bodies(world: World, queue: str) -> list[bytes]:
    return [delivery.body for delivery in drained(world.link(), queue)]


def test_each_message_goes_back_to_its_own_queue(world: World) -> None:
    """Origins are told apart, order within a queue is kept, and the DLQ is empty after."""
    sent = [dead_letter(str(n), "orders" if n % 3 else "default") for n in range(2_500)]
    prepared(world, *sent)
    report = replayed(world)
    assert (report.found, report.moved_total, report.remaining) == (2_500, 2_500, 0)
    assert bodies(world, "orders") == [body for n, (_, body) in enumerate(sent) if n % 3]
    assert bodies(world, "default") == [body for n, (_, body) in enumerate(sent) if not n % 3]
    assert (report.outcome, int(report.exit_code), report.maybe_duplicates) == (Outcome.COMPLETE, 0, 0)


def test_held_messages_stay_with_their_reason(world: World) -> None:
    """One bad message never stops the others, and every reason is counted."""
    world.queue("small", capacity=1)
    good = dead_letter("good", "orders")
    prepared(
        world, good, message("no origin"), dead_letter("forged", "payments"), dead_letter("lost", "gone"), good,
        *[dead_letter(f"full {n}", "small") for n in range(6)],
    )  # fmt: skip
    report = replayed(world)
    assert report.moved["orders"] == 2
    assert report.held[Held(why=Hold.NO_ORIGIN)] == 1
    assert report.held[Held(why=Hold.FOREIGN_ORIGIN, detail="payments")] == 1
    assert report.held[Held(why=Hold.NO_QUEUE, detail="gone")] == 1
    refused = report.held[Held(why=Hold.REFUSED, detail="small")]
    assert refused + report.moved["small"] == 6
    assert refused > 0
    assert report.remaining == 3 + refused
    assert len(bodies(world, "dead")) == 3 + refused
    assert int(report.exit_code) == 4


def test_a_limit_is_kept_exactly(world: World) -> None:
    """With --limit N just N move, for N around the window too, and held ones do not count."""
    for limit in (1, 999, 1_000, 1_001):
        prepared(world, dead_letter("lost", "gone"), *[dead_letter(str(n), "orders") for n in range(1_200)])
        report = replayed(world, replace(ORDER, limit=limit))
        assert (report.moved_total, report.outcome) == (limit, Outcome.LIMIT)
        assert len(bodies(world, "orders")) == limit
        assert len(bodies(world, "dead")) == 1_201 - limit
        world.delete("orders")
        world.delete("default")
        world.delete("dead")


def test_a_limit_above_what_is_there_moves_all(world: World) -> None:
    """The starting count bounds a run."""
    prepared(world, *[dead_letter(str(n), "orders") for n in range(3)])
    assert replayed(world, replace(ORDER, limit=10)).moved_total == 3


def test_an_empty_queue_is_nothing_to_do(world: World) -> None:
    """Zero found, zero moved, exit 0."""
    prepared(world)
    report = replayed(world)
    assert (report.found, report.moved_total, int(report.exit_code)) == (0, 0, 0)


def test_a_queue_that_is_not_there_is_not_found(world: World) -> None:
    """Nothing is created by looking for it."""
    with pytest.raises(NotFound, match="dead"):
        replayed(world)


def test_to_overrides_the_origin(world: World) -> None:
    """--to sends everything to one queue, also what has no origin."""
    prepared(world, message("no origin"), dead_letter("a", "orders"))
    assert replayed(world, replace(ORDER, to="default")).moved == {"default": 2}


def test_a_message_replayed_too_often_is_held(world: World) -> None:
    """--max-replays stops an endless circle."""
    prepared(world, message("a", amqp.entry(b"dlxctl-origin", amqp.string("orders")),
                            amqp.entry(b"dlxctl-replays", amqp.integer(5))))  # fmt: skip
    assert replayed(world).held == {Held(why=Hold.TOO_MANY_REPLAYS, detail="5 times"): 1}


def test_a_message_that_would_push_out_others_is_held(world: World) -> None:
    """A full drop-head queue would lose its oldest message."""
    prepared(world, dead_letter("a", "orders"))
    report = replayed(world, replace(ORDER, dropping=frozenset({"orders"})))
    assert report.held == {Held(why=Hold.DROPS, detail="orders"): 1}


def test_stopping_drains_the_window(world: World) -> None:
    """After a signal nothing more is taken, what is under way is finished, and no message is in both queues."""
    prepared(world, *[dead_letter(str(n), "orders") for n in range(3_000)])
    report = replayed(world, watch=Watching(stop_at=500))
    assert (report.outcome, int(report.exit_code), report.unknown) == (Outcome.INTERRUPTED, 130, 0)
    assert 500 <= report.moved_total < 3_000
    assert len(bodies(world, "orders")) == report.moved_total
    assert len(bodies(world, "dead")) == 3_000 - report.moved_total


def test_two_replays_of_one_queue_are_refused(world: World) -> None:
    """The second is told who runs the first."""
    prepared(world, dead_letter("a", "orders"))
    first = world.link()
    holder = {"run": "r0", "user": "ann", "host": "box", "pid": 1, "started": "2026-01-01T00:00:00Z"}
    world.guard(first).begin("dead", holder)
    with pytest.raises(Locked, match="r0") as refused:
        replayed(world)
    assert int(refused.value.exit_code) == 7
    first.close()


def test_after_a_run_that_did_not_end_redelivered_messages_are_flagged(world: World) -> None:
    """A crash leaves its mark; the next run flags what it may have published; a complete run clears it."""
    prepared(world, *[dead_letter(str(n), "orders") for n in range(3)])
    crashed = world.link()
    guard = world.guard(crashed)
    assert guard.begin("dead", {"run": "r0"}) is False
    crashed.consume("dead", 1)
    assert crashed.pump(5)
    crashed.close()
    report = replayed(world)
    assert report.maybe_duplicates >= 1
    assert any(b"dlxctl-maybe-duplicate" in delivery.header for delivery in drained(world.link(), "orders"))
    link = world.link()
    assert world.guard(link).begin("dead", {"run": "r2"}) is False
    link.close()


def test_a_dry_run_moves_nothing(world: World) -> None:
    """It counts by origin, knows a missing queue, and leaves every message."""
    prepared(world, dead_letter("a", "orders"), dead_letter("b", "gone"), message("c"))
    link = world.link()
    report = rehearse(link, ORDER, frozenset({"orders", "default"}))
    assert report.moved == {"orders": 1}
    assert report.held == {Held(why=Hold.NO_QUEUE, detail="gone"): 1, Held(why=Hold.NO_ORIGIN): 1}
    assert bodies(world, "orders") == []
    assert len(bodies(world, "dead")) == 3


def test_looking_leaves_every_message_in_order(world: World) -> None:
    """Letters are read and given back; a second look sees the same."""
    prepared(world, *[dead_letter(str(n), "orders") for n in range(50)])
    looks = [[letter.delivery.body for letter in letters(world.link(), "dead")] for _ in range(3)]
    assert looks[0] == looks[1] == looks[2]
    assert len(looks[0]) == 50


def test_the_mark_of_a_run_tells_its_own_from_anothers(world: World) -> None:
    """A run that comes back after a lost connection doubts nothing of its own mark, and everything of another's."""
    prepared(world, dead_letter("a", "orders"))
    found = []
    for run in ("r0", "r0", "other", "r0"):
        link = world.link()
        found.append(world.guard(link).begin("dead", {"run": run}))
        link.close()
    assert found == [False, False, True, True]
