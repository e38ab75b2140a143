"""The examples are true: their HTTP servers, workers and files run as they are, on a real broker."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import urllib3

from dlxctl.model import headers as names
from tests.acceptance.celery_shop import Shop
from tests.brokers import RunningBroker
from tests.conftest import ROOT
from tests.workers import start_worker, wait_until

pytestmark = pytest.mark.one_version

EXAMPLES = ROOT / "examples"
SERVERS = {
    "fastapi": ["-m", "uvicorn", "api:api", "--port", "{port}"],
    "django": ["manage.py", "runserver", "--noreload", "{port}"],
}
SLOW, QUICK = "delays: [10s, 1m, 10m], attempts: 5", "delays: [500ms], attempts: 1"
START_SECONDS = 40


@dataclass(frozen=True)
class Example:
    """A copy of an example with a quick ladder, applied to the test's vhost."""

    name: str
    shop: Shop

    @property
    def environment(self) -> dict[str, str]:
        return self.shop.environment | {"CELERY_BROKER_URL": self.shop.url, "PYTHONPATH": str(self.shop.directory)}

    @contextmanager
    def server(self) -> Iterator["Client"]:
        """Its HTTP server as a process, until it answers."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        log = self.shop.directory / "server.log"
        command = [sys.executable, *(word.format(port=port) for word in SERVERS[self.name])]
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, cwd=self.shop.directory, env=os.environ | self.environment, stdout=output, stderr=output
            )
        client = Client(f"http://127.0.0.1:{port}")
        try:
            wait_until(lambda: client.answers() or process.poll() is not None, START_SECONDS)
            assert process.poll() is None, log.read_text()
            yield client
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()


class Client:
    """Asks one server."""

    def __init__(self, base: str) -> None:
        self._base, self._http = base, urllib3.PoolManager()

    def get(self, path: str) -> tuple[int, Any]:
        """Status and JSON."""
        answer = self._http.request("GET", self._base + path, timeout=30)
        return answer.status, json.loads(answer.data)

    def post(self, path: str, body: Any) -> tuple[int, Any]:
        """Status and JSON."""
        answer = self._http.request("POST", self._base + path, json=body, timeout=30)
        return answer.status, json.loads(answer.data)

    def answers(self) -> bool:
        """Whether anybody listens."""
        try:
            self._http.request("GET", self._base + "/none", timeout=5, retries=False)
        except urllib3.exceptions.HTTPError:
            return False
        return True


def copy_of(name: str, broker: RunningBroker, vhost: str, url: str, directory: Path) -> Example:
    """Copy the example, make its ladder quick, apply it, and generate what it generates."""
    shutil.copytree(EXAMPLES / name, directory, dirs_exist_ok=True)
    topology = directory / "topology.yaml"
    assert SLOW in topology.read_text()
    topology.write_text(topology.read_text().replace(SLOW, QUICK))
    shop = Shop(broker, vhost, url, directory)
    shop.dlxctl("apply", "--yes")
    if name == "django":
        shop.dlxctl("celery", "topology.yaml", "--namespace", "CELERY", "-o", "shop/celery_topology.py")
    return Example(name, shop)


@pytest.mark.parametrize("name", sorted(SERVERS))
def test_work_is_queued_told_of_and_seen_in_the_health(
    name: str, broker: RunningBroker, vhost: str, url: str, tmp_path: Path
) -> None:
    """An order is charged, another dies after its retry, and the health tells of it; without the broker it is a 503."""
    example = copy_of(name, broker, vhost, url, tmp_path)
    with example.server() as client:
        assert client.get("/health")[1]["reasons"] == ["nobody consumes default", "nobody consumes orders"]
        with start_worker(tmp_path, "shop", environment=example.environment):
            status, placed = client.post("/orders", {"number": 7})
            assert status == 202
            assert client.post("/orders", {"count": 7})[0] == 422
            wait_until(lambda: client.get(placed["status"])[1]["state"] == "SUCCESS")
            assert client.get(placed["status"])[1] == {
                "id": placed["id"], "state": "SUCCESS", "result": {"charged": 7},
            }  # fmt: skip
            _, doomed = client.post("/orders", {"number": 13})
            wait_until(lambda: client.get(doomed["status"])[1]["state"] == "FAILURE")
            assert client.get(doomed["status"])[1]["error"] == "ValueError('no such order')"
            wait_until(lambda: client.get("/health")[1]["dead_letters"] == 1)
            code, health = client.get("/health")
        assert (code, health["status"], health["reasons"], health["remarks"]) == (200, "ok", [], [])
        assert 0 <= health["oldest_dead_letter_s"] < 60
        assert {queue["name"]: queue["ready"] for queue in health["queues"]} == {
            "default": 0, "orders": 0, "retry.500ms": 0, "dead_letter": 1, "dead_letter.parked": 0,
        }  # fmt: skip
        broker.api("DELETE", f"permissions/{vhost}/{broker.user}")
        code, health = client.get("/health")
        assert (code, health["status"]) == (503, "unavailable")


def test_quarantine_runs_dead_letters_once_more_and_parks_what_fails_again(
    broker: RunningBroker, vhost: str, url: str, tmp_path: Path
) -> None:
    """One that succeeds now is done, one that fails is parked with the headers of its first death; work is left."""
    example = copy_of("fastapi", broker, vhost, url, tmp_path)
    shutil.copy(EXAMPLES / "quarantine" / "quarantine.py", tmp_path)
    shop, environment = example.shop, example.environment
    with start_worker(tmp_path, "shop", environment=environment):
        run(example, "import shop; shop.charge.delay(13)")
        wait_until(lambda: shop.depth("dead_letter") == 1)
    code = (
        "import shop; from kombu import Queue\n"
        "print(shop.charge.apply_async((5,), queue=Queue('dead_letter', no_declare=True)).id)\n"
        "shop.charge.delay(6)"
    )
    identity = run(example, code).strip()
    before = shop.objects()
    options = ("-c", "1", "--max-tasks-per-child", "1")
    with start_worker(tmp_path, "quarantine", *options, environment=environment) as worker:
        [(parked, _)] = shop.take("dead_letter.parked", 1)
        wait_until(lambda: "'charged': 5" in worker.log)
        assert worker.stop() == 0
    assert (parked.headers[names.ORIGIN], parked.headers[names.EXCEPTION]) == ("orders", "ValueError")
    assert (shop.depth("dead_letter"), shop.depth("orders")) == (0, 1)
    assert run(example, f"import shop; print(shop.app.AsyncResult({identity!r}).state)") == "SUCCESS\n"
    assert shop.objects() == before


def run(example: Example, code: str) -> str:
    """Run `code` as a producer in the example's directory; what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=example.shop.directory, env=os.environ | example.environment,
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_generated_module_of_the_example_is_fresh(tmp_path: Path) -> None:
    """What is committed is what `dlxctl celery` makes of the file."""
    shutil.copytree(EXAMPLES / "django", tmp_path, dirs_exist_ok=True)
    command = [str(Path(sys.executable).parent / "dlxctl"), "celery", "topology.yaml", "--namespace", "CELERY", "-o",
               "shop/celery_topology.py", "--check"]  # fmt: skip
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
