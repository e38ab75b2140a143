"""A plug: a message of our own that keeps a closed quorum queue shut until it is deleted.

A quorum queue with max-length 0 and `reject-publish` takes one message, and from then on refuses every publisher
(docs/decisions/0009). When that one is ours, nobody else's can be lost with the queue. It expires by itself; after a
run that was killed with the plug in, it may come to rest in the dead-letter queue, so its body says what it is.
"""

from typing import Any

import pika
from pika.exceptions import NackError, UnroutableError

from dlxctl.broker.failures import converted

HEADER = "dlxctl-plug"
EXPIRES_MS = 60_000
BODY = b"a plug that dlxctl put into a queue that it was about to delete; the run was killed. Safe to discard."


def plug(connection: Any, queue: str) -> bool:
    """Publish one into `queue`, which is closed; whether the queue took it. `connection`: pika's blocking one."""
    properties = pika.BasicProperties(delivery_mode=2, expiration=str(EXPIRES_MS), headers={HEADER: True})
    with converted(f"closing queue {queue!r}"):
        channel = connection.channel()
        channel.confirm_delivery()
        try:
            channel.basic_publish("", queue, BODY, properties, mandatory=True)
        except (NackError, UnroutableError):
            return False
        finally:
            channel.close()
    return True


def unplug(connection: Any, queue: str) -> None:
    """Take the first message of `queue` out if it is a plug, which a run left that was killed; else put it back."""
    with converted(f"looking into queue {queue!r}"):
        channel = connection.channel()
        method, properties, _ = channel.basic_get(queue)
        if method is None:
            pass
        elif HEADER in (properties.headers or {}):
            channel.basic_ack(method.delivery_tag)
        else:
            channel.basic_nack(method.delivery_tag, requeue=True)
        channel.close()
