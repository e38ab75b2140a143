"""What import makes of a vhost: our own style back as it was, everything else verbatim, nothing lost."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlxctl import spec
from dlxctl.broker.memory_admin import MemoryAdmin
from dlxctl.celery.module import module_text
from dlxctl.errors import RefusedForSafety, UsageError
from dlxctl.model.layout import Layout, SettingsMode
from dlxctl.model.topology import Binding, BrokerObject, Exchange, Policy, Queue, QueueType, Topology
from dlxctl.ops.importing import Found, Imported, adopt, import_topology, in_definitions, on_broker
from dlxctl.spec.expand import expand
from dlxctl.spec.starter import STARTER
from tests.unit.plan.layouts import SHOP, applied, layout, plan_on
from tests.unit.spec.test_properties import files

DELAYED = SHOP.replace(
    "attempts: 5}", "attempts: 5}\n  quick: {delays: [1s, 5s], attempts: 3, backend: native}"
).replace("emails: {retry: standard", "emails: {retry: quick")


def imported(*objects: BrokerObject, name: str | None = None) -> Imported:
    return import_topology(Found(source="test", topology=Topology.of("/", *objects)), name)


def of(admin: MemoryAdmin, name: str | None = None) -> Imported:
    return import_topology(on_broker(admin, "test"), name)


def same_objects(one: Layout, other: Layout) -> bool:
    return expand(one) == expand(other)


@pytest.mark.parametrize(
    "text",
    [
        SHOP,
        STARTER,
        DELAYED,
        f"{SHOP}settings: arguments\n",
        f"{SHOP}naming: {{dlx: failures, retry: 'wait-{{delay}}'}}\n",
    ],
    ids=["shop", "starter", "native", "arguments", "naming"],
)
def test_what_apply_made_is_the_same_topology_again(text: str) -> None:
    """Tiers, DLQs, parking queues and the settings of work queues are recognised; nothing is verbatim."""
    wanted = spec.load(text)
    got = of(applied(wanted, version=(4, 3, 6)))
    read = spec.load(got.text)
    assert got.whole
    assert got.notes == ()
    assert same_objects(read, wanted)
    assert (read.settings, read.naming, read.tiers_ms) == (wanted.settings, wanted.naming, wanted.tiers_ms)
    assert read.dead_letter_queues == wanted.dead_letter_queues
    assert not read.verbatim.queues


@given(files())
@settings(max_examples=40, deadline=None)
def test_any_file_comes_back_equal(tree: dict[str, Any]) -> None:
    """What a file expands to is imported as a file that expands to the same."""
    wanted = spec.load(spec_text(tree))
    got = import_topology(Found(source="test", topology=expand(wanted)))
    assert got.notes == ()
    assert same_objects(spec.load(got.text), wanted)


def spec_text(tree: dict[str, Any]) -> str:
    import yaml

    return yaml.safe_dump(tree)


TIER = {"x-message-ttl": 10_000, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "orders"}
OTHERS: tuple[BrokerObject, ...] = (
    Queue(name="orders", arguments={"x-dead-letter-exchange": "shop.dlx", "x-max-priority": 5}),
    Queue(name="orders.retry.10s", arguments=TIER),
    Queue(name="orders.retry.1m", arguments={**TIER, "x-message-ttl": 60_000}),
    Queue(name="orders.dlq"),
    Queue(name="payments.dlq"),
    Queue(name="nsb.v2.delay-level-03", type=QueueType.QUORUM),
    Queue(name="error"),
    Queue(name="events", type=QueueType.STREAM, arguments={"x-max-age": "1D"}),
    Queue(name="brief", durable=False, auto_delete=True),
    Queue(name="gone", arguments={"x-expires": 1000}),
    Exchange(name="shop.dlx"),
    Binding(source="shop.dlx", destination="orders.dlq", routing_key="orders"),
    Policy(name="wide", pattern=".*", apply_to="all", definition={"max-length": 10}),
)


def test_tiers_and_dead_letter_queues_of_others_are_told_and_kept() -> None:
    """They are verbatim, so that no worker eats them, each with a comment, and a ladder is proposed."""
    got = imported(*OTHERS)
    assert got.whole
    read = spec.load(got.text)
    assert list(read.work_queues) == ["orders"]
    assert (read.work_queues["orders"].priority, read.work_queues["orders"].dead_letter) == (5, None)
    assert {name: str(role) for name, role in got.recognised.roles.items()} == {
        "orders.retry.10s": "retry tier of orders: 10s, then back",
        "orders.retry.1m": "retry tier of orders: 1m, then back",
        "orders.dlq": "dead-letter queue of orders (Spring's naming)",
        "payments.dlq": "dead-letter queue, by its name (Spring's naming)",
        "nsb.v2.delay-level-03": "delay infrastructure (NServiceBus's naming)",
        "error": "dead-letter queue, by its name (NServiceBus's naming)",
    }
    assert got.recognised.aside["events"] == "a stream"
    assert got.recognised.aside["brief"] == "deleted with its last consumer"
    assert got.recognised.aside["gone"].startswith("check refuses it as a work queue: DLX325 ")
    lines = got.text.splitlines()
    assert lines[lines.index("    orders.dlq:" if "    orders.dlq:" in lines else "    orders.dlq: {}") - 1] == (
        "    # dead-letter queue of orders (Spring's naming)"
    )
    assert '#   "orders": {delays: [10s, 1m], attempts: 2}' in lines
    assert applied(read).read().queues == Topology.of("/", *OTHERS).queues


def test_a_work_queue_with_a_time_to_live_is_no_tier() -> None:
    """Its expired messages go to its DLQ, and not back."""
    got = imported(
        Queue(
            name="work", arguments={"x-message-ttl": 5, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "d"}
        ),
        Queue(name="d"),
    )
    assert list(got.layout.work_queues) == ["work"]
    assert str(got.recognised.roles["d"]) == "dead-letter queue of work"


def test_a_tier_that_all_queues_share_is_told_by_its_way_back() -> None:
    """Through the default exchange, by the routing key of the message."""
    got = imported(Queue(name="hold", arguments={"x-message-ttl": 5, "x-dead-letter-exchange": ""}))
    assert str(got.recognised.roles["hold"]) == "retry tier: 5ms, then back by name"


@pytest.mark.parametrize(
    ("thing", "code"),
    [
        (Queue(name="celery_delayed_3"), "DLX840"),
        (Queue(name="celery@host.celery.pidbox"), "DLX840"),
        (Exchange(name="celeryev", type="topic"), "DLX840"),
        (Queue(name="mine", exclusive=True), "DLX841"),
        (Policy(name="dlxctl.bills.0123456789ab", pattern="a", definition={"max-length": 1}), "DLX842"),
    ],
)
def test_what_others_declare_themselves_is_left_out(thing: BrokerObject, code: str) -> None:
    """By design: the file is whole all the same."""
    got = imported(thing)
    assert [note.rule.code for note in got.notes] == [code]
    assert got.whole


@pytest.mark.parametrize(
    ("thing", "code"),
    [
        (Queue(name="amq.gen-x"), "DLX845"),
        (Queue(name="a\nb"), "DLX845"),
        (Queue(name="a", arguments={"x": None}), "DLX846"),
        (Queue(name="a", arguments={"x": {"y": [2**64]}}), "DLX846"),
        (Exchange(name="a", type="my-type"), "DLX846"),
        (Policy(name="a", pattern="a"), "DLX846"),
        (Policy(name="a", pattern="a", apply_to="everything", definition={"max-length": 1}), "DLX846"),
        (Binding(source="nowhere", destination="nothing"), "DLX847"),
    ],
)
def test_what_cannot_be_held_is_said(thing: BrokerObject, code: str) -> None:
    """With its code; the file is not whole."""
    got = imported(thing)
    assert [note.rule.code for note in got.notes] == [code]
    assert not got.whole


def test_bindings_of_what_is_left_out_are_left_out_with_it() -> None:
    """Celery binds its delivery exchange to those of the work queues."""
    got = imported(
        Exchange(name="celery_delayed_delivery", type="topic"),
        Exchange(name="shop"),
        Binding(source="celery_delayed_delivery", destination="shop", to_exchange=True, routing_key="#.shop"),
    )
    assert got.whole
    assert {note.rule.code for note in got.notes} == {"DLX840"}
    assert got.layout.verbatim.bindings == ()


def test_another_topology_is_left_to_its_own_file() -> None:
    """Its marked objects, its policies and its owner exchange; with two topologies one has to be named."""
    admin = applied(layout())
    bills = spec.load("version: 1\ntopology: bills\nqueues: {bills: {dead_letter: null, max_length: 5}}\n")
    for exchange in expand(bills).exchanges.values():
        admin.declare_exchange(exchange)
    for thing in expand(bills).queues.values():
        admin.declare_queue(thing)
    for binding in expand(bills).bindings.values():
        admin.bind(binding)
    with pytest.raises(UsageError, match="2 topologies: bills, shop"):
        of(admin)
    got = of(admin, "shop")
    assert same_objects(got.layout, layout())
    assert {(note.rule.code, note.name) for note in got.notes} == {("DLX842", "bills"), ("DLX842", "dlxctl.bills")}


def test_what_was_changed_by_hand_is_said() -> None:
    """A policy of ours that expand would make otherwise cannot be held."""
    admin = applied(layout())
    (policy,) = [p for p in admin.read().policies.values() if p.definition.get("delivery-limit") == 5]
    admin.put_policy(Policy(name=policy.name, pattern=policy.pattern, priority=7, definition=policy.definition))
    got = of(admin)
    assert [(note.rule.code, note.name) for note in got.notes] == [("DLX848", policy.name)]


def test_adopting_marks_and_changes_nothing_else() -> None:
    """Every exchange and queue of the file is bound to the owner exchange; then plan is empty."""
    admin = MemoryAdmin("/", *OTHERS)
    before = admin.read()
    got = of(admin)
    assert adopt(admin, got.layout) == 11
    after = admin.read()
    assert (after.queues, after.policies) == (before.queues, before.policies)
    assert {b.source for key, b in after.bindings.items() if key not in before.bindings} == {"dlxctl.imported"}
    assert plan_on(admin, spec.load(got.text)).clean
    assert adopt(admin, got.layout) == 0


def test_adopting_is_refused_where_it_would_change_something() -> None:
    """What differs is named, and nothing is marked."""
    admin = applied(layout())
    with pytest.raises(RefusedForSafety, match="create queue more"):
        adopt(admin, layout(f"{SHOP}  more: {{dead_letter: dead_letter}}\n"))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", r"test:1:2: this is not JSON"),
        ('{"queues": [{"name": "a"},\n{"name" 5}]}', r"test:2:9: this is not JSON"),
        ("[" * 100_000, "nested too deeply"),
        ('{"queues": [{"arguments": {"x": NaN}}]}', "NaN"),
        ("[]", "not a file of RabbitMQ definitions"),
        ('{"queues": [5]}', "not a file of RabbitMQ definitions"),
        ('{"queues": [{"durable": true}]}', "KeyError: 'name'"),
        ('{"queues": [{"name": "a", "durable": "true"}]}', "durable of 'a' in queues is \"true\""),
        ('{"policies": [{"name": "a", "pattern": 5, "definition": {}}]}', "pattern of 'a' in policies is 5"),
        ('{"vhosts": [{"name": "a"}, {"name": "b"}]}', "2 vhosts: a, b"),
        ('{"queues": [{"name": "q", "vhost": "a"}, {"name": "q", "vhost": "b"}]}', "2 vhosts: a, b"),
    ],
)
def test_files_that_are_no_definitions_are_refused(text: str, why: str) -> None:
    """With the place, for what is no JSON."""
    with pytest.raises(UsageError, match=why):
        in_definitions(text, "test", None)


def test_a_topology_must_have_a_name_that_fits() -> None:
    """--topology is checked before anything is written; a vhost's name is made to fit."""
    with pytest.raises(UsageError, match="cannot name a topology"):
        imported(name="a b")
    assert import_topology(Found(source="", topology=Topology.of("shop/eu west"))).layout.name == "shop-eu-west"


def test_settings_that_only_arguments_have_stay_arguments() -> None:
    """Where dlxctl's policies are, an argument is kept under arguments, and the mode is policy."""
    got = of(applied(layout(SHOP.replace("emails: {", "emails: {arguments: {x-max-length: 9}, "))))
    assert got.layout.settings is SettingsMode.POLICY
    assert got.layout.work_queues["emails"].arguments == {"x-max-length": 9}
    assert got.notes == ()


CORPUS = sorted((Path(__file__).parents[2] / "corpus" / "definitions").glob("*.json"))
ODD = ["null", "5", "1.5", "true", '""', "[]", "{}", '"a\\nb"', '"\\ud800"', "[null]", '{"a": null}', str(2**70),
       '{"x-queue-type": "odd"}', '{"x-message-ttl": "5"}', '{"x-dead-letter-exchange": 7}', f'"{"x" * 300}"',
       '{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": [1]}', '"undefined"']  # fmt: skip


def spots(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Every container in a tree, with each of its keys or indexes."""
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ():
        yield tree, key
        yield from spots(value)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_damaged_definitions_are_imported_or_refused(data: st.DataObject) -> None:
    """Whatever value stands where, the outcome is a file that is read back, or exit 2; never another error."""
    tree = json.loads(data.draw(st.sampled_from(CORPUS)).read_text())
    for _ in range(data.draw(st.integers(1, 3))):
        holder, key = data.draw(st.sampled_from(list(spots(tree))))
        holder[key] = json.loads(data.draw(st.sampled_from(ODD)))
    try:
        got = import_topology(in_definitions(json.dumps(tree), "test", None))
    except UsageError:
        return
    assert spec.load(got.text) == got.layout


def test_an_exchange_that_rabbitmq_exports_as_undefined_is_held() -> None:
    """3.10 and 4.0 write so where they imported it without auto_delete."""
    found = in_definitions('{"exchanges": [{"name": "e", "type": "topic", "auto_delete": "undefined"}]}', "test", None)
    got = import_topology(found)
    assert got.whole
    assert got.layout.exchanges["e"].auto_delete is False


def test_kept_queues_are_not_for_workers() -> None:
    """The generated Celery module names the work queues only."""
    read = spec.load(imported(*OTHERS).text)
    text = module_text(read, expand(read))
    assert '"orders"' in text or "'orders'" in text
    assert "dlq" not in text
    assert "retry.10s" not in text


def test_five_thousand_queues_with_their_bindings_fit_into_a_file() -> None:
    """A file has room for the largest vhosts that people run."""
    names = [f"q{number}" for number in range(5000)]
    bindings = (Binding(source="amq.topic", destination=name, routing_key=name) for name in names)
    got = imported(*(Queue(name=name) for name in names), *bindings)
    assert got.whole
    assert list(spec.load(got.text).work_queues) == names
