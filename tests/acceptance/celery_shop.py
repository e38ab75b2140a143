"""A small shop for the Celery acceptance tests: its topology, its tasks, and a look at the broker."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pika

from tests.brokers import RunningBroker
from tests.workers import wait_until

TOPOLOGY = """
version: 1
topology: shop
vhost: ${{DLXCTL_VHOST:-/}}
settings: {settings}
retry:
  standard: {{delays: [1s, 2s], attempts: 3}}
dead_letter:
  dead_letter: {{}}
exchanges:
  shop.events: {{type: topic}}
queues:
  default: {{type: {type}}}
  orders: {{type: {type}, tasks: ["shop.orders.*"], bindings: [{{exchange: shop.events, routing_key: "order.#"}}]}}
  audit: {{type: {type}, bindings: [{{exchange: shop.events, routing_key: "order.#"}}]}}
  once: {{type: {type}, retry: null}}
celery: {{default_queue: default}}
defaults: {{retry: standard, dead_letter: dead_letter}}
"""

APP = """
import json, os, time
from celery import Celery
from celery.exceptions import Ignore, Reject
from celery.signals import task_failure, task_retry
from dlxctl.celery import RetryTask

results = "file://" + os.environ["SHOP_RESULTS"]
app = Celery("shop", broker=os.environ["SHOP_BROKER"], backend=results, task_cls=RetryTask)
app.config_from_object("celery_topology")

def note(task, what="ran"):
    entry = {"what": what, "task": task.name, "id": task.request.id, "at": time.time(), "retries": task.request.retries}
    with open("runs.jsonl", "a") as runs:
        runs.write(json.dumps(entry) + "\\n")

@task_failure.connect
def failed(sender, **_): note(sender, "task_failure")

@task_retry.connect
def retried(sender, **_): note(sender, "task_retry")

@app.task(name="shop.orders.fail", bind=True)
def fail(self, *args, **kwargs):
    note(self)
    raise ValueError("no stock for \\u2603")

@app.task(name="shop.orders.fix", bind=True)
def fix(self):
    note(self)
    if self.request.retries < 1:
        raise ValueError("not yet")
    return "fixed"

@app.task(name="shop.orders.ask", bind=True, max_retries=1)
def ask(self):
    note(self)
    self.retry(countdown=1.5)

@app.task(name="shop.orders.never", bind=True, dont_autoretry_for=(KeyError,))
def never(self):
    note(self)
    raise KeyError("no such order")

@app.task(name="shop.orders.reject", bind=True)
def reject(self):
    note(self)
    raise Reject("poison", requeue=False)

@app.task(name="shop.orders.ignore", bind=True)
def ignore(self):
    note(self)
    raise Ignore()

@app.task(name="shop.orders.crash", bind=True)
def crash(self):
    note(self)
    os._exit(3)

@app.task(name="shop.orders.hang", bind=True, time_limit=1)
def hang(self):
    note(self)
    time.sleep(60)

class Mute(Exception):
    def __str__(self):
        raise RuntimeError("no words")

@app.task(name="shop.orders.mute", bind=True, autoretry_for=())
def mute(self):
    raise Mute()

@app.task(name="shop.orders.on_error", bind=True)
def on_error(self, *args):
    note(self, "errback")

@app.task(name="shop.orders.bug", bind=True)
def bug(self):
    note(self)
    if not os.path.exists("deployed"):
        raise ValueError("a bug")

@app.task(name="shop.add", bind=True)
def add(self, a, b):
    note(self)
    return a + b
"""


@dataclass(frozen=True)
class Shop:
    """A vhost with the topology applied, and a directory with `app.py` and the generated `celery_topology.py`."""

    broker: RunningBroker
    vhost: str
    url: str
    directory: Path

    @property
    def environment(self) -> dict[str, str]:
        return {
            "SHOP_BROKER": self.url, "SHOP_RESULTS": str(self.directory / "results"), "DLXCTL_URL": self.url,
            "DLXCTL_MANAGEMENT_URL": self.broker.management_url, "DLXCTL_VHOST": self.vhost,
        }  # fmt: skip

    def dlxctl(self, *arguments: str) -> str:
        """Run the installed command in the shop's directory; returns stdout. Raises AssertionError when it fails."""
        command = [str(Path(sys.executable).parent / "dlxctl"), *arguments]
        done = subprocess.run(
            command, cwd=self.directory, env=os.environ | self.environment, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def configure(self, topology: str) -> None:
        """Write `topology` as the file, and generate the Celery module from it."""
        (self.directory / "topology.yaml").write_text(topology)
        self.dlxctl("celery", "-o", "celery_topology.py")

    def python(self, code: str) -> str:
        """Run `code` as a producer in the shop's directory; returns what it prints."""
        variables = os.environ | self.environment | {"PYTHONPATH": str(self.directory)}
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=self.directory, env=variables, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def runs(self, what: str = "ran") -> list[dict[str, Any]]:
        """What the tasks noted, in order."""
        path = self.directory / "runs.jsonl"
        entries = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return [entry for entry in entries if entry["what"] == what]

    def depth(self, queue: str) -> int:
        """Ready messages, exactly (a passive declare; the management API lags)."""
        with pika.BlockingConnection(pika.URLParameters(self.url)) as connection:
            return int(connection.channel().queue_declare(queue, passive=True).method.message_count)

    def take(self, queue: str, count: int) -> list[tuple[pika.BasicProperties, bytes]]:
        """Wait until `queue` holds `count` messages, and consume them all."""
        wait_until(lambda: self.depth(queue) >= count, 30)
        with pika.BlockingConnection(pika.URLParameters(self.url)) as connection:
            channel, found = connection.channel(), []
            while (message := channel.basic_get(queue, auto_ack=True))[0] is not None:
                found.append((message[1], message[2]))
        return found

    def publish(self, exchange: str, routing_key: str, headers: dict[str, Any], body: bytes, **properties: Any) -> None:
        """Publish a task message by hand."""
        with pika.BlockingConnection(pika.URLParameters(self.url)) as connection:
            connection.channel().basic_publish(
                exchange, routing_key, body,
                pika.BasicProperties(
                    headers=headers, content_type="application/json", content_encoding="utf-8", **properties
                ),
            )  # fmt: skip

    def objects(self) -> set[tuple[str, ...]]:
        """Every queue, exchange and binding of the vhost, but the worker's own for control and events."""
        own = ("celeryev", "celery@", "reply.celery.pidbox", "celery.pidbox")
        vhost, found = quote(self.vhost, safe=""), set[tuple[str, ...]]()
        for kind in ("queues", "exchanges"):
            found |= {(kind, entry["name"]) for entry in self.broker.api("GET", f"{kind}/{vhost}")}
        for entry in self.broker.api("GET", f"bindings/{vhost}"):
            found.add(("binding", entry["source"], entry["destination"], entry["routing_key"]))
        return {
            entry for entry in found
            if not any(part.startswith(own) or part.endswith(".pidbox") for part in entry)
        }  # fmt: skip

    def delete(self, kind: str, name: str) -> None:
        """Delete a queue or an exchange (`kind`: queues, exchanges)."""
        self.broker.api("DELETE", f"{kind}/{quote(self.vhost, safe='')}/{quote(name, safe='')}")


def open_shop(
    broker: RunningBroker, vhost: str, url: str, directory: Path, *, type_: str = "quorum", settings: str = "policy"
) -> Shop:
    """Apply the shop's topology to `vhost`, and write its two modules."""
    shop = Shop(broker, vhost, url, directory)
    shop.configure(TOPOLOGY.format(type=type_, settings=settings))
    shop.dlxctl("apply", "--yes")
    (directory / "results").mkdir()
    (directory / "app.py").write_text(APP)
    return shop
