"""A replay's report as text and JSON."""

from typing import Any

from dlxctl.render.escape import printable
from dlxctl.render.tables import age, count
from dlxctl.replay.origin import HOLD_MEANINGS, Hold
from dlxctl.replay.report import Outcome, RunReport

_ENDINGS = {
    Outcome.COMPLETE: "",
    Outcome.LIMIT: "Stopped at --limit; the same command goes on from here.",
    Outcome.INTERRUPTED: "Interrupted; nothing is lost. To go on, run the same command again.",
    Outcome.CANARY_FAILED: "Stopped after the canary; the rest was not touched.",
    Outcome.UNAVAILABLE: "The broker went away; nothing is lost. To go on, run the same command again.",
    Outcome.FAILED: "The run failed; nothing is lost. Mend the cause, then run the same command again.",
}


def report_text(report: RunReport) -> str:
    """The end of a run, for a person: what moved where, what stayed and why, what to do next."""
    verb = "would move" if report.dry_run else "moved"
    lines = [f"{verb} {count(report.moved_total, 'message')} of {report.queue!r}{_pace(report)}"]
    lines += [f"  {number:>9,}  -> {printable(queue)}" for queue, number in report.moved.most_common()]
    if report.held_total:
        kept = "would stay" if report.dry_run else "stayed"
        lines.append(f"{count(report.held_total, 'message')} {kept} in {report.queue!r}:")
    for held, number in report.held.most_common():
        if held.why is not Hold.CAME_BACK:
            detail = f" ({printable(held.detail)})" if held.detail else ""
            lines.append(f"  {number:>9,}  {held.why}{detail}: {HOLD_MEANINGS[held.why]}")
            if report.examples.get(held):
                lines.append(f"             e.g. {', '.join(printable(one, 60) for one in report.examples[held])}")
    lines += _remarks(report)
    return "\n".join(lines)


def report_json(report: RunReport) -> dict[str, Any]:
    """The documented form: counts are messages, seconds are seconds, unknown is null."""
    return {
        "schema_version": 1,
        "run": report.run_id,
        "queue": report.queue,
        "dry_run": report.dry_run,
        "outcome": str(report.outcome),
        "found": report.found,
        "examined": report.examined,
        "moved": report.moved_total,
        "moved_to": dict(report.moved),
        "held": report.held_total,
        "held_because": [
            {"why": str(held.why), "detail": held.detail, "count": number, "examples": report.examples.get(held, [])}
            for held, number in report.held.most_common()
            if held.why is not Hold.CAME_BACK
        ],
        "came_back": report.came_back,
        "arrived": report.arrived,
        "maybe_duplicates": report.maybe_duplicates,
        "unknown": report.unknown,
        "not_selected": report.left,
        "moved_to_tail": report.rotated,
        "parked": report.parked,
        "chord_members": report.chord_members,
        "reconnects": report.reconnects,
        "remaining": report.remaining,
        "seconds": round(report.seconds, 3),
        "trouble": report.trouble,
        "notes": report.notes,
    }


def _pace(report: RunReport) -> str:
    if report.dry_run or not report.moved_total:
        return ""
    rate = report.moved_total / report.seconds if report.seconds else 0
    return f" in {age(report.seconds)} ({rate:,.0f}/s), run {report.run_id}"


def _remarks(report: RunReport) -> list[str]:
    lines = []
    if report.came_back:
        lines.append(f"{count(report.came_back, 'message')} died again already: the cause may not be mended.")
    if report.arrived:
        lines.append(
            f"{count(report.arrived, 'dead letter')} arrived meanwhile; if they are these again, the cause is not gone."
        )
    if report.maybe_duplicates:
        lines.append(
            f"{count(report.maybe_duplicates, 'message')} may have been moved by an earlier run that did not end; "
            "each carries dlxctl-maybe-duplicate."
        )
    if report.parked:
        lines.append(f"{count(report.parked, 'message')} replayed too often already went to the parking queue.")
    if report.left:
        lines.append(f"{count(report.left, 'message')} not selected.")
    if report.rotated:
        lines.append(f"{count(report.rotated, 'message')} of those that stay went to the tail of the queue.")
    if report.chord_members:
        lines.append(
            f"{count(report.chord_members, 'message')} of a chord: the task runs, but a chord whose member failed "
            "does not run its callback any more."
        )
    if report.unknown:
        lines.append(f"{count(report.unknown, 'copy', 'copies')} not confirmed: each is still here.")
    if report.remaining and not report.dry_run:
        lines.append(f"{count(report.remaining, 'message')} left in {report.queue!r}.")
    lines += [report.trouble] if report.trouble else []
    ending = _ENDINGS[report.outcome]
    return [*lines, *([ending] if ending else []), *report.notes]
