"""A walk as a timeline, as JSON, and as one sentence: what a message meets, when, and how it ends."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby, takewhile
from shlex import quote
from typing import Any, assert_never

from dlxctl.model.diagnostics import quoted
from dlxctl.model.layout import delay_text
from dlxctl.render.escape import printable
from dlxctl.render.tables import count
from dlxctl.sim import rules
from dlxctl.sim.prove import Finding
from dlxctl.sim.steps import Cause, Kind, Step
from dlxctl.sim.walk import Act, Ending, Event, Turn, Walk


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the timeline; `at_ms` since the publish."""

    at_ms: int
    place: str
    text: str


def trace_lines(walk: Walk) -> Iterator[str]:
    """The timeline, the ending, and the headers that the message has there."""
    rows = list(_rows(walk))
    yield printable(f"A message in queue {walk.start}, on RabbitMQ {walk.release.name}")
    yield ""
    times = [span(row.at_ms) for row in rows]
    wide, broad = max(map(len, times), default=0), max((len(printable(row.place)) for row in rows), default=0)
    for same, group in groupby(zip(times, rows, strict=True), key=lambda pair: (pair[1].place, pair[1].text)):
        moments = [time for time, _ in group]
        many = f"  ({len(moments)} times)" if len(moments) > 1 else ""
        yield f"  {moments[0]:>{wide}}  {printable(same[0]):<{broad}}  {printable(same[1], 500)}{many}".rstrip()
    yield ""
    yield printable(ending_text(walk), 500)
    headers = walk.message.seen_headers(walk.release)
    if headers and walk.ending is not Ending.WORKED:
        yield "  with the headers"
        for name, value in headers.items():
            values = value if name == "x-death" else [value]
            yield from (f"    {printable(name)}: {printable(_header(each), 500)}".rstrip() for each in values)
    if walk.message.failures and walk.ending in (Ending.DEAD, Ending.RESTS):
        failures = count(walk.message.failures, "failed delivery", "failed deliveries")
        yield f"  and {failures} counted, which a quorum queue holds against its own delivery limit"


def trace_json(walk: Walk) -> str:
    """The walk as an object: {queue, rabbitmq, steps, ending, ended_in, cause, total_ms, headers}."""
    document = {
        "queue": walk.start,
        "rabbitmq": walk.release.name,
        "steps": [_step_json(step) for step in walk.steps],
        "ending": str(walk.ending),
        "ended_in": walk.queue or None,
        "cause": str(walk.cause) if walk.cause else None,
        "total_ms": walk.at_ms,
        "headers": walk.message.seen_headers(walk.release),
    }
    return json.dumps(document, indent=2, default=str)


def ending_text(walk: Walk) -> str:
    """How it ends, and after how long."""
    after = f" after {span(walk.at_ms)}" if walk.at_ms else ""
    match walk.ending:
        case Ending.WORKED:
            return f"It is worked on in {walk.queue}{after}."
        case Ending.DEAD:
            return f"It is dead, and lies in {walk.queue}{after}."
        case Ending.RESTS:
            return f"It comes to rest in {walk.queue}{after}."
        case Ending.DROPPED:
            return f"It is LOST{after}: the broker drops it without a word, because {_because(walk)}."
        case Ending.STUCK:
            return (
                f"It is STUCK{after} in {walk.queue}, where no consumer can reach it, because {_because(walk)}. "
                "The broker tries again every three minutes."
            )
        case Ending.REFUSED:
            return f"It is refused, because {_because(walk)}: its publisher is told so and still has it."
        case Ending.ENDLESS:
            return "It goes round for ever."
        case _:
            assert_never(walk.ending)


def sentence(walk: Walk, start: str) -> str:
    """The walk in one line, without what repeats: `rejected in "a", expired in "r", and then dropped, because ...`.

    `start` is the queue that it is told of, which may differ from its own.
    """
    deaths = [f"{_REASONS[step.reason]} in {quoted(start if step.queue == walk.start else step.queue)}"
              for step in walk.steps if isinstance(step, Step) and step.kind is Kind.DIED and step.reason]  # fmt: skip
    times = len(deaths)
    shown = list(dict.fromkeys(deaths))
    again = f" ({times} deaths)" if times > len(shown) else ""
    return f"{', '.join(shown)}{again}, and then {_end(walk)}" if shown else _end(walk)


def cause_of(finding: Finding, releases: tuple[str, ...]) -> str:
    """What is wrong, with the walk that shows it, and where."""
    subject, on = quoted(finding.subject), f"(RabbitMQ {', '.join(releases)})"
    if finding.rule is rules.UNBOUND:
        return f"exchange {subject} has neither a binding nor an alternate exchange."
    if finding.walk is None:
        return f"queue {subject} has no dead-letter exchange: its failures are dropped {on}."
    if finding.rule is rules.LOOKING:
        return f"queue {subject} loses a dead letter that is looked at {_times(finding.looks)} {on}."
    return f"a message of queue {subject} is {sentence(finding.walk, finding.subject)} {on}."


def remedy_for(finding: Finding) -> str:
    """What to do, and how to see it."""
    if finding.walk is None or finding.rule is rules.LOOKING:
        return _REMEDIES[finding.rule.code]
    events, release = ",".join(map(_turn, finding.turns)), finding.release.name
    command = f"dlxctl trace FILE {quote(finding.subject)} --event {quote(events)} --rabbitmq {release}"
    return f"{_REMEDIES[finding.rule.code]} To see it: {command}."


def span(ms: int) -> str:
    """A time without loss: 0s, 350ms, 1m 10s, 2d 3h."""
    parts, rest = [], ms
    for unit in (86_400_000, 3_600_000, 60_000, 1_000, 1):
        if rest >= unit:
            parts.append(delay_text(rest // unit * unit) if unit != 86_400_000 else f"{rest // unit}d")
            rest %= unit
    return " ".join(parts) or "0s"


_REASONS = {
    "rejected": "rejected",
    "expired": "expired",
    "maxlen": "pushed out",
    "delivery_limit": "over its delivery limit",
}
_REMEDIES = {
    rules.LOST.code: "Dead-letter it straight into a queue that exists, not through a retry tier.",
    rules.KEPT.code: "Give it a road that ends in a dead-letter queue, or make it a work queue of the file.",
    rules.STUCK.code: "Give its dead-letter exchange a binding for its key, or an alternate exchange.",
    rules.LOOKING.code: "Give that queue x-delivery-limit 1000000 before you touch it, by a policy if it is there.",
    rules.ROUND.code: "End its retries: a ladder of the file counts the attempts.",
    rules.UNBOUND.code: "Bind a queue to it, or give it an alternate exchange.",
    rules.NO_DLX.code: "Give it one, and look whether a policy meant for it has a key that its type does not know.",
}


def _rows(walk: Walk) -> Iterator[Row]:
    for index, step in enumerate(walk.steps):
        text = _act_text(walk, index, step) if isinstance(step, Act) else _step_text(step)
        if text:
            place = step.queue if isinstance(step, Act) or step.queue else _exchange(step.exchange)
            yield Row(step.at_ms, place, text)


def _act_text(walk: Walk, index: int, act: Act) -> str:
    outcome = takewhile(lambda step: not isinstance(step, Act), walk.steps[index + 1 :])
    published = next((step for step in outcome if isinstance(step, Step) and step.kind is Kind.PUBLISHED), None)
    match act.event:
        case Event.FAIL if published is not None:
            to = f"{_exchange(published.exchange)}, routing key {published.key}"
            return f"attempt {act.number} fails; RetryTask publishes it to {to}"
        case Event.FAIL:
            return f"attempt {act.number} fails; RetryTask gives it back"
        case Event.WORK:
            return "the task succeeds"
        case Event.REJECT:
            return "the consumer rejects it"
        case Event.REQUEUE:
            return "the consumer gives it back (nack, requeue)"
        case Event.CRASH:
            return "the worker dies; the message comes back"
        case Event.EXPIRE:
            return "nobody takes it until its time is over"
        case Event.OVERFLOW:
            return "the queue is full"
        case Event.LIMIT:
            return "it has come back too often"
        case _:
            assert_never(act.event)


def _step_text(step: Step) -> str:
    match step.kind:
        case Kind.PUBLISHED:
            return ""  # the act before it tells
        case Kind.ARRIVED:
            return f"waits {span(step.wait_ms)}" if step.wait_ms is not None else "arrives"
        case Kind.DELIVERED | Kind.WORKED:
            return ""
        case Kind.RETURNED:
            held = f"the broker holds it back for {span(step.wait_ms)}" if step.wait_ms else ""
            return held if step.settle is not None else ""
        case Kind.DIED:
            reason = _REASONS[str(step.reason)]
            told = not step.exchange or step.key != step.message.routing_key  # otherwise it keeps the key that it has
            key = f", routing key {step.key}" if told else ""
            return f"{reason}: dead-lettered to {_exchange(step.exchange)}{key}"
        case Kind.DROPPED:
            return f"DROPPED: {step.cause}"
        case Kind.STUCK:
            return f"STUCK: {step.cause}"
        case Kind.REFUSED:
            return f"refused: {step.cause}"
        case _:
            assert_never(step.kind)


def _because(walk: Walk) -> str:
    last = next(step for step in reversed(walk.steps) if isinstance(step, Step) and step.cause is not None)
    match last.cause:
        case Cause.NO_ROUTE:
            return f"{_exchange(last.exchange)} has no binding that takes the routing key {quoted(last.key)}"
        case Cause.NO_EXCHANGE:
            return f"the exchange {quoted(last.exchange)} does not exist"
        case Cause.NO_DLX:
            return f"queue {quoted(last.queue)} has no dead-letter exchange"
        case Cause.CYCLE:
            return "it was there before, and not rejected since, which the broker takes for an automatic cycle"
        case Cause.FULL:
            return f"queue {quoted(last.queue)} is full"
        case Cause.ITSELF:
            return f"queue {quoted(last.queue)} does not confirm to itself"
        case _:
            assert_never(last.cause)  # type: ignore[arg-type]  # an attribute is not narrowed by the cases above


def _end(walk: Walk) -> str:
    match walk.ending:
        case Ending.DROPPED:
            return f"dropped, because {_because(walk)}"
        case Ending.STUCK:
            return f"stuck in {quoted(walk.queue)}, because {_because(walk)}"
        case Ending.ENDLESS | Ending.WORKED:
            return "back again, however often"
        case Ending.DEAD | Ending.RESTS | Ending.REFUSED:
            return ending_text(walk)
        case _:
            assert_never(walk.ending)


def _exchange(name: str) -> str:
    return name or "the default exchange"


def _times(looks: int) -> str:
    return "once" if looks == 1 else f"{looks} times"


def _turn(turn: Turn) -> str:
    return str(turn.event) if turn.times == 1 else f"{turn.event}*{turn.times or ''}"


def _header(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, dict | list) else str(value)


def _step_json(step: Step | Act) -> dict[str, Any]:
    if isinstance(step, Act):
        return {"at_ms": step.at_ms, "what": str(step.event), "queue": step.queue, "delivery": step.number}
    given = {
        "at_ms": step.at_ms, "what": str(step.kind), "queue": step.queue or None, "exchange": step.exchange,
        "routing_key": step.key, "reason": step.reason, "cause": step.cause, "settle": step.settle,
        "wait_ms": step.wait_ms,
    }  # fmt: skip
    routed = step.kind in (Kind.PUBLISHED, Kind.DIED)
    return {key: value for key, value in given.items()
            if value is not None and (routed or key not in ("exchange", "routing_key"))}  # fmt: skip
