"""`dlxctl plan`: what apply would change."""

import json
import os
from pathlib import Path

import click

from dlxctl.cli.options import access_for, connection_options, file_argument, format_option
from dlxctl.errors import ExitCode


@click.command("plan")
@file_argument
@click.option("--exit-code", is_flag=True, help="Exit 3 when the broker is not what the file says.")
@format_option
@connection_options
def command(file: Path, exit_code: bool, output_format: str, url: str | None, management_url: str | None) -> int:
    """Show what apply would change; changes nothing.

    \b
    +  will be created                 ~  will be changed in place
    =  exists, will be marked as ours  -  will be deleted
    !  cannot change in place: apply refuses (exit 5)

    \b
    dlxctl plan topology.yaml
    dlxctl plan --exit-code --format json      in CI: 3 when somebody changed the broker by hand
    """
    from dlxctl.broker.management import Management
    from dlxctl.cli.lines import echo_diagnostics, echo_lines
    from dlxctl.ops.plan import make_plan
    from dlxctl.ops.topology_file import checked
    from dlxctl.render.plan import plan_lines
    from dlxctl.render.plan_json import plan_json

    layout, _, warnings = checked(file, os.environ)
    echo_diagnostics(str(file), warnings)
    plan = make_plan(Management(access_for(layout.vhost, url, management_url)), layout)
    if output_format == "json":
        click.echo(json.dumps(plan_json(plan), indent=2))
    else:
        echo_lines(plan_lines(plan))
    return ExitCode.CHANGES if exit_code and not plan.clean else ExitCode.OK
