"""`dlxctl status`: how much is in the queues, how old it is, and whether that is too much."""

import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import click

from dlxctl.cli.options import connection_options, format_option, variable_options
from dlxctl.errors import ExitCode
from dlxctl.model.health import Status

REFRESH_S = 2.0
NARROWEST, NO_TERMINAL = 80, 200


@click.command("status", short_help="Show how much is in the queues, and whether that is too much.")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@variable_options
@click.option("--watch", is_flag=True, help=f"Again every {REFRESH_S:.0f} seconds, until Ctrl-C.")
@click.option(
    "--max-depth", "depths", multiple=True, metavar="[QUEUE=]N",
    help="Exit 8 when more is ready in a dead-letter queue, or in QUEUE. Repeatable.",
)  # fmt: skip
@click.option("--max-age", "age", metavar="SPAN", help="Exit 8 when the oldest dead letter is older: 2h.")
@format_option
@connection_options
def command(
    file: Path | None, watch: bool, depths: tuple[str, ...], age: str | None, output_format: str, url: str | None,
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

    if watch:
        return _watch(read, output_format)
    status = read()
    _remarks(status)
    click.echo(_shown(status, output_format))
    if status.exceeded:
        click.echo("\n".join(f"dlxctl: {sentence}" for sentence in status.exceeded), err=True)
        return int(ExitCode.THRESHOLD)
    return int(ExitCode.OK)


def _remarks(status: Status) -> None:
    for remark in status.health.remarks:
        click.echo(f"dlxctl: {remark}", err=True)


def _shown(status: Status, output_format: str) -> str:
    from dlxctl.render.status import status_json, status_text

    if output_format == "json":
        return status_json(status)
    width = max(NARROWEST, shutil.get_terminal_size().columns) if sys.stdout.isatty() else NO_TERMINAL
    return status_text(status, width)


def _watch(read: Callable[[], Status], output_format: str) -> int:
    """Until Ctrl-C, which is how a watch ends: exit 0."""
    try:
        if sys.stdout.isatty() and output_format == "text":
            _live(read)
        while True:
            status = read()
            _remarks(status)
            click.echo(_shown(status, output_format))
            time.sleep(REFRESH_S)
    except KeyboardInterrupt:
        return int(ExitCode.OK)


def _live(read: Callable[[], Status]) -> None:
    from rich.live import Live
    from rich.text import Text

    with Live(auto_refresh=False, screen=True) as live:
        while True:
            status = read()
            live.update(Text("\n".join((_shown(status, "text"), *status.health.remarks))), refresh=True)
            time.sleep(REFRESH_S)
