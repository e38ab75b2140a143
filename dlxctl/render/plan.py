"""A plan, or what became of it, as lines of text. Whatever comes from the broker or the file is escaped."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, assert_never

from dlxctl.model.diagnostics import Place
from dlxctl.model.patterns import names_in
from dlxctl.model.topology import Binding, BrokerObject, Exchange, Policy, Queue
from dlxctl.plan.changes import (
    Change,
    DeleteExchange,
    DeleteQueue,
    Mark,
    PutPolicy,
    Verb,
    describe,
    kind,
    name,
    subject,
    verb,
)
from dlxctl.plan.hazards import Danger, Hazard
from dlxctl.plan.native import Retries
from dlxctl.plan.report import Report
from dlxctl.plan.value import CannotChange, Leftover, Plan, counts
from dlxctl.render.escape import printable


class Tone(StrEnum):
    """What a line is about; the cli gives it a colour on a terminal."""

    PLAIN = "plain"
    ADD = "add"
    CHANGE = "change"
    REMOVE = "remove"
    WARN = "warn"
    FAINT = "faint"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text without control characters."""

    text: str
    tone: Tone = Tone.PLAIN


_SIGNS = {
    Verb.CREATE: ("+", Tone.ADD),
    Verb.CHANGE: ("~", Tone.CHANGE),
    Verb.DELETE: ("-", Tone.REMOVE),
    Verb.ADOPT: ("=", Tone.CHANGE),
    Verb.MARK: ("+", Tone.FAINT),
}


def plan_lines(plan: Plan) -> Iterator[Line]:
    """The whole plan: changes with the lines of the file that ask for them, then all that is not a change."""
    server = f"RabbitMQ {plan.server.version_text} ({plan.server.cluster_name})"
    yield Line(_safe(f"Topology {plan.topology} in vhost {plan.vhost} on {server}"), Tone.FAINT)
    if not plan.clean:
        yield Line("")
    for change in plan.changes:
        if verb(change) is not Verb.MARK:
            yield from _change_lines(change, plan.source)
    for each in plan.blocked:
        yield from _blocked_lines(each, plan.source)
    ways = dict.fromkeys(migration(each) for each in plan.blocked)
    yield from _section("What cannot change in place:", map(" ".join, ways))
    yield from _section("Retries:", () if plan.clean else map(_retries, plan.retries))
    yield from _section("Warnings:", (w.render(plan.source) for w in plan.warnings), Tone.WARN)
    yield from _section("Refused:", map(_danger, plan.dangers), Tone.REMOVE)
    title = "On the broker, no longer in the file (apply leaves it; --prune takes it away):"
    yield from _section(title, map(_titled, plan.leftovers))
    if not plan.clean or plan.warnings or plan.leftovers or plan.dangers:
        yield Line("")
    yield Line(summary(plan))


def _retries(each: Retries) -> str:
    queues = ", ".join(each.queues) or "no queue"
    return f"{each.ladder}, for {queues}: backend {each.backend} ({each.reason})"


def summary(plan: Plan) -> str:
    """`Plan: 3 to create, 1 to change, 0 to delete.`, or `Nothing to do.`"""
    if plan.clean:
        return "Nothing to do."
    number = counts(plan.changes)
    parts = [f"{number[Verb.CREATE]} to create", f"{number[Verb.CHANGE]} to change", f"{number[Verb.DELETE]} to delete"]
    if number[Verb.ADOPT]:
        parts.append(f"{number[Verb.ADOPT]} to adopt")
    if plan.blocked:
        parts.append(f"{len(plan.blocked)} that cannot change in place")
    return f"Plan: {', '.join(parts)}."


def report_lines(report: Report) -> Iterator[Line]:
    """What was done, and what was not, after the changes themselves have been shown."""
    number = counts(report.made)
    done = f"{number[Verb.CREATE]} created, {number[Verb.CHANGE]} changed, {number[Verb.DELETE]} deleted"
    adopted = f", {number[Verb.ADOPT]} adopted" if number[Verb.ADOPT] else ""
    if report.failed:
        yield Line(f"Stopped: {done}{adopted}.", Tone.WARN)
        yield Line(_safe(f"  failed: {describe(report.failed)}"), Tone.REMOVE)
        yield from (Line(_safe(f"  taken back: {describe(change)}"), Tone.FAINT) for change in report.undone)
        yield from (Line(_safe(f"  not tried: {describe(change)}"), Tone.FAINT) for change in report.not_tried)
        yield Line("Running apply again goes on from here.")
    elif report.remaining and not report.remaining.clean:
        yield Line(f"Applied: {done}{adopted}. But the broker still differs:", Tone.WARN)
        yield from plan_lines(report.remaining)
    elif report.made:
        yield Line(f"Applied: {done}{adopted}.")


def _change_lines(change: Change, source: str) -> Iterator[Line]:
    sign, tone = _SIGNS[verb(change)]
    thing = subject(change)
    title = describe(change).split(" ", 1)[1] if isinstance(change, Mark) else _titled(thing)
    note = " (exists already; from now on marked as ours)" if isinstance(change, Mark) else ""
    yield Line(f"  {sign} {_safe(title)}{note}{_where(change.why, source)}", tone)
    if isinstance(change, PutPolicy) and change.before:
        was, wanted = settings_of(change.before), settings_of(change.policy)
        for key in sorted(key for key in {*was, *wanted} if was.get(key) != wanted.get(key)):
            yield Line(f"      {_safe(_difference(key, was.get(key), wanted.get(key)), 500)}", tone)
    elif verb(change) is Verb.CREATE:
        yield from _settings_line(thing)
    elif isinstance(change, DeleteQueue):
        yield Line(f"      {at_stake(change.messages, change.bindings)}", tone)
    elif isinstance(change, DeleteExchange):
        yield Line(f"      {_count(change.bindings, 'binding')} with it", tone)


def at_stake(messages: int | None, bindings: int) -> str:
    """`3 messages, 1 binding`; an unknown number is said to be unknown."""
    held = "unknown number of messages" if messages is None else _count(messages, "message")
    return f"{held}, {_count(bindings, 'binding')}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _danger(danger: Danger) -> str:
    allow = "no flag allows it" if danger.hazard is Hazard.MESSAGES else f"--allow {danger.hazard}"
    return f"{danger.cause} ({allow})"


def _difference(key: str, was: Any, wanted: Any) -> str:
    """`max-length: 5 -> 7`; of two patterns of ours only the queue names that come (+) and go (-)."""
    before, after = (names_in(value) if key == "pattern" else None for value in (was, wanted))
    if before is None or after is None:
        return f"{key}: {_value(was)} -> {_value(wanted)}"
    come, go = (f"+ {_value(name)}" for name in after - before), (f"- {_value(name)}" for name in before - after)
    return f"queues: {', '.join([*sorted(come), *sorted(go)])}"


def _settings_line(thing: BrokerObject) -> Iterator[Line]:
    shown = ", ".join(f"{key} {_value(value)}" for key, value in settings_of(thing).items() if key != "type")
    if shown:
        yield Line(f"      {_safe(shown, 400)}", Tone.FAINT)


def _blocked_lines(each: CannotChange, source: str) -> Iterator[Line]:
    yield Line(f"  ! {_safe(_titled(each.desired))} cannot change in place{_where(each.why, source)}", Tone.REMOVE)
    for difference in each.differences:
        was, wanted = _value(difference.observed), _value(difference.desired)
        yield Line(f"      {_safe(difference.setting)}: {was} -> {wanted}", Tone.REMOVE)
    if isinstance(each.desired, Queue):
        yield Line(f"      at stake: {at_stake(each.messages, each.bindings)}", Tone.REMOVE)
    for number, step in enumerate(each.steps, start=1):
        yield Line(f"      {number}. {_safe(step)}", Tone.FAINT)


def migration(each: CannotChange) -> tuple[str, ...]:
    """The way that there is, sentence by sentence."""
    if isinstance(each.desired, Exchange):
        return (
            "Exchange, by hand: note its bindings, from it and to it, which go with it.",
            "Delete it while nothing publishes to it, and run dlxctl apply.",
            "Or write its present settings into the file.",
        )
    return (
        "Queue: dlxctl apply --allow migrate makes it anew, with its messages and bindings, by the steps shown.",
        "What is published to the default exchange in the milliseconds in which the name leads nowhere may be lost "
        "(docs/migrate.md).",
        "Or write its present settings into the file.",
    )


def _section(title: str, texts: Iterable[str], tone: Tone = Tone.PLAIN) -> Iterator[Line]:
    lines = [Line(f"  {_safe(text, 1000)}", tone) for text in texts]
    if lines:
        yield from (Line(""), Line(title, tone), *lines)


def _titled(thing: BrokerObject | Leftover) -> str:
    return f"{kind(thing)} {name(thing)}" + (f" ({thing.type})" if isinstance(thing, Exchange | Queue) else "")


def settings_of(thing: BrokerObject) -> dict[str, Any]:
    """What is worth showing of an object, defaults left out."""
    match thing:
        case Exchange():
            return {"type": thing.type} | ({"internal": True} if thing.internal else {}) | dict(thing.arguments)
        case Queue():
            others = {key: value for key, value in thing.arguments.items() if key != "x-queue-type"}
            return {"type": str(thing.type)} | others
        case Policy():
            fixed = {"pattern": thing.pattern, "apply-to": thing.apply_to, "priority": thing.priority}
            return fixed | dict(thing.definition)
        case Binding():
            return dict(thing.arguments)
        case _:
            assert_never(thing)


def _where(place: Place, source: str) -> str:
    return f"    # {_safe(source)}:{place.line}" if place.line else ""


def _value(value: object) -> str:
    return "not set" if value is None else _safe(json.dumps(value, ensure_ascii=False, default=str), 120)


def _safe(text: str, longest: int = 300) -> str:
    return printable(text, longest)
