"""pika's connection with another frame reader: two channels' content goes to an `Intake`, all else to pika.

pika keeps the handshake, TLS, heartbeats, channel life and errors; only the hot road passes it by, because its codec
changes what it carries (it turns a float 1.5 into 1) and costs four fifths of the time. Relies on four private names
of pika 1.3 and 1.4 (`_on_data_available`, `_frame_buffer`, `_output_marshaled_frames`, `_transport`), which
tests/contract/test_link.py exercises.
"""

import struct
from contextlib import suppress
from socket import SHUT_RDWR, SO_LINGER, SOL_SOCKET

from pika.adapters.select_connection import SelectConnection

from dlxctl.wire.intake import Intake

RECEIVE_BYTES = 256 * 1024
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class RawConnection(SelectConnection):  # type: ignore[misc]  # pika has no types
    """A SelectConnection that can divert two channels."""

    intake: Intake | None = None
    _frame_buffer: bytes

    def divert(self, *, taking: int, giving: int) -> Intake:
        """From now on content, returns and confirms of these channels go to the Intake that is returned."""
        self.intake = Intake(taking=taking, giving=giving)
        rest: bytes = self._frame_buffer
        self._frame_buffer = b""
        self._transport._MAX_RECV_BYTES = RECEIVE_BYTES  # 4 KiB in pika: a system call for every four messages
        if rest:
            self._on_data_available(rest)
        return self.intake

    def write(self, data: bytes) -> None:
        """Send whole frames as they are."""
        self._output_marshaled_frames([data])

    def hang_up(self) -> None:
        """Cut the socket, so that pika sees the end of the stream in its next turn, and the broker a reset: one that
        does not read this connection (flow control) would not see its end before some heartbeats failed."""
        with suppress(OSError, AttributeError):  # pika has closed it already
            self._transport._sock.setsockopt(SOL_SOCKET, SO_LINGER, RESET_ON_CLOSE)
            self._transport._sock.shutdown(SHUT_RDWR)

    def _on_data_available(self, data_in: bytes) -> None:
        intake = self.intake
        if intake is None:
            super()._on_data_available(data_in)
            return
        intake.feed(data_in)
        if not intake.others:
            self.bytes_received += len(data_in)  # the heartbeat checker looks at it
            return
        others, intake.others = intake.others, []
        super()._on_data_available(b"".join(others))
