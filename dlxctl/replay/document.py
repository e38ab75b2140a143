"""A dead letter as the plain values that `--where` and `--header` look at; only what is asked for is decoded.

Never raises, whatever the message: a body that is not short, uncompressed JSON is null, and pickle is never touched.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast

from dlxctl.model import headers as names
from dlxctl.replay.letter import Letter
from dlxctl.replay.origin import OriginRules, origin_of
from dlxctl.wire import content, decode, frames, table

LARGEST_BODY = 1_048_576
"""Octets of a body that is decoded."""

PROPERTIES = tuple(name for name in content.PROPERTIES if name != "headers")
_PLAIN_ENCODINGS = frozenset({b"", b"utf-8", b"utf8", b"ascii", b"us-ascii"})
_COMPRESSION = b"compression"
_FIRST_PROTOCOL = frozenset({b'"task"', b'"id"', b'"args"'})
"""Keys that a JSON body of Celery's protocol 1 has."""


def _origin(letter: Letter, rules: OriginRules) -> str:
    found = origin_of(letter, rules)
    return found if isinstance(found, str) else ""


def _id(letter: Letter) -> str:
    """Celery's task id, of either protocol, else the message id."""
    if letter.text("id") is None and (found := _first_protocol(letter, "id")):
        return found
    return letter.id


def _first_protocol(letter: Letter, name: str) -> str:
    """`task` or `id` out of a body of Celery's protocol 1, whose headers say nothing; '' when it is none.

    https://docs.celeryq.dev/en/stable/internals/protocol.html#version-1
    """
    if letter.field("task") is not None or not all(key in letter.delivery.body for key in _FIRST_PROTOCOL):
        return ""
    body = _body(letter)
    if not isinstance(body, dict) or not all(isinstance(body.get(key), str) for key in ("task", "id")):
        return ""
    return str(body[name])


FACTS: dict[str, Callable[[Letter, OriginRules], Any]] = {
    "task": lambda letter, _: letter.task or _first_protocol(letter, "task"),
    "id": lambda letter, _: _id(letter),
    "origin": _origin,
    "reason": lambda letter, _: letter.reason,
    "exception": lambda letter, _: letter.exception,
    "died_at": lambda letter, _: letter.died_at or None,
    "replays": lambda letter, _: letter.replays,
    "attempts": lambda letter, _: letter.integer(names.ATTEMPTS),
}
"""What inspect shows of a letter: texts are '' and numbers are None when not known."""

BODY_NAMES = ("body", "args", "kwargs")
NAMES = ("headers", "properties", *BODY_NAMES, *FACTS)
"""All that a document may hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What of a letter is to be decoded. `headers` and `properties`: their names, None for all of them."""

    facts: tuple[str, ...] = ()
    body: bool = False
    headers: frozenset[bytes] | None = frozenset()
    properties: frozenset[str] | None = frozenset()


def document(letter: Letter, rules: OriginRules, needs: Needs) -> dict[str, Any]:
    """The values of `letter` that `needs` names, by NAMES; all are of JSON's types."""
    found: dict[str, Any] = {name: FACTS[name](letter, rules) for name in needs.facts}
    if needs.headers is None or needs.headers:
        found["headers"] = headers(letter, needs.headers)
    if needs.properties is None or needs.properties:
        wanted, where = PROPERTIES if needs.properties is None else needs.properties, letter.content
        found["properties"] = {name: decode.prop(where, name) for name in wanted}
    if needs.body:
        found["body"] = body = _body(letter)
        if isinstance(body, list) and len(body) >= 2 and letter.is_celery:
            found["args"], found["kwargs"] = body[0], body[1]
    return found


def headers(letter: Letter, wanted: frozenset[bytes] | None) -> dict[str, Any]:
    """The headers named in `wanted`, None for all; of two with one name the first."""
    raw, shape = letter.delivery.header, letter.shape
    if wanted is None:
        found = decode.entries(raw, shape.content.table, shape.content.table_end)
        return {key: _plain(value) for key, value in found.items()}
    places = cast("_Places | None", shape.plans.get(wanted))
    if places is None:
        places = shape.plans[wanted] = _places(raw, shape.content, wanted)
    return {name: _plain(decode.value(raw, kind, start, end)) for name, kind, start, end in places}


def shown(value: Any) -> str:
    """A value of a document as `--header` compares it: text as it is, all else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


_Places = list[tuple[str, int, int, int]]
"""Name, kind octet and span of each wanted header; kept with the shape, since equal-looking headers share them."""


def _places(raw: bytes, where: content.Content, wanted: frozenset[bytes]) -> _Places:
    fields, _ = table.find(raw, where.table, where.table_end, wanted)
    return [
        (field.key.decode("utf-8", "backslashreplace"), field.kind, field.value, field.end)
        for field in reversed(fields)
    ]


def _body(letter: Letter) -> Any:
    if int.from_bytes(letter.delivery.header[4:12], "big") > LARGEST_BODY or not _is_plain_json(letter):
        return None
    try:
        return json.loads(frames.body_of(letter.delivery.body).decode())
    except (ValueError, RecursionError):  # not JSON, a number of thousands of digits, or nested a thousand deep
        return None


def _is_plain_json(letter: Letter) -> bool:
    raw, where = letter.delivery.header, letter.shape.content
    kind, encoding = _short(raw, where, "content_type"), _short(raw, where, "content_encoding")
    if kind.partition(b";")[0].strip().lower() != b"application/json" or encoding.lower() not in _PLAIN_ENCODINGS:
        return False
    if _COMPRESSION not in raw:  # spares most messages a walk through their headers
        return True
    return not table.find(raw, where.table, where.table_end, frozenset({_COMPRESSION}))[0]


def _short(raw: bytes, where: content.Content, name: str) -> bytes:
    span = where.spans.get(name)
    return b"" if span is None else raw[span[0] + 1 : span[1]]


def _plain(value: decode.Value) -> Any:
    """A decoded value as one of JSON's types; the depth of what it recurses into is bounded by the decoder."""
    match value:
        case bytes():
            return value.decode("utf-8", "backslashreplace")
        case Decimal():
            return float(value)
        case list():
            return [_plain(one) for one in value]
        case dict():
            return {key: _plain(one) for key, one in value.items()}
    return value
