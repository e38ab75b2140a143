"""Many tasks that fail at once: through three tiers into the DLQ, replayed, done; also while workers are killed."""

import os
import random
import signal
import time
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pika
import pytest

from tests.acceptance.celery_shop import Shop
from tests.brokers import RunningBroker
from tests.celery_failures.notes import notes_of
from tests.conftest import ROOT
from tests.faults.conftest import FULL, SEED, full_or_short
from tests.workers import start_worker, wait_until

DELAYS = (20.0, 30.0, 40.0) if FULL else (0.5, 1.0, 1.5)
"""Seconds; longer than the worker takes for one run of all, so that none waits for another to be done."""
TOPOLOGY = f"""
version: 1
topology: many
vhost: ${{DLXCTL_VHOST:-/}}
retry: {{three: {{delays: [{", ".join(f"{delay * 1000:.0f}ms" for delay in DELAYS)}], attempts: 3}}}}
dead_letter: {{dead_letter: {{}}}}
queues: {{orders: {{delivery_limit: 1000, tasks: ["many.*"]}}}}
defaults: {{retry: three, dead_letter: dead_letter}}
"""
APP = "tests.celery_failures.many_app"
CONCURRENCY = 2
LIVING = ("orders", *(("retry.20s", "retry.30s", "retry.40s") if FULL else ("retry.500ms", "retry.1s", "retry.1500ms")))
COUNT = full_or_short(1_000, 60)
SLACK_SECONDS = 10.0
"""More than a busy machine needs; what was measured stands in docs/celery.md, and is printed."""

IDLE_SECONDS = 1.0
"""A worker that begins nothing for so long has nothing to do."""


@pytest.fixture
def many(broker: RunningBroker, vhost: str, url: str, tmp_path: Path) -> Shop:
    """The topology applied, and the directory that the workers run in."""
    shop = Shop(broker, vhost, url, tmp_path)
    (tmp_path / "topology.yaml").write_text(TOPOLOGY)
    shop.dlxctl("apply", "--yes")
    return shop


def worker(shop: Shop) -> Any:
    """A prefork worker; as many messages are prefetched as it has processes."""
    environment = {**shop.environment, "MATRIX_BROKER": shop.url, "PYTHONPATH": str(ROOT)}
    return start_worker(shop.directory, APP, environment=environment, concurrency=CONCURRENCY)


def send(shop: Shop, task: str, ids: list[str]) -> float:
    """Publish one message for each id, confirmed; the time when all lay in the queue."""
    with pika.BlockingConnection(pika.URLParameters(shop.url)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        for id_ in ids:
            channel.basic_publish(
                "", "orders", b"[[], {}, {}]",
                pika.BasicProperties(
                    headers={"task": task, "id": id_, "lang": "py"}, content_type="application/json",
                    content_encoding="utf-8", delivery_mode=2,
                ),
            )  # fmt: skip
    return time.time()


def ids_in(shop: Shop, queue: str, count: int) -> Counter[str]:
    """Take all of `queue`: how often each id lay in it."""
    return Counter(properties.headers["id"] for properties, _ in shop.take(queue, count))


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """A run after the first one: when its delay was over, and when it began; seconds since 1970."""

    due: float
    began: float
    delay: float

    @property
    def late(self) -> float:
        """As a share of the delay."""
        return (self.began - self.due) / self.delay


def retries_of(shop: Shop) -> list[Again]:
    """Every retry, the latest last."""
    runs: dict[str, list[float]] = {}
    for entry in notes_of(shop.directory, "failed"):
        runs.setdefault(entry["id"], []).append(entry["at"])
    found = [
        Again(due=first + delay, began=second, delay=delay)
        for times in runs.values()
        for (first, second), delay in zip(pairwise(times), DELAYS, strict=True)
    ]
    return sorted(found, key=lambda again: again.late)


def late_though_idle(shop: Shop, retries: list[Again]) -> list[Again]:
    """Those more than 10 % late for which the worker had time: it began nothing for a while after they were due.

    That many come back at once, and a slow machine works them off for longer, is no fault of the tiers.
    """
    idle = [
        (one, other)
        for one, other in pairwise(sorted(entry["at"] for entry in notes_of(shop.directory, "failed")))
        if other - one > IDLE_SECONDS
    ]
    return [
        again
        for again in retries
        if again.late > 0.1 and any(min(end, again.began) - max(begin, again.due) > IDLE_SECONDS for begin, end in idle)
    ]


def replayed(shop: Shop, count: int) -> Counter[str]:
    """Mend the bug, replay the DLQ, wait until `count` runs have succeeded; how often each id did."""
    (shop.directory / "fixed").touch()
    shop.dlxctl("replay", "--queue", "dead_letter", "--yes")
    wait_until(lambda: len(notes_of(shop.directory, "done")) >= count, 120)
    return Counter(entry["id"] for entry in notes_of(shop.directory, "done"))


@pytest.mark.timeout(900)
def test_many_failures_at_once_travel_die_and_come_back(many: Shop) -> None:
    """None is held by a worker, all are retried on time, all die after four runs, all are replayed and done, once."""
    ids = [f"order-{number}" for number in range(COUNT)]
    with worker(many) as running:
        send(many, "many.order", ids)
        wait_until(lambda: len(notes_of(many.directory, "failed")) >= COUNT, 120)
        sent = send(many, "many.ping", ["ping"])
        wait_until(lambda: len(notes_of(many.directory, "ping")) == 1, SLACK_SECONDS)
        waited = notes_of(many.directory, "ping")[0]["at"] - sent
        wait_until(lambda: many.depth("dead_letter") >= COUNT, sum(DELAYS) + 120)
        runs = Counter(entry["id"] for entry in notes_of(many.directory, "failed"))
        assert runs == dict.fromkeys(ids, 4)
        retries = retries_of(many)
        assert late_though_idle(many, retries) == []
        assert replayed(many, COUNT) == dict.fromkeys(ids, 1)
        assert running.stop() == 0
    assert [many.depth(queue) for queue in (*LIVING, "dead_letter")] == [0] * 5
    late = [again.late for again in retries]
    print(
        f"{COUNT} tasks through {DELAYS} s: ping after {waited:.2f} s; retries late by {late[len(late) // 2]:.1%} "
        f"(median), {late[len(late) * 99 // 100]:.1%} (99 %), {late[-1]:.1%} (most), {late[0]:.1%} (least) of the delay"
    )
    assert late[0] > -0.1, "no retry comes before its delay is over"


def kill_at_random(shop: Shop, chance: random.Random, kills: int) -> int:
    """Start workers and kill each at a moment of its work, `kills` times, or until all are dead letters; how often."""
    for killed in range(kills):
        if shop.depth("dead_letter") >= COUNT:
            return killed
        with worker(shop) as victim:
            before = len(notes_of(shop.directory, "failed"))
            runs = chance.randrange(1, COUNT // 2)
            wait_until(
                lambda: len(notes_of(shop.directory, "failed")) >= before + runs  # noqa: B023 - called in this round
                or shop.depth("dead_letter") >= COUNT, 90,
            )  # fmt: skip
            os.killpg(victim.process.pid, signal.SIGKILL)
    return kills


def settle(shop: Shop) -> None:
    """Let a worker work until nothing is left but dead letters, and stop it warmly."""
    with worker(shop) as last:
        quiet = 0.0

        def is_quiet() -> bool:
            nonlocal quiet
            if any(shop.depth(queue) for queue in LIVING):
                quiet = 0.0
            elif not quiet:
                quiet = time.monotonic()
            return bool(quiet) and time.monotonic() - quiet > 1

        wait_until(is_quiet, sum(DELAYS) + 120, pause=0.1)
        assert last.stop() == 0
    assert [shop.depth(queue) for queue in LIVING] == [0] * 4


@pytest.mark.timeout(900)
def test_killed_workers_lose_nothing(many: Shop) -> None:
    """`kill -9` again and again meanwhile: no task is lost, and at most what was prefetched is doubled by each kill."""
    print(f"DLXCTL_FAULT_SEED={SEED} repeats the random choices of this run")
    chance = random.Random(f"{SEED} {many.broker.version}")
    ids = [f"order-{number}" for number in range(COUNT)]
    send(many, "many.order", ids)
    kills = kill_at_random(many, chance, full_or_short(8, 1))
    settle(many)
    dead = many.depth("dead_letter")
    with worker(many):
        done = replayed(many, dead)
    assert set(done) == set(ids)
    print(f"{kills} kills, {COUNT} tasks: {dead - COUNT} dead letters too many; lost: {len(set(ids) - set(done))}")
    assert kills
    assert sum(done.values()) == dead
    assert dead - COUNT <= kills * CONCURRENCY
