"""Pools that run tasks in the worker's own process (solo, threads, green ones), made as safe as prefork.

There an error outside the task's body, e.g. of its `on_failure` or of a result backend that is away, ends the worker
(solo) or leaves the message unacknowledged for good (threads). prefork hands it to the request as a failure; so do
the others now.
"""

from typing import Any

from billiard.einfo import ExceptionInfo

PREFORK = "celery.concurrency.prefork"
FAILED = 1
"""First of the three that Celery's trace returns: failed, value or ExceptionInfo, runtime in seconds."""


def contain(pool: Any) -> None:
    """Let `pool` report every error of a task to its request. No effect on prefork, nor the second time."""
    if getattr(pool, "dlxctl_contained", False) or type(pool).__module__ == PREFORK:
        return
    apply_async = pool.apply_async

    def contained(target: Any, *args: Any, **options: Any) -> Any:
        return apply_async(_reporting(target), *args, **options)

    pool.apply_async, pool.dlxctl_contained = contained, True


def _reporting(target: Any) -> Any:
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return target(*args, **kwargs)
        except Exception:
            return FAILED, ExceptionInfo(), 0.0

    return run
