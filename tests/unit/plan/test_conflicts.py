"""Settings as arguments on queues that exist: what combines to the wanted outcome, and what does not (facts 5.5)."""

from typing import Any

import pytest

from dlxctl.model.topology import Queue, QueueType
from dlxctl.plan.conflicts import compare_queues

WANTED = Queue(name="q", type=QueueType.QUORUM, arguments={"x-single-active-consumer": True})
POLICY = {"dead-letter-exchange": "dlx", "delivery-limit": 5}


def observed(**arguments: Any) -> Queue:
    fixed = {"x-single-active-consumer": True}
    named = {f"x-{name.replace('_', '-')}": value for name, value in arguments.items()}
    return Queue(name="q", type=QueueType.QUORUM, arguments=fixed | named)


@pytest.mark.parametrize(
    "arguments",
    [{"dead_letter_exchange": "dlx"}, {"delivery_limit": 5}, {"delivery_limit": 9}, {"our_own_note": "x"}],
    ids=["same", "same number", "higher number", "no setting of the broker's"],
)
def test_an_argument_that_leads_to_the_same_outcome_is_kept(arguments: dict[str, Any]) -> None:
    """Of numbers the lowest wins, and the broker ignores what it does not know."""
    comparison = compare_queues(WANTED, observed(**arguments), POLICY)
    assert not comparison.differences
    assert len(comparison.kept) == 1


@pytest.mark.parametrize(
    ("arguments", "desired"),
    [({"dead_letter_exchange": "other"}, "dlx"), ({"delivery_limit": 3}, 5), ({"max_length": 10}, None)],
    ids=["argument wins", "lower number", "not in the file"],
)
def test_an_argument_that_overrides_the_policy_is_a_difference(arguments: dict[str, Any], desired: object) -> None:
    """No policy can make up for it."""
    (difference,) = compare_queues(WANTED, observed(**arguments), POLICY).differences
    assert difference.desired == desired


@pytest.mark.parametrize("value", [False, 1, "true", None])
def test_a_declared_argument_must_be_there_as_it_is(value: object) -> None:
    """1 is not true."""
    there = Queue(name="q", type=QueueType.QUORUM, arguments={"x-single-active-consumer": value} if value else {})
    (difference,) = compare_queues(WANTED, there, POLICY).differences
    assert (difference.setting, difference.desired) == ("x-single-active-consumer", True)


def test_an_untyped_queue_is_a_classic_one() -> None:
    """3.10 does not write the type into the arguments (facts 5.9)."""
    untyped = Queue(name="q", arguments={})
    typed = Queue(name="q", type=QueueType.CLASSIC, arguments={"x-queue-type": "classic"})
    assert not compare_queues(typed, untyped, {}).differences
