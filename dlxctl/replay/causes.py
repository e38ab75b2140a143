"""The cause of a dead letter: what its group is made of, and the group's key, for rows and for `--group`. Pure."""

import hashlib
from functools import lru_cache
from typing import NamedTuple

from dlxctl.model import headers as names
from dlxctl.replay.document import FACTS
from dlxctl.replay.letter import Letter
from dlxctl.replay.normal import normalised
from dlxctl.replay.origin import OriginRules

KEY_LENGTH = 10


class Cause(NamedTuple):
    """`message` is normalised; a text that is not known is ''."""

    task: str
    exception: str
    message: str
    origin: str
    reason: str


def cause_of(letter: Letter, rules: OriginRules) -> Cause:
    """The cause of one dead letter."""
    task, exception, origin, reason = (
        str(FACTS[name](letter, rules)) for name in ("task", "exception", "origin", "reason")
    )
    return Cause(task, exception, normalised(letter.text(names.MESSAGE) or "", exception), origin, reason)


@lru_cache(maxsize=4_096)
def group_key(cause: Cause) -> str:
    """Hexadecimal, of the cause and nothing else: the same in every look and every process."""
    parts = b"\0".join(part.encode("utf-8", "backslashreplace") for part in cause)
    return hashlib.sha256(parts).hexdigest()[:KEY_LENGTH]
