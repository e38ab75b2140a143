"""Burying: what has failed for good becomes one dead letter that says how, in the worker's main process.

`bury_request` is for messages that became a task's request, `bury_message` for those that never did.
"""

import time
from typing import Any

from billiard.einfo import ExceptionWithTraceback
from celery.exceptions import MaxRetriesExceededError, Reject, TimeLimitExceeded, WorkerLostError
from celery.utils.serialization import get_pickled_exception

from dlxctl.celery.failure import Failure, Reason
from dlxctl.celery.road import Road
from dlxctl.celery.worker.copies import place_copy
from dlxctl.celery.worker.roads import road_from
from dlxctl.celery.worker.signals import announce_death
from dlxctl.celery.worker.strategy import QUEUE
from dlxctl.celery.worker.task import SPENT, RetryTask, RetryUnroutable


def bury_request(request: Any, exc_info: Any, reason: Reason | None = None) -> bool:
    """Place the copy of `request`'s message; True when that is certain, and the original may be acknowledged.

    `exc_info` tells the reason unless it is given. False too where the road has no DLX, or the queue is not known.
    """
    queue = request.delivery_info.get(QUEUE)
    road = road_from(request.app, queue)
    if queue is None or road is None or road.dlx is None:
        return False
    failure = _failure(request, exc_info, queue, road, reason)
    placed = place_copy(request.app, request.message, road, failure, request.connection_errors)
    announce_death(request.task, request.name, request.id, failure, confirmed=placed)
    return placed


def bury_message(app: Any, message: Any, queue: str | None, reason: Reason, error: Any, connection_errors: Any) -> None:
    """Acknowledge `message` once its copy is placed; else reject it, and the broker dead-letters the original."""
    road = road_from(app, queue)
    if queue is None or road is None or road.dlx is None:
        message.reject()
        return
    failure = Failure(
        origin=queue, reason=reason, exception=_name(type(error)) if error is not None else "", message=_text(error),
        traceback="", attempts=_retries(message.headers), died_at=int(time.time()),
    )  # fmt: skip
    placed = place_copy(app, message, road, failure, connection_errors)
    if placed:
        message.ack()
    else:
        message.reject()
    announce_death(None, message.headers.get("task"), message.headers.get("id"), failure, confirmed=placed)


def error_of(exc_info: Any) -> Any:
    """The exception that Celery carries: unwrapped, and as it was before it was made fit for pickling."""
    carried = exc_info.exception
    return get_pickled_exception(carried.exc if isinstance(carried, ExceptionWithTraceback) else carried)


def _failure(request: Any, exc_info: Any, queue: str, road: Road, reason: Reason | None) -> Failure:
    retries = _retries(request.request_dict)
    if exc_info is None:
        return Failure(
            origin=queue, reason=reason or Reason.MALFORMED, exception="", message="", traceback="", attempts=retries,
            died_at=int(time.time()),
        )  # fmt: skip
    error = error_of(exc_info)
    return Failure(
        origin=queue,
        reason=reason or _reason(error, retries, request.task, road),
        exception=_name(type(error)),
        message=_text(error.reason if isinstance(error, Reject) else error),
        traceback=str(exc_info.traceback or ""),
        attempts=retries + 1,
        died_at=int(time.time()),
    )


def _reason(error: BaseException, retries: int, task: Any, road: Road) -> Reason:
    if isinstance(error, RetryUnroutable):
        return Reason.RETRY_UNROUTABLE
    if isinstance(error, Reject):
        return Reason.REJECTED
    if isinstance(error, WorkerLostError):
        return Reason.WORKER_LOST
    if isinstance(error, TimeLimitExceeded):
        return Reason.TIME_LIMIT
    if isinstance(error, MaxRetriesExceededError) or getattr(error, SPENT, False):
        return Reason.RETRIES_SPENT
    limit = task.retry_limit(road) if isinstance(task, RetryTask) else task.max_retries
    return Reason.RETRIES_SPENT if retries and limit is not None and retries >= limit else Reason.FAILED


def _retries(headers: Any) -> int:
    """How often it was retried; anybody may have written the header."""
    value = headers.get("retries")
    return value if isinstance(value, int) else 0


def _text(value: Any) -> str:
    if value is None:
        return ""
    try:
        return str(value)
    except Exception as error:  # an error's own __str__ may be what is broken
        return f"<{type(value).__name__} without words: {error!r}>"


def _name(kind: type) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
