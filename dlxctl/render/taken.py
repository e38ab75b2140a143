"""What export, discard, park and restore did, as text and JSON."""

from typing import Any

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
        lines.append("Interrupted; nothing is lost and nothing is in doubt. To go on, run the same command again.")
    return "\n".join(lines)


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
