"""Where the story plays: a vhost and a directory of its own, commands shown as they are typed, and the task's notes."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pika

from tests.brokers import RunningBroker

HERE = Path(__file__).parent
PROGRAMS = Path(sys.executable).parent
COMMAND_SECONDS = 60


class WrongTurn(Exception):
    """Something in the story is not as promised; the message says what."""


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of the task: which order, when (seconds since 1970), and whether it succeeded."""

    order: int
    at: float
    charged: bool


@dataclass(frozen=True, slots=True)
class Stage:
    """A vhost of a broker and a directory with topology.yaml and shop.py in it."""

    broker: RunningBroker
    vhost: str
    directory: Path

    @property
    def url(self) -> str:
        """The AMQP URL of the vhost."""
        return f"{self.broker.amqp_url}/{self.vhost}"

    @property
    def environment(self) -> dict[str, str]:
        """What dlxctl, the producer and the worker find the broker by; Celery prefers its own variable."""
        return {
            "DLXCTL_URL": self.url, "CELERY_BROKER_URL": self.url,
            "DLXCTL_MANAGEMENT_URL": self.broker.management_url, "DLXCTL_VHOST": self.vhost,
            "PYTHONPATH": str(self.directory),
        }  # fmt: skip

    def run(self, line: str) -> str:
        """Run a command as typed, show it and what it prints, and return that. Raises WrongTurn if it fails."""
        print(f"\n$ {line}", flush=True)
        program, *arguments = line.split()
        done = subprocess.run(
            [str(PROGRAMS / program), *arguments], cwd=self.directory, env=os.environ | self.environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=COMMAND_SECONDS,
        )  # fmt: skip
        print(done.stdout, end="", flush=True)
        if done.returncode:
            raise WrongTurn(f"`{line}` ended with exit code {done.returncode}")
        return done.stdout

    def runs(self) -> list[Run]:
        """What the task has noted so far, in order of time."""
        notes = self.directory / "runs.jsonl"
        lines = notes.read_text().splitlines() if notes.exists() else []
        return sorted((Run(**json.loads(line)) for line in lines), key=lambda run: run.at)

    def depth(self, queue: str) -> int:
        """Ready messages in a queue, exactly: by a passive declare, for the management API lags."""
        with pika.BlockingConnection(pika.URLParameters(self.url)) as connection:
            return int(connection.channel().queue_declare(queue, passive=True).method.message_count)


@contextmanager
def stage(broker: RunningBroker) -> Iterator[Stage]:
    """Build a stage, and take it down again whatever happened on it."""
    vhost = f"dlxctl-demo-{uuid.uuid4().hex[:8]}"
    broker.api("PUT", f"vhosts/{vhost}", {})
    try:
        broker.api("PUT", f"permissions/{vhost}/{broker.user}", {"configure": ".*", "write": ".*", "read": ".*"})
        with tempfile.TemporaryDirectory(prefix="dlxctl-demo-") as directory:
            for name in ("topology.yaml", "shop.py"):
                shutil.copy(HERE / name, directory)
            yield Stage(broker, vhost, Path(directory))
    finally:
        broker.api("DELETE", f"vhosts/{vhost}")
