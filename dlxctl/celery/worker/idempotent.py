"""`idempotent`: runs a function once for a key, though its message comes again. On a task, or on the part that matters.

Delivery is at least once: a worker that dies before it acknowledges, a replay, a publisher that tries again. What the
guard cannot know is whether work that was cut short had taken effect; docs/idempotency.md says what follows.
"""

import functools
import json
import logging
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any, ParamSpec, TypeVar, assert_never, cast

from celery import current_task

from dlxctl.celery.idempotency.store import Busy, Finished, Granted, Store

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

logger = logging.getLogger(__name__)

LEASE = timedelta(minutes=15)
KEEP = timedelta(days=30)


class StillRunning(Exception):
    """Another attempt has the key: it runs, or its worker died and its lease is not over yet."""


def idempotent(
    *, key: Callable[Parameters, str], store: Store, lease: timedelta = LEASE, keep: timedelta = KEEP
) -> Callable[[Callable[Parameters, Result]], Callable[Parameters, Result]]:
    """Decorate a function so that it does its work once for each key. Under `@app.task`, not above it.

    `key` is called with the function's arguments. `lease`: how long an attempt may take; longer than any does. `keep`:
    how long a result is remembered; longer than a dead letter may wait to be replayed. A repetition returns the result,
    if it can be written as JSON, else None. Where another attempt has the key, the task is retried; outside of a task
    StillRunning is raised. An error of the function frees the key. What the store raises is passed on, before the work
    has begun or, when the mark cannot be written, after it.
    """

    def decorate(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
        @functools.wraps(function)
        def guarded(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
            name, owner = key(*args, **kwargs), uuid.uuid4().hex
            claim = store.claim(name, owner, lease.total_seconds())
            match claim:
                case Granted():
                    pass
                case Finished():
                    logger.info("dlxctl: %r was done already; its result is returned", name)
                    return cast(Result, json.loads(claim.result))
                case Busy():
                    _later(name, claim.for_s)
                case _:
                    assert_never(claim)
            try:
                result = function(*args, **kwargs)
            except BaseException:
                _release(store, name, owner)
                raise
            if not store.done(name, owner, _text(name, result), keep.total_seconds()):
                logger.warning("dlxctl: %r took longer than its lease of %s and was done twice", name, lease)
            return result

        return guarded

    return decorate


def _text(name: str, result: object) -> str:
    try:
        return json.dumps(result)
    except (TypeError, ValueError):
        logger.warning("dlxctl: the result of %r cannot be written as JSON; a repetition will return None", name)
        return "null"


def _release(store: Store, name: str, owner: str) -> None:
    """The error of the work is the one to be seen; a key that cannot be freed is free when its lease is over."""
    try:
        store.release(name, owner)
    except Exception:
        logger.exception("dlxctl: %r could not be freed after its failure", name)


def _later(name: str, for_s: float) -> None:
    error = StillRunning(f"another attempt at {name!r} is under way, or died; its lease ends in {for_s:.0f} s")
    task: Any = current_task
    if not task or task.request.called_directly or task.request.is_eager:
        raise error
    raise task.retry(exc=error, countdown=for_s)
