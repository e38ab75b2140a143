"""The `Link` to RabbitMQ, on a `RawConnection`. Rules it implements: AMQP 0-9-1 confirms, mandatory, prefetch.

Two channels, one to take and one to give: each is a process of the broker, and with one for both a replay is a fifth
slower (docs/decisions/0008). What comes in is gathered for a moment, since a turn of many messages costs each of them
less, here and in the broker.

A copy is written whole (method, header, body frames in one piece), since a method frame between them would close the
connection (505 UNEXPECTED_FRAME).
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from pika import exceptions as pika_errors

from dlxctl.broker.address import Access
from dlxctl.broker.amqp import open_connection
from dlxctl.broker.failures import converted
from dlxctl.broker.raw_connection import RawConnection
from dlxctl.errors import BrokerUnavailable
from dlxctl.wire import frames
from dlxctl.wire.intake import Event

ANSWER_S = 60
"""How long to wait for the broker's answer to a call; its own limit for what a channel asks a queue is 15 s."""
CLOSE_S = 5
"""How long to wait for the broker's word when closing."""
GATHER_S = 0.003
"""How long bytes come together before they are read, where many are on their way."""


class RawLink:
    """One connection with a channel to take and a channel, in confirm mode, to give."""

    def __init__(
        self, access: Access, *, purpose: str, blocked_timeout_s: float | None = None,
        on_blocked: Callable[[str | None], None] | None = None,
    ) -> None:  # fmt: skip
        """Connect. Raises what `open_connection` raises, BrokerUnavailable also when the line breaks after that.

        `on_blocked` hears at once when an alarm stops publishers (its reason) and when it is over (None), also while a
        call waits; after `blocked_timeout_s` of an alarm the connection ends with BrokerUnavailable.
        """
        self._connection = open_connection(
            access, purpose=purpose, blocked_timeout_s=blocked_timeout_s, implementation=RawConnection
        )
        self._tell_blocked = on_blocked
        with converted("opening channels"):
            self._giving, self._taking = self._connection.channel(), self._connection.channel()
            self._giving.confirm_delivery()
        self._raw: RawConnection = self._connection._impl
        self._to, self._from = int(self._giving.channel_number), int(self._taking.channel_number)
        self._intake = self._raw.divert(taking=self._from, giving=self._to)
        self._buffer: list[bytes] = []
        self._methods: dict[tuple[bytes, bytes], bytes] = {}
        self._sequence = 0
        self._consumer = ""
        self._blocked: str | None = None
        self._unanswered = False
        self._raw.add_on_connection_blocked_callback(self._on_blocked)
        self._raw.add_on_connection_unblocked_callback(self._on_unblocked)

    @property
    def connection(self) -> Any:
        """pika's connection, for what belongs to the same life: the lock and the run mark."""
        return self._connection

    @property
    def blocked(self) -> str | None:
        return self._blocked

    def depth(self, queue: str) -> int:
        with self._asking(f"reading queue {queue!r}"):
            return int(self._taking.queue_declare(queue, passive=True).method.message_count)

    def takers(self, queue: str) -> int:
        with self._asking(f"reading queue {queue!r}"):
            return int(self._taking.queue_declare(queue, passive=True).method.consumer_count)

    def consume(self, queue: str, prefetch: int) -> None:
        with self._asking(f"taking from queue {queue!r}"):
            self._taking.basic_qos(prefetch_count=prefetch)
            self._consumer = self._taking.basic_consume(queue, _never_called)

    def cancel(self) -> None:
        if self._consumer:
            tag, self._consumer = self._consumer, ""
            with self._asking("ending the consumer"):
                self._flush()  # acknowledgements go first: see settle
                self._taking.basic_cancel(tag)

    def publish(self, exchange: bytes, routing_key: bytes, header: bytes, body: bytes) -> int:
        method = self._methods.get((exchange, routing_key))
        if method is None:
            method = frames.publish_method(self._to, exchange, routing_key)
            self._methods[exchange, routing_key] = method
        prefix = frames.frame_prefix.pack(frames.HEADER, self._to, len(header))
        self._buffer += (method, prefix, header, b"\xce", body)
        self._sequence += 1
        return self._sequence

    def ack(self, tag: int, *, multiple: bool) -> None:
        self._buffer.append(frames.ack(self._from, tag, multiple=multiple))

    def give_back(self, tag: int) -> None:
        self._buffer.append(frames.nack_requeue(self._from, tag, multiple=False))

    def give_back_all(self) -> None:
        self._buffer.append(frames.nack_requeue(self._from, 0, multiple=True))

    def pump(self, timeout_s: float, *, gather: bool = False) -> list[Event]:
        with converted("moving messages"):
            self._raise_if_ended()
            self._flush()
            if gather:
                time.sleep(GATHER_S)
            self._wait(timeout_s)
        events: list[Event] = self._intake.events
        self._intake.events = []
        return events

    def settle(self) -> None:
        with self._asking("waiting for the broker to take what was sent"):
            self._flush()
            for channel in (self._taking, self._giving):
                channel.basic_qos(prefetch_count=1)  # any synchronous method of the channel will do

    def abort(self) -> None:
        self._raw.hang_up()
        self.close()

    def close(self) -> None:
        if not self._connection.is_open:
            return
        timer = self._raw.ioloop.call_later(CLOSE_S, self._raw.hang_up)
        with suppress(pika_errors.AMQPError, OSError):
            self._connection.close()
        self._forget(timer)

    @contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        """`converted`, for calls that wait for an answer: a broker that gives none loses the connection."""
        self._arm()
        try:
            with converted(what):
                yield
        except BrokerUnavailable as error:
            if not self._unanswered:
                raise
            raise BrokerUnavailable(error.what, why=f"no answer for {ANSWER_S} s", remedy=error.remedy) from None
        finally:
            self._forget(self._answer_timer)

    def _arm(self) -> None:
        self._answer_timer = self._raw.ioloop.call_later(ANSWER_S, self._give_up)

    def _give_up(self) -> None:
        if self._blocked is not None:
            self._arm()  # the alarm has its own patience
            return
        self._unanswered = True
        self._raw.hang_up()

    def _flush(self) -> None:
        if self._buffer:
            data = b"".join(self._buffer)
            self._buffer.clear()
            self._raw.write(data)

    def _wait(self, timeout_s: float) -> None:
        """pika's loop, until events came; unlike pika's own it does not wait for the output, which an alarm stops."""
        loop, events = self._raw.ioloop, self._intake.events
        deadline = time.monotonic() + timeout_s
        timer = loop.call_later(timeout_s, _nothing)
        try:
            while not events and self._alive:
                loop.poll()
                loop.process_timeouts()
                if time.monotonic() >= deadline:
                    break
        finally:
            self._forget(timer)
        self._raise_if_ended()

    def _forget(self, timer: object) -> None:
        with suppress(ValueError):  # pika closes its loop with the connection
            self._raw.ioloop.remove_timeout(timer)

    @property
    def _alive(self) -> bool:
        return all(part.is_open for part in (self._connection, self._giving, self._taking))

    def _raise_if_ended(self) -> None:
        """Raise why the connection or a channel ended, as pika noted it; nothing while all live."""
        if self._alive:
            return
        closed = self._connection._closed_result
        ended = next((channel for channel in (self._giving, self._taking) if not channel.is_open), None)
        reason = closed.value.error if closed.ready else getattr(ended, "_closing_reason", None)
        raise reason or pika_errors.ConnectionWrongStateError("the connection has ended")

    def _on_blocked(self, _connection: object, frame: Any) -> None:
        self._blocked = str(frame.method.reason or "resource alarm")
        if self._tell_blocked:
            self._tell_blocked(self._blocked)

    def _on_unblocked(self, _connection: object, _frame: object) -> None:
        self._blocked = None
        if self._tell_blocked:
            self._tell_blocked(None)


def _never_called(*_arguments: object) -> None:
    """pika wants a callback; deliveries never reach it."""


def _nothing() -> None:
    """A timer's callback whose only purpose is to wake the loop."""
