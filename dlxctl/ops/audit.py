"""The audit: a file to which every apply and destroy appends two lines, when it begins and when it ends.

Append-only, one write a line. A run that was killed has a first line only. It holds no message and no password. What
cannot be written is told and never stops a run.
"""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlxctl.errors import DlxctlError, ExitCode
from dlxctl.ops.journal import NO_HOME, append_line
from dlxctl.ops.run_identity import holder, new_run_id
from dlxctl.plan.changes import Change, describe
from dlxctl.plan.report import Report
from dlxctl.plan.value import Plan

FILE_NAME = "applies.jsonl"


class Audit:
    """One run's two lines in the file `path`, None for nowhere. `broker`: its address without the password."""

    def __init__(self, path: Path | None, broker: str) -> None:
        self._path, self._broker = path, broker
        self._run = new_run_id()
        self._made: list[str] = []
        self._begun = False
        self.remark = ""
        """What could not be written and why, '' when all was."""

    def begun(self, plan: Plan) -> None:
        """The plan that is about to be made, before anything is refused or changed."""
        self._begun = True
        self._append("begun", holder(self._run) | self._planned(plan))

    def made(self, change: Change) -> None:
        """A change was made."""
        self._made.append(describe(change))

    def ended(self, outcome: Report | BaseException) -> None:
        """How it ended; a run that ended before there was a plan is not worth a line."""
        if not self._begun:
            return
        self._append("ended", {"run": self._run, "made": self._made} | _outcome(outcome))

    def _planned(self, plan: Plan) -> dict[str, Any]:
        return {
            "topology": plan.topology,
            "vhost": plan.vhost,
            "broker": self._broker,
            "cluster_name": plan.server.cluster_name,
            "source": plan.source,
            "intent": str(plan.intent),
            "fingerprint": plan.fingerprint,
            "changes": [describe(change) for change in plan.changes],
        }

    def _append(self, event: str, fields: Mapping[str, Any]) -> None:
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        line = json.dumps({"event": event, "when": when, **fields}).encode() + b"\n"
        if self._path is None:
            self.remark = f"This run is not in the audit: {NO_HOME}."
            return
        try:
            append_line(self._path, line)
        except OSError as error:
            self.remark = f"This run is not in the audit {str(self._path)!r}: {error.strerror or error}."


def _outcome(outcome: Report | BaseException) -> dict[str, Any]:
    """`applied`, `partly`, `refused`, `failed` or `interrupted`, with the exit code and the reason."""
    if isinstance(outcome, Report):
        done = outcome.exit_code is ExitCode.OK
        return {
            "outcome": "applied" if done else "partly",
            "exit": int(outcome.exit_code),
            "failed": describe(outcome.failed) if outcome.failed else None,
            "undone": [describe(change) for change in outcome.undone],
            "error": str(outcome.error) if outcome.error else None,
        }
    if isinstance(outcome, DlxctlError):
        refused = outcome.exit_code is ExitCode.REFUSED
        word = "refused" if refused else "failed"
        return {"outcome": word, "exit": int(outcome.exit_code), "error": str(outcome)}
    return {"outcome": "interrupted", "exit": int(ExitCode.INTERRUPTED), "error": type(outcome).__name__}
