"""`dlxctl init`: a commented topology file to start from."""

from pathlib import Path

import click

from dlxctl.cli.options import new_file_argument
from dlxctl.errors import ExitCode


@click.command("init")
@new_file_argument
@click.option("--force", is_flag=True, help="Overwrite a file that exists.")
def command(file: Path, force: bool) -> int:
    """Write a commented topology.yaml. Never overwrites a file without --force (exit 2).

    \b
    dlxctl init
    dlxctl init shop.yaml
    """
    from dlxctl.ops.topology_file import write_starter

    write_starter(file, overwrite=force)
    click.echo(f"wrote {file}; edit it, then run `dlxctl check {file}`", err=True)
    return ExitCode.OK
