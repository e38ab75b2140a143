"""The app of the part `task`: no-op tasks of plain Celery, or of dlxctl, under the same settings.

A marker before the no-ops and one after them print the time and the CPU seconds of the worker's two processes.
Environment: BENCH_URL, BENCH_WAY, and a topology.yaml in the working directory.
"""

import json
import os
import time
from pathlib import Path

from celery import Celery, Task

from bench.clients.clock import MARKS, URL_VARIABLE
from bench.node import cpu_seconds
from dlxctl.celery import setup
from dlxctl.celery.worker.configure import settings_from

PLAIN = "celery"

app = Celery("bench", broker=os.environ[URL_VARIABLE], set_as_current=True)
if os.environ["BENCH_WAY"] == PLAIN:
    settings = settings_from("topology.yaml")
    del settings["worker_consumer"]
    app.conf.update(settings)
else:
    setup(app, "topology.yaml")
app.conf.update(worker_prefetch_multiplier=64, task_ignore_result=True, broker_connection_retry_on_startup=True)


@app.task(name="bench.noop")
def noop() -> None:
    """Nothing."""


@app.task(name="bench.mark", base=Task)
def mark() -> None:
    """Write down how far time and CPU have come."""
    cpu = [cpu_seconds(os.getpid()), cpu_seconds(os.getppid())]
    entry = {"at": time.monotonic(), "cpu_s": sum(cpu) if None not in cpu else None}
    with Path(MARKS).open("a") as marks:
        marks.write(json.dumps(entry) + "\n")
