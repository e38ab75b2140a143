"""`dlxctl apply`: make the broker what the file says."""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dlxctl.cli.options import access_for, connection_options, file_argument, format_option
from dlxctl.errors import ExitCode, Interrupted
from dlxctl.plan.hazards import Hazard

if TYPE_CHECKING:
    from dlxctl.broker.address import Access
    from dlxctl.broker.management import Management
    from dlxctl.model.layout import Layout
    from dlxctl.ops.apply import Migration
    from dlxctl.plan.report import Report


@click.command("apply")
@file_argument
@click.option("--yes", "-y", is_flag=True, help="Do not ask. Only a terminal is ever asked.")
@click.option(
    "--allow",
    "allowed",
    multiple=True,
    type=click.Choice([hazard.value for hazard in Hazard]),
    metavar="HAZARD",
    help=f"Go on in spite of a hazard: {', '.join(Hazard)}. docs/plan-and-apply.md explains each.",
)
@click.option(
    "--drain-timeout",
    type=click.FloatRange(min=1),
    default=300,
    show_default=True,
    metavar="SECONDS",
    help="With --allow migrate: how long to wait for messages that consumers hold.",
)
@format_option
@connection_options
def command(
    file: Path, yes: bool, allowed: tuple[str, ...], drain_timeout: float, output_format: str, url: str | None,
    management_url: str | None,
) -> int:  # fmt: skip
    """Make the broker what the file says.

    Creates what is missing and changes policies in place, under a lock. Deletes no exchange and no queue, and loses
    no message. When something differs that cannot change in place, it refuses before the first change (exit 5).
    Running it again goes on where a run ended; when nothing is left to do, it says so.

    \b
    dlxctl apply topology.yaml         asks on a terminal, does not in a pipeline
    """
    from dlxctl.broker.management import Management
    from dlxctl.cli.lines import echo_diagnostics
    from dlxctl.ops.topology_file import checked

    layout, _, warnings = checked(file, os.environ)
    echo_diagnostics(str(file), warnings)
    access = access_for(layout.vhost, url, management_url)
    migrate = _migration(access, drain_timeout) if Hazard.MIGRATE in allowed else None
    ask = not yes and sys.stdin.isatty()
    try:
        report = _run(Management(access), layout, migrate, ask=ask, text=output_format == "text")
    except KeyboardInterrupt:
        raise Interrupted(
            "apply was interrupted", remedy="What was made stays. Run the same command again: it goes on from there."
        ) from None
    if report is None:
        click.echo("dlxctl: nothing was changed", err=True)
        return ExitCode.OK
    return _shown(report, output_format)


def _migration(access: "Access", drain_s: float) -> "Migration":
    from functools import partial

    from dlxctl.ops.migrate import Patience, migrate

    tell = partial(click.echo, err=True)
    return partial(migrate, access=access, patience=Patience(drain_s=drain_s), tell=tell)


def _run(
    admin: "Management", layout: "Layout", migrate: "Migration | None", *, ask: bool, text: bool
) -> "Report | None":
    """None when the answer was no. Asking takes place before the lock, and what was shown is all that is done."""
    from dlxctl.cli.lines import echo_lines
    from dlxctl.cli.watch import ApplyWatch
    from dlxctl.ops.apply import apply
    from dlxctl.ops.plan import make_plan
    from dlxctl.render.plan import plan_lines

    if not ask:
        return apply(admin, layout, migrate=migrate, watch=ApplyWatch(show=text))
    plan = make_plan(admin, layout)
    echo_lines(plan_lines(plan), err=not text)
    refused = plan.blocked and migrate is None
    may_go_on = plan.clean or refused or click.confirm("Apply this plan?", err=True)
    if not may_go_on:
        return None
    return apply(admin, layout, reviewed=plan.fingerprint, migrate=migrate, watch=ApplyWatch(show=False))


def _shown(report: "Report", output_format: str) -> int:
    from dlxctl.cli.lines import echo_lines
    from dlxctl.render.plan import report_lines
    from dlxctl.render.plan_json import report_json

    if output_format == "json":
        click.echo(json.dumps(report_json(report), indent=2))
    else:
        echo_lines(report_lines(report))
    if report.error is not None:
        click.echo(f"dlxctl: {report.error}", err=True)
    return report.exit_code
