"""The death history that RabbitMQ writes (`x-death`), read from raw bytes; bounded and never raising.

Newest first is true of the first entry on every version; on 3.10 the rest is scrambled from three entries up. Order
of keys within an entry differs by version. https://www.rabbitmq.com/docs/dlx#effects
"""

from typing import NamedTuple

from dlxctl.wire import table

MOST_DEATHS = 64
_WANTED = frozenset({b"queue", b"reason", b"exchange", b"time", b"routing-keys"})
_ARRAY, _TABLE, _STRING = ord("A"), ord("F"), ord("S")


class Death(NamedTuple):
    """One entry: the queue, why (rejected, expired, maxlen, delivery_limit), and when first (s since 1970)."""

    queue: str
    reason: str
    at: int


Located = dict[bytes, table.Field]
"""Where the values of one death lie, by key."""


def locate(raw: bytes, field: table.Field | None) -> list[Located]:
    """Where the deaths in the field's array lie, in its order, at most MOST_DEATHS."""
    found: list[Located] = []
    if field is None or field.kind != _ARRAY:
        return found
    for element in table.elements(raw, field.value, field.end):
        if element.kind != _TABLE or len(found) == MOST_DEATHS:
            break
        fields, _ = table.find(raw, element.value, element.end, _WANTED)
        found.append({one.key: one for one in reversed(fields)})
    return found


def read(raw: bytes, located: list[Located]) -> list[Death]:
    """The deaths at those places; entries without a queue are left out."""
    return [death for death in (_death(raw, fields) for fields in located) if death.queue]


def published_to(raw: bytes, located: Located) -> tuple[str, str]:
    """The exchange and the first routing key that the message had come to the queue by; ('', '') when not told."""
    return table.text(raw, located.get(b"exchange")) or "", _first_key(raw, located.get(b"routing-keys"))


def _death(raw: bytes, fields: Located) -> Death:
    return Death(
        table.text(raw, fields.get(b"queue")) or "",
        table.text(raw, fields.get(b"reason")) or "",
        table.integer(raw, fields.get(b"time")) or 0,
    )


def _first_key(raw: bytes, field: table.Field | None) -> str:
    if field is None or field.kind != _ARRAY or field.end - field.value < 5 or raw[field.value] != _STRING:
        return ""
    start = field.value + 5
    end = start + int.from_bytes(raw[field.value + 1 : start], "big")
    return raw[start:end].decode("utf-8", "backslashreplace") if end <= field.end else ""
