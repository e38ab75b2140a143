"""`dlxctl plan`: what apply would change."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dlxctl.cli.options import access_for, connection_options, file_argument, plan_format_option
from dlxctl.errors import ExitCode

if TYPE_CHECKING:
    from dlxctl.plan.value import Plan


@click.command("plan")
@file_argument
@click.option("--exit-code", is_flag=True, help="Exit 3 when the broker is not what the file says.")
@click.option("--prune", is_flag=True, help="With what apply --prune would delete.")
@click.option("--destroy", is_flag=True, help="What destroy would delete.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), metavar="PLAN.json",
              help="Keep the plan: `dlxctl apply PLAN.json` does exactly this, or refuses.")  # fmt: skip
@plan_format_option
@connection_options
def command(
    file: Path, exit_code: bool, prune: bool, destroy: bool, out: Path | None, output_format: str, url: str | None,
    management_url: str | None,
) -> int:  # fmt: skip
    """Show what apply would change; changes nothing.

    \b
    +  will be created                 ~  will be changed in place
    =  exists, will be marked as ours  -  will be deleted
    !  cannot change in place: apply refuses (exit 5)

    \b
    dlxctl plan topology.yaml
    dlxctl plan --exit-code --format json      in CI: 3 when somebody changed the broker by hand
    dlxctl plan --out plan.json --format markdown > comment.md
    """
    from dlxctl.broker.management import Management
    from dlxctl.cli.lines import echo_diagnostics
    from dlxctl.ops import saved_plan
    from dlxctl.ops.plan import make_plan
    from dlxctl.ops.topology_file import checked
    from dlxctl.plan.value import Intent
    from dlxctl.render.plan_json import plan_json

    variables = saved_plan.Recorded(os.environ)
    layout, _, warnings = checked(file, variables)
    echo_diagnostics(str(file), warnings)
    intent = Intent.DESTROY if destroy else Intent.PRUNE if prune else Intent.KEEP
    plan = make_plan(Management(access_for(layout.vhost, url, management_url)), layout, intent)
    _show(plan, output_format)
    if out is not None:
        saved_plan.save(out, plan, variables.used, plan_json(plan))
        click.echo(f"kept as {out}; dlxctl apply {out} carries it out", err=True)
    return ExitCode.CHANGES if exit_code and not plan.clean else ExitCode.OK


def _show(plan: "Plan", output_format: str) -> None:
    from dlxctl.cli.lines import echo_lines
    from dlxctl.render.plan import plan_lines
    from dlxctl.render.plan_json import plan_json
    from dlxctl.render.plan_markdown import plan_markdown

    if output_format == "json":
        click.echo(json.dumps(plan_json(plan), indent=2))
    elif output_format == "markdown":
        click.echo(plan_markdown(plan))
    else:
        echo_lines(plan_lines(plan))
