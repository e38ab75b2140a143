"""Bytes of a connection in, events of one channel out; frames that are not its content are handed back untouched.

Pure: feed it any cut of the stream and it gives the same events. It holds at most one unfinished frame and one
unfinished message. Used in place of a client library's frame reader, so that headers and bodies stay raw bytes.
"""

from typing import NamedTuple

from dlxctl.wire import frames


class Delivery(NamedTuple):
    """A message as it came: `header` is the content header payload, `body` its body frames, whole."""

    tag: int
    redelivered: bool
    exchange: bytes
    routing_key: bytes
    header: bytes
    body: bytes


class Returned(NamedTuple):
    """A mandatory copy that reached no queue; `header` is the copy's content header payload."""

    code: int
    text: str
    routing_key: bytes
    header: bytes


class Confirm(NamedTuple):
    """The broker took (`ok`) or refused the copy number `sequence`, and with `multiple` all before it."""

    sequence: int
    multiple: bool
    ok: bool


class Cancelled(NamedTuple):
    """The broker ended the consumer: its queue was deleted, or it failed over."""


Event = Delivery | Returned | Confirm | Cancelled


class Intake:
    """Frame reader of channel `channel`. `events` and `others` grow as bytes are fed; the owner empties them."""

    __slots__ = ("_body", "_channel", "_header", "_missing", "_pending", "_rest", "events", "others")

    def __init__(self, channel: int) -> None:
        self._channel = channel
        self._rest = b""
        self._pending: frames.Deliver | frames.Return | None = None
        self._header = b""
        self._body: list[bytes] = []
        self._missing = 0
        self.events: list[Event] = []
        self.others: list[bytes] = []

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        if self._rest:
            data = self._rest + data
        at, length = 0, len(data)
        prefix = frames.frame_prefix.unpack_from
        while length - at >= frames.OVERHEAD:
            kind, channel, size = prefix(data, at)
            stop = at + size + frames.OVERHEAD
            if stop > length:
                break
            if channel != self._channel or not self._take(kind, data, at, stop):
                self.others.append(data[at:stop])
            at = stop
        self._rest = data[at:]

    def _take(self, kind: int, data: bytes, at: int, stop: int) -> bool:
        """Digest one whole frame of the channel; False when it is somebody else's business."""
        if kind == frames.METHOD:
            return self._method(data, at + 7)
        if self._pending is None:
            return False
        if kind == frames.HEADER:
            self._header = data[at + 7 : stop - 1]
            self._missing = int.from_bytes(self._header[4:12], "big")
        else:
            self._body.append(data[at:stop])
            self._missing -= stop - at - frames.OVERHEAD
        if self._missing <= 0:
            self._complete()
        return True

    def _method(self, data: bytes, at: int) -> bool:
        group, method = frames.method_id.unpack_from(data, at)
        if group != frames.BASIC:
            return False
        if method == frames.DELIVER:
            self._pending = frames.read_deliver(data, at + 4)
        elif method in (frames.ACK, frames.NACK):
            sequence, multiple = frames.read_confirm(data, at + 4)
            self.events.append(Confirm(sequence, multiple, method == frames.ACK))
        elif method == frames.RETURN:
            self._pending = frames.read_return(data, at + 4)
        else:
            if method == frames.CANCEL:
                self.events.append(Cancelled())
            return False
        return True

    def _complete(self) -> None:
        pending, body = self._pending, self._body
        match pending:
            case frames.Deliver(tag, redelivered, exchange, key):
                whole = body[0] if len(body) == 1 else b"".join(body)
                self.events.append(Delivery(tag, redelivered, exchange, key, self._header, whole))
            case frames.Return(code, text, _, key):
                self.events.append(Returned(code, text.decode("utf-8", "backslashreplace"), key, self._header))
        self._pending = None
        self._body = []
