"""Dead letters as text and JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from dlxctl.render.escape import printable, printable_lines
from dlxctl.render.tables import age, count, table
from dlxctl.replay.summary import Group, Row


def groups_text(groups: Sequence[Group], now: float, width: int) -> str:
    """One line a group, largest first."""
    columns = ("#count", "task", "exception", "origin", "reason", "#first", "#last")
    rows = (
        (f"{g.count:,}", g.task or "-", g.exception or "-", g.origin or "?", g.reason or "?",
         _ago(g.first, now), _ago(g.last, now))
        for g in groups
    )  # fmt: skip
    return table(columns, rows, width=width)


def rows_text(rows: Sequence[Row], now: float, width: int) -> str:
    """One line a message, in the order of the queue."""
    columns = ("=id", "task", "origin", "reason", "failure", "#tries", "#age")
    cells = (
        (r.id or "-", r.task or "-", r.origin or "?", r.trouble or r.reason or "?", _failure(r),
         "-" if r.attempts is None else r.attempts, _ago(r.died_at, now))
        for r in rows
    )  # fmt: skip
    return table(columns, cells, width=width)


def row_detail(row: Row, now: float) -> str:
    """Everything the headers of one message say, with its traceback."""
    pairs = (
        ("id", row.id), ("task", row.task), ("arguments", row.arguments), ("origin", row.origin),
        ("reason", row.reason), ("exception", row.exception), ("message", row.message),
        ("attempts", "" if row.attempts is None else str(row.attempts)), ("replays", str(row.replays)),
        ("died", _ago(row.died_at, now) + " ago" if row.died_at else ""), ("body", count(row.body_bytes, "byte")),
        ("trouble", row.trouble),
    )  # fmt: skip
    lines = [f"{name + ':':<11}{printable(value, 1_000)}" for name, value in pairs if value]
    if row.traceback:
        lines += ["", printable_lines(row.traceback)]
    return "\n".join(lines)


def row_json(row: Row) -> dict[str, Any]:
    """One object a message; the keys are those of `Row`."""
    return asdict(row)


def group_json(group: Group) -> dict[str, Any]:
    """One object a group; the keys are those of `Group`."""
    return asdict(group)


def _failure(row: Row) -> str:
    return ": ".join(part for part in (row.exception, row.message) if part) or "-"


def _ago(at: int, now: float) -> str:
    return age(now - at) if at else "-"
