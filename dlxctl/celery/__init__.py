"""The generated Celery configuration (pure), and under `worker` the side that runs inside Celery.

from dlxctl.celery import setup
app = Celery("shop")
setup(app, "topology.yaml")
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dlxctl.celery.worker.configure import setup
    from dlxctl.celery.worker.idempotent import idempotent
    from dlxctl.celery.worker.signals import task_dead_lettered, task_retry_scheduled
    from dlxctl.celery.worker.task import RetryTask

__all__ = ["RetryTask", "idempotent", "setup", "task_dead_lettered", "task_retry_scheduled"]

WORKER_SIDE = {
    "RetryTask": "dlxctl.celery.worker.task",
    "idempotent": "dlxctl.celery.worker.idempotent",
    "setup": "dlxctl.celery.worker.configure",
    "task_dead_lettered": "dlxctl.celery.worker.signals",
    "task_retry_scheduled": "dlxctl.celery.worker.signals",
}
"""Public names by their module; imported when they are asked for, because it takes Celery."""


def __getattr__(name: str) -> Any:
    if name in WORKER_SIDE:
        return getattr(import_module(WORKER_SIDE[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
