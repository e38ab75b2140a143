"""Sees which replayed messages die again, without touching the dead-letter queue.

An exclusive queue is bound beside the dead-letter queue, with the same bindings, so that every new dead letter is
copied into it. It vanishes with its connection.
"""

from collections.abc import Iterable
from typing import Any

from dlxctl.broker.failures import converted
from dlxctl.broker.raw_link import RawLink
from dlxctl.model.topology import Binding
from dlxctl.replay.letter import Letter
from dlxctl.wire.intake import Delivery

PREFETCH = 200


class ReturnWatch:
    """The watch on RabbitMQ; counting begins when it is made."""

    def __init__(self, link: RawLink, bindings: Iterable[Binding]) -> None:
        """`link`: one of its own. Raises BrokerRefused when the user may not declare or bind."""
        self._link = link
        self._seen: dict[str, int] = {}
        channel: Any = link.connection.channel()
        with converted("watching for messages that die again"):
            queue = channel.queue_declare("", exclusive=True).method.queue
            for binding in bindings:
                channel.queue_bind(queue, binding.source, binding.routing_key, dict(binding.arguments))
        link.consume(queue, PREFETCH)

    def count(self, run_id: str) -> int:
        """How many copies of the run have died since, by the header that it left on them."""
        while letters := [Letter(event) for event in self._link.pump(0.01) if isinstance(event, Delivery)]:
            for letter in letters:
                self._seen[letter.run] = self._seen.get(letter.run, 0) + 1
            self._link.ack(letters[-1].delivery.tag, multiple=True)
        return self._seen.get(run_id, 0)

    def close(self) -> None:
        """End the watch."""
        self._link.close()
