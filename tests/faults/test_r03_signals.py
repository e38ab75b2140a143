"""R3: SIGINT and SIGTERM in the middle of a run, and a second one while it drains."""

import signal
import time

import pytest

from tests.faults.conftest import Judge
from tests.faults.proxy import Proxy
from tests.faults.scene import DEAD, WINDOW, Scene

FAULT = "R3"
LETTERS = 6_000  # far more than a window and what passes before the line freezes
MIDDLE = 1_500_000


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_within_its_window(
    scene: Scene, judge: Judge, proxy: Proxy, number: signal.Signals
) -> None:
    """Nothing more is taken, what is under way is finished; exit 130, no duplicate, no flag."""
    scene.declare()
    scene.fill(LETTERS)
    process = scene.frozen(proxy, after=MIDDLE)
    before = scene.moved()
    process.send_signal(number)
    scene.until(lambda: "finishing what is under way" in scene.said(), "it took notice", 5)
    proxy.silent = False
    done = scene.ended(process)
    assert done.code == 130, done
    moved = done.report["moved"]
    assert moved < LETTERS
    assert moved - before <= 2 * WINDOW  # the window at the signal, and what was confirmed before we counted
    assert (scene.moved(), scene.depth(DEAD)) == (moved, LETTERS - moved)
    scene.resume()
    assert judge().moved == LETTERS


def test_a_second_signal_ends_it_at_once(scene: Scene, judge: Judge, proxy: Proxy) -> None:
    """While the window cannot drain, the second signal ends the process within a second; nothing is lost."""
    scene.declare()
    scene.fill(LETTERS)
    process = scene.frozen(proxy, after=MIDDLE)
    process.send_signal(signal.SIGINT)
    scene.until(lambda: "finishing what is under way" in scene.said(), "it took notice", 5)
    time.sleep(0.3)  # the drain cannot end
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    done = scene.ended(process, timeout=2)
    assert done.code == 130, done
    assert "nothing is lost" in done.errors
    proxy.reset()
    proxy.silent = False
    scene.resume()
    assert judge(kills=1).moved >= LETTERS
