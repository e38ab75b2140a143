"""What export, discard and park have in common: choose, go round the queue under the lock, note it in the journal."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from dlxctl.broker.address import Access
from dlxctl.cli.dead_letters import Looking, layout_of, linked, looked, safely, way
from dlxctl.cli.runs import journal
from dlxctl.cli.selection import selection_of
from dlxctl.cli.talk import remark
from dlxctl.errors import DlxctlError, ExitCode
from dlxctl.ops.look import MOST_UNACKNOWLEDGED
from dlxctl.ops.look_around import Wanted
from dlxctl.ops.run_identity import holder, new_run_id
from dlxctl.ops.situation import Situation
from dlxctl.ops.takers import Chooses, Taker
from dlxctl.render.taken import taken_json, taken_text
from dlxctl.replay.selection import Selection
from dlxctl.replay.taken import TakenReport, Taking

Command = TypeVar("Command", bound=Callable[..., Any])
REFUSED = "  the parking queue refused them (full?), or a header is too large with the mark of a possible duplicate"


def taking_options(command: Command) -> Command:
    """Add `--limit`, `--dry-run` and `--yes`."""
    command = click.option("--yes", "-y", is_flag=True, help="Do not ask.")(command)
    command = click.option("--dry-run", is_flag=True, help="Say how many; nothing is changed.")(command)
    return click.option("--limit", type=click.IntRange(min=1), help="Take just so many. [default: all chosen]")(command)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One run of a command. `options` is what the journal notes; `why_left`: why a chosen message was not taken."""

    command: Taking
    queue: str
    access: Access
    selection: Selection
    run_id: str
    options: dict[str, Any]
    file: str = ""
    dry_run: bool = False
    most: int | None = None
    why_left: str = ""

    def chooses(self, found: Situation) -> Chooses:
        """The selection, for letters of the queue."""
        return lambda letter: self.selection.matches(letter, found.around.rules)


def task_of(
    command: Taking, queue: str, topology: Path | None, url: str | None, management_url: str | None,
    choices: dict[str, Any], **more: Any,
) -> Task:  # fmt: skip
    """The task that a command line means. Raises UsageError."""
    access = way(layout_of(topology), url, management_url)
    selection = selection_of(choices)
    asked = {"command": str(command)} | selection.criteria
    return Task(
        command=command, queue=queue, access=access, selection=selection, run_id=new_run_id(),
        options=asked | {name: str(value) for name, value in more.items() if value}, **more,
    )  # fmt: skip


def carried_out(
    task: Task, topology: Path | None, allowed: tuple[str, ...], make: Callable[[Situation], Taker]
) -> TakenReport:
    """Go round the queue with the judge that `make` gives. Raises what `look` raises."""
    report = TakenReport(
        command=task.command, run_id=task.run_id, queue=task.queue, file=task.file, dry_run=task.dry_run
    )
    with linked(task.access, f"{task.command} {task.queue}") as link:
        found = safely(task.access, task.queue, layout_of(topology), frozenset(allowed), f"the {task.command} of")
        taker = make(found)
        wanted = Wanted(
            queue=task.queue, user=task.access.amqp[0].user,
            takes=not task.dry_run and task.command is not Taking.EXPORT,
            most=MOST_UNACKNOWLEDGED if task.dry_run else task.most,
        )  # fmt: skip
        judge = taker.rehearse if task.dry_run else taker.judge
        looking = Looking(judge=judge, run_id=task.run_id, enough=lambda: taker.enough)
        with noted(task, report, link.depth(task.queue)):
            seen = looked(link, wanted, found, looking)
            tally = seen.looked.tally
            report.found, report.looked_at, report.copied = seen.looked.found, tally.judged, tally.copied
            report.done, report.held = taker.taken - tally.refused, taker.left + tally.refused
            report.interrupted = seen.interrupted
            report.notes += [f"  {task.why_left}"] if taker.left else []
            report.notes += [REFUSED] if tally.refused else []
    return report


class noted:
    """The run between its two lines of the journal; a dry run is in no journal."""

    def __init__(self, task: Task, report: TakenReport, found: int) -> None:
        self._task, self._report, self._found, self._log = task, report, found, journal()

    def __enter__(self) -> None:
        task = self._task
        if not task.dry_run:
            _told(
                self._log.started(
                    holder(task.run_id), queue=task.queue, vhost=task.access.vhost, broker=str(task.access.amqp[0]),
                    found=self._found, options=task.options,
                )
            )  # fmt: skip

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if self._task.dry_run:
            return
        if isinstance(error, DlxctlError):
            _told(self._log.ended(self._task.run_id, {"outcome": "failed", "trouble": str(error)}))
        elif error is None:
            _told(self._log.ended(self._task.run_id, taken_json(self._report)))


def agreed(question: str, yes: bool) -> bool:
    """Ask on a terminal, unless told not to."""
    return yes or not sys.stdin.isatty() or click.confirm(question, err=True)


def shown(report: TakenReport, output_format: str) -> int:
    """Write the report to stdout; the exit code."""
    click.echo(json.dumps(taken_json(report)) if output_format == "json" else taken_text(report))
    return int(report.exit_code)


def nothing() -> int:
    """Nobody agreed."""
    remark("nothing was changed")
    return int(ExitCode.OK)


def _told(text: str) -> None:
    if text:
        remark(text)
