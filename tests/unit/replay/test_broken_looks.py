"""dlxctl.ops.rotation: a round that ends early settles what it had begun, so that nothing is there twice."""

from collections import deque
from collections.abc import Callable
from functools import partial

import pytest

from dlxctl.broker.memory_link import MemoryBroker, MemoryLink, StoredMessage
from dlxctl.errors import DlxctlError
from dlxctl.ops.rotation import Round
from dlxctl.ops.silence import Silence
from dlxctl.replay.letter import Letter
from dlxctl.replay.verdict import STAY, Send, Verdict
from dlxctl.wire.intake import Delivery, Event
from tests.links import message

NUMBER = 500


class SteadyLink(MemoryLink):
    """Hands out messages a few at a time, as a broker does: confirms of copies come between and behind them."""

    def __init__(self, broker: MemoryBroker) -> None:
        super().__init__(broker)
        self._later: deque[Event] = deque()

    def pump(self, timeout_s: float, *, gather: bool = False) -> list[Event]:
        events = super().pump(timeout_s)
        self._later += [event for event in events if isinstance(event, Delivery)]
        now = [self._later.popleft() for _ in range(min(10, len(self._later)))]
        return now[:5] + [event for event in events if not isinstance(event, Delivery)] + now[5:]


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> MemoryBroker:
    """With dead letters, and a short patience."""
    monkeypatch.setattr("dlxctl.ops.rotation.Silence", partial(Silence, 0.2))
    dead = deque(StoredMessage(*message(f"{n:03}"), position=n - NUMBER) for n in range(NUMBER))
    return MemoryBroker(queues={"dead": dead, "parked": deque()})


def failing(at: int, verdict: Callable[[Letter], Verdict]) -> Callable[[Letter], Verdict]:
    """A judge that fails over its letter number `at`, as a full disk or a closed pipe makes it."""
    seen = 0

    def judge(letter: Letter) -> Verdict:
        nonlocal seen
        seen += 1
        if seen == at:
            raise OSError(28, "No space left on device")
        return verdict(letter)

    return judge


def bodies(broker: MemoryBroker, *queues: str) -> list[bytes]:
    return sorted(stored.body for queue in queues for stored in broker.queues[queue])


@pytest.mark.parametrize("verdict", [lambda _: STAY, lambda letter: Send("parked", letter.delivery.header)])
def test_a_judge_that_fails_leaves_no_second_one(memory: MemoryBroker, verdict: Callable[[Letter], Verdict]) -> None:
    """Confirms that came together with the fatal letter count: their originals go."""
    sent, link = bodies(memory, "dead"), SteadyLink(memory)
    around = Round(link, "dead", failing(219, verdict), copies=True, user="guest")
    with pytest.raises(OSError, match="No space"):
        around.go(NUMBER)
    link.close()
    assert bodies(memory, "dead", "parked") == sent
    assert around.settled


def test_a_queue_that_refuses_its_own_copies_leaves_no_second_one(memory: MemoryBroker) -> None:
    """It got a length meanwhile: the round stops, and of what it still took the originals go."""
    sent, link = bodies(memory, "dead"), MemoryLink(memory)
    memory.capacity["dead"] = 250
    around = Round(link, "dead", lambda _: STAY, copies=True, user="guest")
    with pytest.raises(DlxctlError, match="cannot go to its tail"):
        around.go(NUMBER)
    link.close()
    assert bodies(memory, "dead") == sent
    assert around.settled
