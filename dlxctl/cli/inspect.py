"""`dlxctl inspect`: dead letters, grouped or one by one, left where they are."""

import json
import shutil
import sys
import time
from pathlib import Path

import click

from dlxctl.broker.raw_link import RawLink
from dlxctl.cli.dead_letters import layout_of, queue_options, survey, way
from dlxctl.cli.options import connection_options, format_option
from dlxctl.errors import NotFound
from dlxctl.ops.look import MOST_UNACKNOWLEDGED, letters
from dlxctl.ops.situation import refuse_danger
from dlxctl.render.inspect import group_json, groups_text, row_detail, row_json, rows_text
from dlxctl.replay.summary import Row, grouped, row_of

NARROWEST, NO_TERMINAL = 100, 200


@click.command("inspect", short_help="List and group the dead letters of a queue, leaving them there.")
@queue_options
@click.option("--list", "listed", is_flag=True, help="One line a message instead of groups.")
@click.option("--id", "identity", metavar="ID", help="Everything about the message of this task or message id.")
@click.option(
    "--limit", type=click.IntRange(1, MOST_UNACKNOWLEDGED), default=MOST_UNACKNOWLEDGED, show_default=True,
    help="Look at so many, from the head of the queue.",
)  # fmt: skip
@format_option
@connection_options
def command(
    queue: str, file: Path | None, allowed: tuple[str, ...], listed: bool, identity: str | None, limit: int,
    output_format: str, url: str | None, management_url: str | None,
) -> int:  # fmt: skip
    """List and group the dead letters of a queue, leaving them there.

    Reads headers only; a body is never decoded. Refuses (exit 5) a quorum queue whose delivery limit makes looking
    dangerous.

    \b
    dlxctl inspect --queue dead_letter
    dlxctl inspect --queue dead_letter --list
    dlxctl inspect --queue dead_letter --id 0d6b...
    """
    layout = layout_of(file)
    access = way(layout, url, management_url)
    link = RawLink(access, purpose=f"inspect {queue}")
    try:
        found = survey(access, queue, layout)
        refuse_danger(queue, found.around, frozenset(allowed), "looking into")
        depth = link.depth(queue)
        rows = [row_of(letter, found.around.rules) for letter in letters(link, queue, limit)]
    finally:
        link.close()
    if identity is not None:
        rows = _only(rows, identity, queue)
    click.echo(_shown(rows, listed, identity is not None, output_format))
    _talk(queue, depth, len(rows) if identity is None else None)
    return 0


def _only(rows: list[Row], identity: str, queue: str) -> list[Row]:
    chosen = [row for row in rows if row.id == identity]
    if not chosen:
        raise NotFound(
            f"no message with id {identity!r} among the first {len(rows):,} of queue {queue!r}",
            remedy=f"List them: dlxctl inspect --queue {queue} --list",
        )
    return chosen


def _shown(rows: list[Row], listed: bool, detailed: bool, output_format: str) -> str:
    now = time.time()
    width = max(NARROWEST, shutil.get_terminal_size().columns) if sys.stdout.isatty() else NO_TERMINAL
    if output_format == "json":
        objects = [row_json(row) for row in rows] if listed or detailed else [group_json(g) for g in grouped(rows)]
        return "\n".join(json.dumps(one) for one in objects)
    if detailed:
        return "\n\n".join(row_detail(row, now) for row in rows)
    return rows_text(rows, now, width) if listed else groups_text(grouped(rows), now, width)


def _talk(queue: str, depth: int, looked_at: int | None) -> None:
    if not depth:
        click.echo(f"dlxctl: queue {queue!r} is empty", err=True)
    elif looked_at is not None:
        rest = "" if looked_at >= depth else f", of which the first {looked_at:,} were looked at"
        click.echo(f"dlxctl: {depth:,} in {queue!r}{rest}; to move them back: dlxctl replay --queue {queue}", err=True)
