"""R4: a second replay of the same dead-letter queue while the first runs."""

from tests.faults.conftest import Judge
from tests.faults.proxy import Proxy
from tests.faults.scene import Scene

FAULT = "R4"
LETTERS = 500


def test_the_second_is_refused_and_told_who_runs(scene: Scene, judge: Judge, proxy: Proxy) -> None:
    """Exit 7 with the holder's run and process; the first goes on undisturbed, and afterwards the lock is free."""
    scene.declare()
    scene.fill(LETTERS)
    first = scene.frozen(proxy)
    second = scene.replay()
    proxy.silent = False
    done = scene.ended(first)
    assert second.code == 7, second
    assert f"pid {first.pid}" in second.errors
    assert done.report["run"] in second.errors
    assert (done.code, done.report["moved"]) == (0, LETTERS), done
    assert scene.replay().code == 0
    assert judge().moved == LETTERS
