"""The tasks of the matrix, in an app that dlxctl sets up, or that the settings of another configuration replace.

A worker runs it in a directory with `topology.yaml`, and `celery_topology.py` generated from it. Environment:
MATRIX_BROKER, MATRIX_CONFIGURATION (a key of CONFIGURATIONS).
"""

import importlib
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from celery import Celery, Task
from celery.backends.base import KeyValueStoreBackend
from celery.exceptions import Ignore, Reject
from celery.signals import worker_process_init

from dlxctl.celery import setup, task_dead_lettered, task_retry_scheduled
from tests.celery_failures.matrix import CONFIGURATIONS
from tests.celery_failures.notes import note

CONFIGURATION = CONFIGURATIONS[os.environ.get("MATRIX_CONFIGURATION", "dlxctl")]

app = Celery("matrix", broker=os.environ["MATRIX_BROKER"], backend=f"file://{Path.cwd() / 'results'}")
if CONFIGURATION.settings is None:
    setup(app, "topology.yaml")
else:
    sys.path.insert(0, str(Path.cwd()))
    generated = importlib.import_module("celery_topology")
    app.conf.update(task_queues=generated.task_queues, **CONFIGURATION.settings)
app.conf.update(worker_send_task_events=False, broker_connection_retry_on_startup=True)


@task_retry_scheduled.connect  # type: ignore[misc]
def scheduled(sender: Any, signal: Any, exception: Any, **fields: Any) -> None:
    """Kept for the tests."""
    note("retry", exception=repr(exception), **fields)


@task_dead_lettered.connect  # type: ignore[misc]
def died(sender: Any, signal: Any, **fields: Any) -> None:
    """Kept for the tests."""
    note("dead", **fields)


class Away(KeyValueStoreBackend):
    """A result backend that nothing can be stored in."""

    def set(self, key: Any, value: Any) -> None:
        raise ConnectionError("the result backend is away")

    def get(self, key: Any) -> None:
        raise ConnectionError("the result backend is away")


class BadHook(app.Task):
    """`on_failure` raises."""

    abstract = True

    def on_failure(self, *args: Any, **kwargs: Any) -> None:
        raise RuntimeError("the hook is broken too")


class Plain(Task):
    """A base class that knows nothing of dlxctl."""

    abstract = True


class Badly(Exception):
    """Pickles, and cannot be unpickled."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__("only one argument is kept")


def away() -> Away:
    """One for each task: Celery takes a task's own backend."""
    return Away(app=app)


@worker_process_init.connect
def _name_the_pool(**_: Any) -> None:
    note("process")


@app.task(name="m.raises")
def raises() -> None:
    """An ordinary error."""
    raise ValueError("no stock")


@app.task(name="m.raises_plain", base=Plain)
def raises_plain() -> None:
    """An ordinary error of a task with another base class."""
    raise ValueError("no stock")


@app.task(name="m.raises_badly")
def raises_badly() -> None:
    """An error that cannot be unpickled."""
    raise Badly(1, 2)


@app.task(name="m.reject")
def reject() -> None:
    """An order to dead-letter."""
    raise Reject("poison", requeue=False)


@app.task(name="m.reject_badly")
def reject_badly() -> None:
    """An order to dead-letter that cannot be unpickled."""
    raise Reject(Badly(1, 2), requeue=False)


@app.task(name="m.reject_requeue")
def reject_requeue() -> None:
    """An order to run again."""
    note("requeued")
    raise Reject("again", requeue=True)


@app.task(name="m.retries", bind=True, max_retries=2)
def retries(self: Any) -> None:
    """Asks for a retry each time."""
    self.retry(exc=ValueError("no stock"), countdown=0.1)


@app.task(name="m.soft", soft_time_limit=1)
def soft() -> None:
    """Runs into its soft limit."""
    time.sleep(60)


@app.task(name="m.hard", time_limit=1)
def hard() -> None:
    """Runs into its hard limit."""
    note("hard")
    time.sleep(60)


@app.task(name="m.killed")
def killed() -> None:
    """Kills its process, as the kernel does when memory is short."""
    note("killed")
    os.kill(os.getpid(), signal.SIGKILL)


@app.task(name="m.fails_second_time", bind=True)
def fails_second_time(self: Any) -> None:
    """Waits for its worker to be killed, and fails when it comes back."""
    note("delivered")
    if not self.request.delivery_info["redelivered"]:
        time.sleep(600)
    raise ValueError("no stock")


@app.task(name="m.memory")
def memory() -> None:
    """No memory."""
    raise MemoryError("no more")


@app.task(name="m.opaque")
def opaque() -> Any:
    """Returns what no serializer takes."""
    return object()


@app.task(name="m.bad_hook", base=BadHook)
def bad_hook() -> None:
    """Fails, and so does its hook."""
    raise ValueError("no stock")


@app.task(name="m.raises_unstored", backend=away())
def raises_unstored() -> None:
    """Fails, and nobody can be told."""
    raise ValueError("no stock")


@app.task(name="m.reject_unstored", backend=away())
def reject_unstored() -> None:
    """Rejects, and nobody can be told."""
    raise Reject("poison", requeue=False)


@app.task(name="m.ok_unstored", backend=away())
def ok_unstored() -> int:
    """Succeeds, and nobody can be told."""
    return 1


@app.task(name="m.ignore")
def ignore() -> None:
    """Wants no trace."""
    note("ignored")
    raise Ignore


@app.task(name="m.add")
def add(one: int, two: int) -> int:
    """The ordinary task by which a worker shows that it lives."""
    note("added", one=one)
    return one + two
