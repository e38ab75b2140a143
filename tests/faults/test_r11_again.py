"""R11: the bug is not fixed, and every replayed message dies again at once."""

from dlxctl.wire.intake import Delivery
from tests.faults.conftest import Judge
from tests.faults.scene import DEAD, WORKS, Scene
from tests.oracle import entries_of

FAULT = "R11"
LETTERS = 1_200


def replays_of(letters: list[Delivery]) -> list[int]:
    """What `dlxctl-replays` says on each."""
    return [entries_of(letter.header)[b"dlxctl-replays"][-1] for letter in letters]


def test_each_moves_once_and_the_run_ends(scene: Scene, judge: Judge) -> None:
    """Every message is moved once and no more, though each comes back while the run goes on."""
    scene.declare()
    scene.fill(LETTERS)
    with scene.rejecting("orders", "default"):
        done = scene.replay()
        scene.until(lambda: scene.depth(DEAD) == LETTERS, "all died again")
    assert (done.code, done.report["moved"]) == (0, LETTERS), done
    again = scene.drain(DEAD)
    assert replays_of(again) == [1] * LETTERS
    scene.put([(letter.header, letter.body) for letter in again])
    assert judge().attempted == LETTERS


def test_a_canary_that_dies_again_stops_the_run(scene: Scene, judge: Judge) -> None:
    """`--canary 10` moves ten, sees them come back, says so and stops; the others were not touched."""
    scene.queue(DEAD)
    scene.broker.api("PUT", f"exchanges/{scene.reach.vhost}/dlx", {"type": "direct", "durable": True})
    scene.broker.api("POST", f"bindings/{scene.reach.vhost}/e/dlx/q/{DEAD}", {"routing_key": DEAD})
    for work in WORKS:
        scene.work(work, x_dead_letter_exchange="dlx")  # a canary is watched by a binding of its DLQ
    scene.fill(100)
    with scene.rejecting("orders", "default"):
        done = scene.replay("--canary", 10, "--canary-wait", 10)
        scene.until(lambda: scene.depth(DEAD) == 100, "the canary died again")
    assert done.report["moved"] == 10, done
    assert "10 of 10 died again" in done.errors
    letters = scene.drain(DEAD)
    assert sum(b"dlxctl-replays" in entries_of(letter.header) for letter in letters) == 10
    scene.put([(letter.header, letter.body) for letter in letters])
    assert judge().attempted == 100
