"""Options of the commands that change a broker."""

from pathlib import Path

import click

from dlxctl.cli.options import Command
from dlxctl.plan.hazards import ALLOWABLE


def allow_option(command: Command) -> Command:
    """Add `--allow HAZARD`, as `allowed`, a tuple of words."""
    return click.option(
        "--allow", "allowed", multiple=True, type=click.Choice([str(hazard) for hazard in ALLOWABLE]), metavar="HAZARD",
        help=f"Go on in spite of a hazard: {', '.join(ALLOWABLE)}. docs/plan-and-apply.md explains each.",
    )(command)  # fmt: skip


def audit_option(command: Command) -> Command:
    """Add `--audit FILE`."""
    return click.option(
        "--audit", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
        help="Record of this run, two JSON lines. [default: applies.jsonl beside the journal of runs]",
    )(command)  # fmt: skip
