"""What a plan contains, and in which order."""

import itertools
from dataclasses import replace

import pytest

from dlxctl.broker.memory_admin import MemoryAdmin
from dlxctl.model.topology import Binding, Exchange, Policy, Queue, QueueType, Topology
from dlxctl.plan.changes import (
    Bind,
    CreateExchange,
    CreateQueue,
    DeletePolicy,
    Mark,
    NotReversible,
    PutPolicy,
    Verb,
    describe,
    reverse,
    subject,
    verb,
)
from dlxctl.plan.coverage import winner
from dlxctl.plan.value import counts
from tests.unit.plan.layouts import SHOP, applied, layout, plan_on, states

WITHOUT_EMAILS = SHOP.replace("  emails: {retry: standard, dead_letter: dead_letter}\n", "")


def test_on_an_empty_broker_everything_is_created() -> None:
    """Each desired object appears once, none is changed, adopted or deleted."""
    plan = plan_on(MemoryAdmin(), layout())
    made = counts(plan.changes)
    assert made[Verb.CREATE] == len([c for c in plan.changes if not isinstance(c, Mark)])
    assert made[Verb.CHANGE] == made[Verb.DELETE] == made[Verb.ADOPT] == 0
    assert not plan.blocked
    assert not plan.warnings
    assert not plan.clean


def test_after_apply_there_is_nothing_to_do() -> None:
    """A second plan is clean, in both modes and on each version."""
    for mode in ("policy", "arguments"):
        wanted = layout(SHOP + f"settings: {mode}\n")
        for version in ((3, 10, 8), (4, 0, 5), (4, 3, 6)):
            plan = plan_on(applied(wanted, version=version), wanted)
            assert plan.clean, (mode, version)
            assert not plan.leftovers


def test_every_change_names_the_line_that_asks_for_it() -> None:
    """Lines count from 1, and each is the line of the object in the file."""
    lines = SHOP.splitlines()
    for change in plan_on(MemoryAdmin(), layout()).changes:
        assert change.why.line, describe(change)
        if isinstance(change, CreateQueue) and not change.queue.name.startswith("retry."):
            assert change.queue.name in lines[change.why.line - 1]
        if isinstance(change, Bind) and change.binding.source == "shop.events":
            assert "order.#" in lines[change.why.line - 1]


def test_no_work_queue_is_ever_without_its_dead_letter_policy() -> None:
    """From the moment a work queue exists, its policy, the DLX, the DLQ and the parking queue do too."""
    wanted = layout()
    for change, broker in states(MemoryAdmin(), wanted):
        for name in wanted.work_queues:
            if queue := broker.queue(name):
                policy = winner(broker.policies.values(), queue)
                assert policy, describe(change)
                assert policy.definition["dead-letter-exchange"] == "dlx"
                assert_road_is_laid(broker, "dead_letter")


def assert_road_is_laid(broker: Topology, dead_letter_queue: str) -> None:
    assert broker.exchange("dlx")
    assert Binding(source="dlx", destination=dead_letter_queue, routing_key=dead_letter_queue).key in broker.bindings
    assert broker.queue("dead_letter.parked")


def test_bindings_to_public_exchanges_come_after_all_queues() -> None:
    """A message must not arrive before its road is laid."""
    changes = plan_on(MemoryAdmin(), layout()).changes
    public = [i for i, c in enumerate(changes) if isinstance(c, Bind) and c.binding.source == "shop.events"]
    others = [i for i, c in enumerate(changes) if not isinstance(c, Bind | DeletePolicy)]
    assert public
    assert min(public) > max(others)


def test_each_object_is_marked_right_after_it_was_created() -> None:
    """So at most one object of ours is unmarked after a crash."""
    changes = plan_on(MemoryAdmin(), layout()).changes
    for change, following in itertools.pairwise(changes):
        if isinstance(change, CreateExchange | CreateQueue) and subject(change).key != ("exchange", "dlxctl.shop"):
            assert isinstance(following, Mark)
            assert not following.adopts
            assert following.binding.destination == subject(change).key[1]


def test_an_equal_object_that_is_not_marked_is_adopted() -> None:
    """It is shown, since from then on prune may take it."""
    broker = MemoryAdmin("/", Queue(name="orders", type=QueueType.QUORUM))
    plan = plan_on(broker, layout())
    assert [c.binding.destination for c in plan.changes if isinstance(c, Mark) and c.adopts] == ["orders"]
    assert counts(plan.changes)[Verb.ADOPT] == 1


def test_a_policy_changed_by_hand_is_put_back() -> None:
    """From what it became to what the file says, and it can be reversed."""
    wanted = layout()
    broker = applied(wanted)
    ours = next(p for p in broker.read().policies.values() if "delivery-limit" in p.definition)
    tampered = replace(ours, definition={**ours.definition, "delivery-limit": 99})
    broker.put_policy(tampered)
    (change,) = plan_on(broker, wanted).changes
    assert change == PutPolicy(policy=ours, before=tampered, why=change.why)
    assert reverse(change) == PutPolicy(policy=tampered, before=ours, why=change.why)


def test_the_way_back_is_a_change_or_an_honest_no() -> None:
    """Policies can be undone; what may carry messages by then cannot."""
    for change in plan_on(MemoryAdmin(), layout()).changes:
        back = reverse(change)
        if isinstance(change, PutPolicy):
            assert isinstance(back, DeletePolicy)
            assert verb(back) is Verb.DELETE
            assert reverse(back) == change
        else:
            assert isinstance(back, NotReversible)
            assert back.reason


@pytest.mark.parametrize(
    ("there", "setting"),
    [
        (Queue(name="orders"), "type"),
        (Queue(name="orders", type=QueueType.QUORUM, arguments={"x-max-length": 7}), "x-max-length"),
        (Queue(name="retry.10s", type=QueueType.QUORUM, arguments={"x-message-ttl": 9_000}), "x-message-ttl"),
        (Exchange(name="dlx", type="topic"), "type"),
        (Exchange(name="dlx"), "alternate-exchange"),
    ],
    ids=["queue type", "extra argument", "tier TTL", "exchange type", "alternate exchange"],
)
def test_what_cannot_change_in_place_is_told(there: Queue | Exchange, setting: str) -> None:
    """With the setting, and what it is and should be; it is no change."""
    plan = plan_on(MemoryAdmin("/", there), layout())
    (blocked,) = plan.blocked
    assert blocked.desired.key == there.key
    assert setting in {difference.setting for difference in blocked.differences}
    assert there.key not in {subject(c).key for c in plan.changes}


def test_what_the_file_has_no_more_is_left_and_told() -> None:
    """Neither queue nor binding is deleted, and nothing of others is told of."""
    broker = applied(layout())
    broker.declare_queue(Queue(name="pidbox.celery@host", durable=False, auto_delete=True))
    broker.bind(Binding(source="amq.topic", destination="orders", routing_key="theirs"))
    shorter = layout(WITHOUT_EMAILS.replace('    bindings: [{exchange: shop.events, routing_key: "order.#"}]\n', ""))
    plan = plan_on(broker, shorter)
    assert {thing.key[:4] for thing in plan.leftovers} == {
        ("queue", "emails"),
        ("binding", "shop.events", "queue", "orders"),
    }
    assert not any(isinstance(change, DeletePolicy) for change in plan.changes)


def test_objects_of_others_change_neither_plan_nor_fingerprint() -> None:
    """Queues come and go while people read a plan."""
    wanted = layout()
    broker = applied(wanted)
    before = plan_on(broker, wanted).fingerprint
    broker.declare_queue(Queue(name="celeryev.1", durable=False, auto_delete=True))
    assert plan_on(broker, wanted).fingerprint == before
    broker.put_policy(Policy(name="x", pattern="^nothing$", definition={"max-length": 1}))
    assert plan_on(broker, wanted).fingerprint != before


def test_a_setting_that_the_version_does_not_know_is_left_out_and_told() -> None:
    """3.10 would refuse the whole policy."""
    wanted = layout(SHOP.replace("delivery_limit: 5", "delivery_limit: 5\n    consumer_timeout: 2h"))
    (warning,) = plan_on(MemoryAdmin(version=(3, 10, 8)), wanted).warnings
    assert warning.code == "DLX807"
    assert "orders" in warning.cause
    assert "consumer-timeout" in warning.cause
    assert not plan_on(MemoryAdmin(version=(4, 0, 5)), wanted).warnings


def test_an_object_that_two_topologies_mark_is_told() -> None:
    """Both would manage it."""
    broker = applied(layout(SHOP.replace("topology: shop", "topology: other")))
    codes = {w.code for w in plan_on(broker, layout()).warnings}
    assert "DLX808" in codes
