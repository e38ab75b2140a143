"""`dlxctl replay`: dead letters back to the queues they came from."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from dlxctl.broker.address import Access
from dlxctl.broker.raw_link import RawLink
from dlxctl.cli.dead_letters import layout_of, queue_options, survey, way
from dlxctl.cli.options import connection_options, format_option
from dlxctl.cli.replay_run import run
from dlxctl.cli.runs import journal
from dlxctl.cli.selection import selection_of, selection_options
from dlxctl.cli.talk import remark
from dlxctl.errors import DlxctlError, ExitCode
from dlxctl.model.layout import Layout
from dlxctl.ops.rehearse import rehearse
from dlxctl.ops.replay import Patience
from dlxctl.ops.run_identity import holder, new_run_id
from dlxctl.ops.situation import Situation, refuse_danger
from dlxctl.render.replay import report_json, report_text
from dlxctl.replay.order import DEFAULT_MAX_REPLAYS, Canary, ReplayOrder
from dlxctl.replay.report import Outcome, RunReport
from dlxctl.replay.rewrite import RewriteOptions
from dlxctl.replay.selection import Selection

JOURNALED = (
    "to", "via", "rate", "canary", "abort_if_returned", "max_replays", "keep_retries", "keep_expires", "new_id"
)  # fmt: skip


@click.command("replay", short_help="Move dead letters back to the queues they came from.")
@queue_options
@selection_options
@click.option("--to", metavar="QUEUE", help="Send all of them to this queue instead of their origins.")
@click.option(
    "--via", type=click.Choice(["queue", "exchange"]), default="queue", show_default=True,
    help="Straight to the origin queue, or through the exchange and key of the first publish (every bound queue).",
)  # fmt: skip
@click.option("--limit", type=click.IntRange(min=1), help="Move just so many. [default: all that are there now]")
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), metavar="N", help="Move at most N a second.")
@click.option("--canary", type=click.IntRange(min=1), metavar="N", help="Move N first, watch, then go on or stop.")
@click.option(
    "--abort-if-returned", type=click.FloatRange(0, 100), default=0, show_default=True, metavar="PERCENT",
    help="Stop after the canary when more than so many of it died again.",
)  # fmt: skip
@click.option(
    "--canary-wait", type=click.FloatRange(min=0), default=30, show_default=True, metavar="SECONDS",
    help="How long to watch; longer than a failing task takes, with its retries.",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Show what would move where; nothing is moved.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option(
    "--max-replays", type=click.IntRange(min=1), default=DEFAULT_MAX_REPLAYS, show_default=True,
    help="A message that was replayed so often already is parked, or held.",
)  # fmt: skip
@click.option("--keep-retries", is_flag=True, help="Do not set Celery's count of retries back to 0.")
@click.option("--keep-expires", is_flag=True, help="Keep Celery's expiry; one in the past makes the task vanish.")
@click.option("--new-id", is_flag=True, help="Give Celery tasks a new id: workers discard one that was revoked.")
@click.option(
    "--blocked-timeout", type=click.FloatRange(min=1), default=120, show_default=True, metavar="SECONDS",
    help="Give up (exit 6) when an alarm of the broker stops publishers for so long.",
)  # fmt: skip
@click.option(
    "--reconnect-timeout", type=click.FloatRange(min=0), default=60, show_default=True, metavar="SECONDS",
    help="Give up (exit 6) when a lost broker does not come back for so long.",
)  # fmt: skip
@format_option
@connection_options
def command(
    queue: str, file: Path | None, allowed: tuple[str, ...], limit: int | None, dry_run: bool, yes: bool,
    output_format: str, url: str | None, management_url: str | None, **choices: Any,
) -> int:  # fmt: skip
    """Move dead letters back to the queues they came from.

    A message is acknowledged only after its copy was confirmed by the broker; what cannot be moved stays, with the
    reason. Body, properties and headers go back as the bytes they came in; Celery's retries, eta and expires are
    reset. Only what is in the queue now is moved.

    \b
    dlxctl replay --queue dead_letter --dry-run
    dlxctl replay --queue dead_letter --limit 10
    dlxctl replay --queue dead_letter --task 'shop.*' --since 2h
    dlxctl replay --queue dead_letter --canary 10 --abort-if-returned 20
    dlxctl replay --queue dead_letter --yes
    """
    layout = layout_of(file)
    access = way(layout, url, management_url)
    link = RawLink(access, purpose=f"replay {queue}")
    try:
        found = survey(access, queue, layout)
        refuse_danger(queue, found.around, frozenset(allowed), "replaying")
        order = _order(queue, limit, access, found, choices)
        depth = link.depth(queue)
        report = rehearse(link, order, found.around.queues) if dry_run else None
    finally:
        link.close()
    if report is None and not _agreed(queue, depth, limit, yes):
        remark("nothing was moved")
        return int(ExitCode.OK)
    report = report or _replayed(access, order, found, layout, choices, depth)
    click.echo(json.dumps(report_json(report)) if output_format == "json" else report_text(report))
    return int(report.exit_code)


def _replayed(
    access: Access, order: ReplayOrder, found: Situation, layout: Layout | None, choices: dict[str, Any], depth: int
) -> RunReport:
    """The run, between its two lines of the journal."""
    patience = Patience(blocked_s=choices["blocked_timeout"], reconnect_s=choices["reconnect_timeout"])
    _warn_of_slow_returns(order, layout)
    log, who = journal(), holder(order.rewrite.run_id)
    _remark(
        log.started(
            who, queue=order.queue, vhost=access.vhost, broker=str(access.amqp[0]), found=depth,
            options=_asked(order, choices),
        )
    )  # fmt: skip
    try:
        report = run(access, order, who, found.around.bindings, patience)
    except DlxctlError as error:
        _remark(log.ended(order.rewrite.run_id, {"outcome": str(Outcome.FAILED), "trouble": str(error)}))
        raise
    where = order.chosen.where if isinstance(order.chosen, Selection) else None
    report.notes += [where.remark] if where is not None and where.remark else []
    _remark(log.ended(report.run_id, report_json(report)))
    return report


def _remark(text: str) -> None:
    if text:
        remark(text)


def _asked(order: ReplayOrder, choices: dict[str, Any]) -> dict[str, Any]:
    """What was asked for, for the journal."""
    asked = {name: choices[name] for name in JOURNALED} | {"limit": order.limit}
    return asked | (order.chosen.criteria if isinstance(order.chosen, Selection) else {})


def _order(queue: str, limit: int | None, access: Access, found: Situation, choices: dict[str, Any]) -> ReplayOrder:
    rewrite = RewriteOptions(
        run_id=new_run_id(),
        user=access.amqp[0].user,
        keep_retries=choices["keep_retries"],
        keep_expires=choices["keep_expires"],
        new_id=choices["new_id"],
    )
    selection = selection_of(choices)
    canary = None
    if choices["canary"]:
        canary = Canary(size=choices["canary"], percent=choices["abort_if_returned"], wait_s=choices["canary_wait"])
    return ReplayOrder(
        queue=queue,
        rewrite=rewrite,
        rules=found.around.rules,
        chosen=None if selection.everything else selection,
        to=choices["to"],
        via_exchange=choices["via"] == "exchange",
        limit=limit,
        rate=choices["rate"],
        canary=canary,
        max_replays=choices["max_replays"],
        parking=found.around.parking,
        dropping=found.around.dropping,
        may_rotate=found.around.may_rotate,
    )


def _warn_of_slow_returns(order: ReplayOrder, layout: Layout | None) -> None:
    """A replayed task walks its whole ladder before it dies again: say so when the canary is shorter than that."""
    if not order.canary or layout is None or order.rewrite.keep_retries:
        return
    walks = [sum(map(ladder.delay_ms, range(ladder.attempts))) / 1000 for ladder in layout.ladders.values()]
    if walks and max(walks) > order.canary.wait_s:
        remark(
            f"a task that fails again is retried for up to {max(walks):,.0f} s before it dies, longer than the "
            f"canary is watched ({order.canary.wait_s:g} s); with --keep-retries it dies at once"
        )


def _agreed(queue: str, depth: int, limit: int | None, yes: bool) -> bool:
    """Ask on a terminal, unless there is nothing to ask about."""
    if yes or not depth or not sys.stdin.isatty():
        return True
    number = depth if limit is None else min(depth, limit)
    return click.confirm(f"Replay {number:,} of {depth:,} messages of {queue!r}?", err=True)
