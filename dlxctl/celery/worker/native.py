"""What a worker does with a retry that the broker delays: give the message back, rather than publish a copy.

The pool's process raises `NativeRetry`, which makes Celery store the state RETRY and send its signals as for any retry;
the main process, which alone holds the message, rejects it to its queue instead of acknowledging it.
"""

from collections.abc import Mapping
from typing import Any

from celery.exceptions import Retry

from dlxctl.celery.native import NativeDelay, returned
from dlxctl.celery.road import Tier
from dlxctl.celery.worker.roads import road_from
from dlxctl.celery.worker.signals import announce_retry

BACKEND = "native"
"""What stands in signals and log records in the place of a tier."""


class NativeRetry(Retry):  # type: ignore[misc]  # Celery has no types
    """The message is to go back to its queue, where the broker holds it for a while."""


def count_returns(app: Any, request: dict[str, Any], queue: str | None) -> None:
    """Add what the broker counted to the `retries` that Celery and the task see. Once for each request."""
    before = returned(request)
    road = road_from(app, queue) if before else None
    if road is not None and road.native is not None:
        request["retries"] = (request.get("retries") or 0) + before


def can_give_back(task: Any, args: Any, kwargs: Any, throw: bool, options: Mapping[str, Any]) -> bool:
    """Whether a retry can be a return of the message as it is.

    Not one with other arguments or options, nor one after which the task goes on; and there is nothing to return where
    the message was acknowledged before the task ran.
    """
    return throw and args is None and kwargs is None and not options and bool(task.acks_late)


def give_back(task: Any, delay: NativeDelay, exc: BaseException | None) -> NativeRetry:
    """The exception that brings this about; `when` is the broker's delay in seconds."""
    tier = Tier(exchange=BACKEND, delay_ms=delay.delay_ms(task.request.retries))
    announce_retry(task, task.request.delivery_info["queue"], tier, exc)
    return NativeRetry(exc=exc, when=tier.delay_ms / 1000)
