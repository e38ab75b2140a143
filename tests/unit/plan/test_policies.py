"""Policies change over so that no queue is ever without its own."""

import os
import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlxctl.broker.memory_admin import MemoryAdmin
from dlxctl.errors import RefusedForSafety
from dlxctl.model.attributes import BY_POLICY
from dlxctl.model.layout import DeadLetterQueue, Layout, WorkQueue
from dlxctl.model.topology import Policy, Queue, QueueType, Topology
from dlxctl.ops.apply import apply
from dlxctl.plan.changes import CreateQueue, DeletePolicy, PutPolicy, describe
from dlxctl.plan.coverage import winner
from tests.unit.plan.layouts import SHOP, applied, layout, plan_on, states

EXAMPLES = 3_000 if os.environ.get("DLXCTL_FAULTS") == "full" else 100
QUORUM, CLASSIC = QueueType.QUORUM, QueueType.CLASSIC
TYPES = dict.fromkeys(("a", "c.+", *(letter * 240 for letter in "efghijklmn")), (QUORUM,))
TYPES |= {"b": (QUORUM, QUORUM, QUORUM, CLASSIC), "d": (CLASSIC,)}
"""With long names, so that patterns reach the limit of 1024 octets that the double keeps as 4.3 does; and one whose
type the files do not agree on."""


def work(name: str, limit: int = 5, type_: QueueType = QUORUM, **more: int | None) -> WorkQueue:
    """A work queue with settings that only policies carry."""
    delivery_limit = limit if type_ is QUORUM else None
    return WorkQueue(name=name, type=type_, dead_letter="dead", delivery_limit=delivery_limit, **more)  # type: ignore[arg-type]


def shop(*queues: WorkQueue, retention_ms: int = 1_000) -> Layout:
    dead = DeadLetterQueue(name="dead", retention_ms=retention_ms, parking="parked")
    return Layout(name="shop", dead_letter_queues={"dead": dead}, work_queues={queue.name: queue for queue in queues})


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    """Some of the queues in `TYPES`."""
    shorter = draw(st.sampled_from(["", "", "ab"]))
    names = draw(st.sets(st.sampled_from(sorted(TYPES)), min_size=draw(st.sampled_from([0, 8]))))
    queues = [
        work(
            name,
            draw(st.sampled_from([5, 5, 9])),
            draw(st.sampled_from(TYPES[name])),
            max_length=7 if name in shorter else None,
        )
        for name in sorted(names)
    ]
    return shop(*queues, retention_ms=draw(st.sampled_from([1_000, 2_000])))


def runs() -> st.SearchStrategy[tuple[Layout, int]]:
    """A file, and after how many changes the run that applies it dies."""
    return st.tuples(layouts(), st.one_of(st.integers(0, 8), st.integers(0, 60)))


@given(layouts(), layouts())
@settings(max_examples=EXAMPLES, deadline=None)
def test_at_each_step_each_queue_has_a_policy_of_ours(before: Layout, after: Layout) -> None:
    """Also queues that swap policies, and those that the file has no more; at the end the plan is clean."""
    walk(applied(before), after)


@given(layouts(), st.lists(runs(), min_size=1, max_size=3), layouts())
@settings(max_examples=EXAMPLES, deadline=None)
def test_nor_is_one_without_when_a_run_died_and_another_file_is_applied(
    before: Layout, dying: list[tuple[Layout, int]], after: Layout
) -> None:
    """Whatever policies dead runs left, the next one starts from them."""
    broker = applied(before)
    for between, calls in dying:
        walk(broker, between, calls)
    walk(broker, after)


def walk(broker: MemoryAdmin, wanted: Layout, calls: int | None = None) -> None:
    """Apply `wanted`, as far as `calls` changes, and look after each. A queue of another type: refused, no change."""
    try:
        for change, now in states(broker, wanted, calls):
            assert_all_dead_letter(now, describe(change))
    except RefusedForSafety:
        assert plan_on(broker, wanted).blocked
    else:
        assert calls is not None or plan_on(broker, wanted).clean


def assert_all_dead_letter(broker: Topology, when: str) -> None:
    """Each work queue and DLQ has a policy with a DLX, and with no key that its type lacks; priorities are unique."""
    policies = broker.policies.values()
    assert len({policy.priority for policy in policies}) == len(policies), when
    for queue in broker.queues.values():
        if queue.name in TYPES or queue.name == "dead":
            policy = winner(policies, queue)
            assert policy, (when, queue.name)
            assert "dead-letter-exchange" in policy.definition, (when, queue.name)
            assert all(queue.type in BY_POLICY[key].types for key in policy.definition), (when, queue.name)


def policy_of(broker: MemoryAdmin, name: str) -> Policy:
    topology = broker.read()
    (queue,) = (queue for queue in topology.queues.values() if queue.name == name)
    policy = winner(topology.policies.values(), queue)
    assert policy
    return policy


def pattern_put(broker: MemoryAdmin, policy: Policy, pattern: str, suffix: str = "") -> None:
    """As a dead run left it; a policy of the same settings beside `policy` gets the next priority."""
    broker.put_policy(
        replace(policy, name=policy.name + suffix, pattern=pattern, priority=policy.priority + bool(suffix))
    )


@pytest.mark.parametrize(("one", "other"), [(5, 9), (9, 5)])
def test_a_bridge_that_a_dead_run_left_is_not_used_for_others(one: int, other: int) -> None:
    """It carries `x` until another policy has it, so the bridge for `c` is a new one."""
    broker = applied(shop(work("a", one), work("b", one), work("x", one)))
    policy = policy_of(broker, "a")
    pattern_put(broker, policy, "^(a|b)$")
    pattern_put(broker, policy, "^(x)$", ".9")
    after = shop(work("a", one), work("b", other), work("x", other), work("c", one))
    assert [name for name in bridges(broker, after) if name.startswith(policy.name)] == [f"{policy.name}.99"]
    for change, now in states(broker, after):
        assert winner(now.policies.values(), Queue(name="x", type=QUORUM)), describe(change)
    assert plan_on(broker, after).clean


def bridges(broker: MemoryAdmin, wanted: Layout) -> list[str]:
    puts = [change.policy.name for change in plan_on(broker, wanted).changes if isinstance(change, PutPolicy)]
    return [name for name in puts if re.search(r"\.[01]*9+$", name)]


def test_queues_that_two_policies_of_one_setting_rule_all_keep_it_when_the_file_has_them_no_more() -> None:
    """They and those of the file do not fit into one pattern, so all are shared out anew."""
    left, new = ([letter * 240 for letter in letters] for letters in ("efg", "hij"))
    broker = applied(shop(*map(work, left)))
    policy = policy_of(broker, left[0])
    pattern_put(broker, policy, f"^({left[0]}|{left[1]})$")
    pattern_put(broker, policy, f"^({left[2]})$", ".8")
    walk(broker, shop(*map(work, new)))
    assert all(policy_of(broker, name).definition == policy.definition for name in (*left, *new))


def test_a_queue_that_a_dead_run_made_and_did_not_mark_keeps_its_policy() -> None:
    """Somebody may use it already, also when the next file does not have it."""
    broker, before = MemoryAdmin(), shop(work("a"))
    changes = plan_on(broker, before).changes
    made = next(i for i, c in enumerate(changes) if isinstance(c, CreateQueue) and c.queue.name == "a")
    walk(broker, before, made + 1)
    walk(broker, shop(work("c.+", 9)))
    assert policy_of(broker, "a").definition["delivery-limit"] == 5


@pytest.mark.parametrize("limit", [5, 9], ids=["ranks lower", "ranks higher"])
def test_a_queue_comes_as_another_type_than_a_dead_run_was_going_to_make(limit: int) -> None:
    """It is made under no policy of the other type, which the broker would void, whichever ranks higher."""
    broker, before = MemoryAdmin(), shop(work("b", limit))
    changes = plan_on(broker, before).changes
    walk(broker, before, next(i for i, c in enumerate(changes) if isinstance(c, CreateQueue) and c.queue.name == "b"))
    walk(broker, shop(work("b", type_=CLASSIC)))


def test_a_policy_waits_for_its_priority_until_the_one_that_has_it_is_gone() -> None:
    """Of two with one priority another one wins on 4.3 than on 4.0; at the end it has its own."""
    broker, after = applied(shop(work("a", 5))), shop(work("a", 9))
    wanted = policy_of(applied(after), "a")
    broker.put_policy(replace(policy_of(broker, "a"), priority=wanted.priority))
    walk(broker, after)
    assert policy_of(broker, "a") == wanted


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
