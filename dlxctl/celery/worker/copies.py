"""Placing the copy of a dead message at the DLX: its own bytes, and the failure as headers; mandatory, confirmed."""

import logging
from typing import Any

from amqp.exceptions import NotFound

from dlxctl.celery.failure import Failure, failure_headers
from dlxctl.celery.road import Road
from dlxctl.celery.worker.publishing import producer_of

logger = logging.getLogger(__name__)

Errors = tuple[type[BaseException], ...]

CONFIRM_SECONDS = 10
"""How long the main process waits for the broker, e.g. under a memory alarm; then the original is rejected."""

NOT_COPIED = frozenset({"content_type", "content_encoding", "application_headers", "priority", "delivery_mode",
                        "expiration", "user_id"})  # fmt: skip
"""Given apart, or not wanted: an `expiration` would empty the DLQ, another user's `user_id` is refused (facts 9.6)."""


def place_copy(app: Any, message: Any, road: Road, failure: Failure, connection_errors: Errors) -> bool:
    """Publish it. False when it is not certain to be there: then the original must be rejected."""
    try:
        headers = failure_headers(message.headers, failure)
        if not message.errors:  # kombu has decompressed the body; the copy carries it plain
            headers.pop("compression", None)
        _publish(app, message, road, headers, connection_errors)
    except Exception as error:  # headers that py-amqp cannot write, the broker, ...: the original is there
        logger.error(
            "dlxctl: exchange %r did not take the copy of message %r (%r); the original is rejected to it instead",
            road.dlx, message.headers.get("id"), error,
        )  # fmt: skip
        return False
    return True


def _publish(app: Any, message: Any, road: Road, headers: dict[str, Any], errors: Errors) -> None:
    """To the DLX; while that is missing, straight to the DLQ: a classic queue would drop the rejected original."""
    try:
        _publish_anew(str(road.dlx), app, message, road, headers, errors)
    except NotFound:
        logger.error("dlxctl: exchange %r is missing; run dlxctl apply", road.dlx)
        _publish_anew("", app, message, road, headers, errors)


def _publish_anew(exchange: str, app: Any, message: Any, road: Road, headers: Any, errors: Errors) -> None:
    """Once more where the pool's connection was dead: brokers close one that lay idle. A timeout is not repeated."""
    try:
        _publish_to(exchange, app, message, road, headers)
    except TimeoutError:
        raise
    except errors:
        _publish_to(exchange, app, message, road, headers)


def _publish_to(exchange: str, app: Any, message: Any, road: Road, headers: dict[str, Any]) -> None:
    with producer_of(app) as producer:
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
