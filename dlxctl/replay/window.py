"""The window: deliveries whose copies are not confirmed yet. Pure; decides what may be acknowledged, and when.

Rules. A delivery may be acknowledged only after its copy was confirmed and not returned. The broker sends a return
before the confirm of the same copy. Confirms of two queues come out of order, so an `ack multiple` covers only the
contiguous confirmed prefix, and nothing may be acknowledged "multiple" over a held delivery: it would be gone.
An acknowledgement is never known to be taken: the channel of a quorum queue stashes acknowledgements when many are
under way, and loses them with its connection (measured on 4.0). Those that it may lose are among the latest, as many as
the prefetch, since a quorum queue delivers anew only for acknowledgements that it has taken.
"""

from collections import deque
from collections.abc import Callable, Iterator

from dlxctl.replay.order import Left, Route
from dlxctl.replay.origin import Held
from dlxctl.wire.intake import Confirm

SENT, DONE, KEPT = 0, 1, 2
MOST_UNCERTAIN = 4_000
"""Latest acknowledgements that a lost connection may undo: twice the largest prefetch, of two consumers in turn."""


class Entry:
    """One delivery under way: its tag, where its copy went (None: to the tail of its own queue), its own header, and
    `held` once it must stay. `stays`: what had been decided of one that goes to the tail."""

    __slots__ = ("flagged", "header", "held", "of_chord", "route", "state", "stays", "tag")

    def __init__(self, tag: int, route: Route | None, header: bytes = b"", flagged: bool = False) -> None:
        self.tag, self.route, self.header, self.flagged = tag, route, header, flagged
        self.state = SENT
        self.held: Held | None = None
        self.stays: Held | Left | None = None
        self.of_chord = False


class Window:
    """Entries in the order of their tags; sequence numbers of copies count from 1 on this channel."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque()
        self._by_sequence: dict[int, Entry] = {}
        self._lowest = 1
        self._settled = 0
        self._lowest_kept: int | None = None
        self._uncertain: deque[Entry] = deque(maxlen=MOST_UNCERTAIN)
        self.kept: dict[int, None] = {}
        """Tags that stay unacknowledged, in the order in which that was decided."""

    def __len__(self) -> int:
        """Copies whose confirm is awaited."""
        return len(self._by_sequence)

    def keep(self, tag: int) -> None:
        """This delivery stays unacknowledged."""
        self.kept[tag] = None
        if self._lowest_kept is None or tag < self._lowest_kept:
            self._lowest_kept = tag

    def release(self) -> list[int]:
        """Forget the kept deliveries, which are being given back; their tags, ascending."""
        tags = sorted(self.kept)
        self.kept.clear()
        self._lowest_kept = None
        return tags

    def sent(self, entry: Entry, sequence: int) -> None:
        """A copy of the entry's delivery went out; entries come in the order of their tags."""
        self._entries.append(entry)
        self._by_sequence[sequence] = entry

    def returned(self, sequence: int, held: Held) -> Entry | None:
        """The copy reached no queue; its confirm follows. None when no such copy is under way."""
        entry = self._by_sequence.get(sequence)
        if entry is not None:
            entry.held = held
        return entry

    def first_parked(self, meant: Callable[[Entry], bool]) -> int:
        """The sequence number of the first copy for the parking queue that is `meant` and was not returned yet, 0 if
        there is none. Returns come in the order of the copies."""
        for number, one in self._by_sequence.items():
            if one.route is not None and one.route.parked and one.held is None and meant(one):
                return number
        return 0

    def confirmed(self, confirm: Confirm, refused: Held) -> Iterator[Entry]:
        """The entries that this confirm settles: moved, or held when returned before or refused now."""
        first = self._lowest if confirm.multiple else confirm.sequence
        for sequence in range(first, confirm.sequence + 1):
            entry = self._by_sequence.pop(sequence, None)
            if entry is None:
                continue
            if not confirm.ok and entry.held is None:
                entry.held = refused
            entry.state = DONE if entry.held is None else KEPT
            self._settled += 1
            yield entry
        if confirm.multiple:
            self._lowest = confirm.sequence + 1

    def acknowledgements(self, least: int = 1) -> Iterator[tuple[int, bool]]:
        """(tag, multiple) of what may be acknowledged now; each is given out once.

        None while fewer than `least` copies were confirmed since the last: an acknowledgement of many costs the broker
        as little as one of a single message, and what waits is within the window.
        """
        if self._settled < least:
            return
        entries, prefix, self._settled = self._entries, 0, 0
        while entries and entries[0].state != SENT:
            entry = entries.popleft()
            if entry.state == KEPT:
                self.keep(entry.tag)
                continue
            self._uncertain.append(entry)
            if self._lowest_kept is None or entry.tag < self._lowest_kept:
                prefix = entry.tag
            else:
                yield entry.tag, False
        if prefix:
            yield prefix, True

    def unsettled(self) -> tuple[list[Entry], list[Entry]]:
        """When the link is lost: copies that may or may not have arrived, and moved ones that may come again."""
        moved = [entry for entry in self._entries if entry.state == DONE]
        return list(self._by_sequence.values()), [*moved, *self._uncertain]
