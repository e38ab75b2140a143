"""The lock of a run: an exclusive queue, which is gone the moment its connection is, so that none stays behind.

RabbitMQ gives an exclusive queue to one connection and answers every other with 405 RESOURCE_LOCKED
(https://www.rabbitmq.com/docs/queues#exclusive-queues). It is advisory: steps stay idempotent all the same.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from pika.adapters.blocking_connection import BlockingChannel, BlockingConnection
from pika.exceptions import AMQPError

from dlxctl.broker.address import Access
from dlxctl.broker.amqp import open_connection
from dlxctl.broker.failures import converted
from dlxctl.errors import BrokerUnavailable, Locked


class ConnectionLock:
    """A lock that was obtained over `connection`."""

    def __init__(self, connection: BlockingConnection) -> None:
        self._connection = connection

    def confirm(self) -> None:
        """Answer the broker's heartbeats. Raises BrokerUnavailable when the connection, and the lock, are lost."""
        try:
            self._connection.process_data_events(0)
        except (AMQPError, OSError):
            raise BrokerUnavailable(
                "the lock was lost with its connection",
                why="the broker or the network closed it",
                remedy="What was done stays; run the same command again.",
            ) from None


@contextmanager
def exclusive(access: Access, queue: str, *, purpose: str, holder: Callable[[], str]) -> Iterator[ConnectionLock]:
    """Hold `queue` for the block; `holder` says who has it otherwise, '' if nobody can tell. Raises Locked."""
    connection = open_connection(access, purpose=purpose)
    try:
        channel = _declare(connection, queue, holder)
        try:
            yield ConnectionLock(connection)
        finally:
            with suppress(AMQPError, OSError):  # the broker takes a moment to delete what a closed connection leaves
                channel.queue_delete(queue)
    finally:
        with suppress(AMQPError, OSError):
            connection.close()


def _declare(connection: BlockingConnection, queue: str, holder: Callable[[], str]) -> BlockingChannel:
    try:
        with converted(f"declaring the lock queue {queue!r}"):
            channel = connection.channel()
            channel.queue_declare(queue, exclusive=True)
            return channel
    except Locked:
        raise held(queue, holder()) from None


def held(queue: str, holder: str) -> Locked:
    """The refusal, naming the holder."""
    return Locked(
        f"another run holds the lock {queue!r}",
        why=f"held by {holder}" if holder else "the broker does not tell by whom",
        remedy="Wait until it ends; the lock goes away with that run's connection, also when it crashed.",
    )
