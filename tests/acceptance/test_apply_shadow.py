"""What the broker would do otherwise than the file says, as processes against real RabbitMQ."""

from pathlib import Path

from tests.acceptance.test_apply import ours, put_policy, put_queue, write
from tests.brokers import RunningBroker
from tests.conftest import Dlxctl


def test_the_default_queue_type_of_the_vhost_decides_nothing(
    dlxctl: Dlxctl, broker: RunningBroker, vhost: str, tmp_path: Path
) -> None:
    """Every queue says its type, so that a classic queue is classic where quorum is the default."""
    broker.api("PUT", f"vhosts/{vhost}", {"default_queue_type": "quorum"})
    write(tmp_path)
    assert dlxctl("apply").returncode == 0
    assert {q["name"]: q["type"] for q in broker.api("GET", f"queues/{vhost}")}["thumbnails"] == "classic"
    assert dlxctl("plan", "--exit-code").returncode == 0


def test_drift_that_a_redeclare_does_not_see_is_found(
    dlxctl: Dlxctl, broker: RunningBroker, vhost: str, tmp_path: Path
) -> None:
    """RabbitMQ does not compare x-quorum-target-group-size when a queue is declared again; plan does."""
    put_queue(broker, vhost, "orders", **{"x-queue-type": "quorum", "x-quorum-target-group-size": 3})
    put_queue(broker, vhost, "orders", **{"x-queue-type": "quorum", "x-quorum-target-group-size": 5})
    write(tmp_path)
    plan = dlxctl("plan", "--exit-code")
    assert plan.returncode == 3
    assert "x-quorum-target-group-size: 3 -> not set" in plan.stdout


def test_equal_priorities_are_named(dlxctl: Dlxctl, broker: RunningBroker, vhost: str, tmp_path: Path) -> None:
    """Which of the two wins differs between versions of RabbitMQ."""
    write(tmp_path)
    dlxctl("apply")
    mine = next(policy for policy in ours(broker, vhost) if "delivery-limit" in policy["definition"])
    theirs = {"name": "tied", "pattern": "ord", "apply-to": "queues", "definition": {"max-length": 9}}
    put_policy(broker, vhost, theirs | {"priority": mine["priority"]})
    plan = dlxctl("plan")
    (line,) = [line for line in plan.stdout.splitlines() if "DLX801" in line]
    assert "their priorities are equal" in line
    assert '"tied"' in line
    assert mine["name"] in line
