"""A vhost with the matrix's topology, its workers, its messages, and what lies in its dead-letter queue."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pika

from tests.acceptance.celery_shop import Shop
from tests.brokers import RunningBroker
from tests.celery_failures.matrix import APP, PROTECTED, Row
from tests.conftest import ROOT
from tests.workers import Worker, start_worker

TOPOLOGY = """
version: 1
topology: matrix
vhost: ${{DLXCTL_VHOST:-/}}
retry:
  short: {{delays: [200ms, 400ms], attempts: 2}}
  broken: {{delays: [300ms], attempts: 2}}
dead_letter: {{dead_letter: {{}}}}
queues:
  work: {{type: {type}, retry: null}}
  laddered: {{type: {type}, retry: short}}
  detour: {{type: {type}, retry: broken}}
  unconsumed: {{type: {type}, retry: null}}
celery: {{default_queue: work}}
defaults: {{dead_letter: dead_letter}}
"""
CONSUMED = "work,laddered,detour"
BROKEN_TIER = "retry.300ms"


@dataclass(frozen=True)
class Scene(Shop):
    """The shop's looks at the broker, on the matrix's topology."""

    def send(self, row: Row) -> None:
        """Publish the message of `row`; it is in its queue on return."""
        headers = {"task": row.task, "id": row.name, "lang": "py", "row": row.name, **row.headers}
        properties = {"content_type": "application/json", "content_encoding": "utf-8", **row.properties}
        with pika.BlockingConnection(pika.URLParameters(self.url)) as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            channel.basic_publish(
                "", row.queue, row.body,
                pika.BasicProperties(
                    headers={name: value for name, value in headers.items() if value is not None},
                    delivery_mode=2, **properties,
                ),
            )  # fmt: skip

    @contextmanager
    def worker(
        self, configuration: str = PROTECTED, *, pool: str = "prefork", concurrency: int = 2
    ) -> Iterator[Worker]:
        """A worker of the matrix's app under `configuration`."""
        environment = {
            **self.environment, "MATRIX_BROKER": self.url, "MATRIX_CONFIGURATION": configuration,
            "PYTHONPATH": str(ROOT),
        }  # fmt: skip
        with start_worker(
            self.directory, APP, "-Q", CONSUMED, environment=environment, pool=pool, concurrency=concurrency
        ) as worker:
            yield worker

    def letters(self, count: int) -> dict[str, list[dict[str, Any]]]:
        """Wait for `count` dead letters, take all; their headers, by row."""
        found: dict[str, list[dict[str, Any]]] = {}
        for properties, _ in self.take("dead_letter", count):
            found.setdefault(properties.headers.get("row"), []).append(properties.headers)
        return found


def open_scene(broker: RunningBroker, vhost: str, url: str, directory: Path, kind: str) -> Scene:
    """Apply the topology with work queues of type `kind`, and write the two files that the app reads."""
    scene = Scene(broker, vhost, url, directory)
    scene.configure(TOPOLOGY.format(type=kind))
    scene.dlxctl("apply", "--yes")
    (directory / "results").mkdir()
    return scene
