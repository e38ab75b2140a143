"""What export, discard, park and restore did, as text and JSON."""

from typing import Any

from dlxctl.render.escape import shell_word
from dlxctl.render.tables import count
from dlxctl.replay.taken import VERBS, TakenReport, Taking


def taken_text(report: TakenReport) -> str:
    """A line for what was done, a line for what was not."""
    verb = VERBS[report.command]
    done = f"would be {verb}" if report.dry_run else verb
    place = "into" if report.command is Taking.RESTORE else "of"
    lines = [f"{count(report.done, 'message')} {done} {place} {report.queue!r}, run {report.run_id}"]
    if report.held:
        lines.append(f"{count(report.held, 'message')} not {verb}:")
    lines += report.notes
    if report.looked_at < report.found:
        lines.append(f"Looked at {report.looked_at:,} of {report.found:,}.")
    if report.copied:
        lines.append(f"{count(report.copied, 'message')} that stay went to the tail of the queue, in their order.")
    if report.interrupted:
        lines.append(f"Interrupted; nothing is lost and nothing is in doubt. {_to_go_on(report)}")
    return "\n".join(lines)


def _to_go_on(report: TakenReport) -> str:
    if report.command is Taking.RESTORE:
        return once_each(report.queue, report.file)
    if report.command is Taking.EXPORT:
        return f"The archive {report.file!r} ends there; for all of them, export to another file."
    return "To go on, run the same command again."


def once_each(queue: str, file: str) -> str:
    """How to restore an archive after a run that did not restore all of it."""
    first = f"dlxctl discard --queue {shell_word(queue)} --archived {shell_word(file)}"
    return f"Restored again as it is, what is back already would be there twice: first {first}, then restore again."


def taken_json(report: TakenReport) -> dict[str, Any]:
    """The documented form; for the journal, too, whose list shows `found`, `moved` and `held`."""
    return {
        "schema_version": 1,
        "command": str(report.command),
        "run": report.run_id,
        "queue": report.queue,
        "file": report.file,
        "dry_run": report.dry_run,
        "outcome": report.outcome,
        "found": report.found,
        "looked_at": report.looked_at,
        VERBS[report.command]: report.done,
        "moved": report.done if report.command in (Taking.PARK, Taking.RESTORE) else 0,
        "held": report.held,
        "moved_to_tail": report.copied,
        "notes": report.notes,
    }
