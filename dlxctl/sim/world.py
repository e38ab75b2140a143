"""The model at work: a topology with messages in it, virtual time, and a log of all that happens.

Everything that follows from an event at one moment (a death, its routing, what it pushes out elsewhere) happens at that
moment. Dead letters of at-least-once queues that cannot be placed stay there and are not tried again: the broker tries
every three minutes, and as long as the topology stays, with the same result (facts 4.2, 4.3).
"""

from dataclasses import dataclass, replace
from typing import assert_never

from dlxctl.model.topology import Topology
from dlxctl.sim.deaths import died, is_cycle
from dlxctl.sim.message import Message, Reason
from dlxctl.sim.queue import Entry, QueueState
from dlxctl.sim.routing import Routes
from dlxctl.sim.settings import REJECT_PUBLISH_DLX, Settings, settings_of
from dlxctl.sim.steps import Cause, Kind, Settle, Step
from dlxctl.sim.versions import Release

MOST_STEPS = 1_000
"""After so many steps a world stands still: something goes round for ever."""
MOST_NESTED = 100
"""After so many deaths of which each is the next one's cause, all at one moment, it stands still too: 3.10 can go round
through queues of length 0 without any time passing."""
PUBLISHER = "publisher"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A message that a consumer holds."""

    queue: str
    entry: Entry

    @property
    def message(self) -> Message:
        return self.entry.message


class World:
    """A broker of `release` with the objects of `topology`. `routes` may be shared between worlds of both."""

    def __init__(self, topology: Topology, release: Release, routes: Routes | None = None) -> None:
        self.now_ms = 0
        self.steps: list[Step] = []
        self._topology, self._release = topology, release
        self._routes = routes or Routes(topology, release)
        self._queues: dict[str, QueueState] = {}
        self._nested, self._stopped = 0, False

    @property
    def endless(self) -> bool:
        """Whether it was stopped because something goes round for ever."""
        return self._stopped or len(self.steps) >= MOST_STEPS

    def settings(self, queue: str) -> Settings:
        """What `queue` does. Raises KeyError when there is none."""
        return self._state(queue).settings

    def messages(self, queue: str) -> tuple[Message, ...]:
        """What waits in `queue`."""
        return self._state(queue).messages()

    def stuck(self) -> dict[str, tuple[Message, ...]]:
        """Dead letters that cannot leave, by the queue that they died in."""
        stuck = ((name, tuple(message for message, _ in state.stuck)) for name, state in self._queues.items())
        return {name: messages for name, messages in stuck if messages}

    def where(self, id_: str) -> dict[str, Message]:
        """The queues in which the message `id_` waits, with it as it is there."""
        queues = ((name, state.messages()) for name, state in self._queues.items())
        return {name: message for name, messages in queues for message in messages if message.id == id_}

    def publish(self, message: Message) -> None:
        """Publish to `message.exchange` with `message.routing_key`."""
        self._log(Kind.PUBLISHED, message, exchange=message.exchange, key=message.routing_key)
        if not self._routes.knows(message.exchange):
            self._log(Kind.REFUSED, message, exchange=message.exchange, cause=Cause.NO_EXCHANGE)
            return
        targets = self._routes.route(message.exchange, message.routing_key, message.seen_headers(self._release))
        if not targets:
            self._log(Kind.DROPPED, message, exchange=message.exchange, key=message.routing_key, cause=Cause.NO_ROUTE)
        for target in targets:
            self._arrive(target, message, PUBLISHER)

    def place(self, queue: str, message: Message) -> None:
        """Put `message` into `queue`, however it came there."""
        self._arrive(queue, message, PUBLISHER)

    def get(self, queue: str) -> Delivery | None:
        """Hand the next message of `queue` to a consumer."""
        entry = self._state(queue).take()
        if entry is None:
            return None
        self._log(Kind.DELIVERED, entry.message, queue=queue)
        self._expire(self._state(queue))
        return Delivery(queue=queue, entry=entry)

    def settle(self, delivery: Delivery, how: Settle) -> None:
        """What the consumer does with its message."""
        match how:
            case Settle.ACK:
                self._log(Kind.WORKED, delivery.message, queue=delivery.queue)
            case Settle.REJECT:
                self._die(self._state(delivery.queue), self._failed(delivery.message), Reason.REJECTED)
            case Settle.NACK | Settle.RETURN | Settle.CRASH:
                self._return(self._state(delivery.queue), delivery.entry, how)
            case _:
                assert_never(how)

    def kill(self, queue: str, reason: Reason) -> None:
        """Let the next message of `queue` die for `reason`, as if its time or the queue's patience were over."""
        state = self._state(queue)
        entry = state.take()
        if entry is None:
            return
        message, limit = entry.message, state.settings.delivery_limit
        if reason is Reason.DELIVERY_LIMIT and limit is not None and self._release.carries_count:
            message = replace(message, failures=max(message.failures, limit + 1))
        self._die(state, message, reason)

    def turn_away(self, queue: str) -> None:
        """Have `queue` refuse its next message, as if it had been full before it came."""
        entry = self._state(queue).take()
        if entry is not None:
            self._log(Kind.REFUSED, entry.message, queue=queue, cause=Cause.FULL)

    def ready(self, queue: str) -> bool:
        """Whether `queue` has a message for a consumer now."""
        return self._state(queue).ready

    def next_event_ms(self) -> int | None:
        """When time alone changes something next; None for never."""
        times = (state.next_event_ms() for state in self._queues.values())
        return None if self.endless else min((time for time in times if time is not None), default=None)

    def advance(self, until_ms: int) -> None:
        """Let time pass, with all that happens in it."""
        while (next_ms := self.next_event_ms()) is not None and next_ms <= until_ms:
            self.now_ms = max(self.now_ms, next_ms)
            for state in list(self._queues.values()):
                state.release_delayed(self.now_ms)
                self._expire(state)
        self.now_ms = max(self.now_ms, until_ms)

    def _return(self, state: QueueState, entry: Entry, how: Settle) -> None:
        counts = how is not Settle.NACK
        message = self._failed(entry.message) if counts else entry.message
        entry = replace(entry, message=message, returns=entry.returns + 1)
        limit = state.settings.delivery_limit
        if limit is not None and (message.failures if self._release.carries_count else entry.returns) > limit:
            self._log(Kind.RETURNED, message, queue=state.name, settle=how)
            self._die(state, message, Reason.DELIVERY_LIMIT)
            return
        retry = state.settings.delayed_retry
        wait_ms = retry.delay_ms(failed=counts, failures=message.failures) if retry else None
        self._log(Kind.RETURNED, message, queue=state.name, settle=how, wait_ms=wait_ms)
        if wait_ms is None:
            state.put_back(entry, how)
        else:
            state.delay(entry, self.now_ms + wait_ms)
        self._make_room(state)
        self._expire(state)

    def _failed(self, message: Message) -> Message:
        """`message` with one more failed delivery, where the release counts them on the message."""
        return replace(message, failures=message.failures + 1) if self._release.carries_count else message

    def _arrive(self, queue: str, message: Message, sender: str | None) -> bool:
        """Put `message` into `queue`, if it takes it."""
        state = self._state(queue)
        if state.refuses(sender):
            refused = Kind.REFUSED if sender == PUBLISHER else Kind.DROPPED
            if sender in (PUBLISHER, None):
                self._log(refused, message, queue=queue, cause=Cause.FULL)
            if state.settings.overflow == REJECT_PUBLISH_DLX:
                self._die(state, message, Reason.MAXLEN)
            return False
        wait_ms = state.add(message, self.now_ms)
        self._log(Kind.ARRIVED, message, queue=queue, wait_ms=wait_ms)
        self._make_room(state)
        self._expire(state)
        return True

    def _make_room(self, state: QueueState) -> None:
        while state.drops_head and (oldest := state.take()) is not None:
            self._die(state, oldest.message, Reason.MAXLEN)
        state.tell_senders()

    def _expire(self, state: QueueState) -> None:
        while not self.endless and (expired := state.take_expired(self.now_ms)) is not None:
            self._die(state, expired.message, Reason.EXPIRED)
        state.tell_senders()

    def _die(self, state: QueueState, message: Message, reason: Reason) -> None:
        """Dead-letter `message`, if the queue does that and there is a way."""
        settings = state.settings
        key = message.routing_key if settings.dlx_key is None else settings.dlx_key
        self._log(Kind.DIED, message, queue=state.name, exchange=settings.dlx or "", key=key, reason=reason)
        if settings.dlx is None:
            self._log(Kind.DROPPED, message, queue=state.name, cause=Cause.NO_DLX)
            return
        if self._nested >= MOST_NESTED:
            self._stopped = True
            return
        self._nested += 1
        self._dead_letter(state, message, reason, key)
        self._nested -= 1

    def _dead_letter(self, state: QueueState, message: Message, reason: Reason, key: str) -> None:
        settings = state.settings
        dead = died(message, state.name, reason, self._release)
        dead = replace(dead, exchange=settings.dlx or "", routing_key=key)
        targets, cause = self._targets(dead, reason)
        deaf = state.name if self._release.never_settles_with_itself else ""  # nor does it hear itself refuse
        sender = f"dead letters of {state.name}" if settings.at_least_once else None
        taken = [self._arrive(target, dead, None if target == deaf else sender) for target in targets]
        if targets and settings.at_least_once:
            itself = deaf in targets
            cause = Cause.ITSELF if itself else None if all(taken) else Cause.FULL
        if cause is not None and settings.at_least_once:
            state.stuck.append((message, cause))
            self._log(Kind.STUCK, message, queue=state.name, exchange=settings.dlx, key=key, cause=cause)
            self._make_room(state)
        elif cause is not None:
            self._log(Kind.DROPPED, dead, queue=state.name, exchange=settings.dlx, key=key, cause=cause)

    def _targets(self, dead: Message, reason: Reason) -> tuple[tuple[str, ...], Cause | None]:
        """The queues that a dead letter is for, and why it is kept from some or all."""
        if not self._routes.knows(dead.exchange):
            return (), Cause.NO_EXCHANGE
        routed = self._routes.route(dead.exchange, dead.routing_key, dead.seen_headers(self._release))
        if not routed:
            return (), Cause.NO_ROUTE
        kept = () if reason is Reason.REJECTED else tuple(queue for queue in routed if is_cycle(dead, queue))
        return tuple(queue for queue in routed if queue not in kept), Cause.CYCLE if kept else None

    def _state(self, name: str) -> QueueState:
        if name not in self._queues:
            queue = self._topology.queues["queue", name]
            settings = settings_of(self._topology, queue, self._release)
            self._queues[name] = QueueState(name, settings, self._release)
        return self._queues[name]

    def _log(self, kind: Kind, message: Message, **where: object) -> None:
        self.steps.append(
            Step(at_ms=self.now_ms, kind=kind, message=message, **where)  # type: ignore[arg-type]  # fields of a Step
        )
