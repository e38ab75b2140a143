"""`dlxctl graph`: the picture of a topology."""

import os
from pathlib import Path

import click

from dlxctl.cli.options import access_for, connection_options, file_argument
from dlxctl.errors import ExitCode

FORMATS = ("mermaid", "dot", "svg")
"""Those of `dlxctl.render.graph.forms`, which --help need not import."""


@click.command("graph")
@file_argument
@click.option(
    "--format", "output_format", type=click.Choice(FORMATS),
    help="How it is written. [default: by the ending of -o (.mmd, .dot, .gv, .svg), else mermaid]",
)  # fmt: skip
@click.option("--live", is_flag=True, help="With how much is in each queue of the broker, seconds ago.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="Write it here. Without it: to stdout.",
)  # fmt: skip
@connection_options
def command(
    file: Path, output_format: str | None, live: bool, output: Path | None, url: str | None, management_url: str | None
) -> int:
    """Draw the topology: work queues, retry ladders and tiers, dead-letter queues, parking.

    Each tier is drawn once, and more than six work queues with the same road are one box. Nothing else is needed for
    SVG. No broker is asked without --live.

    \b
    dlxctl graph                                Mermaid, for a page that renders it
    dlxctl graph -o topology.svg                a picture
    dlxctl graph --live --format dot | dot -Tpng > now.png
    """
    from dlxctl.broker.management import Management
    from dlxctl.ops import graph
    from dlxctl.ops.topology_file import read_layout
    from dlxctl.render.graph.forms import BY_SUFFIX, Form

    layout = read_layout(file, os.environ)
    form = Form(output_format) if output_format else BY_SUFFIX.get(output.suffix if output else "", Form.MERMAID)
    broker = Management(access_for(layout.vhost, url, management_url)) if live else None
    text = graph.graph(layout, form, broker)
    if output is None:
        click.echo(text, nl=False)
    else:
        graph.write(output, text)
        click.echo(f"wrote {output}", err=True)
    return ExitCode.OK
