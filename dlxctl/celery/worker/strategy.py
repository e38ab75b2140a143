"""Celery's execution strategy, plus one thing that it does not tell: the queue a message was consumed from.

A message that came through a named exchange shows that exchange and its routing key, and two queues may be bound
with one key. Only the consumer tag tells them apart.
"""

import warnings
from collections.abc import Callable
from typing import Any

from celery.worker.strategy import default

from dlxctl.celery.road import SETTING

UNCONFIGURED = (
    f"dlxctl: the Celery settings have no {SETTING}: failing tasks are neither retried through tiers nor marked. "
    'Load the generated module: app.config_from_object("celery_topology")'
)
QUEUE = "queue"
"""Key of `delivery_info` that holds the queue's name, beside Celery's `exchange` and `routing_key`."""


def strategy(task: Any, app: Any, consumer: Any, **options: Any) -> Callable[..., Any]:
    """Named by `RetryTask.Strategy`; returns the handler of messages for `task`."""
    if SETTING not in app.conf:
        warnings.warn(UNCONFIGURED, stacklevel=1)  # shown once, though each task comes by here
    handle = default(task, app, consumer, **options)

    def note_queue_and_handle(message: Any, *arguments: Any, **keywords: Any) -> Any:
        message.delivery_info[QUEUE] = queue_of(message.delivery_info, consumer.task_consumer)
        return handle(message, *arguments, **keywords)

    return note_queue_and_handle


def queue_of(delivery_info: dict[str, Any], task_consumer: Any) -> str | None:
    """The queue behind a delivery: by name for the default exchange, else by consumer tag; None when not known."""
    if delivery_info.get("exchange") == "":
        return delivery_info.get("routing_key")
    # kombu shows the tags of a consumer nowhere else.
    tags: dict[str, str] = getattr(task_consumer, "_active_tags", {})
    tag = delivery_info.get("consumer_tag")
    return next((queue for queue, own in tags.items() if own == tag), None)
