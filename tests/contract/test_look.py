"""The contract of a round of a queue: every message judged once, few out at a time, nothing lost; double and broker."""

from collections.abc import Callable
from typing import Any

import pytest

from dlxctl.errors import DlxctlError, Locked, NotFound
from dlxctl.ops.look_around import Wanted, look
from dlxctl.ops.rotation import MOST_KEPT, Round, Tally
from dlxctl.ops.situation import Situation
from dlxctl.replay.letter import Letter
from dlxctl.replay.surroundings import Surroundings
from dlxctl.replay.verdict import DROP, STAY, Send, Verdict
from tests import amqp_values as amqp
from tests.contract.test_replay import bodies, dead_letter, prepared
from tests.links import World, drained, message, seed
from tests.oracle import entries_of

Judge = Callable[[Letter], Verdict]


class Counting:
    """A link that notes how many deliveries were ever out at a time."""

    def __init__(self, link: Any) -> None:
        self._link, self.out, self.most = link, 0, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._link, name)

    def pump(self, timeout_s: float) -> list[Any]:
        events = self._link.pump(timeout_s)
        self.out += sum(type(event).__name__ == "Delivery" for event in events)
        self.most = max(self.most, self.out)
        return list(events)

    def ack(self, tag: int, *, multiple: bool) -> None:
        assert not multiple
        self.out -= 1
        self._link.ack(tag, multiple=multiple)

    def give_back(self, tag: int) -> None:
        self.out -= 1
        self._link.give_back(tag)


def went_round(link: Any, judge: Judge, goal: int, *, copies: bool, suspect: bool = False) -> Tally:
    return Round(link, "dead", judge, copies=copies, user="guest", suspect=suspect).go(goal)


def sent(number: int) -> list[tuple[bytes, bytes]]:
    return [dead_letter(f"{n:05}", "orders") for n in range(number)]


@pytest.mark.parametrize("copies", [False, True])
def test_a_round_shows_every_message_once_and_leaves_all(world: World, copies: bool) -> None:
    """Held or by copies: each is judged once, in order, and afterwards the queue holds the same bytes.

    Copies keep the order, too. What is held does not on 3.10, whose quorum queues mix up more than 32 returned.
    """
    messages = sent(950)
    prepared(world, *messages)
    seen: list[tuple[bytes, bytes]] = []

    def judge(letter: Letter) -> Verdict:
        seen.append((letter.delivery.header, letter.delivery.body))
        return STAY

    link = Counting(world.link())
    tally = went_round(link, judge, 950, copies=copies)
    assert seen == messages
    assert (tally.judged, tally.copied, tally.held) == ((950, 950, 0) if copies else (950, 0, 950))
    assert link.most <= 1_000
    left = bodies(world, "dead")
    assert (left if copies else sorted(left)) == [body for _, body in messages]


def test_a_long_queue_is_gone_round_with_few_out_at_a_time(world: World) -> None:
    """Three thousand messages, never a thousand out, and a second round sees them in the same order."""
    messages = sent(3_000)
    prepared(world, *messages)
    for _ in range(2):
        seen: list[bytes] = []
        link = Counting(world.link())

        def judge(letter: Letter, seen: list[bytes] = seen) -> Verdict:
            seen.append(letter.delivery.body)
            return STAY

        went_round(link, judge, 3_000, copies=True)
        assert seen == [body for _, body in messages]
        assert link.most <= 1_000
    assert [(d.header, d.body) for d in drained(world.link(), "dead")] == messages


def test_what_cannot_be_copied_is_held_and_comes_back(world: World) -> None:
    """A message with CC would reach other queues as a copy: it is held until the end, and no copy of it exists."""
    copied = amqp.entry(b"CC", amqp.array(amqp.string("orders")))
    prepared(world, *sent(20))
    seed(world.link(), "dead", [message("cc", copied)])
    bodies(world, "orders")
    tally = went_round(world.link(), lambda _: STAY, 21, copies=True)
    assert (tally.copied, tally.held) == (20, 1)
    assert bodies(world, "orders") == []
    assert sorted(bodies(world, "dead")) == sorted([*(body for _, body in sent(20)), message("cc")[1]])


def test_too_many_that_cannot_be_copied_end_the_round(world: World) -> None:
    """More than a few held messages are refused, and every message is still there."""
    foreign = amqp.Header(b"x", (amqp.entry(b"CC", amqp.array()),), {"delivery_mode": b"\x02"}).payload()
    prepared(world, *[(foreign, amqp.body_frame(b"x"))] * (MOST_KEPT + 50))
    with pytest.raises(DlxctlError, match="cannot go to its tail"):
        went_round(world.link(), lambda _: STAY, MOST_KEPT + 50, copies=True)
    assert len(bodies(world, "dead")) == MOST_KEPT + 50


@pytest.mark.parametrize("copies", [False, True])
def test_what_is_dropped_is_gone_and_what_is_sent_is_there(world: World, copies: bool) -> None:
    """One round deletes, moves and leaves, each as it was judged; what is held may lose its order on 3.10."""
    prepared(world, *sent(90), queues=("parked",))

    def judge(letter: Letter) -> Verdict:
        number = int(letter.delivery.body[7:-1])
        if number % 3 == 0:
            return DROP
        return Send("parked", letter.delivery.header) if number % 3 == 1 else STAY

    tally = went_round(world.link(), judge, 90, copies=copies)
    assert (tally.dropped, tally.sent, tally.judged) == (30, 30, 90)
    assert bodies(world, "parked") == [body for _, body in sent(90)][1::3]
    left = bodies(world, "dead")
    assert (left if copies or world.keeps_order else sorted(left)) == [body for _, body in sent(90)][2::3]


def test_a_missing_target_stops_the_round_and_keeps_everything(world: World) -> None:
    """What reaches no queue is not acknowledged."""
    prepared(world, *sent(30))
    with pytest.raises(NotFound, match="nowhere"):
        went_round(world.link(), lambda letter: Send("nowhere", letter.delivery.header), 30, copies=False)
    assert len(bodies(world, "dead")) == 30


def test_a_judge_that_fails_costs_nothing(world: World) -> None:
    """An error in the middle of a batch, a closed pipe say, leaves every message in the queue once."""
    prepared(world, *sent(700))
    judged = 0

    def judge(_: Letter) -> Verdict:
        nonlocal judged
        judged += 1
        if judged == 250:
            raise BrokenPipeError
        return STAY

    with pytest.raises(BrokenPipeError):
        went_round(world.link(), judge, 700, copies=True)
    assert sorted(bodies(world, "dead")) == [body for _, body in sent(700)]


def test_after_a_look_that_died_a_copy_tells_that_it_may_be_one_of_two(world: World) -> None:
    """The original is redelivered, and its copy would not look so: it carries the mark instead, and keeps it."""
    prepared(world, *sent(3))
    first = world.link()
    first.consume("dead", 3)
    while not first.pump(0.1):
        pass
    first.abort()
    for _ in range(2):
        went_round(world.link(), lambda _: STAY, 3, copies=True, suspect=True)
    found = drained(world.link(), "dead")
    assert [b"dlxctl-maybe-duplicate" in entries_of(letter.header) for letter in found] == [True] * 3
    assert [letter.body for letter in found] == [body for _, body in sent(3)]


def test_a_look_that_ends_in_good_order_leaves_no_mark(world: World) -> None:
    """Also when its reader hangs up in the middle: nothing is in doubt, so the next run suspects nothing."""
    prepared(world, *sent(1_200))

    def hang_up(letter: Letter) -> Verdict:
        raise BrokenPipeError

    wanted = Wanted(queue="dead", most=None, user="guest")
    safe = Situation(around=Surroundings(may_rotate=True, limit_known=True))
    for judge in (hang_up, lambda _: STAY):
        link = world.link()
        try:
            seen = look(link, world.guard(link), {"run": "r"}, wanted, safe, judge, lambda *_: None, lambda: False)
            assert (seen.copies, seen.tally.copied) == (True, 1_200)
        except BrokenPipeError:
            assert judge is hang_up
        link.close()
    link = world.link()
    assert world.guard(link).begin("dead", {"run": "next"}) is False
    assert sorted(bodies(world, "dead")) == [body for _, body in sent(1_200)]


def test_two_looks_by_copies_do_not_go_round_together(world: World) -> None:
    """The second is refused, since it would meet the copies of the first."""
    prepared(world, *sent(1_100))
    first, second = world.link(), world.link()
    world.guard(first).begin("dead", {"run": "first"})
    wanted = Wanted(queue="dead", most=None, user="guest")
    safe = Situation(around=Surroundings(may_rotate=True, limit_known=True))
    with pytest.raises(Locked):
        look(second, world.guard(second), {"run": "second"}, wanted, safe, lambda _: STAY, lambda *_: None,
             lambda: False)  # fmt: skip
    assert len(bodies(world, "dead")) == 1_100
