"""Part `task`: what dlxctl's worker side costs a task that succeeds, beside plain Celery under the same settings.

Each run: no-op tasks lie in a queue between two markers, a worker with one process is started, and the time from
marker to marker is taken. The two ways alternate.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pika

from bench.clients.clock import MARKS, URL_VARIABLE
from bench.options import Options
from bench.process import BenchError, measured
from bench.scene import Scene, scene
from tests.brokers import RunningBroker
from tests.brokers.running import say
from tests.conftest import ROOT

TASKS = 10_000
PATIENCE_S = 600
PLAIN, OURS = "celery", "dlxctl"
TOPOLOGY = """
version: 1
topology: bench
vhost: {vhost}
retry: {{standard: {{delays: [10s], attempts: 3}}}}
dead_letter: {{dead: {{}}}}
queues: {{orders: {{type: {type}}}}}
defaults: {{retry: standard, dead_letter: dead}}
"""
CELERY = str(Path(sys.executable).parent / "celery")
DLXCTL = str(Path(sys.executable).parent / "dlxctl")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """All runs of one way on one broker and queue type: seconds and CPU seconds for `tasks` no-ops.

    `steps_us`: what the code alone takes for one task, in the main and the pool's process (`noop_steps`).
    """

    version: str
    queue_type: str
    way: str
    tasks: int
    seconds: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    steps_us: list[float] = field(default_factory=list)


def costs(brokers: list[RunningBroker], options: Options) -> Iterator[tuple[Cost, Cost]]:
    """Plain Celery and dlxctl, on each broker and queue type. Raises BenchError when a worker does not do its work."""
    tasks = options.messages or TASKS
    for broker in brokers:
        for queue_type in options.types:
            pair = tuple(
                Cost(version=broker.version, queue_type=queue_type, way=way, tasks=tasks) for way in (PLAIN, OURS)
            )
            with scene(broker, queue_type) as place:
                _apply(place)
                for cost in pair:
                    cost.steps_us.extend(_steps(place, cost.way))
                for number in range(options.runs):
                    for cost in pair if number % 2 == 0 else reversed(pair):
                        _run(place, cost)
                        told = f"{tasks / cost.seconds[-1]:,.0f} tasks/s"
                        say(f"{broker.version} {queue_type}, run {number + 1}, {cost.way}: {told}")
            yield pair[0], pair[1]


def _apply(place: Scene) -> None:
    (Path(place.directory) / "topology.yaml").write_text(TOPOLOGY.format(type=place.queue_type, vhost=place.vhost))
    done = subprocess.run(
        [DLXCTL, "apply", "--yes"], cwd=place.directory, capture_output=True, text=True,
        env=os.environ | {"DLXCTL_URL": place.url, "DLXCTL_MANAGEMENT_URL": place.broker.management_url},
    )  # fmt: skip
    if done.returncode:
        raise BenchError(f"dlxctl apply: {done.stderr}")


def _steps(place: Scene, way: str) -> tuple[float, float]:
    command = [sys.executable, "-m", "bench.clients.noop_steps"]
    took = measured(command, environment=_environment(place, way), directory=place.directory)
    steps = json.loads(took.stdout)
    return steps["main"], steps["pool"]


def _environment(place: Scene, way: str) -> dict[str, str]:
    return {URL_VARIABLE: place.url, "BENCH_WAY": way, "PYTHONPATH": str(ROOT), "C_FORCE_ROOT": "1"}


def _run(place: Scene, cost: Cost) -> None:
    marks = Path(place.directory) / MARKS
    marks.unlink(missing_ok=True)
    _publish(place, cost.tasks)
    with TemporaryDirectory() as logs, (Path(logs) / "worker.log").open("w+") as log:
        worker = subprocess.Popen(
            [CELERY, "-A", "bench.clients.noop_app", "worker", "-c", "1", "--without-mingle", "--loglevel", "WARNING"],
            cwd=place.directory, stdout=log, stderr=log, start_new_session=True,
            env=os.environ | _environment(place, cost.way),
        )  # fmt: skip
        try:
            first, last = _both(marks, worker, Path(log.name))
        finally:
            os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()
    cost.seconds.append(last["at"] - first["at"])
    if first["cpu_s"] is not None:
        cost.cpu_s.append(last["cpu_s"] - first["cpu_s"])


def _publish(place: Scene, tasks: int) -> None:
    with pika.BlockingConnection(pika.URLParameters(place.url)) as connection:
        channel = connection.channel()
        channel.queue_purge("orders")
        for number in range(tasks + 2):
            name = "bench.mark" if number in (0, tasks + 1) else "bench.noop"
            channel.basic_publish(
                "", "orders", b"[[], {}, {}]",
                pika.BasicProperties(
                    headers={"task": name, "id": f"task-{number}", "lang": "py"}, content_type="application/json",
                    content_encoding="utf-8", delivery_mode=2,
                ),
            )  # fmt: skip
        deadline = time.monotonic() + PATIENCE_S
        while channel.queue_declare("orders", passive=True).method.message_count < tasks + 2:
            if time.monotonic() > deadline:
                raise BenchError("the tasks did not arrive in the queue")
            time.sleep(0.05)


def _both(marks: Path, worker: "subprocess.Popen[str]", log: Path) -> list[dict[str, float]]:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        lines = marks.read_text().splitlines() if marks.exists() else []
        if len(lines) == 2:
            return [json.loads(line) for line in lines]
        if worker.poll() is not None or time.monotonic() > deadline:
            raise BenchError(f"the worker did not do its tasks:\n{log.read_text()[-2000:]}")
        time.sleep(0.1)
