"""AMQP frames that the fast road needs: reading deliver, return, ack and nack; writing publish, ack and nack.

A publish is written as one run of bytes (method, header and body frames together), so that no other method frame of
the channel can come between. Body frames are passed on as they came: the channel number is the same on both ways.
"""

from struct import Struct
from typing import NamedTuple

METHOD, HEADER, BODY, HEARTBEAT = 1, 2, 3, 8
END = 0xCE
OVERHEAD = 8
"""Octets of a frame beside its payload."""

frame_prefix = Struct(">BHI")
frame_start = Struct(">BH")
method_id = Struct(">HH")
_u64 = Struct(">Q")
_ack = Struct(">BHIHHQBB")

BASIC = 60
CANCEL, PUBLISH, RETURN, DELIVER, ACK, NACK = 30, 40, 50, 60, 80, 120
DELIVER_METHOD = method_id.pack(BASIC, DELIVER)


class Deliver(NamedTuple):
    """basic.deliver."""

    tag: int
    redelivered: bool
    exchange: bytes
    routing_key: bytes


class Return(NamedTuple):
    """basic.return: why a mandatory message could not be routed."""

    code: int
    text: bytes
    exchange: bytes
    routing_key: bytes


def read_deliver(data: bytes, at: int) -> Deliver:
    """The arguments of basic.deliver; `at` is the offset just behind class and method id."""
    at += 1 + data[at]  # the consumer tag
    (tag,) = _u64.unpack_from(data, at)
    exchange_at = at + 10
    key_at = exchange_at + data[exchange_at - 1] + 1
    return Deliver(
        tag,
        data[at + 8] != 0,
        data[exchange_at : key_at - 1],
        data[key_at : key_at + data[key_at - 1]],
    )


def body_size(data: bytes, at: int) -> int:
    """Octets of the body that the content header payload at `at` announces."""
    return int.from_bytes(data[at + 4 : at + 12], "big")


def read_return(data: bytes, at: int) -> Return:
    """The arguments of basic.return."""
    code = int.from_bytes(data[at : at + 2], "big")
    parts = []
    at += 2
    for _ in range(3):
        end = at + 1 + data[at]
        parts.append(data[at + 1 : end])
        at = end
    return Return(code, *parts)


def read_confirm(data: bytes, at: int) -> tuple[int, bool]:
    """The arguments of basic.ack or basic.nack sent by the broker: (sequence number, multiple)."""
    return _u64.unpack_from(data, at)[0], bool(data[at + 8] & 1)


def publish_method(channel: int, exchange: bytes, routing_key: bytes) -> bytes:
    """The whole method frame of a mandatory basic.publish."""
    payload = b"".join(
        (
            method_id.pack(BASIC, PUBLISH), b"\0\0", bytes((len(exchange),)), exchange,
            bytes((len(routing_key),)), routing_key, b"\1",
        )
    )  # fmt: skip
    return frame(METHOD, channel, payload)


def frame(kind: int, channel: int, payload: bytes) -> bytes:
    """One frame around `payload`."""
    return b"".join((frame_prefix.pack(kind, channel, len(payload)), payload, b"\xce"))


def body_frames(channel: int, body: bytes, frame_max: int) -> bytes:
    """`body` cut into frames of at most `frame_max` octets."""
    step = frame_max - OVERHEAD
    return b"".join(frame(BODY, channel, body[at : at + step]) for at in range(0, len(body), step))


def body_of(frames: bytes) -> bytes:
    """The body inside a run of body frames, as they came."""
    parts, at = [], 0
    while at < len(frames):
        size = frame_prefix.unpack_from(frames, at)[2]
        parts.append(frames[at + 7 : at + 7 + size])
        at += size + OVERHEAD
    return b"".join(parts)


def ack(channel: int, tag: int, *, multiple: bool) -> bytes:
    """basic.ack, a whole frame."""
    return _ack.pack(METHOD, channel, 13, BASIC, ACK, tag, multiple, END)


def nack_requeue(channel: int, tag: int, *, multiple: bool) -> bytes:
    """basic.nack with requeue, a whole frame; tag 0 with multiple means all outstanding."""
    return _ack.pack(METHOD, channel, 13, BASIC, NACK, tag, 2 | multiple, END)
