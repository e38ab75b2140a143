"""What a replay knows across connections: its order, its counts, and what it learned about this broker's limits."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from dlxctl.errors import DlxctlError
from dlxctl.replay.letter import Letter
from dlxctl.replay.order import Left, ReplayOrder, Route
from dlxctl.replay.origin import Held, Hold
from dlxctl.replay.prefetch import Prefetch
from dlxctl.replay.report import RunReport
from dlxctl.replay.window import Entry, Window
from dlxctl.wire.intake import Delivery

_TOO_LARGE = re.compile(r"larger than configured max size (\d+)")
_NO_EXCHANGE = re.compile(r"no exchange '(.*?)' in vhost")


@dataclass(slots=True, kw_only=True)
class RunState:
    """`goal`: how many messages this run is to look at. `suspect`: an earlier run did not end, so every redelivered
    message may have been moved. `shared`: others took from the queue when it began. `doubtful`: ids of messages whose
    copy was under way when this run lost a connection; `nameless_doubt`: one of those had no id. `moved_before`: ids of
    messages that were moved and may come again; `again`: how many of them did, and were moved twice. `limit`: the most
    to move now, which a canary lowers for a while. `careful`: one copy at a time, to find the one that the broker
    closes the channel over. `closed`: targets that refused, and are not tried again in this run.
    """

    order: ReplayOrder
    report: RunReport
    prefetch: Prefetch
    suspect: bool = False
    shared: bool = False
    goal: int = 0
    limit: int | None = None
    number: int = 0
    doubtful: set[str] = field(default_factory=set)
    nameless_doubt: bool = False
    moved_before: Counter[str] = field(default_factory=Counter)
    again: int = 0
    careful: bool = False
    largest_body: int | None = None
    no_exchanges: set[str] = field(default_factory=set)
    culprits: set[bytes] = field(default_factory=set)
    closed: dict[str, Held] = field(default_factory=dict)

    @property
    def in_doubt(self) -> bool:
        """Whether messages of the queue may have been moved already, by an earlier run or over a lost connection."""
        return bool(self.suspect or self.nameless_doubt or self.doubtful)

    @property
    def untroubled(self) -> bool:
        """Whether nothing was learned that speaks against a copy or asks for a flag."""
        learned = self.closed or self.no_exchanges or self.culprits or self.largest_body is not None
        return not (self.in_doubt or learned)

    def flagged(self, letter: Letter) -> bool:
        """Whether a copy of it may have been published before."""
        if not letter.delivery.redelivered:
            return False
        return self.suspect or letter.id in self.doubtful or (self.nameless_doubt and not letter.id)

    def objection(self, letter: Letter, route: Route) -> Held | None:
        """Why the broker would refuse this copy, as far as it has told already."""
        if self.largest_body is not None and letter.content.body_size > self.largest_body:
            detail = f"{letter.content.body_size:,} octets, and the broker takes {self.largest_body:,}"
            return Held(why=Hold.TOO_LARGE, detail=detail)
        if route.exchange in self.no_exchanges:
            return Held(why=Hold.NO_QUEUE, detail=f"exchange {route.exchange}")
        if route.label in self.closed:
            return self.closed[route.label]
        if self.culprits and letter.delivery.header in self.culprits:
            detail = f"the broker closes the channel over it, on its way to {route.label}"  # whose name alone closes it
            return Held(why=Hold.REFUSED, detail=detail)
        return None

    def count(self, decision: Held | Left, identity: str, number: int) -> None:
        """Count a message that stays; a negative number takes some off again."""
        if isinstance(decision, Held):
            self.report.hold(decision, identity, number)
        else:
            self.report.left += number

    def moved_flagged(self, entry: Entry) -> None:
        """Count a possible duplicate that was moved."""
        self.report.maybe_duplicates += 1
        identity = _identity(entry)
        if self.moved_before[identity] > 0:
            self.moved_before[identity] -= 1
            self.again += 1

    def doubt(self, entries: Iterable[Entry]) -> list[str]:
        """Copies of these may have arrived, though their originals stay; the ids of them."""
        ids = [_identity(entry) for entry in entries]
        self.doubtful.update(filter(None, ids))
        self.nameless_doubt |= "" in ids
        return ids

    def lost(self, window: Window, kept: Iterable[Held | Left]) -> None:
        """A connection ended, and the run goes on: what was outstanding is in the queue again, `kept` as well, and some
        copies may have arrived. What went to the tail for certain stays counted: it is not looked at again."""
        self.prefetch.current = 0  # its consumer went with the connection
        under_way, moved = window.unsettled()
        entries = [*under_way, *moved]
        ids = self.doubt(entries)
        self.moved_before.update(ids[len(under_way) :])
        for decision in (*kept, *(entry.stays for entry in entries if entry.stays is not None)):
            self.count(decision, "", -1)
        report = self.report
        report.examined = report.moved_total + report.parked + report.rotated
        self.goal += len(moved)

    def learn(self, error: DlxctlError, under_way: Iterable[Entry]) -> bool:
        """What a channel error tells; False when it tells nothing new, so that trying again would not help."""
        text = f"{error.why} {error.what}"
        if found := _TOO_LARGE.search(text):
            self.largest_body = int(found.group(1))
            return True
        if found := _NO_EXCHANGE.search(text):
            self.no_exchanges.add(found.group(1))
            return True
        entries = list(under_way)
        if not self.careful:
            self.careful = True
            return bool(entries)
        self.culprits.update(entry.header for entry in entries)
        return bool(entries)


def _identity(entry: Entry) -> str:
    return Letter(Delivery(entry.tag, False, b"", b"", entry.header, b"")).id
