"""`dlxctl status`: how much is in the queues, how old it is, and whether that is too much."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import click

from dlxctl.cli.options import connection_options, format_option, variable_options
from dlxctl.cli.talk import remark
from dlxctl.errors import ExitCode
from dlxctl.model.health import Status

NARROWEST, NO_TERMINAL = 80, 200


@click.command("status", short_help="Show how much is in the queues, and whether that is too much.")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@variable_options
@click.option("--watch", "watching", is_flag=True, help="Again every 2 seconds, until Ctrl-C.")
@click.option(
    "--max-depth", "depths", multiple=True, metavar="[QUEUE=]N",
    help="Exit 8 when more is ready in a dead-letter queue, or in QUEUE. Repeatable.",
)  # fmt: skip
@click.option("--max-age", "age", metavar="SPAN", help="Exit 8 when the oldest dead letter is older: 2h.")
@format_option
@connection_options
def command(
    file: Path | None, watching: bool, depths: tuple[str, ...], age: str | None, output_format: str, url: str | None,
    management_url: str | None,
) -> int:  # fmt: skip
    """Show work queues, retry tiers, dead-letter and parking queues: depth, rates, age of the oldest, consumers.

    FILE defaults to topology.yaml when it is there; without it all queues of the vhost are shown, each in the role
    that it seems to have. Depths and consumers are exact; the rest is seconds old, and `unknown` where nobody tells.

    \b
    dlxctl status
    dlxctl status --watch
    dlxctl status --max-depth 0 --max-depth orders=5000 --max-age 2h      for cron: exit 8 when exceeded
    dlxctl status --format json
    """
    from dlxctl.cli.dead_letters import layout_of, way
    from dlxctl.ops.health import Ages
    from dlxctl.ops.status import limits, read_status

    layout, bounds, ages = layout_of(file), limits(depths, age), Ages()
    access = way(layout, url, management_url)

    def read() -> Status:
        return read_status(access, layout, bounds, ages)

    if watching:
        from dlxctl.cli.status_watch import watch

        watch(read, _shown(output_format), screen=sys.stdout.isatty() and output_format == "text")
    status = read()
    for text in status.health.remarks:
        remark(text)
    click.echo(_shown(output_format)(status))
    for sentence in status.exceeded:
        remark(sentence)
    return int(ExitCode.THRESHOLD if status.exceeded else ExitCode.OK)


def _shown(output_format: str) -> Callable[[Status], str]:
    """How a status is shown; a table is as wide as the terminal is at that moment."""
    from dlxctl.render.status import status_json, status_text

    def text(status: Status) -> str:
        width = max(NARROWEST, shutil.get_terminal_size().columns) if sys.stdout.isatty() else NO_TERMINAL
        return status_text(status, width)

    return status_json if output_format == "json" else text
