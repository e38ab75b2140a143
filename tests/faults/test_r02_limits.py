"""R2: new dead letters arrive while a run goes on, and limits around the window."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.faults.conftest import FULL, Judge
from tests.faults.proxy import Proxy
from tests.faults.scene import DEAD, WINDOW, Scene
from tests.links import Message

FAULT = "R2"
AT_FIRST = WINDOW + 200
LATER, BATCH = 300, 10


@contextmanager
def arriving(scene: Scene, messages: list[Message]) -> Iterator[None]:
    """Within the block, dead letters keep coming; all have come at its end."""

    def feed() -> None:
        for at in range(0, len(messages), BATCH):
            scene.put(messages[at : at + BATCH])

    feeder = threading.Thread(target=feed)
    feeder.start()
    try:
        yield
    finally:
        feeder.join()


@pytest.mark.parametrize("limit", [1, WINDOW - 1, WINDOW, WINDOW + 1, None] if FULL else [WINDOW + 1, None])
def test_exactly_the_limit_or_the_starting_count_moves(
    scene: Scene, judge: Judge, proxy: Proxy, limit: int | None
) -> None:
    """Never short, never one more, however many dead letters arrive meanwhile."""
    scene.declare()
    scene.fill(AT_FIRST)
    late = [scene.dead_letter("orders") for _ in range(LATER)]
    proxy.bytes_per_s = 4_000_000
    with arriving(scene, late):
        done = scene.replay(*(("--limit", limit) if limit else ()), url=scene.through(proxy))
    assert done.code == 0, done
    assert done.report["moved"] == (limit or done.report["found"]), done
    assert AT_FIRST <= done.report["found"] <= AT_FIRST + LATER
    left = scene.depth(DEAD)
    counts = judge()
    assert counts.moved == done.report["moved"]
    assert left == AT_FIRST + LATER - counts.moved
