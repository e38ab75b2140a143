"""R7: an alarm of the broker blocks publishers, for a while or for ever.

The proxy plays the alarm: it stops reading the connection at a publish and sends `connection.blocked`, as the broker
does. tests/faults/test_node.py raises a real one.
"""

import time

from tests.faults.conftest import Judge, full_or_short
from tests.faults.proxy import UP, Proxy
from tests.faults.scene import DEAD, Scene

FAULT = "R7"
LETTERS = 2_500
MIDDLE = 1_000_000


def alarmed(proxy: Proxy) -> None:
    """Raise the alarm once the run is in its middle."""

    def raise_it() -> None:
        proxy.alarm = "low on memory"

    proxy.cut_at(UP, MIDDLE, raise_it)


def test_an_alarm_is_told_within_a_second_and_waited_out(scene: Scene, judge: Judge, proxy: Proxy) -> None:
    """The run says that the broker blocks publishers, waits, goes on by itself; no duplicate, no flag."""
    scene.declare()
    scene.fill(LETTERS)
    alarmed(proxy)
    process = scene.start(url=scene.through(proxy))
    scene.until(lambda: proxy.alarmed, "the alarm is on", 30)
    scene.until(lambda: "blocks publishers (low on memory)" in scene.said(), "the run says so", 1)
    time.sleep(full_or_short(5, 1))  # the alarm lasts
    assert process.poll() is None
    proxy.alarm = None
    done = scene.ended(process)
    assert (done.code, done.report["moved"], done.report["reconnects"]) == (0, LETTERS, 0), done
    assert "takes messages again" in done.errors
    assert judge().moved == LETTERS


def test_an_alarm_without_end_ends_the_run(scene: Scene, judge: Judge, proxy: Proxy) -> None:
    """Exit 6 after `--blocked-timeout`; nothing is lost, and the next run does the rest."""
    scene.declare()
    scene.fill(LETTERS)
    alarmed(proxy)
    done = scene.replay("--blocked-timeout", 1, url=scene.through(proxy), timeout=30)
    assert done.code == 6, done
    assert "blocks publishers" in done.report["trouble"]
    proxy.alarm = None
    scene.resume()
    assert judge(kills=1).moved >= LETTERS
    assert scene.depth(DEAD) == 0
