"""`dlxctl restore`: the messages of an archive back into a queue."""

from pathlib import Path
from typing import Any

import click

from dlxctl.cli.dead_letters import layout_of, linked, survey
from dlxctl.cli.options import connection_options, format_option
from dlxctl.cli.selection import selection_options
from dlxctl.cli.signals import graceful
from dlxctl.cli.taking import Task, agreed, noted, nothing, shown, task_of
from dlxctl.cli.talk import remark
from dlxctl.errors import BrokerRefused, BrokerUnavailable
from dlxctl.ops.archive import Contents, reading
from dlxctl.ops.restore import Restored, rehearse, restore
from dlxctl.ops.situation import refuse_dropping
from dlxctl.render.taken import once_each
from dlxctl.replay.letter import Letter
from dlxctl.replay.origin import OriginRules
from dlxctl.replay.taken import TakenReport, Taking


@click.command("restore", short_help="Put the messages of an archive back into a queue.")
@click.argument("archive", type=click.Path(path_type=Path))
@click.option("--queue", "-q", metavar="NAME", help="[default: the queue that they were exported from]")
@click.option(
    "--file", "file", type=click.Path(path_type=Path), default=None, help="Topology file, which names the vhost."
)
@selection_options
@click.option("--dry-run", is_flag=True, help="Check the archive and count; nothing is sent.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@format_option
@connection_options
def command(
    archive: Path, queue: str | None, file: Path | None, dry_run: bool, yes: bool, output_format: str,
    url: str | None, management_url: str | None, **choices: Any,
) -> int:  # fmt: skip
    """Put the messages of an archive back into a queue, byte for byte.

    Each is confirmed by the broker; run twice, it restores them twice. Lines that are torn or were altered are told.

    \b
    dlxctl restore dead.jsonl --dry-run
    dlxctl restore dead.jsonl --yes
    dlxctl restore dead.jsonl --queue dead_letter --task 'shop.*' --yes
    """
    with reading(archive) as contents:
        task = task_of(
            Taking.RESTORE, queue or contents.head.queue, file, url, management_url, choices, file=str(archive),
            dry_run=dry_run,
        )  # fmt: skip
        if not dry_run and not agreed(f"Put the messages of {str(archive)!r} into {task.queue!r}?", yes):
            return nothing()
        report = TakenReport(
            command=task.command, run_id=task.run_id, queue=task.queue, file=task.file, dry_run=dry_run
        )
        _restored(task, contents, report, file)
    return shown(report, output_format)


def _restored(task: Task, contents: Contents, report: TakenReport, topology: Path | None) -> None:
    user, rules = task.access.amqp[0].user, OriginRules()

    def chooses(letter: Letter) -> bool:
        return task.selection.matches(letter, rules)

    if task.dry_run:
        _told(contents, rehearse(contents.messages, chooses, user), report)
        return
    again = once_each(task.queue, task.file)
    with linked(task.access, f"restore {task.queue}") as link, graceful(again) as stop:
        link.depth(task.queue)  # a queue that is missing is known before anything is noted
        refuse_dropping(task.queue, survey(task.access, task.queue, layout_of(topology)).around)
        with noted(task, report, 0):
            try:
                done = restore(link, task.queue, contents.messages, chooses, user, lambda: stop.asked)
            except (BrokerUnavailable, BrokerRefused) as error:
                error.remedy = again
                raise
            report.interrupted = stop.asked
            _told(contents, done, report)


def _told(contents: Contents, done: Restored, report: TakenReport) -> None:
    report.found = report.looked_at = done.read + contents.torn
    report.done, report.held = done.restored, done.held + done.refused + contents.torn
    reasons = (
        (contents.torn, "lines of the archive are torn or were altered"),
        (done.held, "carry CC, another user's user_id, or a header too large: a copy would be another message"),
        (done.refused, "were refused by the queue (full?)"),
    )
    report.notes += [f"  {number:,} {why}" for number, why in reasons if number]
    if report.interrupted:
        report.notes.append(f"  {done.read:,} lines were read; those after them are not restored yet")
    elif not contents.ended:
        remark(f"{report.file!r} has no last line: its export did not end, or it was cut")
