"""The mover of a migration: every message of one queue to another road, by publish, confirm, acknowledge.

Unlike replay it decides nothing and strips nothing, `x-death` included: the message stays the same, but for the mark of
a possible duplicate where a replay did not end. It counts what it took and what the broker confirmed, and adds up a
hash of each, so that the two can be compared in any order.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b

from dlxctl.broker.link import Link
from dlxctl.errors import BrokerRefused, NotFound
from dlxctl.model import headers as names
from dlxctl.ops.rotation import telling
from dlxctl.ops.silence import Silence
from dlxctl.plan.migration_roads import Road
from dlxctl.replay.archived import identity
from dlxctl.replay.letter import Letter
from dlxctl.replay.origin import Held, Hold
from dlxctl.replay.window import Entry, Window
from dlxctl.wire import content
from dlxctl.wire.intake import Cancelled, Confirm, Delivery, Returned

WINDOW = 500
"""Copies under way at a time; after a crash at most so many are in both queues."""
STOP_S = 10.0
"""How long to wait for confirms when there is to be an end."""
TURN_S = 0.1
_MODULO = 2**128
_EXPIRATION, _USER_ID = 1 << 8, 1 << 4
_REFUSED = Held(why=Hold.REFUSED)
_MARK = names.MAYBE_DUPLICATE.encode()


@dataclass(slots=True)
class Tally:
    """How many messages, and the sum of their hashes modulo 2^128: equal for equal messages in any order."""

    count: int = 0
    digest: int = 0

    def add(self, value: int) -> None:
        self.count += 1
        self.digest = (self.digest + value) % _MODULO

    def take_back(self, value: int) -> None:
        self.count -= 1
        self.digest = (self.digest - value) % _MODULO


def hashed(road: Road, delivery: Delivery) -> int:
    """Over exchange, routing key, content header and body frames; of a marked message over what tells it from others,
    since the broker puts the mark at another place of its header."""
    raw = (delivery.header, delivery.body)
    state = blake2b(digest_size=16)
    for part in (*road, *((identity(*raw),) if _MARK in delivery.header else raw)):
        state.update(len(part).to_bytes(8, "big"))
        state.update(part)
    return int.from_bytes(state.digest(), "big")


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """`came`: by which exchange and key a message came first; `goes`: where its copy is published."""

    came: Callable[[Delivery], Road]
    goes: Callable[[Delivery], Road]


class Mover:
    """Moves what comes from `source` on one link. `user`: who may stand in a message's `user_id`, None for anybody.

    `suspect`: a replay of `source` did not end. What it held is redelivered, which a copy is not: it is marked instead.
    """

    def __init__(self, link: Link, source: str, way: Way, *, user: str | None, suspect: bool = False) -> None:
        self.link, self.source, self.user, self._suspect = link, source, user, suspect
        self.taken, self.moved = Tally(), Tally()
        self.expiring = False
        self.ended = False
        self._trouble: BrokerRefused | None = None
        self._stopping = False
        self.last_event = self.last_full = time.monotonic()
        self.last_fruit = time.monotonic()
        self.apart: bytes | None = None
        self.from_apart = Tally()
        """What was confirmed of those that came to `source` by the exchange `apart`."""
        self._way = way
        self._window, self._silence = Window(), Silence()
        self._hashes: dict[int, tuple[int, bool]] = {}

    @property
    def idle(self) -> bool:
        """Nothing is under way."""
        return not self._window and not self._window.kept

    @property
    def equal(self) -> bool:
        """Whether what was confirmed is what was taken."""
        return self.taken == self.moved

    def start(self) -> None:
        """Begin to take. Raises NotFound, BrokerRefused."""
        self.link.consume(self.source, WINDOW)

    def turn(self, timeout_s: float, *, acknowledging: bool = True) -> None:
        """One round: take, publish, and acknowledge what was confirmed."""
        events = self.link.pump(timeout_s)
        self._silence.mind(self.link, len(self._window), heard=bool(events))
        for event in events:
            self._handle(event)
        if acknowledging:
            for tag, multiple in self._window.acknowledgements():
                self.link.ack(tag, multiple=multiple)
        now = time.monotonic()
        if events:
            self.last_event = now
        if len(self._window) * 2 >= WINDOW:
            self.last_full = now  # from now on others may have got a message
        if self._window.kept and not self._window:
            self._give_back_refused()
        if self._trouble and not self._stopping:
            self.stop()
            raise self._trouble

    def stop(self) -> None:
        """Take no more, finish what is under way, so that it is not in both queues, and give back the rest."""
        self._stopping = True
        if self.ended:
            return
        self.link.cancel()
        deadline = time.monotonic() + STOP_S
        while self._window and time.monotonic() < deadline:
            self.turn(TURN_S)
        self.link.give_back_all()
        self.link.settle()

    def _handle(self, event: object) -> None:
        match event:
            case Delivery() if not (self._stopping or self._trouble):
                self._carry(event)
            case Delivery():
                pass  # unacknowledged: it goes back
            case Confirm():
                for entry in self._window.confirmed(event, _REFUSED):
                    self._confirmed(entry)
            case Returned():
                raise BrokerRefused(
                    f"a copy of a message of {self.source!r} reached no queue",
                    why=f"{event.code} {event.text}; the message itself stays",
                    remedy="Somebody changed bindings meanwhile. Run the same command again.",
                )
            case Cancelled():
                self.ended = True

    def _confirmed(self, entry: Entry) -> None:
        value, apart = self._hashes.pop(entry.tag)
        if entry.held is not None:
            self.taken.take_back(value)
            return
        self.last_fruit = time.monotonic()
        self.moved.add(value)
        if apart:
            self.from_apart.add(value)

    def _carry(self, delivery: Delivery) -> None:
        flags = int.from_bytes(delivery.header[12:14], "big")
        if flags & _USER_ID and self.user is not None:
            self._trouble = self._user_trouble(delivery)
            if self._trouble:
                return
        self.expiring = self.expiring or bool(flags & _EXPIRATION)
        if self._suspect:
            delivery = telling(Letter(delivery)).delivery
        value = hashed(self._way.came(delivery), delivery)
        exchange, key = self._way.goes(delivery)
        sequence = self.link.publish(exchange, key, delivery.header, delivery.body)
        self._hashes[delivery.tag] = value, delivery.exchange == self.apart
        self.taken.add(value)
        self._window.sent(Entry(delivery.tag, None, delivery.header), sequence)

    def _user_trouble(self, delivery: Delivery) -> BrokerRefused | None:
        name = content.short_text(content.read(delivery.header), "user_id")
        if name == self.user:
            return None
        return BrokerRefused(
            f"a message of {self.source!r} carries the user_id {name!r}, which {self.user!r} may not publish",
            why="RabbitMQ refuses another user's name",
            remedy=f"Give {self.user!r} the tag `impersonator` for the time of the migration, and run it again.",
        )

    def _give_back_refused(self) -> None:
        """The target is full: let consumers make room, and try again."""
        for tag in self._window.release():
            self.link.give_back(tag)
        time.sleep(0.2)


def lost_queue(queue: str) -> NotFound:
    """Somebody else deleted the queue, or it moved to another node."""
    return NotFound(
        f"queue {queue!r} was deleted, or moved to another node, during the migration",
        remedy="Run the same command again: it goes on from what stands on the broker.",
    )
