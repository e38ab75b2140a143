"""Doctor against real workers: of every row of the matrix both must say the same, configuration by configuration.

The prediction is `dlxctl doctor` run on the app of the matrix; what happens is observed on the broker, without a look
at the prediction. `make test` compares a few configurations; DLXCTL_FAULTS=full (`make faults`) all of them.
"""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pika
import pytest
from celery import Celery

from dlxctl.celery.doctor.steps import UNCONTAINED
from tests.brokers import RunningBroker
from tests.celery_failures.matrix import BY_NAME, CONFIGURATIONS, PROTECTED, ROWS, Fate, Row
from tests.celery_failures.notes import notes_of
from tests.celery_failures.scene import BROKEN_TIER, CONSUMED, Scene, open_scene
from tests.conftest import ROOT
from tests.workers import Worker, start_worker, wait_until

pytestmark = pytest.mark.one_version

FULL = os.environ.get("DLXCTL_FAULTS") == "full"
APP = "tests.acceptance.doctor_app"
OUTCOME = {"raises-badly": "raises", "raises-plain": "raises"}
"""Rows that doctor tells by another outcome's name."""
OF_THE_BROKER = frozenset({"expired-in-queue"})
KILLED = "worker-killed"
LOOPING = frozenset(r.name for r in ROWS if Fate.LOOPS in r.unprotected.values() and not r.kills_worker)
KILLING = frozenset(r.name for r in ROWS if r.kills_worker)
QUIET = frozenset(BY_NAME) - LOOPING - KILLING - OF_THE_BROKER
ASTRAY = Row(name="retry-unroutable", task="d.astray", unprotected={})
ALONE = {"solo": UNCONTAINED}
"""Rows by pool that are run alone as those that end a worker are: they may."""
LIMITED = "quorum, delivery_limit: 2"
SESSIONS = 4
"""So many workers in turn where deliveries are limited to 2: one more than a message may kill."""
LAPS_SECONDS, IDLE_SECONDS = 6, 30
"""How long a worker gets for what may go round for ever, and to be done with what does not."""
WORK_QUEUES = (*CONSUMED.split(","), "retry.200ms", "retry.400ms")
UNRECOVERABLE = "Unrecoverable error"
"""Celery's own words for an error that the main process does not survive."""
GONE = "gone"
"""How a lost message and one dropped by intent look from outside."""
Seen = dict[str, tuple[str, bool]]
"""Row -> fate, and whether a worker ended over it."""


class Trial:
    """One configuration on one broker: what doctor says, and what workers do."""

    def __init__(self, scene: Scene, configuration: str, pool: str, sessions: int) -> None:
        self.scene, self.configuration, self.pool, self.sessions = scene, configuration, pool, sessions
        self.control = Celery(broker=scene.url, set_as_current=False).control
        self.environment = {
            **scene.environment, "MATRIX_BROKER": scene.url, "MATRIX_CONFIGURATION": configuration,
            "PYTHONPATH": str(ROOT),
        }  # fmt: skip

    def predicted(self) -> Seen:
        """What `dlxctl doctor` says of each row that the pool has."""
        command = [str(Path(sys.executable).parent / "dlxctl"), "doctor", "-A", APP, "--pool", self.pool]
        done = subprocess.run(
            [*command, "--format", "json"], cwd=self.scene.directory, env=os.environ | self.environment,
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode in (0, 4), done.stderr
        tasks = {task["name"]: task["outcomes"] for task in json.loads(done.stdout)["tasks"]}
        found: Seen = {}
        for row in ROWS:
            told = tasks.get(self.row(row).task, tasks["m.add"]).get(OUTCOME.get(row.name, row.name))
            if told and row.name not in OF_THE_BROKER:
                fate = GONE if told["fate"] in ("lost", "dropped by intent") else told["fate"]
                found[row.name] = (fate, told["kills_worker"])
        return found

    def row(self, row: Row) -> Row:
        """The row to send: with dlxctl a missing tier is what makes a retry unroutable, without it a bad key."""
        return ASTRAY if row.name == ASTRAY.name and self.configuration != PROTECTED else row

    def observed(self, names: frozenset[str]) -> Seen:
        """What becomes of each row of `names` that the pool has."""
        rows = [self.row(row) for row in ROWS if row.name in names and self.pool in row.pools]
        alone = KILLING | ALONE.get(self.pool, frozenset())
        found = self._together([row for row in rows if row.name in QUIET - alone])
        found |= self._together([row for row in rows if row.name in LOOPING - alone])
        for row in rows:
            if row.name == KILLED:
                found[row.name] = self._killed(row)
            elif row.name in alone:
                found |= self._together([row])
        return found

    def _together(self, rows: list[Row]) -> Seen:
        """Send `rows` to one worker, and to the next while any are left, until none is or there were enough workers."""
        ended = False
        for session in range(self.sessions):
            if not rows or (session and not self._left()):
                break
            ended |= self._session(rows if session == 0 else [])
        return self._sorted_out(rows, ended)

    def _session(self, rows: list[Row]) -> bool:
        """One worker's life; whether it ended by itself."""
        try:
            with self.worker() as worker:
                self.control.revoke("revoked", reply=True, timeout=5, limit=1)
                for row in rows:
                    self.scene.send(row)
                endless = not rows or {row.name for row in rows} & LOOPING
                deadline = time.monotonic() + (LAPS_SECONDS if endless else IDLE_SECONDS)
                while not _over(worker) and time.monotonic() < deadline and not self._idle():
                    time.sleep(0.1)
                ended = _over(worker)
                if ended or endless:  # a warm shutdown waits for what runs, and that may come back again and again
                    worker.kill()
                    wait_until(lambda: self._consumers() == 0)
                else:
                    worker.stop()
                    ended = UNRECOVERABLE in worker.log
                return ended
        except AssertionError as error:
            if "the worker ended" not in str(error):
                raise
            return True

    def _killed(self, row: Row) -> tuple[str, bool]:
        """The row whose task waits for its worker to be killed."""
        with self.worker() as worker:
            self.scene.send(row)
            wait_until(lambda: len(notes_of(self.scene.directory, "delivered")) == 1)
            worker.kill()
        wait_until(lambda: self._consumers() == 0)
        return ("redelivered", False) if self._drained() == {row.name: True} else (GONE, False)

    @contextmanager
    def worker(self) -> Iterator[Worker]:
        with start_worker(
            self.scene.directory, APP, "-Q", CONSUMED, environment=self.environment, pool=self.pool
        ) as worker:
            yield worker

    def _idle(self) -> bool:
        """Nothing is ready, waits, or is worked on. A worker that does not answer is not idle."""
        if self._left():
            return False
        inspect = self.control.inspect(timeout=2, limit=1)
        answers: list[Any] = [inspect.scheduled(), inspect.reserved(), inspect.active()]  # the way that a task goes
        busy = [task for answer in answers if answer for tasks in answer.values() for task in tasks]
        return all(answers) and not busy and not self._left() and not self._unacknowledged()

    def _left(self) -> int:
        return sum(self.scene.depth(queue) for queue in WORK_QUEUES)

    def _unacknowledged(self) -> int:
        """As the broker counts it now and then; 0 may be old news, so that `_idle` asks the worker too."""
        rows = self.scene.broker.api("GET", f"queues/{self.scene.vhost}")
        return sum(row.get("messages_unacknowledged") or 0 for row in rows)

    def _consumers(self) -> int:
        with pika.BlockingConnection(pika.URLParameters(self.scene.url)) as connection:
            return int(connection.channel().queue_declare("work", passive=True).method.consumer_count)

    def _sorted_out(self, rows: list[Row], ended: bool) -> Seen:
        dead = Counter(headers["row"] for headers in self._take_dead_letters())
        left = self._drained()
        found: Seen = {}
        for row in rows:
            if dead[row.name]:
                fate = "dlq" if dead[row.name] == 1 and row.name not in left else f"dlq x {dead[row.name]}"
            elif row.name in left:
                fate = "loops" if left[row.name] else "never delivered"
            else:
                fate = GONE
            found[row.name] = (fate, ended)
        return found

    def _take_dead_letters(self) -> list[dict[str, Any]]:
        count = self.scene.depth("dead_letter")
        return [properties.headers for properties, _ in self.scene.take("dead_letter", count)] if count else []

    def _drained(self) -> dict[str, bool]:
        """What is left in the work queues, taken out: row -> whether it was delivered before."""
        found = {}
        with pika.BlockingConnection(pika.URLParameters(self.scene.url)) as connection:
            channel = connection.channel()
            for queue in WORK_QUEUES:
                while (message := channel.basic_get(queue, auto_ack=True))[0] is not None:
                    found[message[1].headers["row"]] = message[0].redelivered
        return found


def _over(worker: Worker) -> bool:
    """Whether the main process has ended, or is about to."""
    return worker.process.poll() is not None or UNRECOVERABLE in worker.log


def compare(trial: Trial, names: frozenset[str]) -> None:
    """Both, row by row; what differs is shown as (predicted, observed)."""
    predicted = trial.predicted()
    trial.scene.delete("exchanges", BROKEN_TIER)
    observed = trial.observed(names)
    assert observed
    wrong = {name: (predicted.get(name), seen) for name, seen in observed.items() if predicted.get(name) != seen}
    assert wrong == {}, wrong
    if names >= QUIET | LOOPING | KILLING:
        assert observed.keys() == predicted.keys()


def trial_on(
    broker: RunningBroker, vhost: str, url: str, directory: Path, configuration: str, kind: str, pool: str = "prefork"
) -> Trial:
    """A vhost with the matrix's topology."""
    scene = open_scene(broker, vhost, url, directory, kind)
    return Trial(scene, configuration, pool, SESSIONS if kind == LIMITED else 1)


@pytest.mark.parametrize(
    ("configuration", "names"), [("C", QUIET | LOOPING | {"missing-id"}), ("B", QUIET)], ids=["C", "B"]
)
def test_doctor_predicts_what_workers_do(
    broker: RunningBroker, vhost: str, url: str, tmp_path: Path, configuration: str, names: frozenset[str]
) -> None:
    """On classic queues, in the two configurations that most people have who have heard of late acknowledgement."""
    compare(trial_on(broker, vhost, url, tmp_path, configuration, "classic"), names)


if FULL:

    @pytest.mark.parametrize("kind", ["classic", LIMITED], ids=["classic", "quorum"])
    @pytest.mark.parametrize("configuration", list(CONFIGURATIONS))
    def test_doctor_predicts_every_row_of_every_configuration(
        broker: RunningBroker, vhost: str, url: str, tmp_path: Path, configuration: str, kind: str
    ) -> None:
        """Protected and not, on classic queues, and on quorum queues with a delivery limit of 2."""
        compare(trial_on(broker, vhost, url, tmp_path, configuration, kind), QUIET | LOOPING | KILLING)

    @pytest.mark.parametrize("pool", ["threads", "solo"])
    @pytest.mark.parametrize("configuration", [PROTECTED, "C"])
    def test_doctor_predicts_what_other_pools_do(
        broker: RunningBroker, vhost: str, url: str, tmp_path: Path, configuration: str, pool: str
    ) -> None:
        """Rows that the pool does not have are neither predicted nor run."""
        compare(trial_on(broker, vhost, url, tmp_path, configuration, "classic", pool), QUIET | LOOPING | KILLING)
