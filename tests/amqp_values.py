"""AMQP values of every type as bytes, encoded here and not by dlxctl: tests must not test the codec with itself."""

import struct
from dataclasses import dataclass, field


def short(text: bytes) -> bytes:
    return bytes((len(text),)) + text


def long(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def entry(key: bytes, typed: bytes) -> bytes:
    """`typed` is a value with its kind octet."""
    return short(key) + typed


def string(text: str | bytes) -> bytes:
    return b"S" + long(text if isinstance(text, bytes) else text.encode())


def integer(value: int) -> bytes:
    return b"I" + struct.pack(">i", value)


def moment(value: int) -> bytes:
    return b"T" + struct.pack(">Q", value)


def table(*entries: bytes) -> bytes:
    return b"F" + long(b"".join(entries))


def array(*values: bytes) -> bytes:
    return b"A" + long(b"".join(values))


_EVERY_TYPE = (
    entry(b"t", b"t\x01"), entry(b"b", b"b\xff"), entry(b"B", b"B\xff"), entry(b"s", b"s\xff\xfe"),
    entry(b"u", b"u\xff\xfe"), entry(b"I", integer(-5)), entry(b"i", b"i\xff\xff\xff\xff"),
    entry(b"l", b"l" + struct.pack(">q", -(2**63))), entry(b"f", b"f" + struct.pack(">f", 1.5)),
    entry(b"d", b"d" + struct.pack(">d", 1.5)), entry(b"D", b"D\x02" + struct.pack(">I", 314)),
    entry(b"S", string("héllo")), entry(b"S2", string(b"\xff\xfe\x00")), entry(b"T", moment(2**63)),
    entry(b"V", b"V"), entry(b"x", b"x" + long(b"\x00\xff")),
    entry(b"F", table(entry(b"inner", table(entry(b"deep", integer(1)))))),
    entry(b"A", array(integer(1), string("two"), array(b"V"))),
    entry("schlüssel".encode(), integer(1)), entry(b"empty", table()),
)  # fmt: skip
EVERY_TYPE = tuple(sorted(_EVERY_TYPE, key=lambda e: e[1 : 1 + e[0]]))
"""One entry of each type that RabbitMQ accepts, by key: RabbitMQ 4 sorts a table's keys when it takes a message in."""

PROPERTIES = (
    ("content_type", 15), ("content_encoding", 14), ("headers", 13), ("delivery_mode", 12), ("priority", 11),
    ("correlation_id", 10), ("reply_to", 9), ("expiration", 8), ("message_id", 7), ("timestamp", 6), ("type", 5),
    ("user_id", 4), ("app_id", 3), ("cluster_id", 2),
)  # fmt: skip


@dataclass
class Header:
    """A content header payload: `entries` is the header table (None: no table); other properties as raw values."""

    body: bytes = b""
    entries: tuple[bytes, ...] | None = ()
    properties: dict[str, bytes] = field(default_factory=dict)

    def payload(self) -> bytes:
        flags, parts = 0, []
        for name, bit in PROPERTIES:
            if name == "headers" and self.entries is not None:
                parts.append(long(b"".join(self.entries)))
            elif name in self.properties:
                parts.append(self.properties[name])
            else:
                continue
            flags |= 1 << bit
        return struct.pack(">HHQH", 60, 0, len(self.body), flags) + b"".join(parts)


ALL_PROPERTIES = {
    "content_type": short(b"application/json"), "content_encoding": short(b"utf-8"), "delivery_mode": b"\x02",
    "priority": b"\x07", "correlation_id": short(b"c"), "reply_to": short(b"r"), "message_id": short(b"m"),
    "timestamp": struct.pack(">Q", 1_700_000_000), "type": short(b"y"), "app_id": short(b"a"),
    "cluster_id": short(b""),
}  # fmt: skip


def death(
    queue: str, reason: str = "rejected", at: int = 1_700_000_000, times: int = 1, key: str | None = None
) -> bytes:
    """One entry of `x-death`; the routing key is the queue's name unless told."""
    return table(
        entry(b"count", b"l" + struct.pack(">q", times)), entry(b"reason", string(reason)),
        entry(b"queue", string(queue)), entry(b"time", moment(at)), entry(b"exchange", string("")),
        entry(b"routing-keys", array(string(queue if key is None else key))),
    )  # fmt: skip


def body_frame(body: bytes, channel: int = 1) -> bytes:
    """`body` as frames of at most 128 KiB."""
    step = 131_064
    pieces = [body[at : at + step] for at in range(0, len(body), step)]
    return b"".join(struct.pack(">BHI", 3, channel, len(piece)) + piece + b"\xce" for piece in pieces)
