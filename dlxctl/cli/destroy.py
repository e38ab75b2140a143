"""`dlxctl destroy`: take away all that a topology owns."""

import os
import sys
from pathlib import Path

import click

from dlxctl.cli.options import access_for, connection_options, file_argument, format_option
from dlxctl.cli.safety import allow_option, audit_option
from dlxctl.errors import RefusedForSafety
from dlxctl.plan.hazards import Hazard


@click.command("destroy")
@file_argument
@click.option("--yes", "-y", is_flag=True, help="Do not ask. Needed where there is no terminal.")
@allow_option
@audit_option
@format_option
@connection_options
def command(
    file: Path, yes: bool, allowed: tuple[str, ...], audit: Path | None, output_format: str, url: str | None,
    management_url: str | None,
) -> int:  # fmt: skip
    """Delete every exchange, queue and policy that the topology of the file owns on the broker.

    Only what its owner exchange marks, and only empty queues: a queue with messages or consumers, or one that others
    still refer to, is refused before the first change (exit 5).

    \b
    dlxctl plan --destroy topology.yaml        shows what would go
    dlxctl destroy topology.yaml               asks for the topology's name
    """
    from dlxctl.broker.management import Management
    from dlxctl.cli.applying import Order, carry_out
    from dlxctl.ops.topology_file import read_layout
    from dlxctl.plan.value import Intent

    layout = read_layout(file, os.environ)
    ask = not yes and sys.stdin.isatty()
    if not yes and not ask:
        raise RefusedForSafety(
            f"destroy would delete all that topology {layout.name!r} owns",
            remedy="Nothing was changed. `dlxctl plan --destroy` shows it; where there is no terminal, --yes does it.",
        )
    access = access_for(layout.vhost, url, management_url)
    order = Order(
        layout=layout,
        intent=Intent.DESTROY,
        allowed=frozenset(map(Hazard, allowed)),
        ask=ask,
        text=output_format == "text",
        audit=audit,
    )
    return carry_out(Management(access), str(access.management), order)
