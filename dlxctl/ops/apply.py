"""Use case: make the broker what the file says, under a lock, and look whether it is.

Refusals come before the first change: what cannot be changed in place, policies that the user may not set, a broker
that is no longer the one that was reviewed. After that the first failure ends the run, since later steps rely on
earlier ones; every step is idempotent, so running it again goes on where it ended.
"""

from typing import Protocol, assert_never

from dlxctl.broker.admin import Admin, Lock
from dlxctl.broker.http_failures import no_policy_tag
from dlxctl.errors import DlxctlError, RefusedForSafety
from dlxctl.model.diagnostics import quoted
from dlxctl.model.layout import Layout
from dlxctl.ops.plan import make_plan
from dlxctl.plan.changes import Bind, Change, CreateExchange, CreateQueue, DeletePolicy, Mark, PutPolicy, kind, name
from dlxctl.plan.hazards import Hazard
from dlxctl.plan.report import Report
from dlxctl.plan.value import Plan


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
    reviewed: Plan | None = None,
    migrate: Migration | None = None,
    watch: Watch | None = None,
) -> Report:
    """Plan and carry out. With `reviewed`, only what it showed is done.

    `migrate`, given when that hazard is allowed, does its work first, under the same lock; the rest is planned anew.
    Raises Locked, RefusedForSafety, and any error that came before the first change; later ones are in the report.
    """
    watch = watch or Watch()
    with admin.lock(layout.lock_queue, purpose=f"apply {layout.name}") as lock:
        plan = make_plan(admin, layout)
        watch.planned(plan)
        _refuse(plan, reviewed, migrating=migrate is not None)
        if plan.blocked and migrate is not None:
            migrate(admin, lock, layout, plan)
            plan = make_plan(admin, layout)
            _refuse(plan, None, migrating=False)
        report = _carry_out(admin, lock, plan, watch)
        if report.error is not None:
            return report
        remaining = make_plan(admin, layout) if plan.changes else plan
        return Report(plan=plan, made=report.made, remaining=remaining)


def _refuse(plan: Plan, reviewed: Plan | None, *, migrating: bool) -> None:
    if reviewed is not None and reviewed.fingerprint != plan.fingerprint:
        raise RefusedForSafety(
            "the broker is no longer as the plan showed it", remedy="Nothing was changed. Run dlxctl apply again."
        )
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


def _carry_out(admin: Admin, lock: Lock, plan: Plan, watch: Watch) -> Report:
    made: list[Change] = []
    for change in plan.changes:
        try:
            lock.confirm()
            _make(admin, change)
        except DlxctlError as error:
            if not made:
                raise
            return Report(plan=plan, made=tuple(made), failed=change, error=error)
        made.append(change)
        watch.made(change)
    return Report(plan=plan, made=tuple(made))


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
        case _:
            assert_never(change)
