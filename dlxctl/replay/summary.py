"""A dead letter as a row: what its headers say; of bodies only the task and id of Celery's protocol 1. Pure."""

from dataclasses import dataclass

from dlxctl.model import headers as names
from dlxctl.replay.causes import Cause, cause_of, group_key
from dlxctl.replay.document import FACTS
from dlxctl.replay.letter import Letter
from dlxctl.replay.origin import Held, OriginRules, origin_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One dead letter. Texts are the message's own and may be hostile: escape before showing. `died_at` in seconds
    since 1970, 0 unknown; `attempts` None unknown; `trouble` says what of the header cannot be read. `group`: the
    key of its group, made of `cause`.
    """

    id: str
    group: str
    cause: Cause
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


def row_of(letter: Letter, rules: OriginRules) -> Row:
    """What one letter's headers say."""
    origin, cause = origin_of(letter, rules), cause_of(letter, rules)
    trouble = f"header unreadable at octet {letter.broken_at}" if letter.broken_at >= 0 else ""
    return Row(
        id=str(FACTS["id"](letter, rules)),
        group=group_key(cause),
        cause=cause,
        task=cause.task,
        origin=cause.origin,
        reason=cause.reason,
        exception=cause.exception,
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


def _arguments(letter: Letter) -> str:
    positional, named = letter.text("argsrepr"), letter.text("kwargsrepr")
    return " ".join(part for part in (positional, named) if part and part not in ("()", "{}"))


def _trouble(held: Held) -> str:
    return f"{held.why}: {held.detail}" if held.detail else str(held.why)
