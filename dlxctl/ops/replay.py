"""Replay: dead letters back to the queues they came from, by publish, confirm, acknowledge, in that order.

This is the life of a run: lock and mark, carry, come back after a lost connection, watch the canary, report. What one
link does is in `dlxctl.ops.carrier`; what becomes of a message is decided in `dlxctl.replay`.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random_exponential
from tenacity.stop import stop_base

from dlxctl.broker.link import Link
from dlxctl.broker.run_guard import RunGuard
from dlxctl.errors import BrokerRefused, BrokerUnavailable, DlxctlError, Locked, NotFound
from dlxctl.ops.carrier import WINDOW, Carrier
from dlxctl.ops.look import PATIENCE_S, QUIET_S, HandsOutNone
from dlxctl.ops.run_state import RunState
from dlxctl.ops.silence import SILENT_S, Silence
from dlxctl.replay.order import Canary, ReplayOrder
from dlxctl.replay.prefetch import Prefetch
from dlxctl.replay.report import Outcome, RunReport

TURN_S = 0.2
SLOWEST_RETRY_S = 5
MOST_FRUITLESS = 5
Connect = Callable[[], tuple[Link, RunGuard]]


class Watch(Protocol):
    """What a run tells while it goes on, and what it asks: the terminal's side."""

    @property
    def stopping(self) -> bool:
        """Whether the run should take no more and drain."""

    def progress(self, report: RunReport, in_flight: int, blocked: str | None) -> None:
        """Called some times a second."""

    def remark(self, text: str) -> None:
        """Something that the operator should know now."""


class Returns(Protocol):
    """Sees which messages of a run die again."""

    def count(self, run_id: str) -> int:
        """How many of that run's copies came into the dead-letter queue since the watch began."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """In seconds: how long to wait while an alarm stops publishers, how long for a lost broker to come back, and how
    long for the confirms of what is under way, while nothing else comes either."""

    blocked_s: float = 120.0
    reconnect_s: float = 60.0
    silent_s: float = SILENT_S


def replay(
    connect: Connect, order: ReplayOrder, holder: dict[str, Any], watch: Watch, patience: Patience,
    returns: Returns | None = None,
) -> RunReport:  # fmt: skip
    """Run one replay to its end; `returns` is needed for a canary.

    Raises Locked, NotFound, BrokerRefused or BrokerUnavailable before anything moved; later trouble is told in the
    report, with what was done until then.
    """
    link, guard = connect()
    try:
        link.depth(order.queue)  # a queue that does not exist gets no mark
        suspect = guard.begin(order.queue, holder)
        shared = link.takers(order.queue) > 0
        found = link.depth(order.queue)  # only now: what another run held is back
    except DlxctlError:
        link.close()
        raise
    report = RunReport(run_id=order.rewrite.run_id, queue=order.queue, found=found)
    state = RunState(
        order=order, report=report, prefetch=_prefetch(order), suspect=suspect, shared=shared, goal=found
    )  # fmt: skip
    started = time.monotonic()
    _Life(state, connect, holder, watch, patience, returns).live(link, guard)
    report.seconds = time.monotonic() - started
    return report


def _prefetch(order: ReplayOrder) -> Prefetch:
    """A slow run takes few at a time: what waits is unacknowledged, and a `consumer_timeout` runs over it."""
    return Prefetch(window=WINDOW if order.rate is None else max(1, min(WINDOW, int(order.rate * 5))))


class _Life:
    """One run over as many connections as it takes."""

    def __init__(
        self, state: RunState, connect: Connect, holder: dict[str, Any], watch: Watch, patience: Patience,
        returns: Returns | None,
    ) -> None:  # fmt: skip
        self.state, self.report, self.watch, self.patience = state, state.report, watch, patience
        self._connect, self._holder, self._returns = connect, holder, returns
        self._canary = state.order.canary
        self._blocked_since: float | None = None
        self._moved_at_loss, self._fruitless = -1, 0

    def live(self, link: Link, guard: RunGuard) -> None:
        """To the end, whatever it is; the report says which."""
        while True:
            carrier = Carrier(link, self.state)
            try:
                self._carry(carrier)
                self._depart(carrier, guard)
                return
            except DlxctlError as error:
                again = self._after(error, carrier)
            finally:
                link.close()
            if again is None:
                return
            link, guard = again

    def _carry(self, carrier: Carrier) -> None:
        """Turn until there is no more to do or somebody says stop; a canary's verdict outlives a lost connection."""
        if self.report.outcome is Outcome.CANARY_FAILED:
            return
        self.report.outcome = Outcome.COMPLETE
        if self._canary:
            self._try_canary(carrier, self._canary)
            if self.report.outcome is not Outcome.COMPLETE:
                return
        self.state.limit = self.state.order.limit
        self._turn_until_done(carrier)

    def _turn_until_done(self, carrier: Carrier) -> None:
        silence = Silence(self.patience.silent_s)
        while not self._finished(carrier):
            heard = carrier.turn(TURN_S, taking=not self.watch.stopping)
            self._mind_the_alarm(carrier.link)
            silence.mind(carrier.link, len(carrier.window), heard=heard)
            self.watch.progress(self.report, len(carrier.window), carrier.link.blocked)

    def _finished(self, carrier: Carrier) -> bool:
        if self.watch.stopping and carrier.link.blocked is not None:
            self.report.outcome = Outcome.INTERRUPTED  # the window cannot drain while the broker reads nothing
            self.report.unknown = len(carrier.window)
            return True
        if carrier.window:
            return False
        if self.watch.stopping:
            self.report.outcome = Outcome.INTERRUPTED
        elif carrier.may_move <= 0:
            self.report.outcome = Outcome.LIMIT
        elif self.report.examined < self.state.goal:
            return self._ran_empty(carrier)
        return True

    def _ran_empty(self, carrier: Carrier) -> bool:
        """Whether fewer messages are left than there were at the start: another consumer, or their time was over.

        Quiet alone does not tell: a broker takes seconds over a header of thousands of nested tables. Its answer about
        the depth comes behind what it sent before, so after an empty queue one more turn has to bring nothing. Raises
        HandsOutNone when the queue is not empty and nothing came for PATIENCE_S.
        """
        quiet_since = carrier.last_event
        if not carrier.idle or time.monotonic() - quiet_since < QUIET_S:
            return False
        if carrier.link.depth(self.state.order.queue) > 0:
            if time.monotonic() - quiet_since > PATIENCE_S and not self.watch.stopping:
                raise HandsOutNone(self.state.order.queue)
            return False
        carrier.turn(TURN_S, taking=True)
        return carrier.idle and carrier.last_event == quiet_since

    def _try_canary(self, carrier: Carrier, canary: Canary) -> None:
        order = self.state.order
        self.state.limit = min(canary.size, order.limit or canary.size)
        self._turn_until_done(carrier)
        if self.report.outcome is not Outcome.LIMIT:
            return  # fewer messages than the canary is large, or somebody stopped it
        back = self._wait_for_returns(carrier, canary)
        self._canary = None
        moved = self.report.moved_total
        self.watch.remark(f"canary: {back} of {moved} died again within {canary.wait_s:g} s")
        if back * 100 > canary.percent * moved:
            self.report.outcome = Outcome.CANARY_FAILED
            self.report.trouble = f"{back} of the first {moved} died again, more than {canary.percent:g} %"
        elif order.limit is None or order.limit > moved:
            self.report.outcome = Outcome.COMPLETE
            carrier.resume()

    def _wait_for_returns(self, carrier: Carrier, canary: Canary) -> int:
        assert self._returns is not None
        carrier.rest()
        deadline, back = time.monotonic() + canary.wait_s, 0
        while time.monotonic() < deadline and not self.watch.stopping and back < self.report.moved_total:
            carrier.turn(TURN_S, taking=False)
            back = self._returns.count(self.state.order.rewrite.run_id)
        return back

    def _depart(self, carrier: Carrier, guard: RunGuard) -> None:
        if carrier.link.blocked is not None:
            return  # nothing more can be said to this broker; the end of the connection gives everything back
        carrier.leave()
        guard.end(settled=not self.report.unknown and (not self.state.in_doubt or self._saw_all(carrier.link)))

    def _saw_all(self, link: Link) -> bool:
        """Whether every message was met and none stayed: others who take from the queue may have held some."""
        complete = self.report.outcome is Outcome.COMPLETE and not self.report.held and not self.report.left
        return complete and not self.state.shared and not link.takers(self.state.order.queue)

    def _after(self, error: DlxctlError, carrier: Carrier) -> tuple[Link, RunGuard] | None:
        """A new link to go on with, or None when the run has to end here."""
        under_way, _ = carrier.window.unsettled()
        may_help = isinstance(error, BrokerUnavailable) and carrier.link.blocked is None
        carrier.link.abort()  # before a new one: the lock is this connection's
        if not may_help and isinstance(error, BrokerRefused | NotFound):
            may_help = self.state.learn(error, under_way)
        if may_help and not self.watch.stopping and self._fruitful():
            self.watch.remark(f"{error.what} ({error.why}); connecting again" if error.why else error.what)
            try:
                again = self._again()
                carrier.lost()
                return again
            except DlxctlError as last:
                error = last
        self.report.outcome = Outcome.UNAVAILABLE if isinstance(error, BrokerUnavailable) else Outcome.FAILED
        if self.watch.stopping:
            self.report.outcome = Outcome.INTERRUPTED
        self.report.trouble, self.report.unknown = str(error), len(under_way)
        return None

    def _fruitful(self) -> bool:
        """Whether going on has moved anything lately; a broker that hangs up each time is not tried for ever."""
        moved = self.report.moved_total + self.report.parked + self.report.rotated
        self._fruitless = 0 if moved > self._moved_at_loss else self._fruitless + 1
        self._moved_at_loss = moved
        return self._fruitless <= MOST_FRUITLESS

    def _again(self) -> tuple[Link, RunGuard]:
        """Connect and lock again; raises what stood in the way when the patience is over."""
        trying = Retrying(
            retry=retry_if_exception(self._worth_another_try),
            wait=wait_random_exponential(multiplier=0.2, max=SLOWEST_RETRY_S),
            stop=stop_after_delay(self.patience.reconnect_s) | _StopWhenAsked(self.watch),
            reraise=True,
        )
        link, guard = trying(self._connect_locked)
        self.report.reconnects += 1
        return link, guard

    def _connect_locked(self) -> tuple[Link, RunGuard]:
        link, guard = self._connect()
        try:
            self.state.suspect |= guard.begin(self.state.order.queue, self._holder)
            return link, guard
        except DlxctlError:
            link.close()
            raise

    def _worth_another_try(self, error: BaseException) -> bool:
        """A broker that is away, or our own old connection that it has not given up yet."""
        if isinstance(error, Locked):
            return error.run == self.report.run_id
        return isinstance(error, BrokerUnavailable)

    def _mind_the_alarm(self, link: Link) -> None:
        if link.blocked is None:
            self._blocked_since = None
            return
        self._blocked_since = self._blocked_since or time.monotonic()
        if time.monotonic() - self._blocked_since > self.patience.blocked_s:
            raise BrokerUnavailable(
                "the broker blocks publishers",
                why=f"{link.blocked}, for more than {self.patience.blocked_s:.0f} s",
                remedy="Clear the alarm (rabbitmq-diagnostics alarms), then run the same command again.",
            )


class _StopWhenAsked(stop_base):
    """tenacity's view of Ctrl-C."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def __call__(self, retry_state: Any) -> bool:
        return self._watch.stopping
