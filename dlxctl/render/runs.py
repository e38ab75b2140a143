"""Past runs as text and JSON. A journal may be of another version, or edited: what is not there is shown as absent."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from dlxctl.render.escape import printable
from dlxctl.render.tables import table
from dlxctl.replay.origin import HOLD_MEANINGS, Hold
from dlxctl.replay.past import NOT_ENDED, SCHEMA_VERSION, PastRun

_COUNTS = (
    ("found", "found"), ("moved", "moved"), ("held", "held"), ("not selected", "not_selected"),
    ("came back", "came_back"), ("maybe duplicated", "maybe_duplicates"), ("not confirmed", "unknown"),
    ("parked", "parked"), ("left", "remaining"),
)  # fmt: skip
"""What a person reads, and the key of the report."""
_ALWAYS = ("found", "moved", "held")


def runs_text(runs: Sequence[PastRun], width: int) -> str:
    """One line a run, in the order given."""
    columns = ("=run", "=started (UTC)", "queue", "#found", "#moved", "#held", "outcome", "by")
    rows = (
        (run.run, run.started.replace("T", " ").rstrip("Z"), run.queue, _number(run.found), _count(run, "moved"),
         _count(run, "held"), run.outcome, f"{run.user}@{run.host}")
        for run in runs
    )  # fmt: skip
    return table(columns, rows, width=width)


def run_text(run: PastRun) -> str:
    """Everything about one run."""
    report = run.report or {}
    seconds = report.get("seconds")
    took = f" ({seconds:,.1f} s)" if isinstance(seconds, int | float) else ""
    pairs = [
        ("run", run.run), ("queue", f"{run.queue} in vhost {run.vhost} of {run.broker}"),
        ("by", f"{run.user}@{run.host}, process {run.pid}"), ("options", _options(run.options)),
        ("started", run.started), ("ended", run.ended + took), ("outcome", run.outcome),
    ]  # fmt: skip
    lines = [f"{name + ':':<18}{printable(value, 1_000)}" for name, value in pairs if value]
    if run.report is None:
        lines += [
            f"{'found:':<18}{_number(run.found)}",
            "It was killed, or still runs. Nothing is lost: replay the queue again to go on.",
        ]
        return "\n".join(lines)
    for name, key in _COUNTS:
        if report.get(key) or name in _ALWAYS:
            lines.append(f"{name + ':':<18}{_number(report.get(key))}")
            lines += _parts(report, key)
    lines += [printable(str(told), 1_000) for told in (report.get("trouble"), *_list(report.get("notes"))) if told]
    return "\n".join(lines)


def run_json(run: PastRun) -> dict[str, Any]:
    """One object a run: the fields of `PastRun` and its outcome; `ended` and `report` are null when it did not end."""
    told = asdict(run) | {"ended": run.ended or None, "outcome": None if run.outcome == NOT_ENDED else run.outcome}
    return {"schema_version": SCHEMA_VERSION, **told}


def _parts(report: dict[str, Any], key: str) -> list[str]:
    """What a count is made of: queues of what was moved, reasons of what was held."""
    if key == "moved" and isinstance(report.get("moved_to"), dict):
        return [f"{_number(number):>12}  -> {printable(queue)}" for queue, number in report["moved_to"].items()]
    if key == "held":
        return [_reason(held) for held in _list(report.get("held_because")) if isinstance(held, dict)]
    return []


def _reason(held: dict[str, Any]) -> str:
    why, detail = str(held.get("why")), str(held.get("detail") or "")
    meaning = HOLD_MEANINGS[Hold(why)] if why in Hold.__members__.values() else ""
    named = f"{printable(why)} ({printable(detail)})" if detail else printable(why)
    return f"{_number(held.get('count')):>12}  {named}{': ' if meaning else ''}{meaning}"


def _options(options: dict[str, Any]) -> str:
    given = {name: value for name, value in options.items() if value not in (None, False, [], "")}
    return ", ".join(f"{name}={_option(value)}" for name, value in given.items())


def _option(value: Any) -> str:
    return " or ".join(map(str, value)) if isinstance(value, list) else str(value)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _count(run: PastRun, key: str) -> str:
    return _number((run.report or {}).get(key))


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else "-"
