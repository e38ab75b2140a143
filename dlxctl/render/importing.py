"""An imported topology file with comments, and the report of an import as lines and as JSON."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from textwrap import wrap
from typing import Any

from dlxctl.model.diagnostics import quoted
from dlxctl.model.layout import Backend, Layout
from dlxctl.plan.import_rules import Note
from dlxctl.plan.recognise import Recognised, suggestion
from dlxctl.render.escape import printable

_SHOWN = 3
_LONGEST, _WIDTH = 600, 106
"""Most characters of a comment, and of one line of it."""


def commented(text: str, read: Layout, recognised: Recognised, source: str) -> str:
    """`text`, which was read as `read`, with what was recognised above the queues, and at the top what was not."""
    above: dict[int, list[str]] = {}
    words = {name: str(role) for name, role in recognised.roles.items()} | dict(recognised.aside)
    for name, said in words.items():
        wrapped = wrap(printable(said, _LONGEST), _WIDTH)
        above[read.place("verbatim", "queues", name).line] = [f"    # {line}" for line in wrapped]
    lines = [f"# {line}" if line else "#" for line in _head(recognised, source)]
    for number, line in enumerate(text.splitlines(), start=1):
        lines += [*above.get(number, ()), line]
    return "\n".join(lines) + "\n"


def import_lines(recognised: Recognised, counts: Mapping[str, int], notes: Iterable[Note]) -> Iterator[str]:
    """What the file holds, what was recognised, and what it does not hold: one line a rule."""
    yield f"held: {', '.join(f'{count} {kind}' for kind, count in counts.items())}"
    layout = recognised.layout
    if layout.dead_letter_queues or layout.ladders:
        dead = len(layout.dead_letter_queues)
        yield f"recognised as dlxctl's: {len(layout.tiers_ms)} tiers, {dead} dead-letter queues"
    kinds = Counter(str(role.kind) for role in recognised.roles.values())
    if kinds:
        yield f"recognised, and kept verbatim: {', '.join(f'{kind} ({count})' for kind, count in kinds.items())}"
    if recognised.aside:
        yield f"kept verbatim, not for workers: {_names(list(recognised.aside))}"
    groups: dict[str, list[Note]] = {}
    for note in notes:
        groups.setdefault(note.rule.code, []).append(note)
    for code, group in sorted(groups.items()):
        rule, lost = group[0].rule, "NOT HELD" if group[0].lost else "left out"
        yield f"{lost}: {code} {rule.title}: {_names([_shown(note) for note in group])}"


def import_json(
    recognised: Recognised, counts: Mapping[str, int], notes: Iterable[Note], adopted: int | None
) -> dict[str, Any]:
    """The same as one object; docs/import.md explains its keys."""
    layout = recognised.layout
    return {
        "schema_version": 1,
        "topology": layout.name,
        "vhost": layout.vhost,
        "held": dict(counts),
        "own": {"tiers": sorted(layout.tier_names), "dead_letter_queues": list(layout.dead_letter_queues)},
        "recognised": [
            {"queue": name, "role": str(role.kind), "of": list(role.of), "delay_ms": role.delay_ms, "style": role.style}
            for name, role in recognised.roles.items()
        ],
        "verbatim": [{"queue": name, "why": why} for name, why in recognised.aside.items()],
        "notes": [
            {"code": n.rule.code, "severity": str(n.rule.severity), "kind": n.kind, "name": n.name, "cause": n.cause}
            for n in notes
        ],
        "adopted": adopted,
    }


def _head(recognised: Recognised, source: str) -> Iterator[str]:
    layout = recognised.layout
    yield f"Imported from {printable(source)}. Applied to an empty vhost it makes the same objects."
    yield "Look it over before workers use it: `dlxctl check`, then `dlxctl plan`."
    tiers = [ladder.name for ladder in layout.ladders.values() if ladder.backend is Backend.TIERS]
    if tiers:
        yield ""
        yield f"Guessed, because a broker does not know it: attempts of {', '.join(tiers)}, and that every queue with a"
        yield "dead-letter queue retries through the first ladder. Add the queues' tasks, and Celery's settings."
    unknown = sum(queue.dead_letter is None for queue in layout.work_queues.values())
    if unknown:
        yield ""
        yield f"Not recognised: {unknown} of {len(layout.work_queues)} work queues have no dead-letter queue of ours."
        yield "Give them retry and dead_letter, and their failures take that road."
    if recognised.ladders:
        yield ""
        yield "Tiers of another style are kept under verbatim. Ladders that could take their place, under retry:"
        for queue, delays in recognised.ladders.items():
            yield f"  {printable(quoted(queue))}: {suggestion(delays)}"


def _names(names: list[str]) -> str:
    shown = ", ".join(printable(name) for name in names[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown


def _shown(note: Note) -> str:
    cause = f" ({note.cause})" if note.cause else ""
    return f"{note.name} {note.kind}" if note.name.isdecimal() else f"{note.kind} {quoted(note.name)}{cause}"
