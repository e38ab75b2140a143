"""The generated Celery configuration (pure), and under `worker` the side that runs inside Celery."""

from typing import Any


def __getattr__(name: str) -> Any:
    """`from dlxctl.celery import RetryTask`: the worker side is imported only when it is asked for."""
    if name == "RetryTask":
        from dlxctl.celery.worker import RetryTask

        return RetryTask
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
