"""The judges of export, discard and park: what each does with a dead letter that was chosen.

Each counts what it chose, so that a rehearsal, which carries nothing out, tells the same numbers.
"""

import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from dlxctl.broker.link import LARGEST_HEADER
from dlxctl.model import headers as names
from dlxctl.ops.archive import Archive
from dlxctl.ops.rotation import telling
from dlxctl.replay.archived import identity
from dlxctl.replay.letter import Letter
from dlxctl.replay.origin import OriginRules
from dlxctl.replay.summary import row_of
from dlxctl.replay.verdict import DROP, STAY, Send, Verdict, may_be_copied, with_entries
from dlxctl.wire import table

Chooses = Callable[[Letter], bool]
LONGEST_NOTE = 500


@dataclass(slots=True, kw_only=True)
class Taker(ABC):
    """`most`: so many are taken at most, None for all. `taken` and `left`: of the chosen, those that it would take, and
    those that it could not."""

    chooses: Chooses
    most: int | None = None
    taken: int = 0
    left: int = 0

    @property
    def enough(self) -> bool:
        """Whether as many were taken as were asked for."""
        return self.most is not None and self.taken >= self.most

    def judge(self, letter: Letter) -> Verdict:
        """What becomes of the letter."""
        if self.enough or not self.chooses(letter):
            return STAY
        verdict = self.take(letter)
        self.taken += verdict is not None
        self.left += verdict is None
        return STAY if verdict is None else verdict

    def rehearse(self, letter: Letter) -> Verdict:
        """The same counts; the letter stays."""
        self.judge(letter)
        return STAY

    @abstractmethod
    def take(self, letter: Letter) -> Verdict | None:
        """What to do with a letter that was chosen; None when it cannot be done."""


@dataclass(slots=True, kw_only=True)
class Exporter(Taker):
    """Writes each into an archive and leaves it where it is. `suspect`: a run on the queue did not end."""

    archive: Archive
    rules: OriginRules
    suspect: bool = False

    def take(self, letter: Letter) -> Verdict | None:
        self.archive.add(telling(letter) if self.suspect else letter, row_of(letter, self.rules))
        return STAY


@dataclass(slots=True, kw_only=True)
class Discarder(Taker):
    """Lets go of what an archive holds, as often as the archive holds it; what it does not hold is left."""

    archived: Counter[bytes]

    def take(self, letter: Letter) -> Verdict | None:
        key = identity(letter.delivery.header, letter.delivery.body)
        if self.archived[key] <= 0:
            return None
        self.archived[key] -= 1
        return DROP


@dataclass(slots=True, kw_only=True)
class Parker(Taker):
    """Moves each to the parking queue, its bytes as they are, with a note and the time."""

    parking: str
    note: str
    user: str

    def take(self, letter: Letter) -> Verdict | None:
        if not may_be_copied(letter, self.user):
            return None
        entries = [table.integer_entry(names.PARKED_AT, int(time.time()))]
        if self.note:
            entries.append(table.string_entry(names.NOTE, self.note[:LONGEST_NOTE]))
        earlier = frozenset({names.NOTE.encode(), names.PARKED_AT.encode()})
        header = with_entries(letter.delivery.header, *entries, instead_of=earlier)
        return Send(self.parking, header) if len(header) <= LARGEST_HEADER else None
