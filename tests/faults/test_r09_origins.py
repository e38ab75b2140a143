"""R9: dead letters without an origin, with one of another vhost, and with a forged death."""

from tests import amqp_values as amqp
from tests.faults.conftest import Judge
from tests.faults.scene import DEAD, Scene
from tests.faults.test_r06_targets import reasons

FAULT = "R9"


def test_only_a_queue_that_feeds_the_dlq_is_believed(scene: Scene, judge: Judge) -> None:
    """What has no origin, or claims one that does not feed this DLQ, is held with the reason; the good ones move."""
    scene.declare("orders", "default")
    scene.queue("payments")
    there = f"{scene.reach.vhost}-other"
    scene.fill(10)
    worker = amqp.entry(b"dlxctl-origin", amqp.string("payments"))
    scene.put(
        [
            scene.message(),
            scene.message(amqp.entry(b"x-death", amqp.string("orders"))),
            scene.dead_letter("payments"),
            scene.dead_letter(f"{there}/orders"),
            scene.dead_letter("orders'; drop"),
            scene.message(worker),
            scene.message(amqp.entry(b"x-first-death-queue", amqp.string("orders"))),
        ]
    )
    done = scene.replay()
    assert done.code == 4, done
    assert done.report["moved_to"] == {"orders": 5, "default": 5}
    assert reasons(done.report) == {
        ("no-origin", ""): 3,
        ("foreign-origin", "payments"): 2,
        ("foreign-origin", f"{there}/orders"): 1,
        ("foreign-origin", "orders'; drop"): 1,
    }
    assert (scene.depth("payments"), scene.depth(DEAD)) == (0, 7)
    assert judge().moved == 10
