"""`dlxctl runs`: what past replay runs did, from the journal of this user on this machine."""

import json
import os
import shutil
import sys

import click

from dlxctl.cli.options import format_option
from dlxctl.errors import NotFound
from dlxctl.ops.journal import Journal, state_file
from dlxctl.render.runs import run_json, run_text, runs_text
from dlxctl.replay.past import PastRun

NARROWEST, NO_TERMINAL = 100, 200
DEFAULT_LIMIT = 20


def journal() -> Journal:
    """The journal of this user, where the environment says."""
    return Journal(state_file(os.environ))


@click.group("runs")
def command() -> None:
    """List and show past replay runs.

    Every replay notes its start and its end in a journal of the user who ran it, on the machine where it ran:
    DLXCTL_STATE_DIR, else XDG_STATE_HOME/dlxctl, else ~/.local/state/dlxctl. It holds no message and no password.

    \b
    dlxctl runs list
    dlxctl runs show 20261121T143000-9d8de2
    """


@command.command("list", short_help="One line a run, the latest first.")
@click.option(
    "--limit", type=click.IntRange(min=1), default=DEFAULT_LIMIT, show_default=True, help="Show at most so many."
)
@format_option
def list_runs(limit: int, output_format: str) -> int:
    """One line a run, the latest first; with --format json one object a line.

    \b
    dlxctl runs list --limit 5
    dlxctl runs list --format json | jq .outcome
    """
    runs = _read()
    if not runs:
        click.echo("dlxctl: no run is in the journal", err=True)
        return 0
    latest = runs[-1 : -limit - 1 : -1]
    if output_format == "json":
        click.echo("\n".join(json.dumps(run_json(run)) for run in latest))
    else:
        width = max(NARROWEST, shutil.get_terminal_size().columns) if sys.stdout.isatty() else NO_TERMINAL
        click.echo(runs_text(latest, width))
    return 0


@command.command("show", short_help="Everything about one run.")
@click.argument("run")
@format_option
def show(run: str, output_format: str) -> int:
    """Everything about one run: who, when, what was asked for, what moved where, what stayed and why.

    \b
    dlxctl runs show 20261121T143000-9d8de2
    """
    found = next((one for one in _read() if one.run == run), None)
    if found is None:
        raise NotFound(f"no run {run!r} is in the journal of this user", remedy="List them: dlxctl runs list")
    click.echo(json.dumps(run_json(found)) if output_format == "json" else run_text(found))
    return 0


def _read() -> tuple[PastRun, ...]:
    past = journal().read()
    if past.passed_over:
        lines = "line" if past.passed_over == 1 else "lines"
        click.echo(f"dlxctl: {past.passed_over:,} {lines} of the journal could not be read", err=True)
    return past.runs
