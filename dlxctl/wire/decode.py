"""Header values and properties as Python values, for display and selection; what is replayed is never decoded.

Bounded in items, depth and octets, without recursion, and never raising: where a bound is met, or octets make no
sense, LEFT_OUT stands in the place of the rest. Types: https://www.rabbitmq.com/amqp-0-9-1-errata#section_3.
"""

from decimal import Decimal
from struct import Struct
from typing import NamedTuple

from dlxctl.wire import table
from dlxctl.wire.content import Content, short_text

MOST_ITEMS = 10_000
"""Entries and array items of one value, nested ones counted."""
DEEPEST = 32
"""Tables and arrays within each other."""
MOST_OCTETS = 262_144
"""Of one string; a header table has to fit one frame of 128 KiB, unless a broker was set to more."""

LEFT_OUT = "…"
"""Stands for what was not decoded; in a table it is the key too."""

Value = str | bytes | int | float | bool | Decimal | None | list["Value"] | dict[str, "Value"]

_BOOLEAN, _FLOAT, _DOUBLE, _DECIMAL, _STRING, _BYTES, _ARRAY, _TABLE = b"tfdDSxAF"
_FLOATS = {_FLOAT: Struct(">f"), _DOUBLE: Struct(">d")}
_INTEGER_PROPERTIES = frozenset({"delivery_mode", "priority", "timestamp"})


class _Item(NamedTuple):
    """One entry of a table, or item of an array (key ''), and the span of its value without a length prefix."""

    key: str
    kind: int
    start: int
    end: int


def value(raw: bytes, kind: int, start: int, end: int) -> Value:
    """The value of kind octet `kind` in `raw[start:end]`: `T` is seconds as int, `S` text, `x` bytes, `V` None."""
    if kind == _TABLE:
        return _container(raw, {}, start, end)
    if kind == _ARRAY:
        return _container(raw, [], start, end)
    return _scalar(raw, kind, start, min(end, len(raw)))


def entries(raw: bytes, start: int, end: int) -> dict[str, Value]:
    """The table whose entries are `raw[start:end]`; of two with one key the first counts."""
    found: dict[str, Value] = {}
    _container(raw, found, start, end)
    return found


def prop(content: Content, name: str) -> Value:
    """A property other than the headers, None when it is absent."""
    span = content.spans.get(name)
    if span is None or name not in _INTEGER_PROPERTIES:
        return short_text(content, name)
    return int.from_bytes(content.raw[slice(*span)], "big")


def _container(raw: bytes, root: dict[str, Value] | list[Value], at: int, end: int) -> Value:
    """Fill `root`, and within it what is nested, entry by entry; `outer` are the containers not finished yet."""
    outer: list[tuple[dict[str, Value] | list[Value], int, int]] = []
    into, end = root, min(end, len(raw))
    for _ in range(MOST_ITEMS):
        while at >= end:
            if not outer:
                return root
            into, at, end = outer.pop()
        item = _next(raw, at, end, keyed=isinstance(into, dict))
        if item is None:
            _put(into, LEFT_OUT, LEFT_OUT)
            at = end
        elif item.kind in (_ARRAY, _TABLE) and len(outer) < DEEPEST - 1:
            child: dict[str, Value] | list[Value] = {} if item.kind == _TABLE else []
            _put(into, item.key, child)
            outer.append((into, item.end, end))
            into, at, end = child, item.start, item.end
        else:
            _put(into, item.key, _scalar(raw, item.kind, item.start, item.end))
            at = item.end
    if at < end or any(position < stop for _, position, stop in outer):
        _put(into, LEFT_OUT, LEFT_OUT)
    return root


def _next(raw: bytes, at: int, end: int, *, keyed: bool) -> _Item | None:
    """The entry or item at `at`; None when it cannot be read or does not end before `end`."""
    kind_at = at + 1 + raw[at] if keyed else at
    if kind_at >= end:
        return None
    kind, start = raw[kind_at], kind_at + 1
    size = table.SIZES[kind]
    if size == table.SIZED:
        start += 4
        if start > end:
            return None
        size = int.from_bytes(raw[start - 4 : start], "big")
    if size == table.UNKNOWN or start + size > end:
        return None
    key = raw[at + 1 : kind_at].decode("utf-8", "backslashreplace") if keyed else ""
    return _Item(key, kind, start, start + size)


def _put(into: dict[str, Value] | list[Value], key: str, found: Value) -> None:
    if isinstance(into, dict):
        into.setdefault(key, found)
    else:
        into.append(found)


def _scalar(raw: bytes, kind: int, start: int, end: int) -> Value:
    """A value that holds no others; LEFT_OUT for a container that is too deep, and for octets that are too few."""
    size = end - start
    if kind == _STRING:
        text = raw[start : min(end, start + MOST_OCTETS)].decode("utf-8", "backslashreplace")
        return text if size <= MOST_OCTETS else text + LEFT_OUT
    if kind == _BYTES:
        return raw[start : min(end, start + MOST_OCTETS)]
    if size != table.SIZES[kind]:
        return LEFT_OUT
    if kind in table.INTEGERS:
        return int(table.INTEGERS[kind].unpack_from(raw, start)[0])
    if kind in _FLOATS:
        return float(_FLOATS[kind].unpack_from(raw, start)[0])
    if kind == _BOOLEAN:
        return raw[start] != 0
    if kind == _DECIMAL:
        return Decimal(int.from_bytes(raw[start + 1 : end], "big")).scaleb(-raw[start])
    return None if kind == ord("V") else LEFT_OUT
