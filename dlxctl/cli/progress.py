"""How a run tells of itself while it goes on: a bar on a terminal, a line every ten seconds elsewhere."""

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from dlxctl.cli.signals import Stop
from dlxctl.cli.talk import remark
from dlxctl.replay.report import RunReport

LINE_EVERY_S = 10.0


class ReplayWatch:
    """The `Watch` of a replay: passes the operator's wish to stop in, and progress out, to stderr."""

    def __init__(self, stop: Stop) -> None:
        self._stop = stop
        self._is_blocked = False
        self._last_line = self._started = time.monotonic()
        self._bar: Progress | None = None
        if sys.stderr.isatty():
            self._bar = Progress(
                TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"),
                TimeRemainingColumn(), console=Console(stderr=True), transient=True,
            )  # fmt: skip
            self._task = self._bar.add_task("replay", total=None, rate="")

    @property
    def stopping(self) -> bool:
        return self._stop.asked

    def __enter__(self) -> "ReplayWatch":
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def progress(self, report: RunReport, in_flight: int, blocked: str | None) -> None:
        """Show where the run is; says at once when the broker starts or stops blocking publishers."""
        self.blocked(blocked)
        done, total = report.moved_total + report.held_total, report.found
        now = time.monotonic()
        rate = f"{report.moved_total / max(now - self._started, 0.001):,.0f}/s"
        if self._bar:
            name = "blocked by the broker" if blocked else "stopping" if self.stopping else "replay"
            self._bar.update(self._task, completed=done, total=total, rate=rate, description=name)
        elif now - self._last_line >= LINE_EVERY_S:
            self._last_line = now
            held = f", {report.held_total:,} held" if report.held_total else ""
            remark(f"{done:,} of {total:,} ({rate}{held}, {in_flight:,} under way)")

    def remark(self, text: str) -> None:
        """A line on stderr."""
        remark(text)

    def blocked(self, blocked: str | None) -> None:
        """Say, once, that the broker blocks publishers, and once that it does so no more."""
        if bool(blocked) == self._is_blocked:
            return
        self._is_blocked = bool(blocked)
        text = f"the broker blocks publishers ({blocked}); waiting" if blocked else "the broker takes messages again"
        remark(text)
