"""kombu, the library of Celery itself: a consumer with a prefetch of 1000, `confirm_publish` as Celery would set it.

Two connections, as kombu's ConsumerProducerMixin has: on one, waiting for a confirm would call `move` within `move`.
"""

import sys
from typing import Any

from kombu import Connection, Consumer, Producer, Queue

from bench.clients.clock import timed, url

PROPERTIES = ("correlation_id", "reply_to", "priority", "expiration", "message_id", "timestamp", "type", "app_id")


def main(count: int) -> None:
    """Move `count` messages."""
    with Connection(url(), transport_options={"confirm_publish": True}) as connection, connection.clone() as another:
        producer = Producer(another.channel(), auto_declare=False)
        moved = 0

        def move(message: Any) -> None:
            nonlocal moved
            kept = {name: message.properties[name] for name in PROPERTIES if name in message.properties}
            producer.publish(
                message.body, exchange="", routing_key="orders", headers=message.headers, mandatory=True,
                content_type=message.content_type, content_encoding=message.content_encoding, **kept,
            )  # fmt: skip
            message.ack()
            moved += 1

        queue = Queue("dead", no_declare=True)
        consumer = Consumer(connection.channel(), [queue], on_message=move, prefetch_count=1000, auto_declare=False)
        with timed(), consumer:
            while moved < count:
                connection.drain_events(timeout=30)


if __name__ == "__main__":
    main(int(sys.argv[1]))
