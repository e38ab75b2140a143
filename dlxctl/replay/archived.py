"""The archive's format: JSON lines, one message each with its raw header and body, a head and an end. Pure.

A line is complete in itself: it has its own checksum, so a torn or altered one is known and costs no other. Base64,
since header and body are any octets. What is readable beside them is for people and `jq`, and never read back.
"""

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass
from typing import Any

from dlxctl.model import headers as names
from dlxctl.replay.letter import Letter
from dlxctl.replay.summary import Row
from dlxctl.wire import content, frames, table
from dlxctl.wire.intake import Delivery

FORMAT = 1
COUNTERS = frozenset({b"x-delivery-count", b"x-acquired-count"})
"""Headers that the broker changes each time it hands a message out: no part of what the message is."""
_BESIDE = COUNTERS | {names.MAYBE_DUPLICATE.encode()}
"""The mark is none either: a look writes it on a copy of the message that is in an archive without it."""
READABLE = ("id", "task", "origin", "reason", "exception", "died_at", "group")
_GIVING_CHANNEL, _FRAME_MAX = 1, 131_072


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The first line: where the messages were, when (ISO 8601, UTC), and by which run."""

    queue: str
    vhost: str
    exported: str
    run: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Archived:
    """One message: `header` is its content header payload, `body` the body without frames."""

    exchange: bytes
    routing_key: bytes
    header: bytes
    body: bytes

    @property
    def letter(self) -> Letter:
        """The message as it would come from its queue."""
        framed = frames.body_frames(_GIVING_CHANNEL, self.body, _FRAME_MAX)
        return Letter(Delivery(0, False, self.exchange, self.routing_key, self.header, framed))


def identity(header: bytes, body_frames: bytes) -> bytes:
    """16 octets that tell a message by its bytes, without the broker's counters and the mark of a possible duplicate;
    `body_frames` as a Delivery has it."""
    state = hashlib.blake2b(digest_size=16)
    for part in (*_parts(header), frames.body_of(body_frames)):
        state.update(len(part).to_bytes(8, "big"))
        state.update(part)
    return state.digest()


def _parts(header: bytes) -> list[bytes]:
    """Properties in their order and header entries in an order of their own: RabbitMQ 3.10 sorts them by key from the
    second delivery on, when it adds its counter, and makes a table where there was none."""
    where = content.read(header)
    _, broken_at = table.find(header, where.table, where.table_end, frozenset())
    if where.trouble != table.INTACT or broken_at != table.INTACT:
        return [header]
    parts = [name.encode() + header[start:end] for name, (start, end) in where.spans.items() if name != "headers"]
    fields = table.walk(header, where.table, where.table_end)
    return parts + sorted(header[field.start : field.end] for field in fields if field.key not in _BESIDE)


def head_line(head: Head) -> bytes:
    """The first line."""
    return _line({"dlxctl_archive": FORMAT, "queue": head.queue, "vhost": head.vhost, "exported": head.exported,
                  "run": head.run})  # fmt: skip


def message_line(letter: Letter, row: Row) -> bytes:
    """The line of one message."""
    delivery = letter.delivery
    body = frames.body_of(delivery.body)
    readable = {name: getattr(row, name) for name in READABLE}
    raw = {"exchange": delivery.exchange, "routing_key": delivery.routing_key, "header": delivery.header, "body": body}
    return _line(readable | {name: base64.b64encode(value).decode() for name, value in raw.items()}
                 | {"sha256": _checksum(*raw.values())})  # fmt: skip


def end_line(messages: int) -> bytes:
    """The last line; where it is missing, the export did not end."""
    return _line({"messages": messages})


def head_of(line: bytes) -> Head | None:
    """The head, None when this is no archive of a format that is known."""
    found = _object(line)
    if found.get("dlxctl_archive") != FORMAT:
        return None
    return Head(**{name: str(found.get(name, "")) for name in ("queue", "vhost", "exported", "run")})


def message_of(line: bytes) -> Archived | int | None:
    """A message; the number of messages when this is the end; None when the line is torn or was altered."""
    found = _object(line)
    if isinstance(found.get("messages"), int):
        return int(found["messages"])
    try:
        parts = [base64.b64decode(found[name], validate=True) for name in ("exchange", "routing_key", "header", "body")]
    except (KeyError, TypeError, ValueError, binascii.Error):
        return None
    if found.get("sha256") != _checksum(*parts):
        return None
    return Archived(exchange=parts[0], routing_key=parts[1], header=parts[2], body=parts[3])


def _checksum(*parts: bytes) -> str:
    """SHA-256 over the parts, each after its length in 8 octets, so that no octet can change sides."""
    state = hashlib.sha256()
    for part in parts:
        state.update(len(part).to_bytes(8, "big"))
        state.update(part)
    return state.hexdigest()


def _line(entry: dict[str, Any]) -> bytes:
    return json.dumps(entry).encode() + b"\n"


def _object(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
