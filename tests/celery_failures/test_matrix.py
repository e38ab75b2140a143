"""Every failure of the matrix reaches the DLQ exactly once with its reason, and the worker lives: real workers."""

from pathlib import Path
from typing import Any

import pytest
from celery import Celery

from dlxctl.model import headers as names
from tests.brokers import RunningBroker
from tests.celery_failures.matrix import BY_NAME, ROWS, Fate, Letter, Row
from tests.celery_failures.notes import notes_of
from tests.celery_failures.scene import BROKEN_TIER, Scene, open_scene
from tests.faults.conftest import FULL
from tests.workers import wait_until

KILLED = BY_NAME["worker-killed"]
EMPTY = ("work", "laddered", "detour", "unconsumed", "retry.200ms", "retry.400ms")
RUNS = [("quorum", "prefork"), ("classic", "prefork"), ("quorum", "solo")]
if FULL:
    RUNS += [("quorum", "threads"), ("classic", "threads"), ("classic", "solo")]
ALIVE = Row(name="alive", task="m.add", body=b"[[1, 2], {}, {}]", unprotected={})


@pytest.fixture
def scene(kind: str, broker: RunningBroker, vhost: str, url: str, tmp_path: Path) -> Scene:
    """The topology on work queues of the type `kind`."""
    return open_scene(broker, vhost, url, tmp_path, kind)


def run_rows(scene: Scene, pool: str) -> dict[str, list[dict[str, Any]]]:
    """Send every row of `pool` through one worker, after one was killed at work; the dead letters by row."""
    rows = rows_of(pool)
    expected = sum(row.letter is not None for row in rows)
    with scene.worker(pool=pool) as first:
        scene.send(KILLED)
        wait_until(lambda: len(notes_of(scene.directory, "delivered")) == 1)
        first.kill()
    with scene.worker(pool=pool) as worker:
        scene.delete("exchanges", BROKEN_TIER)
        Celery(broker=scene.url, set_as_current=False).control.revoke("revoked", reply=True, timeout=5)
        for row in rows:
            if row is not KILLED:
                scene.send(row)
        wait_until(lambda: scene.depth("dead_letter") >= expected, 40)
        scene.send(ALIVE)
        wait_until(lambda: len(notes_of(scene.directory, "added")) == 1)
        assert worker.process.poll() is None, worker.log
        assert worker.stop() == 0, worker.log
    return scene.letters(expected)


def rows_of(pool: str) -> list[Row]:
    """All that exist there, but the one that never ends."""
    return [row for row in ROWS if pool in row.pools and row.protected is not Fate.LOOPS]


@pytest.mark.parametrize(("kind", "pool"), RUNS)
def test_every_failure_is_one_dead_letter_with_its_reason(scene: Scene, pool: str) -> None:
    """Each row once, with origin, attempts and, where Python ran, exception, message and traceback; nothing remains."""
    found = run_rows(scene, pool)
    wrong = {}
    for row in rows_of(pool):
        letters = found.pop(row.name, [])
        seen = [seen_of(letter, headers) for headers in letters for letter in [row.letter or Letter(reason="")]]
        if seen != ([] if row.letter is None else [expected_of(row)]):
            wrong[row.name] = seen
    assert not wrong, "\n".join(f"{name}: {seen}" for name, seen in wrong.items())
    assert found == {}
    assert [scene.depth(queue) for queue in EMPTY] == [0] * len(EMPTY)
    told = [(note["task_id"], note["reason"], note["attempt"]) for note in notes_of(scene.directory, "dead")]
    assert sorted(told, key=str) == sorted(
        (
            (None if row.headers.get("id", row) is None else row.name, row.letter.reason, row.letter.attempts)
            for row in rows_of(pool)
            if row.letter is not None and not row.letter.by_broker
        ),
        key=str,
    )


def expected_of(row: Row) -> tuple[Any, ...]:
    """What the headers of the row's dead letter must come to."""
    assert row.letter is not None
    letter = row.letter
    if letter.by_broker:
        return (row.queue, letter.reason)
    return (row.queue, letter.reason, letter.exception, letter.traceback, letter.attempts)


def seen_of(letter: Letter, headers: dict[str, Any]) -> tuple[Any, ...]:
    """What the headers of a dead letter come to."""
    if letter.by_broker:
        return (headers["x-death"][0]["queue"], headers["x-death"][0]["reason"])
    return (
        headers.get(names.ORIGIN), headers.get(names.REASON), headers.get(names.EXCEPTION),
        bool(headers.get(names.TRACEBACK)), headers.get(names.ATTEMPTS),
    )  # fmt: skip
