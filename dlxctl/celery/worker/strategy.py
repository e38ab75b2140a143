"""Celery's execution strategy, plus one thing that it does not tell: the queue a message was consumed from.

A message that came through a named exchange shows that exchange and its routing key, and two queues may be bound
with one key. Only the consumer tag tells them apart. And a message that is no task ends as one dead letter, not the
worker.
"""

from collections.abc import Callable
from typing import Any

from celery.exceptions import InvalidTaskError
from celery.worker.strategy import default
from kombu.exceptions import ContentDisallowed, DecodeError

from dlxctl.celery.road import SETTING
from dlxctl.errors import WorkerMisconfigured

QUEUE = "queue"
"""Key of `delivery_info` that holds the queue's name, beside Celery's `exchange` and `routing_key`."""

ADMITTED = "dlxctl-admitted"
"""Key of `delivery_info` that says: a request was made of the message. From then on it settles the message."""


def strategy(task: Any, app: Any, consumer: Any, **options: Any) -> Callable[..., Any]:
    """Named by `RetryTask.Strategy`; returns the handler of messages for `task`.

    Raises WorkerMisconfigured where the settings know no queues: the worker does not start.
    """
    if SETTING not in app.conf:
        raise WorkerMisconfigured(
            f"the Celery settings have no {SETTING}",
            why="failing tasks would neither be retried through tiers nor marked",
            remedy="Call dlxctl.celery.setup(app, ...) after every app.config_from_object(...), "
            'or load the generated module: app.config_from_object("celery_topology")',
        )
    handle = default(task, app, consumer, **options)

    def note_queue_and_handle(message: Any, *arguments: Any, **keywords: Any) -> Any:
        message.delivery_info[QUEUE] = queue_of(message.delivery_info, consumer.task_consumer)
        try:
            return handle(message, *arguments, **keywords)
        except (InvalidTaskError, ContentDisallowed, DecodeError):
            raise
        except Exception as error:
            if ADMITTED in message.delivery_info:
                raise
            raise InvalidTaskError(f"not a task message: {error!r}") from error

    return note_queue_and_handle


def queue_of(delivery_info: dict[str, Any], task_consumer: Any) -> str | None:
    """The queue behind a delivery: by name for the default exchange, else by consumer tag; None when not known."""
    if delivery_info.get("exchange") == "":
        return delivery_info.get("routing_key")
    # kombu shows the tags of a consumer nowhere else.
    tags: dict[str, str] = getattr(task_consumer, "_active_tags", {})
    tag = delivery_info.get("consumer_tag")
    return next((queue for queue, own in tags.items() if own == tag), None)
