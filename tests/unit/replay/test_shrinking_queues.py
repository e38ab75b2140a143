"""dlxctl.ops.rotation: a round of a queue that others empty, or whose messages expire, meets none of its copies."""

from collections import deque

from dlxctl.broker.memory_link import MemoryBroker, MemoryLink, StoredMessage
from dlxctl.ops.rotation import Round
from dlxctl.replay.letter import Letter
from dlxctl.replay.verdict import STAY, Verdict
from tests.links import message


def test_no_copy_is_judged_when_messages_expire() -> None:
    """An export would hold such a message twice, and a restore would double it."""
    dead = deque(StoredMessage(*message(f"{n:04}"), position=n - 2_000) for n in range(2_000))
    broker, seen = MemoryBroker(queues={"dead": dead}), list[bytes]()

    def judge(letter: Letter) -> Verdict:
        seen.append(letter.delivery.body)
        if len(seen) == 800:  # their time is over while a batch is out
            for _ in range(300):
                dead.popleft()
        return STAY

    tally = Round(MemoryLink(broker), "dead", judge, copies=True, user="guest").go(2_000)
    assert len(seen) == len(set(seen)) == 1_700
    assert (tally.judged, tally.copied, len(dead)) == (1_700, 1_700, 1_700)


def test_what_came_meanwhile_is_not_judged() -> None:
    """The round ends where it began, so new dead letters wait for the next one."""
    dead = deque(StoredMessage(*message(f"{n:04}"), position=n - 2_000) for n in range(2_000))
    broker, seen = MemoryBroker(queues={"dead": dead}), list[bytes]()

    def judge(letter: Letter) -> Verdict:
        seen.append(letter.delivery.body)
        if len(seen) == 800:
            broker.arrivals += 1
            dead.append(StoredMessage(*message("new"), position=broker.arrivals))
        return STAY

    Round(MemoryLink(broker), "dead", judge, copies=True, user="guest").go(2_000)
    assert len(seen) == len(set(seen)) == 2_000
    assert message("new")[1] not in seen
