"""One link's share of a replay: takes deliveries, publishes copies, acknowledges what is confirmed.

What becomes of a message is decided in `dlxctl.replay`; here the decision is carried out. Memory is bounded by the
window, never by the queue. Messages that stay are kept unacknowledged while they are few and the run is short; then
each goes to the tail of its queue by a confirmed copy, or the run stops where that is not safe.
"""

import time
from collections import deque
from collections.abc import Callable
from typing import Any

from dlxctl.broker.link import LARGEST_HEADER, Link
from dlxctl.errors import DlxctlError, NotFound
from dlxctl.ops.look import return_in_order
from dlxctl.ops.rotation import marked
from dlxctl.ops.run_state import RunState
from dlxctl.replay.letter import Letter, names_a_chord, shape_book
from dlxctl.replay.order import LEFT, Left, Route, decide
from dlxctl.replay.origin import Held, Hold
from dlxctl.replay.precedent import Precedents
from dlxctl.replay.rewrite import number_of, rewritten
from dlxctl.replay.verdict import may_be_copied
from dlxctl.replay.window import Entry, Window
from dlxctl.wire.intake import Cancelled, Confirm, Delivery, Returned

WINDOW = 1_000
"""Copies under way at a time; after a crash at most so many are in both queues."""
BUSY = 100
"""Copies under way from which on turns are made fewer and larger."""
MOST_KEPT = 1_000
"""Messages that stay and are kept unacknowledged; more go to the tail of the queue."""
KEEP_S = 30.0
"""How long a message is kept unacknowledged; a `consumer_timeout` would close the channel some time later."""

_REFUSED = Held(why=Hold.REFUSED)
_NO_QUEUE = Held(why=Hold.NO_QUEUE)


class Carrier:
    """The state of a run on one link."""

    def __init__(self, link: Link, state: RunState) -> None:
        self.link, self.state = link, state
        self.window = Window()
        self._shapes, self._precedents = shape_book(), Precedents(state.order)
        self._waiting: deque[Delivery] = deque()
        self._kept: dict[int, Held | Left] = {}
        self._kept_since: float | None = None
        self._rotating = False
        self._allowance = 0.0
        self._allowed_at = time.monotonic()
        self.last_event = time.monotonic()
        self._base = state.number
        self._handlers: dict[type, Callable[[Any], None]] = {
            Delivery: self._delivered, Confirm: self._confirmed, Returned: self._returned, Cancelled: self._gone,
        }  # fmt: skip

    @property
    def idle(self) -> bool:
        """Nothing waits to be looked at and nothing is under way."""
        return not self._waiting and not self.window

    def turn(self, timeout_s: float, *, taking: bool) -> bool:
        """One round: what came in, what may go out, what may be acknowledged. `taking`: also new messages.

        Returns whether anything came in.
        """
        if taking:
            self._consume()
        events = self.link.pump(timeout_s, gather=len(self.window) >= BUSY)
        for event in events:
            self._handlers[type(event)](event)
        for tag, multiple in self.window.acknowledgements(self._batch()):
            self.link.ack(tag, multiple=multiple)
        if taking:
            self._admit()
            self._mind_the_kept()
        if events:
            self.last_event = time.monotonic()
        return bool(events)

    def leave(self) -> None:
        """Give back what stays, in order, and return once the broker has taken everything."""
        report = self.state.report
        outstanding = [*self.window.kept, *(delivery.tag for delivery in self._waiting)]
        least = report.found - (report.moved_total - self.state.again) - report.parked
        report.remaining = return_in_order(self.link, self.state.order.queue, outstanding, least)
        report.arrived = max(0, report.remaining - least)

    def lost(self) -> None:
        """The link is gone and the run goes on over another."""
        self.state.lost(self.window, self._kept.values())

    def rest(self) -> None:
        """Give back, in order, all that was taken: nothing is to be moved for a while. What stays is still told."""
        self.link.cancel()
        self.turn(0, taking=False)  # what came before the consumer ended
        for tag in [*self.window.release(), *(delivery.tag for delivery in self._waiting)]:
            self.link.give_back(tag)
        self._waiting.clear()
        self._kept_since, self.state.prefetch.current = None, 0

    def resume(self) -> None:
        """What was given back comes again, and is counted again."""
        for decision in self._kept.values():
            self.state.count(decision, "", -1)
            self.state.report.examined -= 1
        self._kept.clear()

    @property
    def may_move(self) -> int:
        """How many more copies may go out before the limit; those under way count until they prove otherwise."""
        if self.state.limit is None:
            return WINDOW
        return self.state.limit - self.state.report.moved_total - len(self.window)

    def _batch(self) -> int:
        """How many confirms make an acknowledgement worth its while; one, when few more are to come."""
        return self.state.prefetch.current // 4 if len(self.window) >= BUSY else 1

    def _consume(self) -> None:
        prefetch = self.state.prefetch.change(len(self.window.kept))
        if prefetch is not None:
            self.link.cancel()
            self.link.consume(self.state.order.queue, prefetch)

    def _delivered(self, delivery: Delivery) -> None:
        self.state.prefetch.learn(len(delivery.header) + len(delivery.body))
        self._waiting.append(delivery)

    def _admit(self) -> None:
        waiting, state, report = self._waiting, self.state, self.state.report
        width = 1 if state.careful else WINDOW
        room = min(width - len(self.window), self.may_move, self._pace())
        take = self._take_quickly if state.untroubled else self._take
        while waiting and room > 0 and report.examined < state.goal:
            report.examined += 1
            room -= take(waiting.popleft())

    def _pace(self) -> int:
        """How many copies the rate allows now."""
        rate = self.state.order.rate
        if rate is None:
            return WINDOW
        now = time.monotonic()
        self._allowance = min(max(1.0, rate), self._allowance + (now - self._allowed_at) * rate)
        self._allowed_at = now
        return int(self._allowance)

    def _take_quickly(self, delivery: Delivery) -> int:
        """What `_take` does, by precedent where there is one."""
        known = self._precedents.of(delivery.header)
        if known is None:
            return self._take(delivery)
        order = self.state.order
        if order.chosen is not None:
            letter = Letter(delivery, known.shape)
            if not order.chosen.matches(letter, order.rules):
                return self._stay(letter, LEFT)
        header = known.template.copy(delivery.header, self.state.number + 1)
        if len(header) > LARGEST_HEADER:
            return self._take(delivery)
        entry = self._send(delivery, known.route, header, False)
        entry.of_chord = known.in_group and names_a_chord(delivery.body)
        self._allowance -= 1
        return 1

    def _take(self, delivery: Delivery) -> int:
        """Carry out what is decided of one dead letter; 1 when a copy went out."""
        letter = Letter(delivery, self._shapes.shape_of(delivery.header))
        decision = decide(letter, self.state.order)
        if isinstance(decision, Route):
            self._precedents.learn(letter, decision)
            decision = self.state.objection(letter, decision) or decision
        if not isinstance(decision, Route):
            return self._stay(letter, decision)
        flagged = self.state.flagged(letter)
        header = self._as_it_is(letter) if decision.parked else self._copy(letter, decision, flagged)
        if len(header) > LARGEST_HEADER:
            return self._stay(letter, Held(why=Hold.TOO_LARGE, detail="its headers would not fit one frame"))
        self._send(delivery, decision, header, flagged).of_chord = letter.is_chord_member
        self._allowance -= 1
        return 1

    def _as_it_is(self, letter: Letter) -> bytes:
        return marked(letter.delivery.header) if self.state.flagged(letter) else letter.delivery.header

    def _copy(self, letter: Letter, route: Route, flagged: bool) -> bytes:
        return rewritten(letter, route.key, self.state.number + 1, flagged=flagged, options=self.state.order.rewrite)

    def _send(self, delivery: Delivery, route: Route | None, header: bytes, flagged: bool) -> Entry:
        exchange, key = (route.exchange, route.key) if route else ("", self.state.order.queue)
        sequence = self.link.publish(exchange.encode(), key.encode(), header, delivery.body)
        self.state.number = self._base + sequence
        entry = Entry(delivery.tag, route, delivery.header, flagged)
        self.window.sent(entry, sequence)
        return entry

    def _stay(self, letter: Letter, decision: Held | Left) -> int:
        """Keep a message in its queue: unacknowledged, or by a copy at the tail. 1 when a copy went out."""
        full = len(self.window.kept) >= MOST_KEPT
        self.state.count(decision, letter.id, 1)
        header = self._as_it_is(letter)
        if (self._rotating or full) and len(header) <= LARGEST_HEADER and self._may_rotate(letter):
            self._send(letter.delivery, None, header, False).stays = decision
            return 1
        if full:
            raise _too_many(self.state.order.queue, len(self.window.kept))
        self._keep(letter.delivery.tag, decision)
        self.window.keep(letter.delivery.tag)
        return 0

    def _keep(self, tag: int, decision: Held | Left | None) -> None:
        if decision is not None:
            self._kept[tag] = decision
        self._kept_since = self._kept_since or time.monotonic()

    def _may_rotate(self, letter: Letter) -> bool:
        """A copy at the tail must be the same message: no CC that routes elsewhere, no user whom the broker refuses."""
        return self.state.order.may_rotate and may_be_copied(letter, self.state.order.rewrite.user)

    def _mind_the_kept(self) -> None:
        """Let go of messages that were kept too long: they come again, to be kept anew or to go to the tail."""
        if self._kept_since is None or time.monotonic() - self._kept_since < KEEP_S:
            return
        self._rotating, self._kept_since = True, None
        for tag in self.window.release():
            self.link.give_back(tag)
            decision = self._kept.pop(tag, None)
            if decision is not None:
                self.state.count(decision, "", -1)
                self.state.report.examined -= 1
            if isinstance(decision, Held) and decision.why in (Hold.REFUSED, Hold.NO_QUEUE):
                self.state.closed[decision.detail] = decision

    def _confirmed(self, confirm: Confirm) -> None:
        report = self.state.report
        for entry in self.window.confirmed(confirm, _REFUSED):
            if entry.held is not None:
                self._refused(entry, entry.held)
            elif entry.route is None:
                report.rotated += 1
            elif entry.route.parked:
                report.parked += 1
            else:
                report.moved[entry.route.label] += 1
                report.chord_members += entry.of_chord
                if entry.flagged:
                    self.state.moved_flagged(entry)

    def _refused(self, entry: Entry, held: Held) -> None:
        if entry.route is None:  # its queue is full or gone: the original stays, and is counted already
            self._keep(entry.tag, entry.stays)
            return
        if entry.route.exchange and held is _REFUSED:  # by one of the queues that it leads to; another may have it
            self.state.doubt([entry])
        decision = Held(why=held.why, detail=held.detail or entry.route.label)
        self._keep(entry.tag, decision)
        self.state.count(decision, Letter(Delivery(entry.tag, False, b"", b"", entry.header, b"")).id, 1)

    def _returned(self, returned: Returned) -> None:
        number = number_of(returned.header, self.state.order.rewrite.run_id)
        sequence = self._parked(returned) if number is None else number - self._base
        if self.window.returned(sequence, _NO_QUEUE) is None:
            self._gone(Cancelled())

    def _parked(self, returned: Returned) -> int:
        """The number of a returned copy for the parking queue, which carries none; 0 when it is another's."""
        if returned.routing_key != (self.state.order.parking or "").encode():
            return 0

        def sent(entry: Entry) -> bytes:
            return marked(entry.header) if entry.flagged else entry.header

        first = self.window.first_parked
        return first(lambda entry: sent(entry) == returned.header) or first(lambda _: True)

    def _gone(self, _: Cancelled) -> None:
        queue = self.state.order.queue
        raise NotFound(
            f"queue {queue!r} was deleted, or moved to another node, during the run",
            remedy="Run the same command again; what was moved is moved.",
        )


def _too_many(queue: str, kept: int) -> DlxctlError:
    return DlxctlError(
        f"{kept:,} messages of {queue!r} have to stay, more than may be kept unacknowledged, so the run stops here",
        why="they cannot go to its tail: its length is bounded, or nobody tells that it is not",
        remedy="Mend the reasons in the report, then replay again: what was moved is moved.",
    )
