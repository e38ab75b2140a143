"""A TCP proxy between dlxctl and a broker that makes bad weather: slow, cut, reset, silent, or an alarm.

It knows just enough of AMQP for the alarm: frames of the broker, so that `connection.blocked` goes between two of them,
and the octets that begin a publish. A broker under an alarm stops reading a connection that publishes; so does this.
"""

import contextlib
import select
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from dlxctl.broker.raw_connection import RESET_ON_CLOSE
from tests import amqp_values as amqp

UP, DOWN = "up", "down"
"""From dlxctl to the broker, and back."""

CHUNK = 65_536
TICK_S = 0.02
PUBLISH = struct.pack(">HH", 60, 40)
CONNECTION, BLOCKED, UNBLOCKED = 10, 60, 61


def _method_frame(method: int, arguments: bytes = b"") -> bytes:
    payload = struct.pack(">HH", CONNECTION, method) + arguments
    return struct.pack(">BHI", 1, 0, len(payload)) + payload + b"\xce"


@dataclass
class Cut:
    """At octet `at` of what was carried in `direction` call `then`, once; octets after it go on if the line lives."""

    direction: str
    at: int
    then: Callable[[], None]


@dataclass(eq=False)
class Pair:
    """One client's connection and its own to the broker."""

    client: socket.socket
    broker: socket.socket
    blocked: bool = False
    told: bool = False
    silent: bool = False
    dead: bool = False
    rest: bytes = b""
    """The broker's unfinished frame."""

    def end(self, *, reset: bool) -> None:
        """Close both sides, by RST or in good order."""
        self.dead = True
        for side in (self.client, self.broker):
            with contextlib.suppress(OSError):
                if reset:
                    side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
                side.close()


@dataclass
class Proxy:
    """Forwards to `target`. `latency_s` holds each chunk back; `bytes_per_s` bounds the rate; `silent` forwards nothing
    and closes nothing; `refusing` resets new connections; `alarm` blocks publishers, for that reason."""

    target: tuple[str, int]
    latency_s: float = 0.0
    bytes_per_s: float | None = None
    silent: bool = False
    refusing: bool = False
    alarm: str | None = None
    cut: Cut | None = None
    connections: int = 0
    refused: int = 0
    carried: dict[str, int] = field(default_factory=lambda: {UP: 0, DOWN: 0})
    _pairs: list[Pair] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._listener.close()
        self.reset()

    @property
    def port(self) -> int:
        """Where it listens, on loopback."""
        return int(self._listener.getsockname()[1])

    @property
    def alarmed(self) -> bool:
        """Whether a client is blocked, and was told."""
        return any(pair.told for pair in self._pairs)

    def reset(self) -> None:
        """End every connection by RST."""
        pairs, self._pairs = self._pairs, []
        for pair in pairs:
            pair.end(reset=True)

    def strand(self) -> None:
        """Make the present connections half-open: they carry nothing any more; new ones are fine."""
        for pair in self._pairs:
            pair.silent = True

    def freeze(self) -> None:
        """Forward nothing and close nothing, until `silent` is taken back."""
        self.silent = True

    def cut_at(self, direction: str, after: int, then: Callable[[], None] | None = None) -> None:
        """When `after` more octets went in `direction`: `then`, which is a reset of all connections by default."""
        self.cut = Cut(direction, self.carried[direction] + after, then or self.reset)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                broker = socket.create_connection(self.target)
            except OSError:
                client.close()
                continue
            pair = Pair(client, broker)
            if self.refusing:
                pair.end(reset=True)
                self.refused += 1
                continue
            for side in (client, broker):
                side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
            self._pairs.append(pair)
            threading.Thread(target=self._forward, args=(pair, UP), daemon=True).start()
            threading.Thread(target=self._forward, args=(pair, DOWN), daemon=True).start()

    def _forward(self, pair: Pair, direction: str) -> None:
        source, sink = (pair.client, pair.broker) if direction == UP else (pair.broker, pair.client)
        reset = False
        try:
            while not pair.dead:
                if direction == DOWN:
                    self._tell(pair)
                if self.silent or pair.silent:
                    time.sleep(TICK_S)
                    continue
                if not select.select([source], [], [], TICK_S)[0]:
                    continue
                chunk = source.recv(CHUNK)
                if not chunk:
                    sink.shutdown(socket.SHUT_WR)
                    return
                self._carry(pair, direction, chunk, sink)
            return
        except ConnectionResetError:
            reset = True  # passed on, as a line would
        except (OSError, ValueError):  # ValueError: select on a socket that was closed meanwhile
            pass
        pair.end(reset=reset)

    def _carry(self, pair: Pair, direction: str, chunk: bytes, sink: socket.socket) -> None:
        if self.latency_s:
            time.sleep(self.latency_s)
        if self.bytes_per_s:
            time.sleep(len(chunk) / self.bytes_per_s)
        if direction == UP and self.alarm is not None and (pair.blocked or PUBLISH in chunk):
            pair.blocked = True
        while (self.silent or pair.silent or (direction == UP and pair.blocked)) and not pair.dead:
            time.sleep(TICK_S)
        cut = self.cut
        room = cut.at - self.carried[direction] if cut and cut.direction == direction else len(chunk) + 1
        if cut and room <= len(chunk):
            self.cut = None
            self._send(direction, chunk[:room], sink)
            cut.then()
            chunk = chunk[room:]
        if chunk and not pair.dead:
            self._send(direction, chunk, sink)
            if direction == DOWN:
                pair.rest = _unfinished(pair.rest + chunk)

    def _send(self, direction: str, data: bytes, sink: socket.socket) -> None:
        self.carried[direction] += len(data)
        sink.sendall(data)

    def _tell(self, pair: Pair) -> None:
        """Between two frames of the broker: that the alarm began, or is over."""
        if pair.rest or pair.told == pair.blocked == (self.alarm is not None):
            return
        if pair.blocked and not pair.told and self.alarm is not None:
            pair.client.sendall(_method_frame(BLOCKED, amqp.short(self.alarm.encode())))
            pair.told = True
        elif pair.blocked and self.alarm is None:
            if pair.told:
                pair.client.sendall(_method_frame(UNBLOCKED))
            pair.blocked = pair.told = False


def _unfinished(data: bytes) -> bytes:
    """What follows the last whole frame in `data`."""
    at = 0
    while len(data) - at >= 7 and len(data) - at >= (size := int.from_bytes(data[at + 3 : at + 7], "big") + 8):
        at += size
    return data[at:]
