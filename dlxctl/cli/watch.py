"""What the terminal shows while apply runs."""

import sys

import click

from dlxctl.cli.lines import echo_lines
from dlxctl.ops.apply import Watch
from dlxctl.plan.changes import Change, describe
from dlxctl.plan.value import Plan
from dlxctl.render.escape import printable
from dlxctl.render.plan import plan_lines


class ApplyWatch(Watch):
    """The plan to stdout when `show`; each change to stderr, on a terminal only."""

    def __init__(self, *, show: bool) -> None:
        self._show = show

    def planned(self, plan: Plan) -> None:
        """Before anything is refused or changed."""
        if self._show:
            echo_lines(plan_lines(plan))

    def made(self, change: Change) -> None:
        """After each change."""
        if sys.stderr.isatty():
            click.echo(f"  done: {printable(describe(change))}", err=True)
