"""Past runs as the journal keeps them: one JSON object a line, `started` and `ended`; pure.

A run's two lines may have other runs' lines between them, and the second is missing when the process was killed. A
line that cannot be read is counted and passed over, so that one torn write never hides the other runs.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

SCHEMA_VERSION = 1
NOT_ENDED = "did not end"

_TEXTS = ("run", "user", "host", "started", "queue", "vhost", "broker")
_NUMBERS = ("pid", "found")


@dataclass(frozen=True, slots=True, kw_only=True)
class PastRun:
    """One run. `started` and `ended` in ISO 8601, UTC; `found`: messages in the queue at the start; `broker`: its
    address without the password; `report`: what `render.replay.report_json` gave, None when the run did not end."""

    run: str
    user: str
    host: str
    pid: int
    started: str
    queue: str
    vhost: str
    broker: str
    found: int
    options: dict[str, Any] = field(default_factory=dict)
    ended: str = ""
    report: dict[str, Any] | None = None

    @property
    def outcome(self) -> str:
        """How it ended, as the report says."""
        return NOT_ENDED if self.report is None else str(self.report.get("outcome", "?"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """`runs` in the order of their start; `passed_over`: lines that could not be read."""

    runs: tuple[PastRun, ...] = ()
    passed_over: int = 0


def started_line(
    holder: Mapping[str, Any], *, queue: str, vhost: str, broker: str, found: int, options: Mapping[str, Any]
) -> bytes:
    """The line of a run that begins. `holder` has run, user, host, pid and started."""
    who = {name: holder[name] for name in ("run", "user", "host", "pid", "started")}
    what = {"queue": queue, "vhost": vhost, "broker": broker, "found": found, "options": dict(options)}
    return _line({"kind": "started", **who, **what})


def ended_line(run: str, ended: str, report: Mapping[str, Any]) -> bytes:
    """The line of a run that came to its end, whatever the outcome."""
    return _line({"kind": "ended", "run": run, "ended": ended, "report": dict(report)})


def past(lines: Iterable[bytes]) -> Past:
    """The runs of a journal's lines; never raises on their content."""
    runs: dict[str, PastRun] = {}
    passed_over = 0
    for line in lines:
        if not line.strip():
            continue
        entry = _read(line) or {}
        run = runs.get(entry.get("run", ""))
        if entry.get("kind") == "started":
            runs[entry["run"]] = _run_of(entry)
        elif entry.get("kind") == "ended" and run is not None:
            runs[run.run] = replace(run, ended=entry["ended"], report=entry["report"])
        else:
            passed_over += 1
    return Past(runs=tuple(runs.values()), passed_over=passed_over)


def _line(entry: dict[str, Any]) -> bytes:
    return json.dumps({"schema_version": SCHEMA_VERSION, **entry}, default=str).encode() + b"\n"


def _read(line: bytes) -> dict[str, Any] | None:
    """The object of a line if it has all that its kind must have, of the right types."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(entry, dict):
        return None
    if entry.get("kind") == "started":
        sound = (
            all(isinstance(entry.get(name), str) for name in _TEXTS)
            and all(isinstance(entry.get(name), int) for name in _NUMBERS)
            and isinstance(entry.get("options"), dict)
        )
    else:
        texts = all(isinstance(entry.get(name), str) for name in ("kind", "run", "ended"))
        sound = texts and isinstance(entry.get("report"), dict)
    return entry if sound else None


def _run_of(entry: dict[str, Any]) -> PastRun:
    return PastRun(options=entry["options"], **{name: entry[name] for name in (*_TEXTS, *_NUMBERS)})
