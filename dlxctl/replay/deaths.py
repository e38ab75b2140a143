"""The death history that RabbitMQ writes (`x-death`), read from raw bytes; bounded and never raising.

Newest first is true of the first entry on every version; on 3.10 the rest is scrambled from three entries up. Order
of keys within an entry differs by version. https://www.rabbitmq.com/docs/dlx#effects
"""

from typing import NamedTuple

from dlxctl.wire import table

MOST_DEATHS = 64
_WANTED = frozenset({b"queue", b"reason", b"exchange", b"count", b"time", b"routing-keys"})
_ARRAY, _TABLE, _STRING = ord("A"), ord("F"), ord("S")


class Death(NamedTuple):
    """One entry: the queue, why (rejected, expired, maxlen, delivery_limit), `times`, first when (s since 1970), and
    the first routing key it had come with, '' unknown."""

    queue: str
    reason: str
    exchange: str
    times: int
    at: int
    routing_key: str = ""


def read(raw: bytes, field: table.Field | None) -> list[Death]:
    """The deaths in the field's array, in its order, at most MOST_DEATHS; entries without a queue are left out."""
    deaths: list[Death] = []
    if field is None or field.kind != _ARRAY:
        return deaths
    position = field.value
    while position + 5 <= field.end and raw[position] == _TABLE and len(deaths) < MOST_DEATHS:
        start = position + 5
        position = start + int.from_bytes(raw[position + 1 : start], "big")
        if position > field.end:
            break
        death = _death(raw, start, position)
        if death is not None:
            deaths.append(death)
    return deaths


def _death(raw: bytes, start: int, end: int) -> Death | None:
    found, _ = table.find(raw, start, end, _WANTED)
    fields = {field.key: field for field in reversed(found)}
    queue = table.text(raw, fields.get(b"queue"))
    if not queue:
        return None
    return Death(
        queue,
        table.text(raw, fields.get(b"reason")) or "",
        table.text(raw, fields.get(b"exchange")) or "",
        table.integer(raw, fields.get(b"count")) or 0,
        table.integer(raw, fields.get(b"time")) or 0,
        _first_key(raw, fields.get(b"routing-keys")),
    )


def _first_key(raw: bytes, field: table.Field | None) -> str:
    if field is None or field.kind != _ARRAY or field.end - field.value < 5 or raw[field.value] != _STRING:
        return ""
    start = field.value + 5
    end = start + int.from_bytes(raw[field.value + 1 : start], "big")
    return raw[start:end].decode("utf-8", "backslashreplace") if end <= field.end else ""
