"""Policies change over so that no queue is ever without its own."""

from hypothesis import given, settings
from hypothesis import strategies as st

from dlxctl.model.layout import DeadLetterQueue, Layout, WorkQueue
from dlxctl.model.topology import QueueType, Topology
from dlxctl.ops.apply import apply
from dlxctl.plan.changes import DeletePolicy, PutPolicy, describe
from dlxctl.plan.coverage import winner
from tests.unit.plan.layouts import SHOP, applied, layout, plan_on, states

TYPES = {"a": QueueType.QUORUM, "b": QueueType.QUORUM, "c.+": QueueType.QUORUM, "d": QueueType.CLASSIC}


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    """Some of the queues in `TYPES`, each with settings that only policies carry."""
    queues = {}
    for name in draw(st.sets(st.sampled_from(sorted(TYPES)))):
        limited = TYPES[name] is QueueType.QUORUM
        queues[name] = WorkQueue(
            name=name,
            type=TYPES[name],
            dead_letter="dead",
            delivery_limit=draw(st.sampled_from([None, 5, 9])) if limited else None,
            max_length=draw(st.sampled_from([None, 7])),
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


def assert_all_dead_letter(broker: Topology, when: str) -> None:
    for queue in broker.queues.values():
        if queue.name in TYPES:
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
