"""Policies change over so that no queue is ever without its own."""

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st

from dlxctl.model.layout import DeadLetterQueue, Layout, WorkQueue
from dlxctl.model.topology import QueueType, Topology
from dlxctl.ops.apply import apply
from dlxctl.plan.changes import DeletePolicy, PutPolicy, describe
from dlxctl.plan.coverage import winner
from tests.unit.plan.layouts import SHOP, Dying, Killed, applied, layout, plan_on, states

QUORUM = ["a", "b", "c.+", *(letter * 240 for letter in "efghijklmn")]
TYPES = dict.fromkeys(QUORUM, QueueType.QUORUM) | {"d": QueueType.CLASSIC}
"""With long names, so that patterns reach the limit of 1024 octets that the double keeps as 4.3 does."""


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    """Some of the queues in `TYPES`, each with settings that only policies carry."""
    queues = {}
    shorter = draw(st.sampled_from(["", "", "ab"]))
    for name in draw(st.sets(st.sampled_from(sorted(TYPES)), min_size=draw(st.sampled_from([0, 8])))):
        limited = TYPES[name] is QueueType.QUORUM
        queues[name] = WorkQueue(
            name=name,
            type=TYPES[name],
            dead_letter="dead",
            delivery_limit=draw(st.sampled_from([5, 5, 9])) if limited else None,
            max_length=7 if name in shorter else None,
        )
    return Layout(name="shop", dead_letter_queues={"dead": DeadLetterQueue(name="dead")}, work_queues=queues)


@given(layouts(), layouts())
@settings(max_examples=150, deadline=None)
def test_at_each_step_each_queue_has_a_policy_of_ours(before: Layout, after: Layout) -> None:
    """Also queues that swap policies, and those that the file has no more; at the end the plan is clean."""
    broker = applied(before)
    for change, now in states(broker, after):
        assert_all_dead_letter(now, describe(change))
    assert_all_dead_letter(broker.read(), "the end")
    assert plan_on(broker, after).clean


@given(layouts(), layouts(), layouts(), st.integers(0, 40))
@settings(max_examples=100, deadline=None)
def test_nor_is_one_without_when_a_run_died_and_another_file_is_applied(
    before: Layout, between: Layout, after: Layout, calls: int
) -> None:
    """Whatever policies the dead run left, the next one starts from them."""
    broker = applied(before)
    with contextlib.suppress(Killed):
        apply(Dying(broker, calls), between)  # type: ignore[arg-type]
    for change, now in states(broker, after):
        assert_all_dead_letter(now, describe(change))
    assert plan_on(broker, after).clean


def assert_all_dead_letter(broker: Topology, when: str) -> None:
    """Of every marked queue; the one that a run left unmarked when it died is nobody's until the next run."""
    marked = {binding.destination for binding in broker.bindings.values() if binding.source == "dlxctl.shop"}
    for queue in broker.queues.values():
        if queue.name in TYPES and queue.name in marked:
            policy = winner(broker.policies.values(), queue)
            assert policy, (when, queue.name)
            assert policy.definition["dead-letter-exchange"] == "dlx"


def test_a_queue_that_the_file_has_no_more_keeps_its_policy_until_it_is_gone() -> None:
    """Its failures still reach the DLQ while it is in use."""
    broker = applied(layout())
    shorter = layout(SHOP.replace("  thumbnails: {type: classic, dead_letter: dead_letter}\n", ""))
    apply(broker, shorter)
    queue = broker.read().queue("thumbnails")
    assert queue
    assert winner(broker.read().policies.values(), queue)
    del broker._objects[queue.key]
    broker._objects = {k: v for k, v in broker._objects.items() if "thumbnails" not in k[1:]}
    (change,) = plan_on(broker, shorter).changes
    assert isinstance(change, DeletePolicy)


def test_a_new_queue_with_known_settings_changes_a_pattern_only() -> None:
    """One policy is put, in one step; the name stays."""
    broker = applied(layout())
    more = layout(SHOP + "  invoices: {retry: standard, dead_letter: dead_letter}\n")
    puts = [change for change in plan_on(broker, more).changes if isinstance(change, PutPolicy)]
    (put,) = puts
    assert put.before
    assert put.before.definition == put.policy.definition
    assert put.policy.pattern == "^(emails|invoices)$"


def test_policies_of_a_topology_with_a_longer_name_are_not_ours() -> None:
    """`shop-eu` beside `shop`: neither touches the other's."""
    text = SHOP.replace("topology: shop", "topology: shop-eu").replace("emails:", "emails-eu:")
    broker = applied(layout(text))
    plan = plan_on(broker, layout())
    theirs = {policy.name for policy in broker.read().policies.values()}
    touched = {change.policy.name for change in plan.changes if isinstance(change, PutPolicy | DeletePolicy)}
    assert theirs
    assert not theirs & touched
