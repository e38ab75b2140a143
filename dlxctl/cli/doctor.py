"""`dlxctl doctor`: will each failure of each task reach its dead-letter queue, and does the app fit the broker?"""

import json
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dlxctl.cli.options import DEFAULT_FILE, access_for, broker_access, connection_options, format_option
from dlxctl.errors import ExitCode

if TYPE_CHECKING:
    from dlxctl.broker.address import Access
    from dlxctl.celery.doctor.examination import Examination
    from dlxctl.celery.doctor.scene import Scene

NO_TERMINAL = 110


@click.command("doctor")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("-A", "--app", "name", required=True, metavar="APP", help="The app, as in `celery -A APP worker`.")
@click.option("-P", "--pool", metavar="POOL", help="The workers' pool, when the settings do not name it.")
@click.option("--offline", is_flag=True, help="Ask no broker: judge by the file, or by the app alone.")
@click.option("--probe", is_flag=True, help="Send a failing task through each work queue into its dead-letter queue.")
@click.option(
    "--probe-timeout", type=click.FloatRange(min=0.1), default=30.0, show_default=True, metavar="SECONDS",
    help="How long to wait for the probes.",
)  # fmt: skip
@format_option
@connection_options
def command(
    file: Path | None, name: str, pool: str | None, offline: bool, probe: bool, probe_timeout: float,
    output_format: str, url: str | None, management_url: str | None,
) -> int:  # fmt: skip
    """Tell, task by task, which failures reach the dead-letter queue, which are lost or come back for ever, and what
    mends that; and what of the app's settings does not fit the broker.

    Imports the app, so start it where the worker is started. FILE is topology.yaml when it is there. Changes nothing;
    with --probe a real worker runs a task that fails, whose dead letter is taken out again. Exit 4 with findings.

    \b
    dlxctl doctor -A proj.celery
    dlxctl doctor -A proj.celery --offline       in CI, without a broker
    dlxctl doctor -A proj.celery --probe         workers are running: does it really work?
    """
    from dlxctl.broker.management import Management
    from dlxctl.ops.doctor import diagnose, examined, read_app
    from dlxctl.ops.topology_file import read_layout

    if offline and probe:
        raise click.UsageError("--probe needs a broker: leave --offline out.")
    if file is None and Path(DEFAULT_FILE).exists():
        file = Path(DEFAULT_FILE)
    layout = read_layout(file, os.environ) if file else None
    app = read_app(name, pool)
    access = access_for(layout.vhost, url, management_url) if layout else broker_access(url, management_url)
    scene = examined(app, layout, None if offline else Management(access))
    found = diagnose(scene)
    if probe:
        found = _probed(found, scene, access, name, probe_timeout)
    _show(found, output_format)
    return ExitCode.PARTIAL if found.findings else ExitCode.OK


def _show(found: "Examination", output_format: str) -> None:
    from dlxctl.render.doctor import doctor_json, doctor_text

    if output_format == "json":
        click.echo(json.dumps(doctor_json(found), indent=2))
    else:
        click.echo(doctor_text(found, shutil.get_terminal_size().columns if sys.stdout.isatty() else NO_TERMINAL))


def _probed(found: "Examination", scene: "Scene", access: "Access", name: str, timeout_s: float) -> "Examination":
    from dlxctl.ops.probing import probe_app

    findings, remarks = list(found.findings), list(found.remarks)
    for one in probe_app(scene, access, name, timeout_s):
        if one.finding:
            findings.append(one.finding)
        else:
            took = f"in {one.seconds:.1f} s, and is gone again"
            remarks.append(f"A probe went through queue {one.queue} into {one.dead_letter} {took}.")
    return replace(found, findings=tuple(findings), remarks=tuple(remarks))
