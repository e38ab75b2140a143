"""`dlxctl replay`: dead letters back to the queues they came from."""

import getpass
import json
import os
import platform
import secrets
import sys
import time
from pathlib import Path
from typing import Any

import click

from dlxctl.broker.address import Access
from dlxctl.broker.raw_link import RawLink
from dlxctl.broker.run_guard import BrokerGuard
from dlxctl.cli.dead_letters import layout_of, queue_options, survey, way
from dlxctl.cli.options import connection_options, format_option
from dlxctl.cli.progress import ReplayWatch
from dlxctl.cli.signals import graceful
from dlxctl.errors import ExitCode
from dlxctl.ops.rehearse import rehearse
from dlxctl.ops.replay import Patience
from dlxctl.ops.replay import replay as run_replay
from dlxctl.ops.situation import Situation, refuse_danger
from dlxctl.render.replay import report_json, report_text
from dlxctl.replay.order import DEFAULT_MAX_REPLAYS, ReplayOrder
from dlxctl.replay.report import RunReport
from dlxctl.replay.rewrite import RewriteOptions


@click.command("replay", short_help="Move dead letters back to the queues they came from.")
@queue_options
@click.option("--to", metavar="QUEUE", help="Send all of them to this queue instead of their origins.")
@click.option("--limit", type=click.IntRange(min=1), help="Move just so many. [default: all that are there now]")
@click.option("--dry-run", is_flag=True, help="Show what would move where; nothing is moved.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option(
    "--max-replays", type=click.IntRange(min=1), default=DEFAULT_MAX_REPLAYS, show_default=True,
    help="Hold a message that was replayed so often already.",
)  # fmt: skip
@click.option("--keep-retries", is_flag=True, help="Do not set Celery's count of retries back to 0.")
@click.option("--keep-expires", is_flag=True, help="Keep Celery's expiry; one in the past makes the task vanish.")
@click.option(
    "--blocked-timeout", type=click.FloatRange(min=1), default=120, show_default=True, metavar="SECONDS",
    help="Give up (exit 6) when an alarm of the broker stops publishers for so long.",
)  # fmt: skip
@format_option
@connection_options
def command(
    queue: str, file: Path | None, allowed: tuple[str, ...], limit: int | None, dry_run: bool, yes: bool,
    blocked_timeout: float, output_format: str, url: str | None, management_url: str | None, **choices: Any,
) -> int:  # fmt: skip
    """Move dead letters back to the queues they came from.

    A message is acknowledged only after its copy was confirmed by the broker; what cannot be moved stays, with the
    reason. Body, properties and headers go back as the bytes they came in; Celery's retries, eta and expires are
    reset. Only what is in the queue now is moved.

    \b
    dlxctl replay --queue dead_letter --dry-run
    dlxctl replay --queue dead_letter --limit 10
    dlxctl replay --queue dead_letter --yes
    """
    layout = layout_of(file)
    access = way(layout, url, management_url)
    link = RawLink(access, purpose=f"replay {queue}")
    try:
        found = survey(access, queue, layout)
        refuse_danger(queue, found.around, frozenset(allowed), "replaying")
        order = _order(queue, limit, access, found, choices)
        if dry_run:
            report = rehearse(link, order, found.around.queues)
        elif not _agreed(queue, link.depth(queue), limit, yes):
            click.echo("dlxctl: nothing was moved", err=True)
            return int(ExitCode.OK)
        else:
            report = _run(link, order, Patience(blocked_s=blocked_timeout))
    finally:
        link.close()
    click.echo(json.dumps(report_json(report)) if output_format == "json" else report_text(report))
    return int(report.exit_code)


def _order(queue: str, limit: int | None, access: Access, found: Situation, choices: dict[str, Any]) -> ReplayOrder:
    rewrite = RewriteOptions(
        run_id=f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{secrets.token_hex(3)}",
        user=access.amqp[0].user,
        keep_retries=choices["keep_retries"],
        keep_expires=choices["keep_expires"],
    )
    return ReplayOrder(
        queue=queue,
        rewrite=rewrite,
        rules=found.around.rules,
        to=choices["to"],
        limit=limit,
        max_replays=choices["max_replays"],
        dropping=found.around.dropping,
    )


def _agreed(queue: str, depth: int, limit: int | None, yes: bool) -> bool:
    """Ask on a terminal, unless there is nothing to ask about."""
    if yes or not depth or not sys.stdin.isatty():
        return True
    number = depth if limit is None else min(depth, limit)
    return click.confirm(f"Replay {number:,} of {depth:,} messages of {queue!r}?", err=True)


def _run(link: RawLink, order: ReplayOrder, patience: Patience) -> RunReport:
    with graceful() as stop, ReplayWatch(stop) as watch:
        return run_replay(link, BrokerGuard(link.connection), order, _holder(order), watch, patience)


def _holder(order: ReplayOrder) -> dict[str, Any]:
    """Who runs, for the one whose own replay is refused meanwhile."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return {
        "run": order.rewrite.run_id, "user": user, "host": platform.node(), "pid": os.getpid(),
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }  # fmt: skip
