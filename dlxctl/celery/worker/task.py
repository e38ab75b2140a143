"""RetryTask: the base class of tasks whose failures travel through the retry tiers. Runs in the pool's processes.

The ladder is that of the queue which the message was consumed from. A retry is published to the tier's exchange with
the name of that queue as routing key, without ETA: no worker holds it meanwhile. Attempts are Celery's `retries`
header, never `x-death`, which brokers before 4.0 continue and later ones restart (facts 2.5). Everything else is
Celery's own machinery: `autoretry_for`, states, signals, errbacks, `max_retries`.
"""

import inspect
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NoReturn

from billiard.reduction import ForkingPickler
from celery import Task
from celery.exceptions import Ignore, OperationalError, Reject, Retry, TaskPredicate
from celery.utils.serialization import get_pickleable_exception

from dlxctl.celery.road import Road, Tier
from dlxctl.celery.worker.native import can_give_back, give_back
from dlxctl.celery.worker.publishing import producer_of, require_confirms
from dlxctl.celery.worker.roads import road_from
from dlxctl.celery.worker.signals import announce_retry
from dlxctl.model.headers import BROKER_DEATH_HEADERS, COPY_HEADERS

AUTOMATIC = "dlxctl_automatic"
"""Option of `retry` that marks a call made by Celery's autoretry with the defaults of this class."""


SPENT = "dlxctl_spent"
"""Attribute of an error after which no retry is left."""

ELSEWHERE = {"queue", "exchange", "routing_key"}
"""Options of `retry` that send the message another way than back to its queue; Celery's to follow."""


class RetryUnroutable(Reject):  # type: ignore[misc]  # Celery has no types
    """The retry could not be published; the message is rejected to its DLX. Its reason is a text, safe to unpickle."""


class _LadderAttempts:
    """`max_retries` unless the task sets its own: the attempts of the ladder of the queue that is being worked on."""

    def __get__(self, task: Any, owner: type) -> Any:
        road = None if task is None else task.road
        return road.attempts if road is not None and road.retries else Task.max_retries


class RetryTask(Task):  # type: ignore[misc]  # Celery has no types
    """`Celery(task_cls=RetryTask)` or `@app.task(base=RetryTask)`.

    Any exception is retried through the ladder; `autoretry_for` and `dont_autoretry_for` narrow that as in Celery,
    `max_retries` overrides the file's `attempts`. Left alone: `celery.*` tasks, direct and eager calls, a `retry` with
    `eta=`, `queue=` or `exchange=`, and queues without a ladder, where a plain exception is final.
    """

    abstract = True
    Request = "dlxctl.celery.worker.request:Request"
    Strategy = "dlxctl.celery.worker.strategy:strategy"
    max_retries = _LadderAttempts()
    retry_kwargs: Mapping[str, Any] = {AUTOMATIC: True}

    @property
    def autoretry_for(self) -> tuple[type[BaseException], ...]:
        """Every exception, except for Celery's built-in tasks, which inherit from `task_cls` too."""
        return () if self._is_builtin else (Exception,)

    @classmethod
    def on_bound(cls, app: Any) -> None:
        """Celery's hook: the task belongs to `app` now."""
        require_confirms(app)
        for order in (Reject, Ignore):
            ForkingPickler.register(order, _reduce_order)

    @property
    def road(self) -> Road | None:
        """The road of the queue that the current message was consumed from; None outside a worker."""
        request = self.request
        if request.called_directly or request.is_eager or self._is_builtin:
            return None
        return road_from(self.app, (request.delivery_info or {}).get("queue"))

    def retry_limit(self, road: Road) -> int | None:
        """How often a message on `road` is retried: the task's own `max_retries`, None for ever, else the ladder's."""
        own = inspect.getattr_static(self, "max_retries")
        limit: int | None = road.attempts if isinstance(own, _LadderAttempts) else self.max_retries
        return road.limit(limit)

    @property
    def _is_builtin(self) -> bool:
        return (self.name or "").startswith("celery.")

    def retry(
        self, args: Any = None, kwargs: Any = None, exc: BaseException | None = None, throw: bool = True,
        eta: Any = None, countdown: float | None = None, max_retries: int | None = None, **options: Any,
    ) -> Any:  # fmt: skip
        """Celery's `retry`, through a tier: by attempt, or for a `countdown` (seconds) the nearest one not shorter.

        Raises Retry; the task's error or MaxRetriesExceededError when the attempts are spent; RetryUnroutable.
        """
        automatic = options.pop(AUTOMATIC, False)
        road = None if eta or ELSEWHERE & options.keys() else self.road
        request = self.request
        if exc is not None and (isinstance(exc, TaskPredicate) or (automatic and self._is_final(road))):
            raise exc
        given = {"args": args, "kwargs": kwargs, "exc": exc}
        if road is None or not road.retries:
            return super().retry(**given, throw=throw, eta=eta, countdown=countdown, max_retries=max_retries, **options)
        try:
            if self._is_spent(max_retries, road):
                request.dlxctl_spent = True
                _mark_spent(exc)
                return super().retry(**given, throw=throw, max_retries=request.retries, **options)
            if road.native is not None:
                if can_give_back(self, args, kwargs, throw, options):
                    raise give_back(self, road.native, exc)
                return super().retry(**given, throw=throw, countdown=countdown, max_retries=max_retries, **options)
            tier = road.tier(request.retries, countdown)
            outcome = self._publish_retry(tier, **given, max_retries=max_retries, **options)
        finally:
            # Celery keeps an explicit max_retries on the task, for every later message of this process.
            self.__dict__.pop("override_max_retries", None)
        outcome.when = tier.delay_ms / 1000
        announce_retry(self, request.delivery_info["queue"], tier, exc)
        if throw:
            raise outcome
        return outcome

    def _is_final(self, road: Road | None) -> bool:
        """Whether autoretry must let the error pass: nothing to travel, or an explicit `retry` gave up already."""
        return road is None or not road.retries or bool(self.request.get("dlxctl_spent"))

    def _is_spent(self, max_retries: int | None, road: Road) -> bool:
        limit = road.limit(self.max_retries if max_retries is None else max_retries)
        return limit is not None and self.request.retries >= limit

    def _publish_retry(self, tier: Tier, exc: BaseException | None, **options: Any) -> Retry:
        queue = self.request.delivery_info["queue"]
        headers = options.pop("headers", None) or self.request.headers or {}
        dropped = {*BROKER_DEATH_HEADERS, *COPY_HEADERS}
        routing = {
            "exchange": tier.exchange, "routing_key": queue, "mandatory": True, "countdown": 0,
            "headers": {name: value for name, value in headers.items() if name not in dropped},
        }  # fmt: skip
        try:
            with producer_of(self.app) as producer:
                return super().retry(exc=exc, throw=False, producer=producer, **{**options, **routing})
        except (Reject, OperationalError) as error:
            _give_up(tier, queue, getattr(error, "reason", error), exc)


def _reduce_order(order: Any) -> Any:
    """How a pool's process pickles `Reject` and `Ignore`: an error in them that cannot be unpickled becomes a text.

    Celery sends these two as they are, and every other error in a wrapper; unpickling would end the worker.
    """
    carried = order.args[0] if order.args else None
    if isinstance(carried, BaseException) and get_pickleable_exception(carried) is not carried:
        return type(order), (repr(carried), *order.args[1:])
    return order.__reduce__()


def _mark_spent(error: BaseException | None) -> None:
    """Tell the main process, which does not know a limit that was given to `retry`; attributes are pickled."""
    if error is not None:
        with suppress(AttributeError):  # a class with slots
            setattr(error, SPENT, True)


def _give_up(tier: Tier, queue: str, why: Any, failure: BaseException | None) -> NoReturn:
    after = "" if failure is None else f"; the task had failed with {failure!r}"
    raise RetryUnroutable(
        f"retry of {queue!r} could not be published to exchange {tier.exchange!r}: {why!r}{after}", requeue=False
    )
