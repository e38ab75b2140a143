"""The oracle of every fault run: what was sent, what is where now, and the seven counts. Own parser, own bytes."""

import struct
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from dlxctl.wire.intake import Delivery
from tests import amqp_values as amqp

_SIZES = {
    **dict.fromkeys("tbB", 1), **dict.fromkeys("suU", 2), **dict.fromkeys("Iif", 4), **dict.fromkeys("lLdT", 8),
    "D": 5, "V": 0,
}  # fmt: skip
ID = b"test-id"
OWN = (b"dlxctl-run", b"dlxctl-replays", b"dlxctl-history", b"dlxctl-maybe-duplicate")
DEATH = (b"x-death", b"x-delivery-count", b"x-acquired-count")


def entries_of(payload: bytes) -> dict[bytes, bytes]:
    """key -> whole raw entry of a content header payload's table; the first of equal keys."""
    table, end, _ = _table_span(payload)
    found: dict[bytes, bytes] = {}
    while table < end:
        key_end = table + 1 + payload[table]
        kind = chr(payload[key_end])
        at = key_end + 1
        if kind in "SxAF":
            at += 4 + struct.unpack_from(">I", payload, at)[0]
        else:
            at += _SIZES[kind]
        found.setdefault(payload[table + 1 : key_end], payload[table:at])
        table = at
    return found


def without_table(payload: bytes) -> bytes:
    """Everything of the header payload but its table, flags included."""
    _, end, start = _table_span(payload)
    return payload[:start] + payload[end:]


def _table_span(payload: bytes) -> tuple[int, int, int]:
    """(first entry, end, start of the length word)."""
    flags = int.from_bytes(payload[12:14], "big")
    at = 14
    for bit in (15, 14):
        if flags & (1 << bit):
            at += 1 + payload[at]
    if not flags & (1 << 13):
        return at, at, at
    return at + 4, at + 4 + struct.unpack_from(">I", payload, at)[0], at


def comparable(header: bytes, body: bytes) -> tuple[bytes, frozenset[bytes], bytes]:
    """What replay must not alter: properties, the entries that are nobody's own, the body."""
    kept = {
        entry
        for key, entry in entries_of(header).items()
        if key not in OWN and key not in DEATH and not key.startswith((b"x-first-death", b"x-last-death"))
    }
    return without_table(header), frozenset(kept), body


def identity(header: bytes) -> bytes:
    """The unique id that every seeded message carries."""
    return entries_of(header)[ID]


@dataclass
class Counts:
    """The seven counts of a run; `altered` and `unflagged` name the first few."""

    attempted: int = 0
    moved: int = 0
    lost: int = 0
    duplicated: int = 0
    unflagged: int = 0
    flagged: int = 0
    altered: int = 0
    examples: list[bytes] = field(default_factory=list)


def judged(sent: Iterable[tuple[bytes, bytes]], origins: Iterable[Delivery], dead: Iterable[Delivery]) -> Counts:
    """Compare what was `sent` with what lies in the origin queues and in the DLQ after the run."""
    expected = {identity(header): comparable(header, body) for header, body in sent}
    counts = Counts(attempted=len(expected))
    seen: Counter[bytes] = Counter()
    flagged: Counter[bytes] = Counter()
    moved = list(origins)
    counts.moved = len(moved)
    for delivery in (*moved, *dead):
        who = identity(delivery.header)
        seen[who] += 1
        flagged[who] += b"dlxctl-maybe-duplicate" in entries_of(delivery.header)
        if comparable(delivery.header, delivery.body) != expected[who]:
            counts.altered += 1
            counts.examples = [*counts.examples, who][:5]
    counts.lost = len(expected.keys() - seen.keys())
    counts.duplicated = sum(number - 1 for number in seen.values())
    counts.flagged = sum(flagged.values())
    counts.unflagged = sum(max(0, number - 1 - flagged[who]) for who, number in seen.items())
    return counts


def marked(number: int) -> bytes:
    """The header entry with a unique id."""
    return amqp.entry(ID, amqp.string(f"{number:032x}"))
