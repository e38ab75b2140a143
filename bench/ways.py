"""The ways to move dead letters that are compared, in one table; docs/benchmarks.md says what each is."""

import functools
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from bench import shovel
from bench.clients.clock import URL_VARIABLE
from bench.letters import TASK
from bench.process import Took, measured
from bench.scene import Scene
from tests.brokers import RunningBroker
from tests.conftest import ROOT

DLXCTL = str(Path(sys.executable).parent / "dlxctl")
WHERE = f"headers.task == '{TASK}'"
"""True for every message: the cost of asking, with the same work done."""

STATISTICS_S = 15.0
SLOW = 50
"""The rivals in Python get N / 50 messages: at a twentieth of the speed they would take longer than all the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way. `share` divides the number of messages; `possible` tells on which brokers it exists."""

    name: str
    move: Callable[[Scene, int], Took]
    share: int = 1
    possible: Callable[[RunningBroker], bool] = lambda broker: True


def _dlxctl(scene: Scene, count: int, *options: str) -> Took:
    """The installed command in a process of its own; its start-up counts."""
    environment = {"DLXCTL_URL": scene.url, "DLXCTL_MANAGEMENT_URL": scene.broker.management_url, "NO_COLOR": "1"}
    command = [DLXCTL, "replay", "--queue", "dead", "--yes", *options]
    return measured(command, environment=environment, directory=scene.directory)


def _client(module: str, scene: Scene, count: int) -> Took:
    """A rival's own figures for time and CPU (moving alone, without its start-up), its process's peak memory."""
    command = [sys.executable, "-m", f"bench.clients.{module}", str(count)]
    took = measured(command, environment={URL_VARIABLE: scene.url, "PYTHONPATH": str(ROOT)}, directory=scene.directory)
    own = json.loads(took.stdout)
    return replace(took, seconds=own["seconds"], cpu_s=own["cpu_s"])


@functools.cache
def _has_where() -> bool:
    told = subprocess.run([DLXCTL, "replay", "--help"], capture_output=True, text=True)
    return "--where" in told.stdout


@functools.cache
def _has_shovel(broker: RunningBroker) -> bool:
    """A node tells its plugins with its first statistics, some seconds after its start."""
    deadline = time.monotonic() + STATISTICS_S
    while "enabled_plugins" not in (node := broker.api("GET", "nodes")[0]) and time.monotonic() < deadline:
        time.sleep(0.5)
    return "rabbitmq_shovel" in node.get("enabled_plugins", ())


def _rival(name: str, module: str) -> Way:
    return Way(name=name, move=functools.partial(_client, module), share=SLOW)


WAYS = (
    Way(name="dlxctl", move=_dlxctl),
    Way(
        name="dlxctl-where",
        move=lambda scene, count: _dlxctl(scene, count, "--where", WHERE),
        possible=lambda broker: _has_where(),
    ),
    Way(name="shovel", move=shovel.by_amqp, possible=_has_shovel),
    Way(name="shovel-tcp", move=shovel.by_tcp, possible=_has_shovel),
    Way(
        name="local-shovel",
        move=shovel.by_local,
        possible=lambda broker: _has_shovel(broker) and broker.release >= (4, 2),
    ),
    _rival("pika-get", "pika_get"),
    _rival("pika-consume", "pika_consume"),
    _rival("kombu", "kombu_loop"),
    _rival("aio-pika", "aio_pika_tasks"),
)
BY_NAME = {way.name: way for way in WAYS}
