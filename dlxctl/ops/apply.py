"""Use case: make the broker what the file says, under a lock, and look whether it is.

Refusals come before the first change: what cannot be changed in place, policies that the user may not set, a broker
that is no longer the one that was reviewed. After that the first failure ends the run, since later steps rely on
earlier ones; every step is idempotent, so running it again goes on where it ended.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import Protocol, assert_never

from dlxctl.broker.admin import Admin, Lock
from dlxctl.broker.http_failures import no_policy_tag
from dlxctl.errors import DlxctlError, RefusedForSafety
from dlxctl.model.diagnostics import quoted
from dlxctl.model.layout import Layout
from dlxctl.ops.batches import Outcome, Unit, make_at_once, units
from dlxctl.ops.plan import make_plan
from dlxctl.ops.prune import Patience, confirm_closed, refuse, refuse_busy, wait
from dlxctl.plan.changes import (
    Bind,
    Change,
    CreateExchange,
    CreateQueue,
    DeleteExchange,
    DeletePolicy,
    DeleteQueue,
    Mark,
    NotReversible,
    PutPolicy,
    Unbind,
    kind,
    name,
    reverse,
)
from dlxctl.plan.hazards import Hazard
from dlxctl.plan.prune import closes
from dlxctl.plan.report import Report
from dlxctl.plan.value import Intent, Plan


class Watch:
    """Hears what apply is going to do, and of each change once it is made; this one lets it pass."""

    def planned(self, plan: Plan) -> None:
        """Called once, before anything is refused or changed."""

    def made(self, change: Change) -> None:
        """Called after each change."""


class Migration(Protocol):
    """Makes anew what cannot change in place: `dlxctl.ops.migrate.migrate`, with the way to the broker's messages."""

    def __call__(self, admin: Admin, lock: Lock, layout: Layout, plan: Plan) -> None:
        """Bring every object of `plan.blocked` to what the file says; raises DlxctlError and can be called again."""


def apply(
    admin: Admin,
    layout: Layout,
    *,
    intent: Intent = Intent.KEEP,
    reviewed: str | None = None,
    allowed: Collection[Hazard] = (),
    migrate: Migration | None = None,
    watch: Watch | None = None,
    patience: Patience | None = None,
) -> Report:
    """Plan and carry out. With `reviewed`, the fingerprint of a plan that was shown, only that is done.

    `migrate`, given when that hazard is allowed, does its work first, under the same lock; the rest is planned anew.
    Raises Locked, RefusedForSafety, and any error that came before the first change; later ones are in the report.
    """
    watch = watch or Watch()
    with admin.lock(layout.lock_queue, purpose=f"apply {layout.name}") as lock:
        plan = make_plan(admin, layout, intent)
        watch.planned(plan)
        _refuse(admin, plan, reviewed, allowed, migrating=migrate is not None)
        if plan.blocked and migrate is not None:
            migrate(admin, lock, layout, plan)
            plan = make_plan(admin, layout, intent)
            _refuse(admin, plan, None, allowed, migrating=False)
        run = _Run(admin, lock, plan, allowed, patience or Patience(), watch)
        report = run.carry_out()
        if report.error is not None:
            return report
        remaining = make_plan(admin, layout, intent) if plan.changes else plan
        return Report(plan=plan, made=report.made, remaining=remaining)


def _refuse(admin: Admin, plan: Plan, reviewed: str | None, allowed: Collection[Hazard], *, migrating: bool) -> None:
    if reviewed is not None and reviewed != plan.fingerprint:
        raise RefusedForSafety(
            "the broker is no longer as the plan showed it", remedy="Nothing was changed. Make a new plan."
        )
    refuse(plan.dangers, allowed)
    if plan.blocked and not migrating:
        things = ", ".join(f"{kind(each.desired)} {quoted(name(each.desired))}" for each in plan.blocked)
        raise RefusedForSafety(
            f"{things}: settings differ that cannot change in place",
            why="RabbitMQ fixes them when an object is declared (406 PRECONDITION_FAILED)",
            remedy="Nothing was changed. Write the broker's present values into the file, or make it anew, with its "
            f"messages: --allow {Hazard.MIGRATE}; `dlxctl plan` shows each setting and line.",
        )
    if not plan.server.may_set_policies and any(isinstance(c, PutPolicy | DeletePolicy) for c in plan.changes):
        raise no_policy_tag(plan.server.user)
    refuse_busy(admin, plan, allowed)


class _Run:
    """One walk through the changes of a plan, under its lock."""

    def __init__(
        self, admin: Admin, lock: Lock, plan: Plan, allowed: Collection[Hazard], patience: Patience, watch: Watch
    ) -> None:
        self._admin, self._lock, self._plan, self._allowed = admin, lock, plan, allowed
        self._patience, self._watch = patience, watch
        self._made: list[Change] = []
        self._paused = self._confirmed = False

    def carry_out(self) -> Report:
        """Raises the error of the first change; a later one is in the report."""
        for at_once, run in units(self._plan.changes):
            outcomes = self._at_once(run) if at_once else self._one_by_one(run)
            failures: list[Outcome] = []
            for outcome in outcomes:
                self._note(outcome.made)
                failures += [outcome] if outcome.error else []
            if failures:
                return self._ended(failures[0])
        return Report(plan=self._plan, made=tuple(self._made))

    def _at_once(self, run: Sequence[Unit]) -> Iterator[Outcome]:
        with self._admin.pipeline() as pipeline:
            yield from make_at_once(run, pipeline, self._make, self._lock.confirm)

    def _one_by_one(self, run: Sequence[Unit]) -> Iterator[Outcome]:
        for unit in run:
            (change,) = unit
            try:
                self._lock.confirm()
                self._look_before(change)
                self._make(change)
            except DlxctlError as error:
                yield Outcome(made=(), failed=change, error=error)
                return
            yield Outcome(made=unit)

    def _make(self, change: Change) -> None:
        _make(self._admin, change)

    def _note(self, made: Unit) -> None:
        for change in made:
            self._made.append(change)
            self._watch.made(change)

    def _ended(self, failure: Outcome) -> Report:
        assert failure.error is not None
        undone = self._reopen() if isinstance(failure.error, RefusedForSafety) else []
        if not self._made:
            raise failure.error
        return Report(
            plan=self._plan,
            made=tuple(self._made),
            failed=failure.failed,
            error=failure.error,
            undone=tuple(undone),
        )

    def _look_before(self, change: Change) -> None:
        """What has to be so before `change`: refusing is in force before the limit falls, queues are empty and closed
        before the first of them goes."""
        if closes(change) and not self._paused:
            self._paused = True
            wait(self._lock, self._patience.refusing_s)
        if isinstance(change, DeleteQueue) and not self._confirmed:
            self._confirmed = True
            confirm_closed(self._admin, self._lock, self._plan, self._allowed, self._patience)

    def _reopen(self) -> list[Change]:
        """Take back what closed the queues: the file keeps them until they are deleted."""
        base = len(self._plan.changes) - self._plan.pruning
        undone = self._made[base:]
        for change in reversed(undone):
            back = reverse(change)
            if not isinstance(back, NotReversible):
                _make(self._admin, back)
        del self._made[base:]
        return undone


def _make(admin: Admin, change: Change) -> None:
    match change:
        case CreateExchange():
            admin.declare_exchange(change.exchange)
        case CreateQueue():
            admin.declare_queue(change.queue)
        case Bind() | Mark():
            admin.bind(change.binding)
        case PutPolicy():
            admin.put_policy(change.policy)
        case DeletePolicy():
            admin.delete_policy(change.policy.name)
        case Unbind():
            admin.unbind(change.binding)
        case DeleteQueue():
            admin.delete_queue(change.queue.name)
        case DeleteExchange():
            admin.delete_exchange(change.exchange.name)
        case _:
            assert_never(change)
