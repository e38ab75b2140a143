"""One scene: a vhost with a dead-letter queue and its work queues, messages that died there, and the real command."""

import json
import os
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dlxctl.broker.address import Access
from dlxctl.broker.amqp import open_connection
from dlxctl.broker.raw_link import RawLink
from dlxctl.errors import NotFound
from dlxctl.wire.intake import Delivery
from tests import amqp_values as amqp
from tests.brokers import RunningBroker
from tests.conftest import ROOT
from tests.deaths import let_die, wait_for
from tests.faults.proxy import UP, Proxy
from tests.links import Message, drained, seed
from tests.oracle import Counts, identity, judged, marked

DEAD = "dead"
WORKS = ("orders", "default")
WINDOW = 1_000
LIMIT = {"x-delivery-limit": 1_000_000}
DLXCTL = Path(sys.executable).parent / "dlxctl"


@dataclass(frozen=True)
class Done:
    """How a command ended: exit code, its JSON report where it made one, and what it said."""

    code: int
    report: dict[str, Any]
    errors: str


@dataclass
class Scene:
    """`sent` is every message seeded, each with an id of its own; all were confirmed."""

    broker: RunningBroker
    reach: Access
    url: str
    kind: str
    directory: Path
    sent: list[Message] = field(default_factory=list)
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    def queue(self, name: str, *, kind: str | None = None, **arguments: Any) -> None:
        """Declare a queue, of the scene's type if none is said; keyword `x_max_length` is argument `x-max-length`."""
        kind = kind or self.kind
        given = {key.replace("_", "-"): value for key, value in arguments.items()}
        limit = LIMIT if kind == "quorum" else {}
        connection = open_connection(self.reach, purpose="test")
        connection.channel().queue_declare(name, durable=True, arguments={"x-queue-type": kind, **limit, **given})
        connection.close()

    def work(self, name: str, **arguments: Any) -> None:
        """A work queue whose failures go to the DLQ."""
        self.queue(name, **{"x_dead_letter_exchange": "", "x_dead_letter_routing_key": DEAD, **arguments})

    def declare(self, *works: str) -> None:
        """The DLQ and its work queues."""
        self.queue(DEAD)
        for name in works or WORKS:
            self.work(name)

    def delete(self, name: str) -> None:
        """Delete a queue with what is in it."""
        connection = open_connection(self.reach, purpose="test")
        connection.channel().queue_delete(name)
        connection.close()

    def message(self, *entries: bytes, body: bytes | None = None, **properties: bytes) -> Message:
        """A new message of every header type with the next id; `body` is made up if None."""
        number = len(self.sent)
        body = bytes((number % 256,)) * (number % 500) if body is None else body
        table = (*amqp.EVERY_TYPE, *entries, marked(number))
        self.sent.append((amqp.Header(body, table, amqp.ALL_PROPERTIES | properties).payload(), amqp.body_frame(body)))
        return self.sent[-1]

    def dead_letter(self, origin: str) -> Message:
        """A message whose history says that it died in `origin`, for `put`: no queue took part."""
        return self.message(amqp.entry(b"x-death", amqp.array(amqp.death(origin))))

    def kill(self, work: str, messages: list[Message]) -> None:
        """Let messages die in `work`, and wait until they lie in the DLQ."""
        before = self.depth(DEAD)
        let_die(self.reach, work, messages)
        wait_for(self.reach, DEAD, before + len(messages))

    def fill(self, number: int, works: tuple[str, ...] = WORKS) -> None:
        """`number` new dead letters, evenly of each work queue."""
        messages = [self.message() for _ in range(number)]
        for at, work in enumerate(works):
            if messages[at :: len(works)]:
                self.kill(work, messages[at :: len(works)])

    def put(self, messages: list[Message], queue: str = DEAD) -> None:
        """Straight into a queue."""
        link = RawLink(self.reach, purpose="test")
        seed(link, queue, messages)
        link.close()

    def depth(self, queue: str) -> int:
        """Ready messages."""
        link = RawLink(self.reach, purpose="test")
        try:
            return link.depth(queue)
        finally:
            link.close()

    def moved(self, *queues: str) -> int:
        """Ready messages in the work queues."""
        return sum(self.depth(queue) for queue in queues or WORKS)

    def until(self, true: Callable[[], bool], what: str, seconds: float = 30) -> None:
        """Wait until something is so."""
        deadline = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
            time.sleep(0.02)

    def until_quiet(self, *queues: str, seconds: float = 0.5) -> None:
        """Wait until these queues have taken what was sent to them: their depth stands still for so long."""
        depth, since = self.moved(*queues), time.monotonic()
        while time.monotonic() - since < seconds:
            time.sleep(0.05)
            if (now := self.moved(*queues)) != depth:
                depth, since = now, time.monotonic()

    def frozen(
        self, proxy: Proxy, *arguments: object, after: int = 200_000, login: str = "guest:guest"
    ) -> "subprocess.Popen[str]":
        """A run in the middle of its work: the line went silent after so many octets of copies."""
        proxy.cut_at(UP, after, proxy.freeze)
        process = self.start(*arguments, url=self.through(proxy).replace("guest:guest", login))
        self.until(lambda: process.poll() is not None or proxy.silent, "the run is in its middle")
        assert process.poll() is None, self.ended(process)
        return process

    @contextmanager
    def rejecting(self, *works: str) -> Iterator[None]:
        """Within the block, a consumer rejects whatever comes to the work queues."""
        stop = threading.Event()
        rejecters = [threading.Thread(target=reject_all, args=(self.reach, work, stop)) for work in works]
        for rejecter in rejecters:
            rejecter.start()
        try:
            yield
        finally:
            stop.set()
            for rejecter in rejecters:
                rejecter.join()

    def through(self, proxy: Proxy) -> str:
        """The scene's URL by way of the proxy."""
        host, port = proxy.target
        return self.url.replace(f"{host}:{port}", f"127.0.0.1:{proxy.port}")

    def start(self, *arguments: object, url: str | None = None, crash_at: int | None = None) -> "subprocess.Popen[str]":
        """Start `dlxctl replay`; with `crash_at` under the crash hook."""
        program = [str(DLXCTL)]
        if crash_at is not None:
            program = [sys.executable, "-m", "tests.faults.crash_at", str(crash_at), str(self.directory / "steps")]
        words = ["replay", "--queue", DEAD, "--yes", "--format", "json", *map(str, arguments)]
        known = {
            "DLXCTL_URL": url or self.url, "DLXCTL_MANAGEMENT_URL": self.broker.management_url, "NO_COLOR": "1",
            "PYTHONPATH": str(ROOT), "COLUMNS": "200",
        }  # fmt: skip
        with self._talk.open("w") as talk:
            process = subprocess.Popen(
                [*program, *words], cwd=self.directory, env=os.environ | known, text=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=talk,
            )  # fmt: skip
        self.processes.append(process)
        return process

    @property
    def _talk(self) -> Path:
        return self.directory / f"stderr-{len(self.processes)}"

    def said(self) -> str:
        """What the latest command has written to stderr so far."""
        return (self.directory / f"stderr-{len(self.processes) - 1}").read_text()

    def ended(self, process: "subprocess.Popen[str]", timeout: float = 120) -> Done:
        """Wait for a command; its JSON report is {} when it made none."""
        out, _ = process.communicate(timeout=timeout)
        errors = (self.directory / f"stderr-{self.processes.index(process)}").read_text()
        assert "Traceback" not in errors, errors
        return Done(process.returncode, json.loads(out) if out.startswith("{") else {}, errors)

    def replay(self, *arguments: object, url: str | None = None, timeout: float = 120) -> Done:
        """Run `dlxctl replay` to its end."""
        return self.ended(self.start(*arguments, url=url), timeout)

    def resume(self) -> int:
        """Replay until the DLQ is empty, as an operator would after a crash; how many runs that took."""
        deadline = time.monotonic() + 60
        for runs in range(1, 20):
            done = self.replay()
            assert done.code in (0, 7), done  # 7: the broker has not noticed the end of the killed one yet
            if done.code == 0 and self.depth(DEAD) == 0:
                return runs
            assert time.monotonic() < deadline, done
        raise AssertionError(f"{self.depth(DEAD)} dead letters are left after {runs} runs: {done}")

    def counts(self, *queues: str) -> Counts:
        """Drain the work queues (or `queues`) and the DLQ, and judge."""
        expected = {identity(header) for header, _ in self.sent}
        moved: list[Delivery] = []
        dead: list[Delivery] = []
        deadline = time.monotonic() + 5
        while True:
            for queue in queues or WORKS:
                moved += self.drain(queue)
            dead += self.drain(DEAD)
            if expected <= {identity(found.header) for found in (*moved, *dead)} or time.monotonic() > deadline:
                return judged(self.sent, moved, dead)
            time.sleep(0.1)

    def drain(self, queue: str) -> list[Delivery]:
        """Every message of `queue`, taken away; none when there is no such queue."""
        link = RawLink(self.reach, purpose="test")
        try:
            return drained(link, queue)
        except NotFound:
            return []
        finally:
            link.close()

    def close(self) -> None:
        """End what still runs."""
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.communicate()


def reject_all(reach: Access, work: str, stop: threading.Event) -> None:
    """A worker whose tasks always fail."""
    link = RawLink(reach, purpose="test")
    link.consume(work, 100)
    while not stop.is_set():
        for event in link.pump(0.1):
            if isinstance(event, Delivery):
                link._raw.write(struct.pack(">BHIHHQBB", 1, link._from, 13, 60, 120, event.tag, 0, 0xCE))
    link.close()
