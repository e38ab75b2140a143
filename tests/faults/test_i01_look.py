"""I1: looking at a dead-letter queue again and again, and killing the look: no message goes, none changes.

A look that held messages leaves no second one of any. One that made copies leaves at most two batches of them for
each kill, and the replay that follows marks what may be one of two.
"""

import os
import random
import subprocess

from dlxctl.ops.rotation import BATCH
from tests.faults.conftest import Judge, full_or_short
from tests.faults.scene import DEAD, DLXCTL, Scene

FAULT = "I1"
LETTERS = 500
LOOKS, KILLS = full_or_short(100, 6), full_or_short(30, 4)


def looking(scene: Scene, *arguments: str) -> "subprocess.Popen[str]":
    """A look, started."""
    known = {"DLXCTL_URL": scene.url, "DLXCTL_MANAGEMENT_URL": scene.broker.management_url, "NO_COLOR": "1"}
    process = subprocess.Popen(
        [str(DLXCTL), "inspect", "--queue", DEAD, "--list", "--format", "json", *arguments],
        env=os.environ | known, cwd=scene.directory, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    scene.processes.append(process)
    return process


def killed(scene: Scene, chance: random.Random, *arguments: str) -> bool:
    """Whether the look was killed before it ended: some time after the first message was shown."""
    process = looking(scene, *arguments)
    assert process.stdout is not None
    shown = process.stdout.readline()
    try:
        process.wait(timeout=chance.random() * 0.2 if shown else 10)
    except subprocess.TimeoutExpired:
        process.kill()
    _, errors = process.communicate()
    assert process.returncode in (0, 7, -9), errors  # 7: the broker still knows the one killed before
    return process.returncode == -9


def test_looking_and_being_killed_costs_nothing(scene: Scene, judge: Judge, chance: random.Random) -> None:
    """Many looks, many of them killed while they hold messages: every one is still there, once, byte for byte."""
    scene.declare()
    scene.fill(LETTERS)
    for number in range(LOOKS):
        if number < KILLS:
            killed(scene, chance)
        else:
            output, errors = looking(scene).communicate(timeout=60)
            assert len(output.splitlines()) <= LETTERS, errors
    scene.until(lambda: scene.depth(DEAD) == LETTERS, "everything is back")
    assert judge().moved == 0


def test_a_killed_look_by_copies_loses_nothing_and_doubles_nothing_in_secret(
    scene: Scene, judge: Judge, chance: random.Random
) -> None:
    """The copies that a kill leaves are at most two batches, and after the next replay one of two is marked."""
    scene.declare()
    scene.fill(2_400)
    kills = sum(killed(scene, chance, "--all") for _ in range(KILLS))
    assert kills
    scene.resume()
    judge(kills=kills, window=2 * BATCH)
