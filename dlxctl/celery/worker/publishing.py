"""A producer whose every publish is confirmed, from Celery's own pool of connections (which survives forks)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def require_confirms(app: Any) -> None:
    """Turn publisher confirms on for `app`, also where other settings replaced the generated ones.

    kombu waits for the broker's answer only under this transport option; without it `mandatory` is silent too.
    """
    options = app.conf.broker_transport_options or {}
    if not options.get("confirm_publish"):
        app.conf.broker_transport_options = {**options, "confirm_publish": True}


@contextmanager
def producer_of(app: Any) -> Iterator[Any]:
    """A producer for one publish. After an error its connection is closed. Raises what kombu and py-amqp raise.

    The broker acknowledges a returned message too (`basic.return`, then `basic.ack`), and one that timed out maybe
    later; py-amqp takes any acknowledgement for that of the latest publish, so that the next message on this
    channel could pass for confirmed.
    """
    with app.pool.acquire(block=True) as connection:
        try:
            # Left to itself kombu tries for ever, and the worker's main process would stand still.
            connection.ensure_connection(max_retries=1, interval_start=0)
            yield app.amqp.Producer(connection.default_channel, auto_declare=False)
        except BaseException:
            connection.collect()
            raise
