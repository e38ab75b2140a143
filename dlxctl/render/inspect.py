"""Dead letters as text and JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from dlxctl.render.escape import printable, printable_lines
from dlxctl.render.tables import age, count, table
from dlxctl.replay.body import Body
from dlxctl.replay.groups import Group
from dlxctl.replay.summary import Row


def groups_text(groups: Sequence[Group], now: float, width: int) -> str:
    """One line a group, largest first."""
    columns = ("=group", "#count", "task", "failure", "origin", "reason", "#first", "#last")
    rows = (
        (g.group, f"{g.count:,}", g.task or "-", _failure(g.exception, g.message), g.origin or "?", g.reason or "?",
         _ago(g.first, now), _ago(g.last, now))
        for g in groups
    )  # fmt: skip
    return table(columns, rows, width=width)


def rows_text(rows: Sequence[Row], now: float, width: int) -> str:
    """One line a message, in the order of the queue."""
    columns = ("=id", "task", "origin", "reason", "failure", "#tries", "#age")
    cells = (
        (r.id or "-", r.task or "-", r.origin or "?", r.trouble or r.reason or "?", _failure(r.exception, r.message),
         "-" if r.attempts is None else r.attempts, _ago(r.died_at, now))
        for r in rows
    )  # fmt: skip
    return table(columns, cells, width=width)


def row_detail(row: Row, now: float) -> str:
    """Everything that the headers which dlxctl knows say of one message, with its traceback."""
    pairs = (
        ("id", row.id), ("group", row.group), ("task", row.task), ("arguments", row.arguments), ("origin", row.origin),
        ("reason", row.reason), ("exception", row.exception), ("message", row.message),
        ("attempts", "" if row.attempts is None else str(row.attempts)), ("replays", str(row.replays)),
        ("died", _ago(row.died_at, now) + " ago" if row.died_at else ""), ("body", count(row.body_bytes, "byte")),
        ("trouble", row.trouble),
    )  # fmt: skip
    lines = [f"{name + ':':<11}{printable(value, 1_000)}" for name, value in pairs if value]
    if row.traceback:
        lines += ["", printable_lines(row.traceback)]
    return "\n".join(lines)


def everything_text(everything: dict[str, Any]) -> str:
    """All properties and headers, one a line."""
    lines = []
    for name in ("properties", "headers"):
        lines += ["", f"{name}:"]
        lines += [f"  {printable(key)} = {printable(_value(value), 1_000)}" for key, value in everything[name].items()]
    return "\n".join(lines)


def body_text(body: Body) -> str:
    """A body under a line that says what it is."""
    said = f"body: {body.kind}, {count(body.octets, 'byte')}" + (f" ({printable(body.note)})" if body.note else "")
    if body.value is None:
        return f"\n{said}"
    value = body.value if body.kind == "text" else json.dumps(body.value, indent=2, ensure_ascii=False)
    return f"\n{said}\n{printable_lines(value)}"


def row_json(row: Row) -> dict[str, Any]:
    """One object a message; the keys are those of `Row`."""
    found = asdict(row)
    del found["cause"]
    return found


def group_json(group: Group) -> dict[str, Any]:
    """One object a group; the keys are those of `Group`."""
    return asdict(group)


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _failure(exception: str, message: str) -> str:
    return ": ".join(part for part in (exception, message) if part) or "-"


def _ago(at: int, now: float) -> str:
    return age(now - at) if at else "-"
