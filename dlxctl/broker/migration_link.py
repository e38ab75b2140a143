"""A `RawLink` that empties a queue for good: it takes before all other consumers, or alone, and makes the queue anew.

Rules: a consumer with a higher `x-priority` gets messages first as long as its prefetch is not full
(https://www.rabbitmq.com/docs/consumer-priority), so that what others hold can only become less. An exclusive consumer
is the only one; it is refused while the consumer of a dead process is still there.
"""

from typing import Any

from pika import spec

from dlxctl.broker.counts import Counts, queue_counts
from dlxctl.broker.failures import converted
from dlxctl.broker.raw_link import RawLink, _never_called
from dlxctl.model.topology import Queue, QueueType

PRIORITY = 1_000_000


class MigrationLink(RawLink):
    """`alone` says how `consume` takes: as the only consumer, or before all others."""

    alone = False

    def consume(self, queue: str, prefetch: int) -> None:
        """Take from `queue`. Raises BrokerRefused when another consumer has it (403), beside what RawLink raises."""
        arguments = None if self.alone else {"x-priority": PRIORITY}
        with self._asking(f"taking from queue {queue!r}"):
            self._taking.basic_qos(prefetch_count=prefetch)
            self._consumer = self._taking.basic_consume(
                queue, _never_called, exclusive=self.alone, arguments=arguments
            )  # fmt: skip

    def counts(self, queue: str) -> Counts | None:
        """Ready messages and consumers, exact and now; None when there is no such queue."""
        return queue_counts(self._connection, (queue,))[queue]

    def swap(self, old: Queue, new: Queue) -> None:
        """Delete the empty queue and declare it with the settings of `new`, in one breath.

        The name leads nowhere in between, for the time that the broker takes for the first step of a declaration. A
        classic queue is deleted only if it is empty; a quorum queue has no such condition (facts 9.8). Raises
        BrokerRefused when it was not empty: nothing has changed then.
        """
        with converted(f"making queue {new.name!r} anew"):
            channel = self._connection.channel()
            if_empty = old.type is QueueType.CLASSIC
            channel._impl._send_method(spec.Queue.Delete(queue=new.name, if_empty=if_empty, nowait=True))
            arguments: dict[str, Any] = dict(new.arguments)
            channel.queue_declare(
                new.name, durable=new.durable, auto_delete=new.auto_delete, exclusive=new.exclusive, arguments=arguments
            )  # fmt: skip
