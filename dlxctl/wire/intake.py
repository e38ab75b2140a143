"""Bytes of a connection in, events of two channels out; frames that are not its content are handed back untouched.

Pure: feed it any cut of the stream and it gives the same events. It holds at most one unfinished frame and one
unfinished message a channel. Used in place of a client library's frame reader, so that headers and bodies stay raw
bytes.
"""

from struct import error as StructError
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

_SHORTEST = 2 * frames.OVERHEAD + 14
"""Octets of the shortest header frame with a body frame behind it."""


class Intake:
    """Frame reader of two channels: `taking` brings deliveries, `giving` confirms and returns.

    The body frames of a delivery are stamped with `giving`, ready to be published there. `events` and `others` grow as
    bytes are fed; the owner empties them.
    """

    __slots__ = (
        "_body",
        "_giving",
        "_header",
        "_missing",
        "_pending",
        "_rest",
        "_stamp",
        "_taking",
        "events",
        "others",
    )

    def __init__(self, *, taking: int, giving: int) -> None:
        self._taking, self._giving = taking, giving
        self._stamp = frames.frame_start.pack(frames.BODY, giving)
        self._rest = b""
        self._pending: dict[int, frames.Deliver | frames.Return] = {}
        self._header = {taking: b"", giving: b""}
        self._body: dict[int, list[bytes]] = {taking: [], giving: []}
        self._missing = {taking: 0, giving: 0}
        self.events: list[Event] = []
        self.others: list[bytes] = []

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        if self._rest:
            data = self._rest + data
        at, length = 0, len(data)
        prefix, taking, giving = frames.frame_prefix.unpack_from, self._taking, self._giving
        while length - at >= frames.OVERHEAD:
            kind, channel, size = prefix(data, at)
            stop = at + size + frames.OVERHEAD
            if stop > length:
                break
            if channel == taking:
                end = kind == frames.METHOD and self._at_once(data, at + 7, stop, length)
                if end:
                    at = end
                    continue
            if channel not in (taking, giving) or not self._take(kind, channel, data, at, stop):
                self.others.append(data[at:stop])
            at = stop
        self._rest = data[at:]

    def _at_once(self, data: bytes, method: int, at: int, length: int) -> int:
        """A delivery that lies whole in `data`, its body in one frame, as nearly all do: where it ends; else 0.

        `method`: offset of its method, `at` of its header frame.
        """
        if length - at < _SHORTEST or not data.startswith(frames.DELIVER_METHOD, method):
            return 0
        kind, channel, size = frames.frame_prefix.unpack_from(data, at)
        body_at = at + size + frames.OVERHEAD
        if kind != frames.HEADER or channel != self._taking or body_at + frames.OVERHEAD > length:
            return 0
        body_kind, body_channel, body_size = frames.frame_prefix.unpack_from(data, body_at)
        end: int = body_at + body_size + frames.OVERHEAD
        whole = frames.body_size(data, at + 7) == body_size and body_kind == frames.BODY
        if not whole or end > length or body_channel != self._taking:
            return 0
        header, body = data[at + 7 : body_at - 1], self._stamp + data[body_at + 3 : end]
        try:
            self.events.append(Delivery(*frames.read_deliver(data, method + 4), header, body))
        except (IndexError, StructError):
            return 0
        return end

    def _take(self, kind: int, channel: int, data: bytes, at: int, stop: int) -> bool:
        """Digest one whole frame of a channel of ours; False when it is somebody else's business, or makes no sense:
        the owner of the connection then says so."""
        if kind == frames.METHOD:
            try:
                return self._method(channel, data[at + 7 : stop - 1])
            except (IndexError, StructError):
                return False
        if channel not in self._pending:
            return False
        if kind == frames.HEADER:
            self._header[channel] = data[at + 7 : stop - 1]
            self._missing[channel] = frames.body_size(data, at + 7)
        else:
            self._body[channel].append(self._stamp + data[at + 3 : stop])
            self._missing[channel] -= stop - at - frames.OVERHEAD
        if self._missing[channel] <= 0:
            self._complete(channel)
        return True

    def _method(self, channel: int, data: bytes) -> bool:
        group, method = frames.method_id.unpack_from(data)
        if group != frames.BASIC:
            return False
        if method == frames.DELIVER:
            self._pending[channel] = frames.read_deliver(data, 4)
        elif method in (frames.ACK, frames.NACK):
            sequence, multiple = frames.read_confirm(data, 4)
            self.events.append(Confirm(sequence, multiple, method == frames.ACK))
        elif method == frames.RETURN:
            self._pending[channel] = frames.read_return(data, 4)
        else:
            if method == frames.CANCEL:
                self.events.append(Cancelled())
            return False
        return True

    def _complete(self, channel: int) -> None:
        pending, body, header = self._pending.pop(channel), self._body[channel], self._header[channel]
        match pending:
            case frames.Deliver():
                self.events.append(Delivery(*pending, header, b"".join(body)))
            case frames.Return(code, text, _, key):
                self.events.append(Returned(code, text.decode("utf-8", "backslashreplace"), key, header))
        body.clear()
