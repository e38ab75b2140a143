"""`dlxctl celery`: the Celery settings of a topology file, as a module."""

import os
from pathlib import Path

import click

from dlxctl.cli.options import file_argument
from dlxctl.errors import ExitCode

DEFAULT_OUTPUT = Path("celery_topology.py")


@click.command("celery")
@file_argument
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="Write the module here, in one step. Without it: to stdout.",
)  # fmt: skip
@click.option(
    "--check", is_flag=True,
    help=f"Write nothing; exit 3 when the module (-o, default {DEFAULT_OUTPUT}) is stale or missing.",
)  # fmt: skip
@click.option("--namespace", metavar="NAME", help="Prefix of the settings, e.g. CELERY for Django.")
def command(file: Path, output: Path | None, check: bool, namespace: str | None) -> int:
    """Generate the Celery configuration module from a topology file.

    \b
    dlxctl celery -o celery_topology.py         then: app.config_from_object("celery_topology")
    dlxctl celery -o celery_topology.py --check   in CI: 3 when somebody forgot to generate it
    """
    from dlxctl.ops import celery

    if namespace is not None and not namespace.isidentifier():
        raise click.BadParameter("letters, digits and _ only", param_hint="--namespace")
    text = celery.generate(file, os.environ, namespace=namespace)
    if check:
        return _report(output or DEFAULT_OUTPUT, file, celery.is_stale(output or DEFAULT_OUTPUT, text), namespace)
    if output is None:
        click.echo(text, nl=False)
    else:
        celery.write(output, text)
        click.echo(f"wrote {output}", err=True)
    return ExitCode.OK


def _report(output: Path, file: Path, stale: bool, namespace: str | None) -> int:
    if not stale:
        click.echo(f"{output} is up to date with {file}", err=True)
        return ExitCode.OK
    option = f" --namespace {namespace}" if namespace else ""
    click.echo(
        f"dlxctl: {output} is stale: it is not what {file} asks for\n  Run: dlxctl celery {file}{option} -o {output}",
        err=True,
    )
    return ExitCode.CHANGES
