"""What becomes of a dead letter in a round of its queue: it stays, it goes, or a copy is sent elsewhere first. Pure."""

from enum import Enum
from typing import Literal, NamedTuple

from dlxctl.replay.letter import Letter
from dlxctl.wire import content, table


class _Plain(Enum):
    STAY = "stay"
    DROP = "drop"


STAY: Literal[_Plain.STAY] = _Plain.STAY
DROP: Literal[_Plain.DROP] = _Plain.DROP
"""Acknowledged without a copy on the broker: only for what an archive holds."""


class Send(NamedTuple):
    """A copy with this content header payload to `queue`, by name; the original goes once that is confirmed.

    `body`: other body frames than the original's; None for the same.
    """

    queue: str
    header: bytes
    body: bytes | None = None


Verdict = Literal[_Plain.STAY, _Plain.DROP] | Send


def may_be_copied(letter: Letter, user: str) -> bool:
    """Whether a copy published by `user` is the same message: no CC that routes elsewhere, no other user's name."""
    if letter.broken_at >= 0 or letter.field("CC") or letter.field("BCC"):
        return False
    return content.short_text(letter.content, "user_id") in (None, user)


def with_entries(header: bytes, *entries: bytes, instead_of: frozenset[bytes] = frozenset()) -> bytes:
    """A header payload with `entries` at the end of its table; what it has under a key of `instead_of` is left out."""
    where = content.read(header)
    found, _ = table.find(header, where.table, where.table_end, instead_of)
    cuts = [(field.start, field.end, b"") for field in found]
    return content.assemble(header, content.plan(where, cuts), b"".join(entries))
