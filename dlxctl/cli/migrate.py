"""`dlxctl migrate`: which queues have to be made anew and how far that is, and the way back before the cut-over."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dlxctl.cli.options import access_for, connection_options, file_argument, format_option
from dlxctl.cli.talk import say
from dlxctl.errors import ExitCode

if TYPE_CHECKING:
    from dlxctl.broker.address import Access
    from dlxctl.broker.management import Management
    from dlxctl.model.layout import Layout


@click.command("migrate")
@file_argument
@click.option("--revert", is_flag=True, help="Undo every migration of FILE that has begun and not cut over.")
@click.option(
    "--drain-timeout", type=click.FloatRange(min=1), default=300, show_default=True, metavar="SECONDS",
    help="With --revert: how long to wait for room in a full queue.",
)  # fmt: skip
@format_option
@connection_options
def command(
    file: Path, revert: bool, drain_timeout: float, output_format: str, url: str | None, management_url: str | None
) -> int:
    """Show migrations, or revert them.

    Lists the queues whose settings cannot change in place, and those whose migration has begun, with the steps that
    are left. `dlxctl apply --allow migrate` carries them out, and goes on where a run ended.

    \b
    dlxctl migrate topology.yaml            what is to be made anew, and how far it is
    dlxctl migrate --revert topology.yaml   back to what was, as long as the old queue is there
    """
    from dlxctl.broker.management import Management
    from dlxctl.cli.lines import echo_diagnostics
    from dlxctl.ops.topology_file import checked

    layout, _, warnings = checked(file, os.environ)
    echo_diagnostics(str(file), warnings)
    access = access_for(layout.vhost, url, management_url)
    admin = Management(access)
    report = _reverted(admin, layout, access, drain_timeout) if revert else _shown(admin, layout)
    if output_format == "json":
        click.echo(json.dumps(report, indent=2))
        return ExitCode.OK
    click.echo("\n".join(_lines(report)))
    return ExitCode.OK


def _reverted(admin: "Management", layout: "Layout", access: "Access", drain_s: float) -> dict[str, Any]:
    from dlxctl.ops.migrate import Patience, revert

    with admin.lock(layout.lock_queue, purpose=f"migrate {layout.name}") as lock:
        names = revert(admin, lock, layout, access=access, patience=Patience(drain_s=drain_s), tell=say)
    return {"reverted": list(names)}


def _shown(admin: "Management", layout: "Layout") -> dict[str, Any]:
    from dlxctl.model.topology import Queue
    from dlxctl.ops.plan import make_plan

    blocked = [each for each in make_plan(admin, layout).blocked if isinstance(each.desired, Queue)]
    queues = [{"name": each.desired.name, "bindings": each.bindings, "steps": list(each.steps)} for each in blocked]
    return {"queues": queues}


def _lines(report: dict[str, Any]) -> list[str]:
    from dlxctl.render.escape import printable

    if "reverted" in report:
        return [printable(f"{name}: as it was", 300) for name in report["reverted"]] or ["No migration has begun."]
    lines: list[str] = []
    for queue in report["queues"]:
        lines.append(printable(f"{queue['name']}, bindings that lead to it: {queue['bindings']}", 300))
        lines += [printable(f"  {number}. {step}", 500) for number, step in enumerate(queue["steps"], start=1)]
    return lines or ["No queue has to be made anew."]
