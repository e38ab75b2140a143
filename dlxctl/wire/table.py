"""AMQP field tables as bytes: find entries without decoding them, and write the few that dlxctl adds.

Nested values are stepped over by their length, so depth costs nothing and nothing recurses. Nothing here raises on
hostile bytes: reading stops, and the position of the first octet that makes no sense is returned.
Types: https://www.rabbitmq.com/amqp-0-9-1-errata#section_3.
"""

from collections.abc import Iterator
from functools import lru_cache
from struct import Struct
from struct import error as StructError
from typing import NamedTuple

INTACT = -1
"""What `find` returns as position when the whole table made sense."""

UNKNOWN, SIZED = -1, -2
SIZES = [UNKNOWN] * 256
for _kind, _size in {
    "t": 1, "b": 1, "B": 1, "s": 2, "u": 2, "U": 2, "I": 4, "i": 4, "l": 8, "L": 8, "f": 4, "d": 8, "D": 5, "T": 8,
    "V": 0, "S": SIZED, "x": SIZED, "A": SIZED, "F": SIZED,
}.items():  # fmt: skip
    SIZES[ord(_kind)] = _size
"""kind octet -> octets of its value; SIZED: its length stands before it in 32 bits; UNKNOWN: no type of AMQP."""

_u32 = Struct(">I")
_u32_at = _u32.unpack_from

INTEGERS = {
    ord("b"): Struct(">b"), ord("B"): Struct(">B"), ord("s"): Struct(">h"), ord("u"): Struct(">H"),
    ord("U"): Struct(">h"), ord("I"): Struct(">i"), ord("i"): Struct(">I"), ord("l"): Struct(">q"),
    ord("L"): Struct(">q"), ord("T"): Struct(">Q"),
}  # fmt: skip
"""kind octet -> how its integer is laid out; a timestamp counts as one (seconds since 1970)."""


class Field(NamedTuple):
    """One entry: its key, where it starts, its kind octet, and the span of its value without any length prefix."""

    key: bytes
    start: int
    kind: int
    value: int
    end: int


def find(raw: bytes, start: int, end: int, wanted: frozenset[bytes]) -> tuple[list[Field], int]:
    """The entries of the table in `raw[start:end]` whose key is in `wanted`, in order, duplicates included.

    The second value is INTACT, or the offset of the first octet that cannot be read.
    """
    found: list[Field] = []
    position = start
    try:
        while position < end:
            kind_at = position + 1 + raw[position]
            kind = raw[kind_at]
            size = SIZES[kind]
            value = kind_at + 1
            if size == SIZED:
                value += 4
                size = _u32_at(raw, kind_at + 1)[0]
            stop = value + size
            if stop > end or size == UNKNOWN:
                return found, kind_at
            key = raw[position + 1 : kind_at]
            if key in wanted:
                found.append(Field(key, position, kind, value, stop))
            position = stop
    except (IndexError, StructError):  # the bytes end inside a key or a length
        return found, position
    return found, INTACT


def walk(raw: bytes, start: int, end: int) -> Iterator[Field]:
    """Every entry of a readable table; stops at the first octet that cannot be read."""
    position = start
    while position < end:
        found = _field(raw, position, position + 1, raw[position], end)
        if found is None:
            return
        yield found
        position = found.end


def elements(raw: bytes, start: int, end: int) -> Iterator[Field]:
    """Every element of an array, as fields without a key; stops at the first octet that cannot be read."""
    position = start
    while position < end:
        found = _field(raw, position, position, 0, end)
        if found is None:
            return
        yield found
        position = found.end


def _field(raw: bytes, start: int, key_at: int, key_size: int, end: int) -> Field | None:
    kind_at = key_at + key_size
    if kind_at >= end:
        return None
    size, value = SIZES[raw[kind_at]], kind_at + 1
    if size == SIZED:
        value += 4
        if value > end:
            return None
        size = _u32_at(raw, kind_at + 1)[0]
    if size == UNKNOWN or value + size > end:
        return None
    return Field(raw[key_at:kind_at], start, raw[kind_at], value, value + size)


def text(raw: bytes, field: Field | None) -> str | None:
    """A string value; None when the field is absent or of another kind. Octets that are not UTF-8 are escaped."""
    if field is None or field.kind != 83:  # S
        return None
    return raw[field.value : field.end].decode("utf-8", "backslashreplace")


def integer(raw: bytes, field: Field | None) -> int | None:
    """An integer or timestamp value; None when the field is absent or of another kind."""
    if field is None:
        return None
    layout = INTEGERS.get(field.kind)
    return None if layout is None else int(layout.unpack_from(raw, field.value)[0])


def string_entry(key: str, value: str | bytes) -> bytes:
    """An entry of kind S."""
    data = value if isinstance(value, bytes) else value.encode()
    return _key(key) + b"S" + _u32.pack(len(data)) + data


def integer_entry(key: str, value: int) -> bytes:
    """An entry of kind I, or l where 32 bits are too few."""
    small = -(2**31) <= value < 2**31
    return _key(key) + (b"I" if small else b"l") + value.to_bytes(4 if small else 8, "big", signed=True)


def true_entry(key: str) -> bytes:
    """An entry of kind t that is true."""
    return _key(key) + b"t\x01"


def void_entry(key: str) -> bytes:
    """An entry that is there and holds nothing (V), as Celery writes an absent eta."""
    return _key(key) + b"V"


@lru_cache(maxsize=256)
def _key(key: str) -> bytes:
    data = key.encode()
    return bytes((len(data),)) + data
