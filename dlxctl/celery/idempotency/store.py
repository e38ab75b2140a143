"""The protocol between the guard and what remembers: claim a key, then mark it done or release it.

A key is in one of three states: free, claimed by one owner until its lease ends, or done, with a result, until the mark
is forgotten. Only `claim` waits for nobody; who finds the key taken comes back later. Standard library only.
"""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """The key is the caller's until its lease ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """Somebody else has it; his lease ends in `for_s` seconds, unless he is done before."""

    for_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The work was done already; `result` is what `done` was given."""

    result: str


Claim = Granted | Busy | Finished


class Store(Protocol):
    """What the guard needs. Each call is atomic among all workers; it may raise what its database raises.

    `key` names the work, `owner` one attempt at it and is never used twice. Times are seconds.
    """

    def claim(self, key: str, owner: str, lease_s: float) -> Claim:
        """Take `key` if it is free, was forgotten, or its lease ran out."""

    def done(self, key: str, owner: str, result: str, keep_s: float) -> bool:
        """Mark `key` as done, whoever has it. False when somebody else had taken it over: both did the work."""

    def release(self, key: str, owner: str) -> None:
        """Free `key` for the next attempt, if `owner` still has it."""
