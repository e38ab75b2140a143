"""Status as a table and as JSON. What is not known is `unknown` or null, never 0."""

import json
from collections.abc import Iterator
from dataclasses import asdict

from dlxctl.model.health import QueueHealth, Role, Status
from dlxctl.render.escape import printable
from dlxctl.render.tables import age, table

UNKNOWN, NONE, MISSING = "unknown", "-", "not there"
_COLUMNS = ("queue", "=role", "#ready", "#unacked", "#elsewhere", "#in/s", "#out/s", "#oldest", "#consumers")


def status_text(status: Status, width: int) -> str:
    """The table, the alarms, and what is too much."""
    return "\n".join(_lines(status, width))


def status_json(status: Status) -> str:
    """One object on one line: {queues, alarms, exceeded, remarks}."""
    return json.dumps(
        {
            "queues": [asdict(queue) for queue in status.health.queues],
            "alarms": status.alarms,
            "exceeded": status.exceeded,
            "remarks": status.health.remarks,
        }
    )


def _lines(status: Status, width: int) -> Iterator[str]:
    yield table(_COLUMNS, map(_cells, status.health.queues), width=width)
    if status.alarms is None:
        yield f"alarms: {UNKNOWN}"
    elif status.alarms:
        yield f"ALARM: {printable('; '.join(status.alarms))}. The broker takes no messages."
    yield from (f"EXCEEDED: {printable(sentence, 500)}" for sentence in status.exceeded)


def _cells(queue: QueueHealth) -> tuple[str, ...]:
    if queue.ready is None:
        return (queue.name, queue.role, MISSING, *[NONE] * 6)
    rates = (_rate(queue.in_per_s), _rate(queue.out_per_s))
    numbers = map(_number, (queue.ready, queue.unacked, queue.elsewhere))
    return (queue.name, queue.role, *numbers, *rates, _oldest(queue), _number(queue.consumers))


def _number(value: int | None) -> str:
    return UNKNOWN if value is None else f"{value:,}"


def _rate(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:,.1f}"


def _oldest(queue: QueueHealth) -> str:
    if queue.oldest_s is not None:
        return age(queue.oldest_s)
    return UNKNOWN if queue.ready and queue.role in (Role.DEAD_LETTER, Role.PARKING) else NONE
