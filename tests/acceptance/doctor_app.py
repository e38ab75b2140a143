"""The app of the matrix, with one more task: a retry that no queue takes, whatever the configuration."""

from typing import Any

from tests.celery_failures.app import app

__all__ = ["app"]

app.conf.task_default_queue = "work"  # without the generated module it would be "celery", which nobody consumes
app.tasks["m.killed"].default_retry_delay = 0.1  # task_retry_on_worker_lost waits three minutes otherwise, each time


@app.task(name="d.astray", bind=True, max_retries=2)
def astray(self: Any) -> None:
    """Retries to a key that leads nowhere."""
    self.retry(exc=ValueError("no stock"), countdown=0, exchange="amq.direct", routing_key="nowhere")
