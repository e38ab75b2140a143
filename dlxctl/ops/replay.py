"""Replay: dead letters back to the queues they came from, by publish, confirm, acknowledge, in that order.

The loop only carries: what becomes of a message is decided in `dlxctl.replay`, what may be acknowledged by its
`Window`, and bytes move through a `Link`. Memory is bounded by the window, never by the queue.
"""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from dlxctl.broker.link import LARGEST_HEADER, Link
from dlxctl.broker.run_guard import RunGuard
from dlxctl.errors import BrokerUnavailable, DlxctlError, NotFound
from dlxctl.ops.look import QUIET_S, return_in_order
from dlxctl.replay.letter import Letter
from dlxctl.replay.order import ReplayOrder, destination
from dlxctl.replay.origin import Held, Hold
from dlxctl.replay.report import Outcome, RunReport
from dlxctl.replay.rewrite import number_of, rewritten
from dlxctl.replay.window import Entry, Window
from dlxctl.wire.intake import Cancelled, Confirm, Delivery, Returned

WINDOW = 1_000
"""Copies under way at a time; after a crash at most so many are in both queues."""
MOST_KEPT = 1_000
"""Held messages that stay unacknowledged during a run; with more the run stops."""
PUMP_S = 0.2


class Watch(Protocol):
    """What a run tells while it goes on, and what it asks: the terminal's side."""

    @property
    def stopping(self) -> bool:
        """Whether the run should take no more and drain."""

    def progress(self, report: RunReport, in_flight: int, blocked: str | None) -> None:
        """Called some times a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long, in seconds, a run waits while an alarm stops publishers before it gives up (exit 6)."""

    blocked_s: float = 120.0


def replay(
    link: Link, guard: RunGuard, order: ReplayOrder, holder: dict[str, Any], watch: Watch, patience: Patience
) -> RunReport:
    """Run one replay to its end. Raises Locked, NotFound, BrokerRefused before anything moved; later trouble is
    told in the report, with what was done until then."""
    found = link.depth(order.queue)
    suspect = guard.begin(order.queue, holder)
    run = _Run(link, order, RunReport(run_id=order.rewrite.run_id, queue=order.queue, found=found), suspect)
    started = time.monotonic()
    try:
        run.to_the_end(watch, patience)
        run.leave()
        guard.end(settled=not run.report.unknown and (not suspect or run.all_settled))
    except DlxctlError as error:
        run.report.outcome = Outcome.UNAVAILABLE if isinstance(error, BrokerUnavailable) else Outcome.FAILED
        run.report.trouble = str(error)
        run.report.unknown = len(run.window)
    run.report.seconds = time.monotonic() - started
    return run.report


class _Run:
    """The state of one run on one link."""

    def __init__(self, link: Link, order: ReplayOrder, report: RunReport, suspect: bool) -> None:
        self.link, self.order, self.report, self.suspect = link, order, report, suspect
        self.window = Window()
        self._waiting: deque[Delivery] = deque()
        self._quiet_since = time.monotonic()
        self._blocked_since: float | None = None
        self._handlers: dict[type, Callable[[Any], None]] = {
            Delivery: self._waiting.append, Confirm: self._confirmed, Returned: self._returned, Cancelled: self._gone,
        }  # fmt: skip

    @property
    def all_settled(self) -> bool:
        """Every message that was there at the start went back, and nothing stayed for a reason."""
        return self.report.outcome is Outcome.COMPLETE and not self.report.held and not self._waiting

    def to_the_end(self, watch: Watch, patience: Patience) -> None:
        """Take, publish, acknowledge until there is no more to do or somebody says stop."""
        self.link.consume(self.order.queue, WINDOW + MOST_KEPT)
        while not self._finished(watch.stopping):
            events = self.link.pump(PUMP_S)
            for event in events:
                self._handlers[type(event)](event)
            if not watch.stopping:
                self._admit()
            for tag, multiple in self.window.acknowledgements():
                self.link.ack(tag, multiple=multiple)
            self._mind_the_time(bool(events), patience)
            watch.progress(self.report, len(self.window), self.link.blocked)

    def leave(self) -> None:
        """Give back what stays, in order, and return once the broker has taken it all."""
        if self.link.blocked is not None:
            return  # the connection's end gives everything back
        outstanding = [*self.window.kept, *(delivery.tag for delivery in self._waiting)]
        least = self.report.found - self.report.moved_total
        self.report.remaining = return_in_order(self.link, self.order.queue, outstanding, least)

    def _finished(self, stopping: bool) -> bool:
        if stopping and self.link.blocked is not None:
            self.report.outcome = Outcome.INTERRUPTED  # the window cannot drain while the broker reads nothing
            self.report.unknown = len(self.window)
            return True
        if len(self.window):
            return False
        if stopping:
            self.report.outcome = Outcome.INTERRUPTED
        elif self._limit_left == 0:
            self.report.outcome = Outcome.LIMIT
        elif self.report.examined < self.report.found and not self._ran_empty():
            return False
        return True

    @property
    def _limit_left(self) -> int:
        """How many more may be published now; those under way count as moved until they prove otherwise."""
        if self.order.limit is None:
            return WINDOW
        return self.order.limit - self.report.moved_total - len(self.window)

    def _ran_empty(self) -> bool:
        """Whether fewer messages are left than there were at the start: another consumer, or their time was over."""
        if self._waiting or time.monotonic() - self._quiet_since < QUIET_S:
            return False
        return self.link.depth(self.order.queue) == 0

    def _admit(self) -> None:
        waiting, report = self._waiting, self.report
        while waiting and len(self.window) < WINDOW and report.examined < report.found and self._limit_left > 0:
            self._take(Letter(waiting.popleft()))

    def _take(self, letter: Letter) -> None:
        self.report.examined += 1
        target = destination(letter, self.order)
        if isinstance(target, Held):
            self._keep(letter.delivery.tag, target, letter.id)
            return
        delivery = letter.delivery
        flagged = self.suspect and delivery.redelivered
        header = rewritten(letter, target, self._next_number, flagged=flagged, options=self.order.rewrite)
        if len(header) > LARGEST_HEADER:
            self._keep(delivery.tag, Held(why=Hold.TOO_LARGE), letter.id)
            return
        sequence = self.link.publish(b"", target.encode(), header, delivery.body)
        self.window.sent(Entry(delivery.tag, target, letter.id, flagged), sequence)
        self._next_number = sequence + 1

    _next_number = 1

    def _keep(self, tag: int, held: Held, identity: str) -> None:
        self.window.keep(tag)
        self._held(held, identity)

    def _held(self, held: Held, identity: str) -> None:
        self.report.hold(held, identity)
        if self.report.held.total() >= MOST_KEPT:
            raise DlxctlError(
                f"{MOST_KEPT} messages of {self.order.queue!r} have to be held, so the run stops here",
                remedy="Mend the reasons in the report, then replay again: what was moved is moved.",
            )

    def _confirmed(self, confirm: Confirm) -> None:
        for entry in self.window.confirmed(confirm, Held(why=Hold.REFUSED)):
            if entry.held is None:
                self.report.moved[entry.target] += 1
                self.report.maybe_duplicates += entry.flagged
            else:
                detail = entry.held.detail or entry.target
                self._held(Held(why=entry.held.why, detail=detail), entry.id)

    def _returned(self, returned: Returned) -> None:
        number = number_of(returned.header, self.order.rewrite.run_id)
        if number is None:
            raise DlxctlError(f"the broker returned a message of {self.order.queue!r} that was not sent by this run")
        self.window.returned(number, Held(why=Hold.NO_QUEUE))

    def _gone(self, _: Cancelled) -> None:
        raise NotFound(
            f"queue {self.order.queue!r} was deleted, or moved to another node, during the run",
            remedy="Run the same command again; what was moved is moved.",
        )

    def _mind_the_time(self, busy: bool, patience: Patience) -> None:
        now = time.monotonic()
        if busy:
            self._quiet_since = now
        if self.link.blocked is None:
            self._blocked_since = None
            return
        self._blocked_since = self._blocked_since or now
        if now - self._blocked_since > patience.blocked_s:
            raise BrokerUnavailable(
                "the broker blocks publishers",
                why=f"{self.link.blocked}, for more than {patience.blocked_s:.0f} s",
                remedy="Clear the alarm (rabbitmq-diagnostics alarms), then run the same command again.",
            )
