"""Part `look`: `dlxctl inspect --all` at a long queue: first rows, groups, memory, and what it holds meanwhile."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import quote

from bench import node
from bench.letters import seed
from bench.options import Options
from bench.process import LAUNCH, BenchError
from bench.scene import Scene, scene
from bench.ways import DLXCTL
from tests.brokers import RunningBroker

LONG = 1_000_000
TASKS = 7
EVERY_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One look. `first_s`: until rows stood on stderr; `most_out`: unacknowledged messages, the most of all samples."""

    version: str
    queue_type: str
    count: int
    groups: int
    first_s: float
    seconds: float
    peak_bytes: int
    most_out: int
    samples: int


@dataclass
class Samples:
    """What the management API tells of `dead`, twice a second; the broker renews it every 5 s."""

    place: Scene
    found: list[int] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def take(self) -> None:
        """Until it is over."""
        while not self.over.wait(EVERY_S):
            row = self.place.broker.api("GET", f"queues/{quote(self.place.vhost, safe='')}/dead")
            self.found.append(row.get("messages_unacknowledged", 0))


def looks(brokers: list[RunningBroker], options: Options) -> Iterator[Seen]:
    """Look once at each. Raises BenchError when a message is missing from the groups, or from the queue."""
    count = options.messages or LONG
    for broker in brokers:
        for queue_type in options.types:
            with scene(broker, queue_type) as place:
                place.prepare(options.sizes[0], TASKS)
                seed(place.reach, place.letters[options.sizes[0]], count - TASKS, tasks=TASKS)
                node.rest(node.process_of(broker.amqp_url))
                seen = _look(place, count)
                place.check(dead=count, orders=0)
                yield seen


def _look(place: Scene, count: int) -> Seen:
    samples = Samples(place)
    sampler = threading.Thread(target=samples.take)
    sampler.start()
    try:
        first_s, output = _run(place)
    finally:
        samples.over.set()
        sampler.join()
    *groups, took = map(json.loads, output.splitlines())
    if (len(groups), sum(group["count"] for group in groups)) != (TASKS, count):
        raise BenchError(f"the {len(groups)} groups are not the {TASKS} of {count:,} messages: {groups}")
    return Seen(
        version=place.broker.version, queue_type=place.queue_type, count=count, groups=len(groups), first_s=first_s,
        seconds=took["seconds"], peak_bytes=took["peak_bytes"], most_out=max(samples.found), samples=len(samples.found),
    )  # fmt: skip


def _run(place: Scene) -> tuple[float, str]:
    """Seconds until the first group stood on stderr, and the whole of stdout."""
    environment = {"DLXCTL_URL": place.url, "DLXCTL_MANAGEMENT_URL": place.broker.management_url, "NO_COLOR": "1"}
    command = [DLXCTL, "inspect", "--queue", "dead", "--all", "--format", "json"]
    began = time.monotonic()
    with subprocess.Popen(
        [sys.executable, "-SI", str(LAUNCH), *command], cwd=place.directory, env=os.environ | environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        assert process.stdout is not None
        lines = iter(process.stderr.readline, "")
        first_s = next((time.monotonic() - began for line in lines if "shop.orders." in line), 0.0)
        told = process.stderr.read()
        output = process.stdout.read()
    if process.returncode or not first_s:
        raise BenchError(f"`{' '.join(command[1:])}` ended with {process.returncode}:\n{told[-2_000:]}")
    return first_s, output
