"""How many messages and consumers a queue has, exactly and now: a passive declare, since the API's counts lag.

The count is of messages that are ready: those with a worker and those that wait for a native retry are not in it
(https://www.rabbitmq.com/docs/queues#counters).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from dlxctl.broker.failures import converted
from dlxctl.errors import NotFound


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """`ready`: messages that a consumer could have now."""

    ready: int
    consumers: int


def queue_counts(connection: Any, names: Iterable[str]) -> dict[str, Counts | None]:
    """The counts of each queue, None where there is no such queue, over channels of their own.

    `connection` is pika's blocking one. Raises BrokerRefused, BrokerUnavailable.
    """
    found: dict[str, Counts | None] = {}
    channel = None
    for name in names:
        if channel is None or not channel.is_open:
            with converted("opening a channel"):
                channel = connection.channel()
        found[name] = _counts(channel, name)
    if channel is not None and channel.is_open:
        with converted("closing a channel"):
            channel.close()
    return found


def _counts(channel: Any, name: str) -> Counts | None:
    try:
        with converted(f"reading queue {name!r}"):
            answer = channel.queue_declare(name, passive=True).method
    except NotFound:  # the broker closes the channel over it
        return None
    return Counts(ready=int(answer.message_count), consumers=int(answer.consumer_count))
