"""`dlxctl edit`: one dead letter, its body edited, back to the queue it came from; the original kept in an archive."""

import difflib
import time
from dataclasses import dataclass, field
from pathlib import Path

import click

from dlxctl.broker.address import Access
from dlxctl.cli.dead_letters import Looking, layout_of, linked, looked, queue_options, safely, way
from dlxctl.cli.options import connection_options
from dlxctl.cli.taking import agreed, nothing
from dlxctl.errors import DlxctlError, ExitCode, NotFound, UsageError
from dlxctl.model.layout import Layout
from dlxctl.ops.archive import writing
from dlxctl.ops.look_around import Wanted, seeing
from dlxctl.ops.rotation import telling
from dlxctl.ops.run_identity import new_run_id
from dlxctl.ops.situation import Situation, refuse_dropping
from dlxctl.render.escape import printable_lines, shell_word
from dlxctl.replay.archived import Head, identity
from dlxctl.replay.edited import Copy, Draft, body_from, copy_of, draft_of
from dlxctl.replay.letter import Letter
from dlxctl.replay.origin import HOLD_MEANINGS, Held, origin_of
from dlxctl.replay.rewrite import RewriteOptions
from dlxctl.replay.summary import row_of
from dlxctl.replay.verdict import STAY, Send, Verdict


@click.command("edit", short_help="Edit one dead letter and replay the edited copy.")
@queue_options
@click.option("--id", "identifier", required=True, metavar="ID", help="Its task or message id.")
@click.option("--to", metavar="QUEUE", help="Send the copy to this queue instead of its origin.")
@click.option(
    "--archive", type=click.Path(path_type=Path), help="Where the original is kept. [default: edited-RUN.jsonl]"
)
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@connection_options
def command(
    queue: str, file: Path | None, allowed: tuple[str, ...], identifier: str, to: str | None, archive: Path | None,
    yes: bool, url: str | None, management_url: str | None,
) -> int:  # fmt: skip
    """Open the body of one dead letter in $EDITOR, show the difference, and replay the edited copy.

    The original is written to an archive first, and acknowledged once the copy is confirmed: never both are live, and
    `dlxctl restore` brings it back. JSON and text can be edited; pickle and compressed bodies cannot.

    \b
    dlxctl edit --queue dead_letter --id 4f1c7d9e-5f0a-4c0e-8a63-0c9a9d1f3b52
    """
    layout = layout_of(file)
    access = way(layout, url, management_url)
    desk = _Desk(access, layout, queue, frozenset(allowed), new_run_id())
    letter = desk.find(identifier)
    target = to or _origin(letter, desk.found)
    refuse_dropping(target, desk.found.around)
    draft = draft_of(letter)
    if draft.trouble:
        raise UsageError(
            f"{identifier!r} cannot be edited", why=draft.trouble,
            remedy="Replay it as it is, set it aside or keep it: dlxctl replay --id, dlxctl park, dlxctl export.",
        )  # fmt: skip
    body = _edited(draft)
    if body is None or not agreed(f"Replay the edited copy to {target!r}?", yes):
        return nothing()
    kept = archive or Path(f"edited-{desk.run_id}.jsonl")
    desk.keep(letter, kept)
    copy = copy_of(letter, target, body, RewriteOptions(run_id=desk.run_id, user=access.amqp[0].user))
    desk.replace(letter, target, copy)
    click.echo(f"1 message edited and replayed to {target!r}; the original is in {str(kept)!r}")
    return int(ExitCode.OK)


def _origin(letter: Letter, found: Situation) -> str:
    origin = origin_of(letter, found.around.rules)
    if isinstance(origin, Held):
        raise UsageError("it cannot go back", why=HOLD_MEANINGS[origin.why], remedy="Name a queue: --to QUEUE.")
    return origin


def _edited(draft: Draft) -> bytes | None:
    """The new body, once it differs and is well formed; None when nothing was changed."""
    text = click.edit(draft.text, extension=".json" if draft.kind == "json" else ".txt")
    if text is None or text == draft.text:
        return None
    try:
        body = body_from(draft, text)
    except ValueError as error:
        raise UsageError("the edited body is not JSON any more", why=str(error), remedy="Edit it again.") from None
    for line in difflib.unified_diff(draft.text.splitlines(), text.splitlines(), "original", "edited", lineterm=""):
        click.echo(printable_lines(line), err=True)
    return body


@dataclass(slots=True)
class _Desk:
    """One queue and the work on one of its messages."""

    access: Access
    layout: Layout | None
    queue: str
    allowed: frozenset[str]
    run_id: str
    found: Situation = field(init=False)

    def find(self, identifier: str) -> Letter:
        """The only letter with that id; everything stays. Raises NotFound, UsageError."""
        letters: list[Letter] = []

        def take_note(letter: Letter) -> None:
            if letter.id == identifier and len(letters) < 2:
                letters.append(letter)

        with linked(self.access, f"edit {self.queue}") as link:
            self.found = safely(self.access, self.queue, self.layout, self.allowed, "editing")
            looked(link, self._wanted(takes=False), self.found, Looking(judge=seeing(take_note), run_id=self.run_id))
        if not letters:
            remedy = f"dlxctl inspect --queue {shell_word(self.queue)} --list shows the ids."
            raise NotFound(f"no message {identifier!r} in {self.queue!r}", remedy=remedy)
        if len(letters) > 1:
            raise UsageError(
                f"{identifier!r} names several messages of {self.queue!r}",
                remedy="Export and discard the twins first: dlxctl export, dlxctl discard.",
            )
        return letters[0]

    def keep(self, letter: Letter, path: Path) -> None:
        """Write the original to a new archive. Raises UsageError, DlxctlError."""
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        with writing(path, Head(queue=self.queue, vhost=self.access.vhost, run=self.run_id, exported=now)) as archive:
            original = telling(letter) if self.found.suspect(self.queue) else letter
            archive.add(original, row_of(letter, self.found.around.rules))
            archive.complete()

    def replace(self, letter: Letter, target: str, copy: Copy) -> None:
        """Send the copy and let the original go once it is confirmed. Raises NotFound, DlxctlError."""
        wanted, gone = identity(letter.delivery.header, letter.delivery.body), False

        def judge(other: Letter) -> Verdict:
            nonlocal gone
            if gone or identity(other.delivery.header, other.delivery.body) != wanted:
                return STAY
            gone = True
            return Send(target, copy.header, copy.body)

        looking = Looking(judge=judge, run_id=self.run_id, enough=lambda: gone)
        with linked(self.access, f"edit {self.queue}") as link:
            tally = looked(link, self._wanted(takes=True), self.found, looking).looked.tally
        if tally.refused or not tally.sent:
            why = f"{target!r} refused the copy" if tally.refused else "the message has left the queue meanwhile"
            raise DlxctlError("nothing was replayed", why=why, remedy="Run the same command again.")

    def _wanted(self, *, takes: bool) -> Wanted:
        return Wanted(queue=self.queue, most=None, user=self.access.amqp[0].user, takes=takes)
