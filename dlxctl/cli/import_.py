"""`dlxctl import`: a vhost as a topology file."""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dlxctl.cli.options import broker_access, connection_options, format_option
from dlxctl.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from dlxctl.broker.management import Management
    from dlxctl.ops.importing import Found


@click.command("import")
@click.argument("definitions", required=False, type=click.Path(path_type=Path), metavar="[DEFINITIONS.json | -]")
@click.option("--vhost", help="Which one. [default: the URL's; of definitions the only one]")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write the file there. [default: stdout]")
@click.option("--force", is_flag=True, help="Overwrite a file that exists.")
@click.option(
    "--topology", metavar="NAME", help="Name of the topology. [default: that of dlxctl's marks, or the vhost's]"
)
@click.option("--adopt", "adopting", is_flag=True, help="Mark what is on the broker as ours, without touching it.")
@format_option
@connection_options
def command(
    definitions: Path | None, vhost: str | None, output: Path | None, force: bool, topology: str | None,
    adopting: bool, output_format: str, url: str | None, management_url: str | None,
) -> int:  # fmt: skip
    """Write a vhost down as a topology file: of the broker, or of RabbitMQ's exported definitions.

    Applied to an empty vhost, the file makes the same exchanges, queues, bindings and policies. Users, permissions and
    parameters are never read. The report on stderr, in the --format asked for, says what was recognised, and what the
    file does not hold (exit 4, unless it is left out by design). docs/import.md explains.

    \b
    dlxctl import -o topology.yaml                 the broker; reads only
    dlxctl import -o topology.yaml --adopt         and mark its objects as ours: plan is empty then
    rabbitmqctl export_definitions - | dlxctl import - --vhost shop > topology.yaml
    """
    from dlxctl.ops.importing import adopt, import_topology, write
    from dlxctl.render.importing import import_json, import_lines

    if definitions is not None and adopting:
        raise UsageError("--adopt marks what is on a broker", remedy="Leave the definitions out, or apply the file.")
    found, admin = _found(definitions, vhost, url, management_url)
    imported = import_topology(found, topology)
    if output is None:
        click.echo(imported.text, nl=False)
    else:
        write(output, imported.text, overwrite=force)
    adopted = adopt(admin, imported.layout) if adopting and admin is not None else None
    parts = (imported.recognised, imported.counts)
    if output_format == "json":
        click.echo(json.dumps(import_json(*parts, imported.notes, adopted), indent=2), err=True)
    else:
        click.echo("\n".join(import_lines(*parts, imported.notes)), err=True)
        if adopted is not None:
            click.echo(f"adopted: {adopted} exchanges and queues are marked as ours", err=True)
    return ExitCode.OK if imported.whole else ExitCode.PARTIAL


def _found(
    definitions: Path | None, vhost: str | None, url: str | None, management_url: str | None
) -> "tuple[Found, Management | None]":
    from dlxctl.broker.management import Management
    from dlxctl.ops.definitions import read
    from dlxctl.ops.importing import in_definitions, on_broker

    if definitions is None:
        access = broker_access(url, management_url)
        admin = Management(access.in_vhost(vhost) if vhost is not None else access)
        return on_broker(admin, f"vhost {vhost or access.vhost}"), admin
    if definitions == Path("-"):
        return in_definitions(read(sys.stdin.buffer, "stdin"), "stdin", vhost), None
    try:
        with definitions.open("rb") as file:
            return in_definitions(read(file, str(definitions)), str(definitions), vhost), None
    except OSError as error:
        raise UsageError(
            f"cannot read {definitions}", why=os.strerror(error.errno or 0),
            remedy="Name a file that `rabbitmqctl export_definitions` wrote, or none for the broker itself.",
        ) from None  # fmt: skip
