"""The copy of a failed task that goes to the DLX: its own bytes, and the failure as headers."""

import logging
import time
from typing import Any

from amqp.exceptions import NotFound
from billiard.einfo import ExceptionWithTraceback
from celery.exceptions import Reject, TimeLimitExceeded, WorkerLostError
from celery.utils.serialization import get_pickled_exception

from dlxctl.celery.failure import Failure, Reason, failure_headers
from dlxctl.celery.road import Road
from dlxctl.celery.worker.publishing import producer_of
from dlxctl.celery.worker.roads import road_from
from dlxctl.celery.worker.strategy import QUEUE
from dlxctl.celery.worker.task import RetryUnroutable

logger = logging.getLogger(__name__)

CONFIRM_SECONDS = 10
"""How long the main process waits for the broker, e.g. under a memory alarm; then the original is rejected."""

NOT_COPIED = frozenset({"content_type", "content_encoding", "application_headers", "priority", "delivery_mode",
                        "expiration", "user_id"})  # fmt: skip
"""Given apart, or not wanted: an `expiration` would empty the DLQ, another user's `user_id` is refused (facts 9.6)."""


def publish_dead_letter(request: Any, exc_info: Any) -> bool:
    """Publish the copy, mandatory and confirmed. False when it is not certain to be there: then reject the original."""
    queue = request.delivery_info.get(QUEUE)
    road = road_from(request.app, queue)
    if queue is None or road is None or road.dlx is None:
        return False
    try:
        headers = failure_headers(request.message.headers, _failure(request, exc_info, queue, road))
        headers.pop("compression", None)  # kombu has decompressed the body; the copy carries it plain
        _publish(request, road, headers)
    except Exception as error:  # an error's own __str__, the broker, ...: the original is there, to be dead-lettered
        logger.error(
            "dlxctl: exchange %r did not take the copy of task %s[%s] (%r); the original is rejected to it instead",
            road.dlx, request.name, request.id, error,
        )  # fmt: skip
        return False
    return True


def _publish(request: Any, road: Road, headers: dict[str, Any]) -> None:
    """To the DLX; while that is missing, straight to the DLQ: a classic queue would drop the rejected original."""
    try:
        _publish_anew(str(road.dlx), request, road, headers)
    except NotFound:
        logger.error("dlxctl: exchange %r is missing; run dlxctl apply", road.dlx)
        _publish_anew("", request, road, headers)


def _publish_anew(exchange: str, request: Any, road: Road, headers: dict[str, Any]) -> None:
    """Once more where the pool's connection was dead: brokers close one that lay idle. A timeout is not repeated."""
    try:
        _publish_to(exchange, request, road, headers)
    except TimeoutError:
        raise
    except request.connection_errors:
        _publish_to(exchange, request, road, headers)


def _publish_to(exchange: str, request: Any, road: Road, headers: dict[str, Any]) -> None:
    message = request.message
    with producer_of(request.app) as producer:
        producer.publish(
            message.body,
            exchange=exchange,
            routing_key=road.dead_letter,
            mandatory=True,
            delivery_mode=2,
            priority=message.properties.get("priority"),
            content_type=message.content_type,
            content_encoding=message.content_encoding,
            headers=headers,
            timeout=CONFIRM_SECONDS,
            **{name: value for name, value in message.properties.items() if name not in NOT_COPIED},
        )


def _failure(request: Any, exc_info: Any, queue: str, road: Road) -> Failure:
    carried = exc_info.exception
    error = get_pickled_exception(carried.exc if isinstance(carried, ExceptionWithTraceback) else carried)
    retries = request.request_dict.get("retries") or 0
    return Failure(
        origin=queue,
        reason=_reason(error, retries, request.task, road),
        exception=_name(type(error)),
        message=str(error.reason) if isinstance(error, Reject) else str(error),
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
    limit = task.retry_limit(road)
    return Reason.RETRIES_SPENT if retries and limit is not None and retries >= limit else Reason.FAILED


def _name(kind: type) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
