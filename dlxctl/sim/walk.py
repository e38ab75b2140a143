"""One message followed through a topology: what its consumer does each time, and where it all ends.

The message goes to one work queue, whose consumer does what the script says. `Event.FAIL` is a task with dlxctl's
RetryTask: it publishes a fresh copy to the tier of the attempt, and when the attempts are spent to the dead-letter
exchange, and acknowledges the original; where that cannot be published it rejects the original.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import assert_never

from dlxctl.model.topology import Topology
from dlxctl.sim.message import Message, Reason
from dlxctl.sim.routing import Routes
from dlxctl.sim.settings import DROP_HEAD, REJECT_PUBLISH_DLX
from dlxctl.sim.steps import Cause, Kind, Settle, Step
from dlxctl.sim.versions import Release
from dlxctl.sim.world import Delivery, World

ID = "message"


class Event(StrEnum):
    """What befalls the message in its work queue. LIMIT: the delivery limit, however far away it is."""

    WORK = "work"
    FAIL = "fail"
    REJECT = "reject"
    REQUEUE = "requeue"
    CRASH = "crash"
    EXPIRE = "expire"
    OVERFLOW = "overflow"
    LIMIT = "limit"


@dataclass(frozen=True, slots=True)
class Turn:
    """An event, so many times; None: as often as the message comes."""

    event: Event
    times: int | None = 1


class Ending(StrEnum):
    """How a walk ends. RESTS: in a queue that is no known dead-letter queue. REFUSED: the publisher still has it."""

    WORKED = "worked"
    DEAD = "dead"
    RESTS = "rests"
    DROPPED = "dropped"
    STUCK = "stuck"
    REFUSED = "refused"
    ENDLESS = "endless"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """What RetryTask does with failures: it publishes them to the exchange for the attempt (the last repeats), or gives
    them back to be delayed by the broker (`native`); when the attempts are spent to `dlx` by `key`."""

    exchanges: tuple[str, ...] = ()
    attempts: int = 0
    native: bool = False
    dlx: str | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """The consumer of `queue` did something: its `number`-th delivery, counted from 1."""

    at_ms: int
    queue: str
    event: Event
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """A walk that has ended at `at_ms` in `queue` ('' where it is in none); `message` as it was in the end."""

    start: str
    release: Release
    steps: tuple[Step | Act, ...]
    ending: Ending
    queue: str
    cause: Cause | None
    at_ms: int
    message: Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Trip:
    """What to walk: whose consumer does what, where the message is published, and which queues are the last stop.

    `key` None is the queue's name. A `placed` message starts in the queue, with `exchange` and `key` as it came by.
    """

    queue: str
    turns: tuple[Turn, ...]
    exchange: str = ""
    key: str | None = None
    placed: bool = False
    retries: Retries | None = None
    rests: frozenset[str] = field(default_factory=frozenset)


def walk(topology: Topology, trip: Trip, release: Release, routes: Routes | None = None) -> Walk:
    """Follow a message. Raises KeyError when there is no such queue."""
    return _Walker(World(topology, release, routes), trip, release).go()


class _Walker:
    def __init__(self, world: World, trip: Trip, release: Release) -> None:
        self.world, self.trip, self.release = world, trip, release
        self.steps: list[Step | Act] = []
        self.turns = _unrolled(trip.turns)
        self.deliveries = self.failures = self.noted = 0
        self.message = Message(id=ID, exchange=trip.exchange, routing_key=trip.queue if trip.key is None else trip.key)

    def go(self) -> Walk:
        self.world.settings(self.trip.queue)
        if self.trip.placed:
            self.world.place(self.trip.queue, self.message)
        else:
            self.world.publish(self.message)
        while not self.world.endless and self._goes_on():
            pass
        self._note()
        return self._ended()

    def _goes_on(self) -> bool:
        """Take the next step; False when there is none."""
        places = self.world.where(ID)
        if self.trip.queue in places and self._befall():
            return True
        resting = set(places) & self.trip.rests
        next_ms = self.world.next_event_ms()
        if not places or resting or next_ms is None:
            return False
        self.world.advance(next_ms)
        return True

    def _befall(self) -> bool:
        """Let the next event of the script happen in the work queue; False when it changes nothing: the message is held
        back there, say."""
        queue, before = self.trip.queue, len(self.world.steps)
        if not self.world.ready(queue):
            return False
        event = next(self.turns, Event.WORK)
        match event:
            case Event.EXPIRE:
                self._act(event)
                self._expire()
            case Event.LIMIT:
                self._act(event)
                self.world.kill(queue, Reason.DELIVERY_LIMIT)
            case Event.OVERFLOW:
                self._act(event)
                self._overflow()
            case Event.WORK | Event.FAIL | Event.REJECT | Event.REQUEUE | Event.CRASH:
                delivery = self.world.get(queue)
                assert delivery is not None
                self.deliveries += 1
                self._act(event)
                self._consume(delivery, event)
            case _:
                assert_never(event)
        return len(self.world.steps) > before

    def _consume(self, delivery: Delivery, event: Event) -> None:
        if event is Event.FAIL:
            self._fail(delivery)
        else:
            self.world.settle(delivery, _SETTLES[event])

    def _fail(self, delivery: Delivery) -> None:
        """What RetryTask does."""
        retries = self.trip.retries or Retries()
        attempt, self.failures = self.failures, self.failures + 1
        if retries.native and attempt < retries.attempts:
            self.world.settle(delivery, Settle.RETURN)
            return
        exchange, key = retries.dlx, retries.key or ""
        if attempt < retries.attempts and retries.exchanges:
            exchange, key = retries.exchanges[min(attempt, len(retries.exchanges) - 1)], self.trip.queue
        before = len(self.world.steps)
        if exchange is not None:
            self.world.publish(Message(id=ID, exchange=exchange, routing_key=key, headers=delivery.message.headers))
        refused = any(step.kind in (Kind.REFUSED, Kind.DROPPED) for step in self.world.steps[before:])
        self.world.settle(delivery, Settle.REJECT if exchange is None or refused else Settle.ACK)

    def _expire(self) -> None:
        """Nobody consumes until its time is over: the queue's, or one that its publisher gave it."""
        ttl_ms = self.world.settings(self.trip.queue).ttl_ms
        if ttl_ms is None:
            self.world.kill(self.trip.queue, Reason.EXPIRED)
        else:
            self.world.advance(self.world.now_ms + max(ttl_ms, 1))  # in a quorum queue nothing expires at once

    def _overflow(self) -> None:
        """The queue is full, and this message is the oldest (drop-head) or the one too many (the others)."""
        overflow = self.world.settings(self.trip.queue).overflow
        if overflow in (DROP_HEAD, REJECT_PUBLISH_DLX):
            self.world.kill(self.trip.queue, Reason.MAXLEN)
        else:
            self.world.turn_away(self.trip.queue)

    def _act(self, event: Event) -> None:
        self._note()
        self.steps.append(Act(at_ms=self.world.now_ms, queue=self.trip.queue, event=event, number=self.deliveries))

    def _note(self) -> None:
        """Take over what the world has logged since."""
        self.steps += self.world.steps[self.noted :]
        self.noted = len(self.world.steps)

    def _ended(self) -> Walk:
        places = self.world.where(ID)
        ending, queue, cause = self._ending(places)
        message = places.get(queue) or next(s.message for s in reversed(self.steps) if isinstance(s, Step))
        return Walk(
            start=self.trip.queue, release=self.release, steps=tuple(self.steps), ending=ending, queue=queue,
            cause=cause, at_ms=self.world.now_ms, message=message,
        )  # fmt: skip

    def _ending(self, places: dict[str, Message]) -> tuple[Ending, str, Cause | None]:
        """A copy in a dead-letter queue is enough: then nothing was lost, whatever became of other copies."""
        if resting := sorted(set(places) & self.trip.rests):
            return Ending.DEAD, resting[0], None
        if self.world.endless:
            return Ending.ENDLESS, self.trip.queue, None
        if places:
            return Ending.RESTS, min(places), None
        kinds = {Kind.STUCK: Ending.STUCK, Kind.DROPPED: Ending.DROPPED, Kind.WORKED: Ending.WORKED,
                 Kind.REFUSED: Ending.REFUSED}  # fmt: skip
        last = next(step for step in reversed(self.steps) if isinstance(step, Step) and step.kind in kinds)
        return kinds[last.kind], last.queue, last.cause


_SETTLES = {
    Event.WORK: Settle.ACK,
    Event.REJECT: Settle.REJECT,
    Event.REQUEUE: Settle.NACK,
    Event.CRASH: Settle.CRASH,
}


def _unrolled(turns: tuple[Turn, ...]) -> Iterator[Event]:
    for turn in turns:
        times = 0
        while turn.times is None or times < turn.times:
            times += 1
            yield turn.event
