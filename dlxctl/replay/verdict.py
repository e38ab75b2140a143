"""What becomes of a dead letter in a round of its queue: it stays, it goes, or a copy is sent elsewhere first. Pure."""

from enum import Enum
from typing import Literal, NamedTuple

from dlxctl.replay.letter import Letter
from dlxctl.wire import content


class _Plain(Enum):
    STAY = "stay"
    DROP = "drop"


STAY: Literal[_Plain.STAY] = _Plain.STAY
DROP: Literal[_Plain.DROP] = _Plain.DROP
"""Acknowledged without a copy on the broker: only for what an archive holds."""


class Send(NamedTuple):
    """A copy with this content header payload to `queue`, by name; the original goes once that is confirmed."""

    queue: str
    header: bytes


Verdict = Literal[_Plain.STAY, _Plain.DROP] | Send


def may_be_copied(letter: Letter, user: str) -> bool:
    """Whether a copy published by `user` is the same message: no CC that routes elsewhere, no other user's name."""
    if letter.broken_at >= 0 or letter.field("CC") or letter.field("BCC"):
        return False
    return content.short_text(letter.content, "user_id") in (None, user)


def with_entry(letter: Letter, *entries: bytes, instead_of: tuple[str, ...] = ()) -> bytes:
    """The letter's header payload with `entries` at the end of its table; fields named in `instead_of` are left out."""
    dropped = {name.encode() for name in instead_of}
    cuts = [(field.start, field.end, b"") for field in letter.fields if field.key in dropped]
    return content.assemble(letter.delivery.header, content.plan(letter.content, cuts), b"".join(entries))
