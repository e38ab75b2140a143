"""dlxctl.ops.silence: every loop that waits for confirms ends when one never comes."""

from collections import deque
from functools import partial

import pytest

from dlxctl.broker.memory_link import MemoryBroker, MemoryLink, StoredMessage
from dlxctl.errors import BrokerUnavailable
from dlxctl.ops.migrate_move import Mover, Way
from dlxctl.ops.restore import restore
from dlxctl.ops.rotation import Round, Send
from dlxctl.ops.silence import Silence
from dlxctl.replay.archived import Archived
from dlxctl.wire.intake import Confirm, Event
from tests.links import message

FIVE = [message(str(number)) for number in range(5)]


class MuteLink(MemoryLink):
    """Takes every copy, and says so of none."""

    def pump(self, timeout_s: float, *, gather: bool = False) -> list[Event]:
        return [event for event in super().pump(timeout_s) if not isinstance(event, Confirm)]


@pytest.fixture
def link(monkeypatch: pytest.MonkeyPatch) -> MuteLink:
    """To a broker with five dead letters; the patience is short."""
    for module in ("restore", "rotation", "migrate_move"):
        monkeypatch.setattr(f"dlxctl.ops.{module}.Silence", partial(Silence, 0.2))
    dead = deque(StoredMessage(*one) for one in FIVE)
    return MuteLink(MemoryBroker(queues={"dead": dead, "orders": deque()}))


def test_a_restore_ends(link: MuteLink) -> None:
    archived = [Archived(exchange=b"", routing_key=b"dead", header=header, body=body) for header, body in FIVE]
    with pytest.raises(BrokerUnavailable, match=r"silent for 0.2 s \(copies not confirmed: 5\)"):
        restore(link, "orders", archived, lambda _: True, "guest", lambda: False)


def test_a_round_of_the_queue_ends(link: MuteLink) -> None:
    """Parking, discarding and editing go this way."""
    with pytest.raises(BrokerUnavailable, match="copies not confirmed: 5"):
        Round(link, "dead", lambda letter: Send("orders", letter.delivery.header), copies=True, user="guest").go(5)


def test_a_migration_ends(link: MuteLink) -> None:
    mover = Mover(link, "dead", Way(came=lambda _: (b"", b"dead"), goes=lambda _: (b"", b"orders")), user=None)
    mover.start()
    with pytest.raises(BrokerUnavailable, match="copies not confirmed: 5"):
        deque(iter(lambda: mover.turn(0.01), "an end"), maxlen=0)


def test_an_alarm_is_no_silence(link: MuteLink) -> None:
    """It has a patience of its own."""
    silence = Silence(0)
    link._broker.blocked = "memory"
    silence.mind(link, 1, heard=False)
    link._broker.blocked = None
    silence.mind(link, 0, heard=False)
    silence.mind(link, 1, heard=True)
    with pytest.raises(BrokerUnavailable):
        silence.mind(link, 1, heard=False)
