"""A plan, or what became of it, as JSON: its form is in docs/plan-and-apply.md.

`schema_version` grows when a field changes its meaning or goes; new fields may come at any time.
"""

from typing import Any

from dlxctl.model.diagnostics import Diagnostic, Place
from dlxctl.plan.changes import (
    Change,
    DeleteExchange,
    DeleteQueue,
    NotReversible,
    PutPolicy,
    Verb,
    describe,
    kind,
    name,
    reverse,
    subject,
    verb,
)
from dlxctl.plan.hazards import Hazard, hazard_of
from dlxctl.plan.native import Retries
from dlxctl.plan.report import Report
from dlxctl.plan.value import CannotChange, Plan, counts
from dlxctl.render.plan import migration, settings_of

SCHEMA_VERSION = 1


def plan_json(plan: Plan) -> dict[str, Any]:
    """A JSON object with everything that the text shows, and more."""
    number = counts(plan.changes)
    return {
        "schema_version": SCHEMA_VERSION,
        "topology": plan.topology,
        "vhost": plan.vhost,
        "server": {"version": plan.server.version_text, "cluster_name": plan.server.cluster_name},
        "intent": str(plan.intent),
        "clean": plan.clean,
        "summary": {str(each): count for each, count in number.items()} | {"blocked": len(plan.blocked)},
        "changes": [_change_json(change, plan.source) for change in plan.changes],
        "dangers": [
            {"hazard": str(each.hazard), "cause": each.cause, "allowable": each.hazard is not Hazard.MESSAGES}
            for each in plan.dangers
        ],
        "blocked": [_blocked_json(each, plan.source) for each in plan.blocked],
        "warnings": [_warning_json(warning, plan.source) for warning in plan.warnings],
        "leftovers": [{"kind": kind(each), "name": name(each)} for each in plan.leftovers],
        "retries": [_retries_json(each, plan.source) for each in plan.retries],
        "fingerprint": plan.fingerprint,
    }


def report_json(report: Report) -> dict[str, Any]:
    """The plan, and what became of it."""
    return plan_json(report.plan) | {
        "made": [describe(change) for change in report.made],
        "failed": describe(report.failed) if report.failed else None,
        "error": str(report.error) if report.error else None,
        "undone": [describe(change) for change in report.undone],
        "not_tried": [describe(change) for change in report.not_tried],
        "applied": report.error is None and report.remaining is not None and report.remaining.clean,
    }


def _change_json(change: Change, source: str) -> dict[str, Any]:
    thing = subject(change)
    before = change.before if isinstance(change, PutPolicy) else None
    back = reverse(change)
    gone = verb(change) is Verb.DELETE
    return {
        "verb": str(verb(change)),
        "kind": kind(thing),
        "name": name(thing),
        "from": settings_of(thing) if gone else settings_of(before) if before else None,
        "to": None if gone else settings_of(thing),
        "why": _place_json(change.why, source),
        "reverse": None if isinstance(back, NotReversible) else describe(back),
        "not_reversible": back.reason if isinstance(back, NotReversible) else None,
        "hazard": hazard_of(change),
        "at_stake": _stake(change),
    }


def _stake(change: Change) -> dict[str, int | None] | None:
    """What goes with a deletion; `messages` null where the broker does not tell."""
    if isinstance(change, DeleteQueue):
        return {"messages": change.messages, "bindings": change.bindings}
    return {"messages": 0, "bindings": change.bindings} if isinstance(change, DeleteExchange) else None


def _blocked_json(each: CannotChange, source: str) -> dict[str, Any]:
    return {
        "kind": kind(each.desired),
        "name": each.desired.name,
        "differences": [{"setting": d.setting, "from": d.observed, "to": d.desired} for d in each.differences],
        "why": _place_json(each.why, source),
        "bindings": each.bindings,
        "steps": list(each.steps),
        "migration": list(migration(each)),
        "hazard": str(Hazard.MIGRATE),
        "at_stake": {"messages": each.messages, "bindings": each.bindings},
    }


def _retries_json(each: Retries, source: str) -> dict[str, Any]:
    return {
        "ladder": each.ladder,
        "backend": str(each.backend),
        "queues": list(each.queues),
        "reason": each.reason,
        "why": _place_json(each.why, source),
    }


def _warning_json(warning: Diagnostic, source: str) -> dict[str, Any]:
    return {
        "code": warning.code,
        "cause": warning.cause,
        "remedy": warning.remedy,
        "why": _place_json(warning.place, source),
    }


def _place_json(place: Place, source: str) -> dict[str, Any]:
    return {"file": source, "line": place.line or None, "column": place.column or None}
