"""`dlxctl permissions`: what producers, workers and dlxctl have to be allowed on the broker."""

import json
import os
from pathlib import Path

import click

from dlxctl.cli.options import file_argument
from dlxctl.errors import ExitCode


@click.command("permissions")
@file_argument
@click.option(
    "--format", "output_format", type=click.Choice(["text", "json", "rabbitmqctl"]), default="text", show_default=True,
    help="rabbitmqctl: lines for a shell; users are called TOPOLOGY-producer, TOPOLOGY-worker, TOPOLOGY-dlxctl.",
)  # fmt: skip
def command(file: Path, output_format: str) -> int:
    """Print the least that each user needs: patterns for configure, write and read, and the tag.

    producer sends tasks and events; worker runs tasks with RetryTask, and sends too; dlxctl applies, inspects and
    replays. Needs no broker.

    \b
    dlxctl permissions topology.yaml
    dlxctl permissions --format rabbitmqctl | bash      for users that exist
    """
    from dlxctl.ops.topology_file import read_layout
    from dlxctl.plan.permissions import permissions
    from dlxctl.render.permissions import permission_lines, permissions_json, rabbitmqctl_lines

    layout = read_layout(file, os.environ)
    found = permissions(layout)
    if output_format == "json":
        click.echo(json.dumps(permissions_json(layout.name, layout.vhost, found), indent=2))
    elif output_format == "text":
        click.echo("\n".join(permission_lines(found)))
    else:
        click.echo("\n".join(rabbitmqctl_lines(layout.name, layout.vhost, found)))
    return ExitCode.OK
