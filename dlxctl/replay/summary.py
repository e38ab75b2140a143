"""Dead letters as rows and groups, from headers alone: bodies are never decoded here."""

from collections.abc import Iterable
from dataclasses import dataclass

from dlxctl.model import headers as names
from dlxctl.replay.letter import Letter
from dlxctl.replay.origin import Held, OriginRules, origin_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One dead letter. Texts are the message's own and may be hostile: escape before showing. `died_at` in seconds
    since 1970, 0 unknown; `attempts` None unknown; `trouble` says what of the header cannot be read."""

    id: str
    task: str
    origin: str
    reason: str
    exception: str
    message: str
    died_at: int
    attempts: int | None
    replays: int
    body_bytes: int
    redelivered: bool
    traceback: str = ""
    arguments: str = ""
    trouble: str = ""


@dataclass(slots=True, kw_only=True)
class Group:
    """Dead letters of one task, exception, origin and reason; `first` and `last` death in seconds since 1970."""

    task: str
    exception: str
    origin: str
    reason: str
    count: int = 0
    first: int = 0
    last: int = 0
    sample: str = ""


def row_of(letter: Letter, rules: OriginRules) -> Row:
    """What one letter's headers say."""
    origin = origin_of(letter, rules)
    trouble = f"header unreadable at octet {letter.broken_at}" if letter.broken_at >= 0 else ""
    return Row(
        id=letter.id,
        task=letter.task,
        origin=origin if isinstance(origin, str) else "",
        reason=letter.reason,
        exception=letter.exception,
        message=letter.text(names.MESSAGE) or "",
        died_at=letter.died_at,
        attempts=letter.integer(names.ATTEMPTS),
        replays=letter.replays,
        body_bytes=letter.content.body_size,
        redelivered=letter.delivery.redelivered,
        traceback=letter.text(names.TRACEBACK) or "",
        arguments=_arguments(letter),
        trouble=trouble or (_trouble(origin) if isinstance(origin, Held) else ""),
    )


def grouped(rows: Iterable[Row]) -> list[Group]:
    """Groups, largest first."""
    groups: dict[tuple[str, str, str, str], Group] = {}
    for row in rows:
        key = (row.task, row.exception, row.origin, row.reason)
        group = groups.get(key)
        if group is None:
            group = groups[key] = Group(
                task=row.task, exception=row.exception, origin=row.origin, reason=row.reason, sample=row.id
            )
        group.count += 1
        if row.died_at:
            group.first = min(group.first or row.died_at, row.died_at)
            group.last = max(group.last, row.died_at)
    return sorted(groups.values(), key=lambda group: (-group.count, group.task, group.exception))


def _arguments(letter: Letter) -> str:
    positional, named = letter.text("argsrepr"), letter.text("kwargsrepr")
    return " ".join(part for part in (positional, named) if part and part not in ("()", "{}"))


def _trouble(held: Held) -> str:
    return f"{held.why}: {held.detail}" if held.detail else str(held.why)
