"""`dlxctl park`: dead letters to the parking queue, with a note."""

from pathlib import Path
from typing import Any

import click

from dlxctl.cli.dead_letters import queue_options
from dlxctl.cli.options import connection_options, format_option
from dlxctl.cli.selection import selection_options
from dlxctl.cli.taking import agreed, carried_out, nothing, shown, taking_options, task_of
from dlxctl.errors import UsageError
from dlxctl.ops.situation import Situation, refuse_dropping
from dlxctl.ops.takers import Parker
from dlxctl.replay.taken import Taking


@click.command("park", short_help="Move dead letters to the parking queue, with a note.")
@queue_options
@click.option("--to", metavar="QUEUE", help="The parking queue. [default: the one of the topology file]")
@click.option("--note", default="", metavar="TEXT", help="Why; kept in the header dlxctl-note.")
@selection_options
@taking_options
@format_option
@connection_options
def command(
    queue: str, file: Path | None, allowed: tuple[str, ...], to: str | None, note: str, limit: int | None,
    dry_run: bool, yes: bool, output_format: str, url: str | None, management_url: str | None, **choices: Any,
) -> int:  # fmt: skip
    """Move dead letters to the parking queue, their bytes as they are, with a note and the time.

    Each is acknowledged only after the parking queue confirmed it.

    \b
    dlxctl park --queue dead_letter --group 3f2a9c01d7 --note 'waits for SHOP-17' --yes
    dlxctl replay --queue dead_letter.parked
    """
    task = task_of(
        Taking.PARK, queue, file, url, management_url, choices, dry_run=dry_run,
        why_left="they carry CC, another user's user_id, or a header that cannot be read or is too large",
    )  # fmt: skip
    if not dry_run and not agreed(f"Park dead letters of {queue!r}?", yes):
        return nothing()

    def parker(found: Situation) -> Parker:
        parking = to or found.around.parking
        if not parking or parking == queue:
            raise UsageError(f"{queue!r} has no parking queue", remedy="Name one: --to QUEUE.")
        refuse_dropping(parking, found.around)
        return Parker(
            chooses=task.chooses(found), most=limit, parking=parking, note=note, user=task.access.amqp[0].user
        )

    return shown(carried_out(task, file, allowed, parker), output_format)
