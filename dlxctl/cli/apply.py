"""`dlxctl apply`: make the broker what the file says."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dlxctl.cli.options import access_for, connection_options, file_argument, format_option
from dlxctl.cli.safety import allow_option, audit_option
from dlxctl.cli.talk import say
from dlxctl.errors import UsageError
from dlxctl.plan.hazards import Hazard

if TYPE_CHECKING:
    from dlxctl.broker.address import Access
    from dlxctl.model.layout import Layout
    from dlxctl.ops.apply import Migration
    from dlxctl.plan.value import Intent


@click.command("apply")
@file_argument
@click.option("--yes", "-y", is_flag=True, help="Do not ask. Only a terminal is ever asked.")
@click.option("--prune", is_flag=True, help="Delete what is ours and no longer in the file.")
@allow_option
@click.option(
    "--drain-timeout",
    type=click.FloatRange(min=1),
    default=300,
    show_default=True,
    metavar="SECONDS",
    help="With --allow migrate: how long to wait for messages that consumers hold.",
)
@audit_option
@format_option
@connection_options
def command(
    file: Path, yes: bool, prune: bool, allowed: tuple[str, ...], drain_timeout: float, audit: Path | None,
    output_format: str, url: str | None, management_url: str | None,
) -> int:  # fmt: skip
    """Make the broker what the file says, or carry out a plan that `plan --out` has kept.

    Creates what is missing and changes policies in place, under a lock. Without --prune it deletes no exchange and no
    queue. It loses no message: with --prune, a queue that is in use is refused, and so is everything that cannot
    change in place, before the first change (exit 5). Running it again goes on where a run ended.

    \b
    dlxctl apply topology.yaml         asks on a terminal, does not in a pipeline
    dlxctl apply plan.json             exactly what was reviewed; refused when file or broker moved (exit 5)
    """
    from dlxctl.broker.management import Management
    from dlxctl.cli.applying import Order, carry_out

    layout, intent, reviewed = _wanted(file, prune)
    access = access_for(layout.vhost, url, management_url)
    order = Order(
        layout=layout,
        intent=intent,
        allowed=frozenset(map(Hazard, allowed)),
        migrate=_migration(access, drain_timeout) if Hazard.MIGRATE in allowed else None,
        reviewed=reviewed,
        ask=not yes and reviewed is None and sys.stdin.isatty(),
        text=output_format == "text",
        audit=audit,
    )
    return carry_out(Management(access), str(access.management), order)


def _wanted(file: Path, prune: bool) -> "tuple[Layout, Intent, str | None]":
    """Layout, intent, and the fingerprint of a saved plan."""
    from dlxctl.cli.lines import echo_diagnostics
    from dlxctl.ops import saved_plan
    from dlxctl.ops.topology_file import checked
    from dlxctl.plan.value import Intent

    if saved := saved_plan.load(file):
        if prune and saved.intent is not Intent.PRUNE:
            raise UsageError(
                f"{file} was made without --prune", remedy="Make the plan anew: dlxctl plan --prune --out."
            )
        return saved.layout, saved.intent, saved.fingerprint
    layout, _, warnings = checked(file, os.environ)
    echo_diagnostics(str(file), warnings)
    return layout, Intent.PRUNE if prune else Intent.KEEP, None


def _migration(access: "Access", drain_s: float) -> "Migration":
    from functools import partial

    from dlxctl.ops.migrate import Patience, migrate

    return partial(migrate, access=access, patience=Patience(drain_s=drain_s), tell=say)
