"""The Celery app: its broker, its tasks, and the two lines that make failures take the road of topology.yaml."""

import os
from pathlib import Path

from celery import Celery

from dlxctl.celery import setup

app = Celery(
    "shop",
    broker=os.environ.get("CELERY_BROKER_URL", "amqp://guest:guest@localhost:5672/"),
    backend=os.environ.get("CELERY_RESULT_BACKEND", "db+sqlite:///results.db"),
)
setup(app, Path(__file__).with_name("topology.yaml"))


@app.task(name="shop.charge")
def charge(number: int) -> dict[str, int]:
    """Charge an order. Number 13 is a bug: retried, and then a dead letter."""
    if number == 13:
        raise ValueError("no such order")
    return {"charged": number}
