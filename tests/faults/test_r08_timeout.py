"""R8: a `consumer_timeout` that is shorter than the run.

RabbitMQ 4.3 keeps it to the second, on quorum queues only; 4.0 looks once a minute; 3.10 knows it for the node only.
"""

from typing import Any

from tests.faults.conftest import FULL, Judge
from tests.faults.scene import DEAD, Scene

FAULT = "R8"
TIMEOUT_MS = 8_000
RATE = 20


def length_s(scene: Scene) -> int:
    """How long a run has to last to be caught: beyond the timeout, or the broker's next look."""
    release = scene.broker.release
    if release >= (4, 3) and scene.kind == "quorum":
        return 11
    return 70 if FULL and release == (4, 0) else 2


def test_no_delivery_is_held_for_longer_than_the_timeout(scene: Scene, judge: Judge) -> None:
    """A slow run keeps few messages at a time: the broker never closes its channel, and nothing is doubled."""
    honoured = (scene.broker.release >= (4, 3) and scene.kind == "quorum") or scene.broker.release == (4, 0)
    arguments: dict[str, Any] = {"x_consumer_timeout": TIMEOUT_MS} if honoured else {}
    scene.queue(DEAD, **arguments)
    scene.work("orders")
    scene.work("default")
    letters = RATE * length_s(scene)
    scene.fill(letters)
    done = scene.replay("--rate", RATE)
    assert (done.code, done.report["moved"], done.report["reconnects"]) == (0, letters, 0), done
    assert judge().moved == letters
