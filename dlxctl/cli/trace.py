"""`dlxctl trace`: where a failing message would go."""

import os
from pathlib import Path

import click

from dlxctl.cli.options import DEFAULT_FILE, format_option
from dlxctl.errors import ExitCode

RELEASES = ("3.10", "4.0", "4.3")
"""Those of `dlxctl.sim.versions`, which --help need not import."""


@click.command("trace")
@click.argument("arguments", nargs=-1, required=True, metavar="[FILE] QUEUE")
@click.option(
    "--event",
    "events",
    default="",
    help="What befalls it in QUEUE: fail (a task with RetryTask), reject, requeue, crash, expire, overflow, limit, "
    "work. fail*5: five times; crash*: as often as it comes; several with commas. [default: fail*, without a ladder "
    "reject*]",
)
@click.option("--rabbitmq", type=click.Choice(RELEASES), default=RELEASES[-1], show_default=True, help="Whose rules.")
@click.option("--exchange", default="", help="Publish it there, with --routing-key, instead of straight to QUEUE.")
@click.option("--routing-key", help="[default: QUEUE]")
@click.option("--vhost", help="Which one, when FILE has definitions of several.")
@format_option
def command(
    arguments: tuple[str, ...], events: str, rabbitmq: str, exchange: str, routing_key: str | None, vhost: str | None,
    output_format: str,
) -> int:  # fmt: skip
    """Walk a failing message through the topology, with times, before anything is applied.

    FILE is a topology file (default: topology.yaml), or RabbitMQ's exported definitions (*.json). No broker is asked: a
    model of its dead-lettering answers, which is held to real brokers by tests. docs/trace.md tells what it knows.

    \b
    dlxctl trace orders                                     a task that fails until its retries are spent
    dlxctl trace orders --event crash*                      it kills its worker each time
    dlxctl trace definitions.json orders --event reject --rabbitmq 3.10
    """
    from dlxctl.ops.trace import subject, trace
    from dlxctl.render.trace import trace_json, trace_lines

    if len(arguments) > 2:
        raise click.UsageError("Give a FILE and a QUEUE, or only a QUEUE.")
    *file, queue = arguments
    given = subject(Path(file[0] if file else DEFAULT_FILE), os.environ, vhost)
    walk = trace(given, queue, events=events, release=rabbitmq, exchange=exchange, key=routing_key)
    click.echo(trace_json(walk) if output_format == "json" else "\n".join(trace_lines(walk)))
    return ExitCode.OK
