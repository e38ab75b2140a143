"""What inspect and replay have in common: the queue, the optional topology file, and the way to the broker."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from dlxctl.broker.address import Access
from dlxctl.broker.management import Management
from dlxctl.cli.options import DEFAULT_FILE, access_for, broker_access
from dlxctl.model.layout import Layout
from dlxctl.ops.situation import LIMIT_HAZARD, Situation, situation

Command = TypeVar("Command", bound=Callable[..., Any])


def queue_options(command: Command) -> Command:
    """Add `--queue`, `--file` and `--allow`."""
    command = click.option(
        "--allow", "allowed", multiple=True, type=click.Choice([LIMIT_HAZARD]), help="Go on in spite of a hazard."
    )(command)
    command = click.option(
        "--file", "file", type=click.Path(path_type=Path), default=None,
        help=f"Topology file that tells work queues from tiers. [default: {DEFAULT_FILE} when it is there]",
    )(command)  # fmt: skip
    return click.option("--queue", "-q", required=True, metavar="NAME", help="The dead-letter queue.")(command)


def layout_of(file: Path | None) -> Layout | None:
    """The topology file: the one named, else topology.yaml when it is there, else none."""
    if file is None and not Path(DEFAULT_FILE).exists():
        return None
    from dlxctl.ops.topology_file import read_layout  # a tenth of a second, for those who have a file

    return read_layout(file or Path(DEFAULT_FILE), os.environ)


def way(layout: Layout | None, url: str | None, management_url: str | None) -> Access:
    """The connection, in the file's vhost when there is a file."""
    return access_for(layout.vhost, url, management_url) if layout else broker_access(url, management_url)


def survey(access: Access, queue: str, layout: Layout | None) -> Situation:
    """What is known about the queue; what is not is told on stderr."""
    found = situation(queue, layout, Management(access))
    for remark in found.remarks:
        click.echo(f"dlxctl: {remark}", err=True)
    return found
