"""What doctor found, as text: what is not well of each task, then each finding with the line that mends it."""

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from dlxctl.celery.doctor.examination import Examination
from dlxctl.celery.doctor.judgement import TaskReport, asked_for
from dlxctl.celery.doctor.outcomes import END_MEANINGS, MEANINGS, End, Fate, Outcome
from dlxctl.celery.doctor.rules import RULES, Finding
from dlxctl.render.escape import printable
from dlxctl.render.tables import count, table

SCHEMA_VERSION = 1
TITLES = {rule.code: rule.title for rule in RULES}
SHOWN = 3
"""So many tasks are named; the rest is a number. JSON names all."""
WIDEST = 110


def doctor_text(found: Examination, width: int) -> str:
    """The whole report, without a newline at its end."""
    blocks = [_head(found), *_tasks(found.tasks, min(width, WIDEST)), *map(_finding, found.findings)]
    if found.remarks:
        blocks.append("\n".join(f"note: {printable(remark)}" for remark in found.remarks))
    blocks.append(_sum(found))
    return "\n\n".join(blocks)


def doctor_json(found: Examination) -> dict[str, Any]:
    """A JSON object; docs/doctor.md has its form."""
    return {
        "schema_version": SCHEMA_VERSION,
        "app": {"name": found.app.name, "celery": _version(found.app.celery), "pool": found.app.pool},
        "server": _version(found.server) if found.server else None,
        "vhost": found.vhost,
        "clean": not found.findings,
        "tasks": [_task_json(task) for task in found.tasks],
        "findings": [_finding_json(finding) for finding in found.findings],
        "notes": list(found.remarks),
    }


def _head(found: Examination) -> str:
    app = found.app
    where = f"RabbitMQ {_version(found.server)}" if found.server else "no broker asked"
    known = f"{count(len(found.tasks), 'task')}, {count(len(app.queues), 'queue')}"
    return printable(
        f"App {app.name} (Celery {_version(app.celery)}, pool {app.pool}), {where}, vhost {found.vhost}: {known}"
    )


def _tasks(tasks: Sequence[TaskReport], width: int) -> Iterator[str]:
    """For tasks with the same fates one table of what does not simply reach the DLQ; then what the fates mean."""
    groups: dict[tuple[str, tuple[tuple[Outcome, str], ...]], list[str]] = {}
    for task in tasks:
        unsound = tuple((o, _word(fate)) for o, fate in task.fates.items() if not fate.sound and not asked_for(o, fate))
        groups.setdefault((task.queue, unsound), []).append(task.name)
    for (queue, unsound), names in groups.items():
        title = printable(f"{_some(names)}, on queue {queue}:")
        rows = [
            (fate, outcome, MEANINGS[outcome]) for outcome, fate in sorted(unsound, key=lambda row: ORDER.index(row[1]))
        ]
        if rows:
            yield f"{title}\n{table(('=fate', '=outcome', 'when'), rows, width=width)}"
        else:
            yield f"{title} every failure reaches the dead-letter queue"
    words = dict.fromkeys(word for _, unsound in groups for _, word in unsound)
    if words:
        yield "\n".join(f"{word}: {FATES[word]}" for word in words)


KILLS = "kills"
FATES = {str(end): meaning for end, meaning in END_MEANINGS.items()} | {
    KILLS: "in the dead-letter queue, after it has ended as many workers as the delivery limit allows"
}
ORDER = [str(End.LOST), str(End.STUCK), str(End.LOOPS), KILLS]


def _word(fate: Fate) -> str:
    return KILLS if fate.end is End.DLQ else str(fate.end)


def _finding(finding: Finding) -> str:
    lines = [f"{finding.code} {TITLES[finding.code]}: {finding.about}"]
    if len(finding.tasks) > 1:
        lines.append(f"  tasks: {_some(finding.tasks)}")
    if finding.outcomes:
        lines.append(f"  when:  {', '.join(finding.outcomes)}")
    lines += [f"  why:   {finding.cause}", f"  mend:  {finding.remedy}"]
    wrapped = (
        textwrap.wrap(printable(line, 1_000), WIDEST, subsequent_indent=" " * 9, break_on_hyphens=False)
        for line in lines
    )
    return "\n".join(line for part in wrapped for line in part)


def _some(names: Sequence[str]) -> str:
    rest = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {rest:,} more" if rest > 0 else "")


def _sum(found: Examination) -> str:
    return count(len(found.findings), "finding") + "." if found.findings else "No findings."


def _version(version: Sequence[int]) -> str:
    return ".".join(map(str, version))


def _task_json(task: TaskReport) -> dict[str, Any]:
    outcomes = {str(outcome): _fate_json(fate) for outcome, fate in task.fates.items()}
    return {"name": task.name, "queue": task.queue, "outcomes": outcomes}


def _fate_json(fate: Fate) -> dict[str, Any]:
    return {
        "fate": str(fate.end), "cause": fate.cause, "remedy": fate.remedy, "kills_worker": fate.kills_worker,
        "runs": fate.runs,
    }  # fmt: skip


def _finding_json(finding: Finding) -> dict[str, Any]:
    return {
        "code": finding.code, "title": TITLES[finding.code], "about": finding.about, "cause": finding.cause,
        "remedy": finding.remedy, "tasks": list(finding.tasks), "outcomes": [str(each) for each in finding.outcomes],
    }  # fmt: skip
