"""What may be there twice says so, wherever its copy went: to parking, to the tail of its queue."""

from collections import deque
from typing import Any

import pytest

from dlxctl.broker.link import LARGEST_HEADER
from dlxctl.broker.memory_link import MemoryLink, StoredMessage
from dlxctl.errors import NotFound
from dlxctl.model import headers as names
from dlxctl.ops.look_around import Wanted, look
from dlxctl.ops.replay import Patience, replay
from dlxctl.ops.rotation import Round
from dlxctl.ops.situation import Situation
from dlxctl.replay.letter import Letter
from dlxctl.replay.order import ReplayOrder
from dlxctl.replay.rewrite import RewriteOptions
from dlxctl.replay.surroundings import Surroundings
from dlxctl.replay.verdict import STAY, Send, Verdict
from dlxctl.wire import table
from tests import amqp_values as amqp
from tests.contract.test_replay_staying import Watching
from tests.links import MemoryWorld, message

MARK = names.MAYBE_DUPLICATE.encode()
WORN = message("worn", amqp.entry(b"dlxctl-replays", amqp.integer(5)))
ORDER = ReplayOrder(queue="dead", parking="parked", rewrite=RewriteOptions(run_id="r1", user="guest"))


@pytest.fixture
def world() -> MemoryWorld:
    """A run of `dead` was killed; what was out is redelivered."""
    world = MemoryWorld(marks={"dead": {"run": "killed"}})
    for name in ("dead", "parked"):
        world.queue(name)
    return world


def redelivered(world: MemoryWorld, header: bytes, body: bytes) -> None:
    world.broker.queues["dead"] = deque([StoredMessage(header, body, redelivered=True)])


def test_what_replay_parks_after_a_killed_run_is_marked(world: MemoryWorld) -> None:
    """The killed one may have parked it already."""
    redelivered(world, *WORN)
    link = world.broker.link()
    report = replay(lambda: (link, world.guard(link)), ORDER, {"run": "r1"}, Watching(), Patience())
    assert report.parked == 1
    assert MARK in world.broker.queues["parked"][0].header


@pytest.mark.parametrize("sends", [False, True])
def test_what_has_no_room_for_the_mark_stays(world: MemoryWorld, sends: bool) -> None:
    """A copy without it would hide for ever that there may be another one; the original tells, as long as it stays."""
    room = LARGEST_HEADER - len(message("large")[0]) - len(amqp.entry(b"x", amqp.string("")))
    redelivered(world, *message("large", amqp.entry(b"x", amqp.string("x" * room))))
    (large,) = world.broker.queues["dead"]
    assert len(large.header) == LARGEST_HEADER
    link = world.broker.link()
    verdict = Send("parked", large.header) if sends else STAY
    tally = Round(link, "dead", lambda _: verdict, copies=True, user="guest", suspect=True).go(1)
    assert (tally.sent, tally.copied, tally.held, tally.refused) == (0, 0, 1, sends)
    assert list(world.broker.queues["dead"]) == [large]
    assert large.redelivered


def test_what_would_not_fit_a_frame_is_not_sent(world: MemoryWorld) -> None:
    """The broker would end the connection over it."""
    redelivered(world, *message("edited"))
    verdict = Send("parked", b"x" * (LARGEST_HEADER + 1))
    tally = Round(world.broker.link(), "dead", lambda _: verdict, copies=False, user="guest").go(1)
    assert (tally.sent, tally.refused, len(world.broker.queues["dead"])) == (0, 1, 1)


def test_a_target_that_comes_in_the_middle_leaves_the_mark(world: MemoryWorld) -> None:
    """The first copies came back and later ones arrived, whose originals are given back as well: they are in doubt."""
    dead, marks = world.broker.queues["dead"], dict[str, Any]()
    dead.extend(StoredMessage(*message(str(n))) for n in range(20))
    world.marks = marks

    def judge(letter: Letter) -> Verdict:
        return Send("late", letter.delivery.header)

    class Link(MemoryLink):
        """Between the first copies and the rest the queue is declared."""

        def _route(self, sequence: int, exchange: bytes, message: StoredMessage) -> None:
            super()._route(sequence, exchange, message)
            if sequence == 5:
                self._broker.queues["late"] = deque()

    link = Link(world.broker)
    wanted = Wanted(queue="dead", most=None, user="guest", takes=True)
    safe = Situation(around=Surroundings(may_rotate=True, limit_known=True))
    with pytest.raises(NotFound, match="late"):
        look(link, world.guard(link), {"run": "r"}, wanted, safe, judge, lambda *_: None, lambda: False)
    link.close()
    late = [stored.body for stored in world.broker.queues["late"]]
    assert len(dead) == 20
    assert late
    assert "dead" in marks


def test_what_is_sent_instead_of_a_marked_letter_is_marked(world: MemoryWorld) -> None:
    """An edited copy is made of what the first look found; the second look may find that one marked by the first."""
    plain, _ = message("found")
    redelivered(world, *message("found", table.true_entry(names.MAYBE_DUPLICATE)))
    world.broker.queues["dead"][0].redelivered = False
    Round(world.broker.link(), "dead", lambda _: Send("parked", plain), copies=False, user="guest").go(1)
    (sent,) = world.broker.queues["parked"]
    assert sent.header.count(MARK) == 1
