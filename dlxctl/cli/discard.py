"""`dlxctl discard`: delete dead letters that an archive holds."""

from pathlib import Path
from typing import Any

import click

from dlxctl.cli.dead_letters import queue_options
from dlxctl.cli.options import connection_options, format_option
from dlxctl.cli.selection import selection_options
from dlxctl.cli.taking import agreed, carried_out, nothing, shown, taking_options, task_of
from dlxctl.cli.talk import remark
from dlxctl.ops.archive import held_by
from dlxctl.ops.takers import Discarder
from dlxctl.replay.taken import Taking


@click.command("discard", short_help="Delete dead letters that an archive holds.")
@queue_options
@click.option(
    "--archived", required=True, type=click.Path(path_type=Path), help="The archive; what it does not hold stays."
)
@selection_options
@taking_options
@format_option
@connection_options
def command(
    queue: str, file: Path | None, allowed: tuple[str, ...], archived: Path, limit: int | None, dry_run: bool,
    yes: bool, output_format: str, url: str | None, management_url: str | None, **choices: Any,
) -> int:  # fmt: skip
    """Delete dead letters that an archive holds, byte for byte; every other one stays.

    \b
    dlxctl export --queue dead_letter --output dead.jsonl
    dlxctl discard --queue dead_letter --archived dead.jsonl --dry-run
    dlxctl discard --queue dead_letter --archived dead.jsonl --yes
    """
    task = task_of(
        Taking.DISCARD, queue, file, url, management_url, choices, file=str(archived), dry_run=dry_run,
        why_left="the archive does not hold them: dlxctl export",
    )  # fmt: skip
    held, contents = held_by(archived)
    if contents.torn or not contents.ended:
        remark(f"{str(archived)!r} is not whole: {contents.torn:,} torn lines; what it holds, {held.total():,}, counts")
    if not dry_run and not agreed(f"Delete what {str(archived)!r} holds from {queue!r}?", yes):
        return nothing()
    report = carried_out(
        task, file, allowed, lambda found: Discarder(chooses=task.chooses(found), most=limit, archived=held)
    )
    return shown(report, output_format)
