"""R1: killed at every step of a window, at random moments, and cut off in mid-frame; each run resumed to its end."""

import random
import time

import pytest

from tests.faults.conftest import FULL, Judge, full_or_short
from tests.faults.proxy import DOWN, UP, Proxy
from tests.faults.scene import DEAD, Scene

FAULT = "R1"
LETTERS = 4
"""A window of its own; each adds steps."""

KILLED = -9
SLACK_S = 60


def steps_of_a_run(scene: Scene) -> int:
    """How many steps a run takes from its lock to its end."""
    scene.fill(LETTERS)
    done = scene.ended(scene.start(crash_at=0))
    assert done.code == 0, done
    return int((scene.directory / "steps").read_text())


@pytest.mark.timeout(1_800)
def test_killed_at_every_step_of_a_window(scene: Scene, judge: Judge, chance: random.Random) -> None:
    """At no step between lock and end does SIGKILL lose or alter a message, or double one without its flag."""
    scene.declare()
    steps = steps_of_a_run(scene)
    assert steps > LETTERS
    assert judge().moved == LETTERS
    every = range(1, steps + 1)
    for step in every if FULL else sorted(chance.sample(every, 3)):
        scene.sent.clear()
        scene.fill(LETTERS)
        crashed = scene.ended(scene.start(crash_at=step))
        # the timing of the network moves the last steps: such a run ended before its kill
        assert crashed.code == KILLED or (step > LETTERS and crashed.code == 0), (step, crashed)
        scene.resume()
        assert judge(kills=1, window=LETTERS).moved >= LETTERS, step


def kill_on_the_way(scene: Scene, proxy: Proxy, chance: random.Random, most: int) -> bool:
    """Start a run and SIGKILL it once a random number of octets went up or down; whether it came to that."""
    process = scene.start(url=scene.through(proxy))
    direction = chance.choice((UP, DOWN))
    pause = chance.choice((0.0, 0.0, chance.random() / 100))

    def kill() -> None:
        time.sleep(pause)
        process.kill()

    proxy.cut_at(direction, chance.randrange(most), kill)
    done = scene.ended(process)
    proxy.cut = None
    assert done.code in (KILLED, 0, 7), done
    return done.code == KILLED


def octets_of_a_run(scene: Scene, proxy: Proxy, letters: int) -> int:
    """What a whole run of so many messages sends."""
    scene.fill(letters)
    before = proxy.carried[UP]
    assert scene.replay(url=scene.through(proxy)).code == 0
    return proxy.carried[UP] - before


@pytest.mark.timeout(900)
def test_killed_at_random_moments(scene: Scene, judge: Judge, proxy: Proxy, chance: random.Random) -> None:
    """SIGKILLs at random moments, three to a run: nothing lost, at most a window of duplicates a kill, all flagged."""
    scene.declare()
    letters = full_or_short(3_000, 1_500)
    most = octets_of_a_run(scene, proxy, letters)
    assert judge().moved == letters
    wanted, killed = full_or_short(34, 2), 0
    deadline = time.monotonic() + full_or_short(800, SLACK_S)
    while killed < wanted:
        scene.sent.clear()
        scene.fill(letters)
        kills = 0
        for _ in range(min(3, wanted - killed)):
            kills += kill_on_the_way(scene, proxy, chance, most)
        scene.resume()
        assert judge(kills=kills).moved >= letters
        killed += kills
        assert time.monotonic() < deadline, f"{killed} of {wanted} kills"


def test_cut_off_in_the_middle_of_a_frame(scene: Scene, judge: Judge, proxy: Proxy, chance: random.Random) -> None:
    """The line breaks after a random octet, either way: the run goes on or ends with 6, and nothing is lost."""
    scene.declare()
    letters = 300
    most = octets_of_a_run(scene, proxy, letters)
    assert judge().moved == letters
    for turn in range(full_or_short(20, 2)):
        scene.sent.clear()
        scene.fill(letters)
        direction = (UP, DOWN)[turn % 2]
        proxy.cut_at(direction, 1_000 + chance.randrange(most - 1_000))
        done = scene.replay(url=scene.through(proxy))
        cut, proxy.cut = proxy.cut is None, None
        assert done.code in (0, 6), done
        scene.resume()
        assert judge(kills=int(cut)).moved >= letters
        assert scene.depth(DEAD) == 0
