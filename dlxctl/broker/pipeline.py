"""Many queues and bindings, sent over AMQP before the first of them is answered; one answer a channel ends a batch.

Methods are sent with `no-wait`, so that the broker is never idle for a round trip; it refuses them as it does others,
by closing the channel. Each channel is a process of the broker and works in order, so what belongs to one queue goes
over one. Figures: docs/decisions/0015.

Arguments have the types that the management API makes of JSON, since a binding's identity depends on them: pika would
write a small integer in 32 bits. A float it cannot write at all; what holds one is left to the management API.
"""

import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, assert_never

from pika.compat import long
from pika.exceptions import AMQPError, UnsupportedAMQPFieldException

from dlxctl.broker.address import Access
from dlxctl.broker.amqp import open_connection
from dlxctl.broker.failures import converted
from dlxctl.errors import BrokerRefused
from dlxctl.model.topology import Binding, Queue

CHANNELS = 4
"""More were no faster (measured with 1 to 16 on 3.10 and 4.3)."""


class AmqpPipeline:
    """The `Pipeline` to RabbitMQ. Connects when there is something to make, and anew after a failure."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._connection: Any = None
        self._channels: list[Any] = []

    def make(self, objects: Sequence[Queue | Binding]) -> None:
        """Create all, or raise; a batch should be small enough to be over within a heartbeat's time."""
        try:
            with converted("making queues and bindings"), _writable():
                self._make(objects)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the connection, if there is one."""
        connection, self._connection = self._connection, None
        if connection is not None and connection.is_open:
            with suppress(AMQPError, OSError):
                connection.close()

    def _make(self, objects: Sequence[Queue | Binding]) -> None:
        self._connect()
        used: dict[str, Any] = {}
        for thing in objects:
            name = thing.name if isinstance(thing, Queue) else thing.destination
            _send(used.setdefault(name, self._channels[len(used) % CHANNELS]), thing)
        for channel in self._channels:
            _await(channel)

    def _connect(self) -> None:
        if self._connection is None:
            self._connection = open_connection(self._access, purpose="make queues and bindings")
            self._channels = [self._connection.channel() for _ in range(CHANNELS)]


@contextmanager
def pipeline(access: Access) -> Iterator[AmqpPipeline]:
    """One that is closed after the block."""
    made = AmqpPipeline(access)
    try:
        yield made
    finally:
        made.close()


def as_json_types(value: Any) -> Any:
    """`value` so that pika writes it with the types that RabbitMQ gives to JSON: integers in 64 bits."""
    match value:
        case bool():
            return value
        case int():
            return long(value)
        case dict():
            return {key: as_json_types(inner) for key, inner in value.items()}
        case list():
            return [as_json_types(inner) for inner in value]
        case _:
            return value


def _send(channel: Any, thing: Queue | Binding) -> None:
    """pika's asynchronous channel sends with `no-wait` what has no callback; its blocking one would wait."""
    sending, arguments = channel._impl, as_json_types(dict(thing.arguments))
    match thing:
        case Queue():
            sending.queue_declare(thing.name, durable=thing.durable, auto_delete=thing.auto_delete, arguments=arguments)
        case Binding() if thing.to_exchange:
            sending.exchange_bind(thing.destination, thing.source, thing.routing_key, arguments=arguments)
        case Binding():
            sending.queue_bind(thing.destination, thing.source, thing.routing_key, arguments=arguments)
        case _:
            assert_never(thing)


def _await(channel: Any) -> None:
    """Until the broker has done what was sent; any method with an answer will do."""
    if not channel.is_open:  # while another was awaited
        raise channel._closing_reason
    channel.basic_qos(prefetch_count=1)


@contextmanager
def _writable() -> Iterator[None]:
    try:
        yield
    except (UnsupportedAMQPFieldException, struct.error) as error:
        remedy = "Check the arguments in the file: AMQP has no numbers of more than 64 bits."
        raise BrokerRefused("an argument cannot be written in AMQP", why=type(error).__name__, remedy=remedy) from None
