"""What `apply` and `destroy` share: ask, carry out with an audit, show what became of it."""

import json
import os
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import click

from dlxctl.broker.management import Management
from dlxctl.cli.lines import echo_lines
from dlxctl.cli.talk import remark
from dlxctl.cli.watch import ApplyWatch
from dlxctl.errors import ExitCode, Interrupted
from dlxctl.model.layout import Layout
from dlxctl.ops.apply import Migration, apply
from dlxctl.ops.audit import FILE_NAME, Audit
from dlxctl.ops.journal import state_file
from dlxctl.ops.plan import make_plan
from dlxctl.plan.changes import Change
from dlxctl.plan.hazards import Hazard
from dlxctl.plan.report import Report
from dlxctl.plan.value import Intent, Plan
from dlxctl.render.plan import plan_lines, report_lines
from dlxctl.render.plan_json import report_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One run as it was ordered. `reviewed`: the fingerprint of a saved plan, None for one that is made now."""

    layout: Layout
    intent: Intent
    allowed: Collection[Hazard]
    migrate: Migration | None = None
    reviewed: str | None = None
    ask: bool
    text: bool
    audit: Path | None


def carry_out(admin: Management, broker: str, order: Order) -> int:
    """Ask if ordered, apply, show; the exit code. `broker`: its address without the password."""
    audit = Audit(order.audit or _default_audit(), broker)
    try:
        report = _run(admin, order, audit)
        if report is not None:
            audit.ended(report)
    except BaseException as error:
        audit.ended(error)
        if isinstance(error, KeyboardInterrupt):
            raise Interrupted(
                "apply was interrupted",
                remedy="What was made stays. Run the same command again: it goes on from there.",
            ) from None
        raise
    finally:
        if audit.remark:
            remark(audit.remark)
    if report is None:
        remark("nothing was changed")
        return ExitCode.OK
    return _shown(report, order)


class _Told(ApplyWatch):
    """The audit hears what the terminal shows."""

    def __init__(self, audit: Audit, *, show: bool) -> None:
        super().__init__(show=show)
        self._audit = audit

    def planned(self, plan: Plan) -> None:
        self._audit.begun(plan)
        super().planned(plan)

    def made(self, change: Change) -> None:
        self._audit.made(change)
        super().made(change)


def _run(admin: Management, order: Order, audit: Audit) -> Report | None:
    """None when the answer was no. Asking takes place before the lock, and what was shown is all that is done."""
    reviewed = order.reviewed
    if order.ask:
        plan = make_plan(admin, order.layout, order.intent)
        echo_lines(plan_lines(plan), err=not order.text)
        if not _may_go_on(plan, order):
            return None
        reviewed = reviewed or plan.fingerprint
    return apply(
        admin,
        order.layout,
        intent=order.intent,
        reviewed=reviewed,
        allowed=order.allowed,
        migrate=order.migrate,
        watch=_Told(audit, show=order.text and not order.ask),
    )


def _may_go_on(plan: Plan, order: Order) -> bool:
    """Without a question when there is nothing to do, or apply is going to refuse."""
    if plan.clean or plan.dangers or (plan.blocked and order.migrate is None):
        return True
    if order.intent is Intent.DESTROY:
        answer: str = click.prompt(f"Type {plan.topology} to destroy it", err=True, default="", show_default=False)
        return answer == plan.topology
    return click.confirm("Apply this plan?", err=True)


def _shown(report: Report, order: Order) -> int:
    if order.text:
        echo_lines(report_lines(report))
    else:
        click.echo(json.dumps(report_json(report), indent=2))
    if report.error is not None:
        remark(str(report.error))
    return report.exit_code


def _default_audit() -> Path | None:
    with suppress(OSError):
        if journal := state_file(os.environ):
            return journal.with_name(FILE_NAME)
    return None
