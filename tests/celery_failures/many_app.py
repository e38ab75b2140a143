"""The tasks of the many: they fail until a file says that the bug is fixed. Environment: MATRIX_BROKER."""

import os
from pathlib import Path

from celery import Celery

from dlxctl.celery import setup
from tests.celery_failures.notes import note

app = Celery("many", broker=os.environ["MATRIX_BROKER"])
setup(app, "topology.yaml")
app.conf.update(task_ignore_result=True, broker_connection_retry_on_startup=True)


@app.task(name="many.order", bind=True)
def order(self) -> None:  # type: ignore[no-untyped-def]  # Celery has no types
    """Fails before the fix, succeeds after it; each run is noted."""
    fixed = Path("fixed").exists()
    note("done" if fixed else "failed", id=self.request.id, retries=self.request.retries)
    if not fixed:
        raise ValueError("a bug")


@app.task(name="many.ping", bind=True)
def ping(self) -> None:  # type: ignore[no-untyped-def]  # Celery has no types
    """Must not wait behind those that wait."""
    note("ping", id=self.request.id)
