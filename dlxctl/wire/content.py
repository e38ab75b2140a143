"""The AMQP content header: where its properties lie in the raw bytes, and how to splice it without re-encoding.

Layout (AMQP 0-9-1, 4.2.6.1): class 2, weight 2, body size 8, flags 2, then the properties whose flag is set, in
order. What is not changed stays the bytes it was: no codec of a client library can promise that.
"""

from collections.abc import Mapping, Sequence
from struct import Struct
from struct import error as StructError
from types import MappingProxyType
from typing import NamedTuple

PROPERTIES = (
    "content_type", "content_encoding", "headers", "delivery_mode", "priority", "correlation_id", "reply_to",
    "expiration", "message_id", "timestamp", "type", "user_id", "app_id", "cluster_id",
)  # fmt: skip
"""In the order of the wire; the flag of number n is bit 15 - n."""

HEADERS_FLAG = 1 << 13
_CONTINUED = 1
_SHORTSTR, _TABLE = -1, -2
_WIDTHS = {"headers": _TABLE, "delivery_mode": 1, "priority": 1, "timestamp": 8}
_STEPS = tuple((1 << (15 - n), name, _WIDTHS.get(name, _SHORTSTR)) for n, name in enumerate(PROPERTIES))
FIXED_WIDTHS = frozenset({"delivery_mode", "priority", "timestamp"})
_FIXED = Struct(">HHQH")
_u32 = Struct(">I")
PREFIX = _FIXED.size


class Content(NamedTuple):
    """One content header. `table` and `table_end` span the entries of the header table (equal when there is none).

    `spans` has the whole span of each property present; `trouble` is the offset of the first octet that cannot be
    read, or -1.
    """

    raw: bytes
    body_size: int
    flags: int
    spans: dict[str, tuple[int, int]]
    table: int
    table_end: int
    trouble: int


def read(raw: bytes) -> Content:
    """Locate everything in one content header payload; never raises."""
    if len(raw) < PREFIX:
        return Content(raw, 0, 0, {}, 0, 0, 0)
    _class, _weight, body_size, flags = _FIXED.unpack_from(raw)
    spans: dict[str, tuple[int, int]] = {}
    position, table, table_end = PREFIX, PREFIX, PREFIX
    trouble = PREFIX - 2 if flags & _CONTINUED else -1
    try:
        for flag, name, width in _STEPS:
            if not flags & flag:
                if flag == HEADERS_FLAG:
                    table = table_end = position
                continue
            if width == _SHORTSTR:
                end = position + 1 + raw[position]
            elif width == _TABLE:
                table = position + 4
                end = table_end = table + _u32.unpack_from(raw, position)[0]
            else:
                end = position + width
            if end > len(raw):
                return Content(raw, body_size, flags, spans, PREFIX, PREFIX, position)
            spans[name] = (position, end)
            position = end
    except (IndexError, StructError):
        return Content(raw, body_size, flags, spans, PREFIX, PREFIX, position)
    return Content(raw, body_size, flags, spans, table, table_end, trouble)


Piece = bytes | tuple[int, int]
"""Octets as they are, or the span of the raw header that they are taken from."""


class Splice(NamedTuple):
    """How a new header payload is put together of the old one: pieces up to the table, in it, and behind it."""

    before: tuple[Piece, ...]
    table: tuple[Piece, ...]
    after: tuple[Piece, ...]


def plan(
    content: Content, cuts: Sequence[tuple[int, int, bytes]], without: Sequence[str] = (),
    changed: Mapping[str, bytes] = MappingProxyType({}),
) -> Splice:  # fmt: skip
    """Each cut `(start, end, replacement)` of the table made; `cuts` are ascending and lie within it.

    Properties named in `without` are left out, with their flags; `changed` has new raw values for ones that are there.
    """
    position = content.table
    inside: list[Piece] = []
    for start, end, replacement in cuts:
        inside += [(position, start), replacement]
        position = end
    inside.append((position, content.table_end))
    flags = content.flags | HEADERS_FLAG
    before: list[Piece] = [(0, PREFIX - 2)]
    around: tuple[list[Piece], list[Piece]] = ([], [])
    for name, (start, end) in content.spans.items():
        if name in without:
            flags &= ~(1 << (15 - PROPERTIES.index(name)))
        elif name != "headers":
            around[end > content.table].append(changed.get(name) or (start, end))
    before += [flags.to_bytes(2, "big"), *around[0]]
    return Splice(_merged(before), _merged(inside), _merged(around[1]))


def assemble(raw: bytes, splice: Splice, added: bytes) -> bytes:
    """The new header payload, from the old one's octets, with `added` entries at the end of its table."""
    inside = [piece if isinstance(piece, bytes) else raw[piece[0] : piece[1]] for piece in splice.table]
    inside.append(added)
    table = b"".join(inside)
    before = [piece if isinstance(piece, bytes) else raw[piece[0] : piece[1]] for piece in splice.before]
    after = [piece if isinstance(piece, bytes) else raw[piece[0] : piece[1]] for piece in splice.after]
    return b"".join((*before, _u32.pack(len(table)), table, *after))


def _merged(pieces: Sequence[Piece]) -> tuple[Piece, ...]:
    """Neighbouring spans as one, empty ones dropped: fewer pieces, fewer copies."""
    merged: list[Piece] = []
    for piece in pieces:
        last = merged[-1] if merged else b""
        if isinstance(piece, tuple) and isinstance(last, tuple) and last[1] == piece[0]:
            merged[-1] = (last[0], piece[1])
        elif piece and (isinstance(piece, bytes) or piece[0] < piece[1]):
            merged.append(piece)
    return tuple(merged)


def short_text(content: Content, name: str) -> str | None:
    """A short-string property as text, octets that are not UTF-8 escaped; None when it is absent."""
    span = content.spans.get(name)
    return None if span is None else content.raw[span[0] + 1 : span[1]].decode("utf-8", "backslashreplace")
