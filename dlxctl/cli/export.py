"""`dlxctl export`: dead letters into an archive file, leaving them in their queue."""

import time
from pathlib import Path
from typing import Any

import click

from dlxctl.cli.dead_letters import queue_options
from dlxctl.cli.options import connection_options, format_option
from dlxctl.cli.selection import selection_options
from dlxctl.cli.taking import carried_out, shown, task_of
from dlxctl.ops.archive import writing
from dlxctl.ops.situation import Situation
from dlxctl.ops.takers import Exporter
from dlxctl.replay.archived import Head
from dlxctl.replay.taken import Taking


@click.command("export", short_help="Copy dead letters into an archive file.")
@queue_options
@click.option("--output", "-o", required=True, type=click.Path(path_type=Path), help="A new file; .zst: compressed.")
@selection_options
@click.option("--limit", type=click.IntRange(min=1), help="Look at so many, from the head. [default: all]")
@format_option
@connection_options
def command(
    queue: str, file: Path | None, allowed: tuple[str, ...], output: Path, limit: int | None, output_format: str,
    url: str | None, management_url: str | None, **choices: Any,
) -> int:  # fmt: skip
    """Copy dead letters into an archive file, leaving them in their queue.

    JSON lines with the raw header and body of each message and a checksum. Never writes over a file.

    \b
    dlxctl export --queue dead_letter --output dead.jsonl
    dlxctl export --queue dead_letter --group 3f2a9c01d7 --output bug.jsonl.zst
    """
    task = task_of(Taking.EXPORT, queue, file, url, management_url, choices, file=str(output), most=limit)
    head = Head(
        queue=queue, vhost=task.access.vhost, run=task.run_id,
        exported=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    )  # fmt: skip
    with writing(output, head) as archive:

        def exporter(found: Situation) -> Exporter:
            rules, suspect = found.around.rules, found.suspect(queue)
            return Exporter(chooses=task.chooses(found), archive=archive, rules=rules, suspect=suspect)

        report = carried_out(task, file, allowed, exporter)
        if not report.interrupted:
            archive.complete()
    return shown(report, output_format)
