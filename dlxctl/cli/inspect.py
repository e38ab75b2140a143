"""`dlxctl inspect`: dead letters, grouped or one by one, left where they are."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from dlxctl.cli.dead_letters import Looking, layout_of, linked, looked, queue_options, safely, way
from dlxctl.cli.options import connection_options, format_option
from dlxctl.cli.selection import selection_of, selection_options
from dlxctl.cli.talk import remark
from dlxctl.errors import Interrupted, NotFound
from dlxctl.ops.look import MOST_UNACKNOWLEDGED
from dlxctl.ops.look_around import Looked, Wanted, seeing
from dlxctl.ops.situation import Situation
from dlxctl.render.escape import shell_word
from dlxctl.render.inspect_stream import Shown
from dlxctl.replay.letter import Letter
from dlxctl.replay.selection import Selection

NARROWEST, NO_TERMINAL = 100, 200


@click.command("inspect", short_help="List and group the dead letters of a queue, leaving them there.")
@queue_options
@selection_options
@click.option("--list", "listed", is_flag=True, help="One line a message instead of groups.")
@click.option("--show-body", "body", is_flag=True, help="Everything of each message, and its body decoded.")
@click.option(
    "--limit", type=click.IntRange(1), default=MOST_UNACKNOWLEDGED, show_default=True,
    help="Look at so many, from the head of the queue.",
)  # fmt: skip
@click.option("--all", "everything", is_flag=True, help="Look at all: more than 1,000 go to the tail as copies.")
@click.option("--make-safe", is_flag=True, help="First set a policy that lets the queue be looked at.")
@format_option
@connection_options
def command(
    queue: str, file: Path | None, allowed: tuple[str, ...], output_format: str, url: str | None,
    management_url: str | None, **choices: Any,
) -> int:  # fmt: skip
    """List and group the dead letters of a queue, leaving them there.

    A group is one cause: task, exception, message without what varies, origin and reason. Up to 1,000 messages are
    held for a moment and given back. Refuses (exit 5) a quorum queue whose delivery limit makes looking dangerous.

    \b
    dlxctl inspect --queue dead_letter
    dlxctl inspect --queue dead_letter --group 3f2a9c01d7 --list
    dlxctl inspect --queue dead_letter --id 0d6b... --show-body
    dlxctl inspect --queue dead_letter --all --format json
    """
    layout = layout_of(file)
    access = way(layout, url, management_url)
    selection = selection_of(choices)
    wanted = Wanted(queue=queue, most=None if choices["everything"] else choices["limit"], user=access.amqp[0].user)
    with linked(access, f"inspect {queue}") as link:
        found = safely(access, queue, layout, frozenset(allowed), "looking into", safer=choices["make_safe"])
        shown = _shown(found, choices, selection, output_format)

        see = _first_glance(shown, lambda letter: selection.matches(letter, found.around.rules))
        seen = looked(link, wanted, found, Looking(judge=seeing(see)))
    shown.end()
    if seen.interrupted:
        raise Interrupted(
            f"interrupted after {seen.looked.tally.judged:,} messages of {queue!r}",
            remedy="Nothing is lost, nothing is in doubt. To see all, run the same command again.",
        )
    _talk(queue, seen.looked, shown, selection)
    return 0


def _first_glance(shown: Shown, chooses: Callable[[Letter], bool]) -> Callable[[Letter], None]:
    """What sees each letter. After the first thousand, where more are looked at, their groups are told on stderr."""
    seen = 0

    def see(letter: Letter) -> None:
        nonlocal seen
        seen += 1
        if seen == MOST_UNACKNOWLEDGED + 1 and shown.so_far:
            remark(f"so far, of the first {MOST_UNACKNOWLEDGED:,}:\n{shown.so_far}")
        if chooses(letter):
            shown.take(letter)

    return see


def _shown(found: Situation, choices: dict[str, Any], selection: Selection, output_format: str) -> Shown:
    width = max(NARROWEST, shutil.get_terminal_size().columns) if sys.stdout.isatty() else NO_TERMINAL
    return Shown(
        rules=found.around.rules,
        write=click.echo,
        width=width,
        listed=choices["listed"],
        detailed=bool(selection.ids) or choices["body"],
        body=choices["body"],
        as_json=output_format == "json",
    )


def _talk(queue: str, seen: Looked, shown: Shown, selection: Selection) -> None:
    looked_at = seen.tally.judged
    if selection.ids and not shown.number:
        raise NotFound(
            f"no message with id {', '.join(sorted(selection.ids))!r} among the first {looked_at:,} of queue {queue!r}",
            remedy=f"List them: dlxctl inspect --queue {shell_word(queue)} --list"
            + ("" if looked_at >= seen.found else "; look at all of them: --all"),
        )
    if not seen.found:
        remark(f"queue {queue!r} is empty")
    elif not shown.detailed:
        rest = "" if looked_at >= seen.found else f", of which the first {looked_at:,} were looked at (--all: all)"
        chosen = "" if selection.everything else f"; {shown.number:,} chosen"
        back = f"dlxctl replay --queue {shell_word(queue)}"
        remark(f"{seen.found:,} in {queue!r}{rest}{chosen}; to move them back: {back}")
