"""Policies that are not ours: both sides are named."""

import pytest

from dlxctl.broker.memory_admin import MemoryAdmin
from dlxctl.model.topology import Policy, Queue, QueueType
from dlxctl.ops.apply import apply
from dlxctl.plan.coverage import covers
from dlxctl.plan.value import Plan
from tests.unit.plan.layouts import layout, plan_on

HA = {"max-length": 10}


def codes(plan: Plan) -> dict[str, str]:
    found: dict[str, str] = {}
    for warning in plan.warnings:
        found[warning.code] = found.get(warning.code, "") + warning.cause + "\n"
    return found


@pytest.mark.parametrize("priority", [1_000_000, 2_000_000])
def test_one_that_wins_over_ours_is_named_with_ours(priority: int) -> None:
    """While it wins, what the file says about the queue has no effect."""
    broker = MemoryAdmin("/", Policy(name="ha", pattern="ord", priority=priority, definition=HA))
    cause = codes(plan_on(broker, layout()))["DLX801"]
    for part in ('"ha"', f"priority {priority}", '"orders"', "dlxctl.shop.", "dead-letter-exchange"):
        assert part in cause


def test_one_of_equal_priority_counts_as_winning() -> None:
    """Versions differ in which of the two applies."""
    wanted = layout()
    broker = MemoryAdmin()
    apply(broker, wanted)
    ours = next(p for p in broker.read().policies.values() if "orders" in p.pattern)
    broker.put_policy(Policy(name="tie", pattern="^orders$", priority=ours.priority, definition=HA))
    assert "DLX801" in codes(plan_on(broker, wanted))


def test_one_that_ours_will_shadow_is_named_until_it_has_happened() -> None:
    """What it sets, and ours does not, ends for the queue; afterwards there is nothing to say."""
    broker = MemoryAdmin(
        "/",
        Queue(name="emails", type=QueueType.QUORUM),
        Policy(name="all", pattern=".*", definition={"queue-leader-locator": "balanced"}),
    )
    cause = codes(plan_on(broker, layout()))["DLX802"]
    for part in ('"all"', '"emails"', "dlxctl.shop.", "queue-leader-locator"):
        assert part in cause
    apply(broker, layout())
    assert codes(plan_on(broker, layout())) == {}


def test_one_that_reaches_our_tiers_is_named() -> None:
    """Tiers have no policy of ours: a wide pattern sets a limit there."""
    broker = MemoryAdmin("/", Policy(name="wide", pattern="retry", definition=HA))
    cause = codes(plan_on(broker, layout()))["DLX803"]
    for part in ('"wide"', '"retry.10s"', '"retry.1m"', 'max-length "10"'):
        assert part in cause


def test_a_pattern_that_python_cannot_read_is_unknown() -> None:
    """It is never taken for one that misses our queues."""
    broker = MemoryAdmin()
    broker._objects["policy", "perl"] = Policy(name="perl", pattern=r"^\Qorders\E(?|a|b)", definition=HA)
    assert '"perl"' in codes(plan_on(broker, layout()))["DLX805"]


@pytest.mark.parametrize(
    ("definition", "said"), [({"max-length": 3}, 'max-length "3"'), ({}, "only an administrator may read")]
)
def test_an_operator_policy_is_named(definition: dict[str, object], said: str) -> None:
    """Also when only its name can be read."""
    operator = Policy(name="cap", pattern="^orders$", definition=definition)
    cause = codes(plan_on(MemoryAdmin(operator_policies=(operator,)), layout()))["DLX804"]
    assert '"cap"' in cause
    assert said in cause


@pytest.mark.parametrize(
    ("apply_to", "type_", "takes"),
    [
        ("all", QueueType.CLASSIC, True),
        ("queues", QueueType.QUORUM, True),
        ("exchanges", QueueType.QUORUM, False),
        ("classic_queues", QueueType.QUORUM, False),
        ("quorum_queues", QueueType.QUORUM, True),
    ],
)
def test_apply_to_decides_which_types_a_policy_takes(apply_to: str, type_: QueueType, takes: bool) -> None:
    """As RabbitMQ's documentation of policies lists them."""
    assert covers(Policy(name="p", pattern="q", apply_to=apply_to), Queue(name="q", type=type_)) is takes


def test_a_pattern_is_searched_anywhere_in_the_name() -> None:
    """An unanchored pattern hits more than it looks."""
    assert covers(Policy(name="p", pattern="orders"), Queue(name="retry.orders.1"))
    assert not covers(Policy(name="p", pattern="^orders"), Queue(name="retry.orders.1"))
