"""Expansion: the objects that each part of a layout becomes, and in which place each setting is kept."""

from dataclasses import replace
from typing import Any

import pytest

from dlxctl.model.layout import Layout, delay_text
from dlxctl.model.topology import Binding, Exchange, Queue, QueueType, Topology
from dlxctl.spec import load
from dlxctl.spec.expand import OWNER_HEADER, expand, left_out

NATIVE = """
version: 1
topology: shop
retry:
  native: {backend: native, delays: [10s, 1m], attempts: 6}
  tiers: {delays: [1m], attempts: 2}
dead_letter: {dead: }
defaults: {dead_letter: dead}
queues: {a: {retry: native}, b: {retry: tiers, delivery_limit: 20}}
"""

TEXT = """
version: 1
topology: shop
retry: {standard: {delays: [10s, 1m], attempts: 3}}
dead_letter: {dead: {retention: 14d, max_length: 1000, parking: parked}, other: }
exchanges: {events: {type: topic, durable: false}}
defaults: {retry: standard, dead_letter: dead}
queues:
  plain:
  same:
  tuned: {delivery_limit: 5, max_length: 10, consumer_timeout: 2h, dead_letter: other}
  ordered: {single_active_consumer: true, overflow: drop-head}
  classic: {type: classic, priority: 7, max_length: 9, bindings: [{exchange: events, routing_key: "a.#"}]}
  loose: {retry: null, dead_letter: null, arguments: {x-queue-leader-locator: balanced}}
"""


def expanded(settings: str = "policy", **options: Any) -> Topology:
    return expand(load(f"{TEXT}settings: {settings}\n"), **options)


def queue(topology: Topology, name: str) -> Queue:
    found = topology.queue(name)
    assert found is not None
    return found


def policy_of(topology: Topology, name: str) -> dict[str, Any]:
    import re

    matching = [p for p in topology.policies.values() if re.search(p.pattern, name)]
    assert len(matching) <= 1
    return dict(matching[0].definition) if matching else {}


def test_the_dead_letter_exchange_has_a_safety_net() -> None:
    """Each DLQ is bound to the DLX by its own name, and what no binding takes goes to the first DLQ."""
    topology = expanded()
    assert topology.exchange("dlx") == Exchange(name="dlx", arguments={"alternate-exchange": "dlx.unrouted"})
    assert topology.exchange("dlx.unrouted") == Exchange(name="dlx.unrouted", type="fanout")
    roads = {b.key for b in topology.bindings.values() if b.source in ("dlx", "dlx.unrouted")}
    assert roads == {
        Binding(source="dlx", destination="dead", routing_key="dead").key,
        Binding(source="dlx", destination="other", routing_key="other").key,
        Binding(source="dlx.unrouted", destination="dead").key,
    }


@pytest.mark.parametrize("name", ["dead", "other", "parked"])
@pytest.mark.parametrize("settings", ["policy", "arguments"])
def test_queues_that_people_look_into_are_safe_by_argument(name: str, settings: str) -> None:
    """No foreign policy can take the high delivery limit from a DLQ or a parking queue."""
    arguments = queue(expanded(settings), name).arguments
    assert (arguments["x-queue-type"], arguments["x-delivery-limit"]) == ("quorum", 1_000_000)


def test_a_dead_letter_queue_with_a_retention_hands_on_to_its_parking_queue() -> None:
    """At least once, by name through the default exchange; a full DLQ refuses and does not drop."""
    assert policy_of(expanded(), "dead") == {
        "message-ttl": 1_209_600_000,
        "max-length": 1000,
        "dead-letter-exchange": "",
        "dead-letter-routing-key": "parked",
        "dead-letter-strategy": "at-least-once",
        "overflow": "reject-publish",
    }
    assert policy_of(expanded(), "other") == policy_of(expanded(), "parked") == {}


def test_a_tier_returns_messages_by_name_through_the_default_exchange() -> None:
    """Fanout exchange, quorum queue with the delay as TTL, no dead-letter routing key; all by argument."""
    topology = expanded()
    assert topology.exchange("retry.1m") == Exchange(name="retry.1m", type="fanout")
    assert queue(topology, "retry.1m").arguments == {
        "x-queue-type": "quorum",
        "x-message-ttl": 60_000,
        "x-dead-letter-exchange": "",
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }
    assert Binding(source="retry.1m", destination="retry.1m").key in topology.bindings
    assert policy_of(topology, "retry.1m") == {}


def test_a_work_queue_keeps_by_policy_what_may_change() -> None:
    """Where failures go, limits and timeouts are policy; the declared argument is the type alone."""
    topology = expanded()
    assert queue(topology, "tuned").arguments == {"x-queue-type": "quorum"}
    assert policy_of(topology, "tuned") == {
        "dead-letter-exchange": "dlx",
        "dead-letter-routing-key": "other",
        "dead-letter-strategy": "at-least-once",
        "overflow": "reject-publish",
        "delivery-limit": 5,
        "max-length": 10,
        "consumer-timeout": 7_200_000,
    }


def test_a_work_queue_with_settings_in_arguments_needs_no_policy() -> None:
    """`settings: arguments` says the same with x- arguments."""
    topology = expanded("arguments")
    assert topology.policies == {}
    assert queue(topology, "tuned").arguments == {
        "x-queue-type": "quorum",
        "x-dead-letter-exchange": "dlx",
        "x-dead-letter-routing-key": "other",
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
        "x-delivery-limit": 5,
        "x-max-length": 10,
        "x-consumer-timeout": 7_200_000,
    }


def test_at_least_once_comes_only_with_what_it_needs() -> None:
    """Not on classic queues, which refuse the key, and not with drop-head, where it would silently not hold."""
    topology = expanded()
    road = {"dead-letter-exchange": "dlx", "dead-letter-routing-key": "dead"}
    assert policy_of(topology, "classic") == {**road, "max-length": 9}
    assert policy_of(topology, "ordered") == {**road, "overflow": "drop-head"}


def test_what_the_queue_is_stays_an_argument() -> None:
    """Type, priority, single active consumer, and everything from the escape hatch."""
    topology = expanded()
    assert queue(topology, "classic").arguments == {"x-queue-type": "classic", "x-max-priority": 7}
    assert queue(topology, "ordered").arguments == {"x-queue-type": "quorum", "x-single-active-consumer": True}
    assert queue(topology, "loose").arguments == {"x-queue-type": "quorum", "x-queue-leader-locator": "balanced"}
    assert queue(topology, "classic").type is QueueType.CLASSIC
    assert policy_of(topology, "loose") == {}


def test_public_exchanges_and_bindings_are_as_the_file_says() -> None:
    """Type, durability and routing key are taken over."""
    topology = expanded()
    assert topology.exchange("events") == Exchange(name="events", type="topic", durable=False)
    assert Binding(source="events", destination="classic", routing_key="a.#").key in topology.bindings


def test_everything_owned_is_marked_once() -> None:
    """Each queue and exchange but the mark itself is bound to the internal owner exchange."""
    topology = expanded()
    assert topology.exchange("dlxctl.shop") == Exchange(name="dlxctl.shop", type="headers", internal=True)
    marks = [b for b in topology.bindings.values() if b.source == "dlxctl.shop"]
    marked = {("exchange" if b.to_exchange else "queue", b.destination) for b in marks}
    assert marked == (set(topology.queues) | set(topology.exchanges)) - {("exchange", "dlxctl.shop")}
    assert len(marks) == len(marked)
    assert all(b.arguments == {"x-match": "all", OWNER_HEADER: "shop"} for b in marks)


def test_a_policy_key_that_a_broker_would_refuse_is_left_out_and_told() -> None:
    """RabbitMQ 3.10 refuses a whole policy with consumer-timeout (400); `left_out` names queue and key."""
    layout = load(TEXT)
    assert "consumer-timeout" not in policy_of(expand(layout, version=(3, 10, 8)), "tuned")
    assert [(q.name, key) for q, key in left_out(layout, (3, 10, 8))] == [("tuned", "consumer-timeout")]
    assert list(left_out(layout, (4, 0))) == []


def test_a_layout_without_dead_letters_has_no_dead_letter_exchange() -> None:
    """Nothing is declared that nothing uses."""
    topology = expand(load("version: 1\ntopology: t\nqueues: {a: {dead_letter: null}}"))
    assert set(topology.exchanges) == {("exchange", "dlxctl.t")}
    assert topology.policies == {}


def test_names_can_be_chosen() -> None:
    """`naming` renames the DLX, its alternate and the tiers."""
    layout = load(TEXT + "naming: {dlx: dead.x, retry: 'wait {delay} please'}\n")
    names = {name for _, name in expand(layout).exchanges}
    assert {"dead.x", "dead.x.unrouted", "wait 10s please", "wait 1m please"} <= names


def test_the_expansion_does_not_depend_on_the_order_of_the_file() -> None:
    """Two files that say the same in another order make equal topologies, but for the first DLQ."""
    layout = load(TEXT)
    turned = replace(layout, work_queues=dict(reversed(layout.work_queues.items())))
    assert expand(turned) == expand(layout)


@pytest.mark.parametrize("delay", [1, 999, 1_000, 1_500, 60_000, 90_000, 3_600_000, 86_400_000, 315_360_000_000])
def test_a_delay_is_spelt_the_way_it_is_read(delay: int) -> None:
    """The name of a tier is a time that the file could hold."""
    layout: Layout = load(f"version: 1\ntopology: t\nretry: {{a: {{delays: [{delay_text(delay)}], attempts: 1}}}}")
    assert layout.tiers_ms == (delay,)


def test_a_native_ladder_is_a_policy_and_no_tier() -> None:
    """The queue itself delays what fails, its delivery limit ends the attempts, and only other ladders have tiers."""
    topology = expand(load(NATIVE), version=(4, 3, 6))
    assert {q.name for q in topology.queues.values()} == {"a", "b", "dead", "retry.1m"}
    assert policy_of(topology, "a") == policy_of(topology, "b") | {
        "delayed-retry-type": "failed", "delayed-retry-min": 10_000, "delayed-retry-max": 60_000, "delivery-limit": 6,
    }  # fmt: skip


def test_a_native_ladder_in_arguments() -> None:
    """With `settings: arguments` the same settings are arguments of the work queue."""
    arguments = queue(expand(load(NATIVE + "settings: arguments\n")), "a").arguments
    assert {name: value for name, value in arguments.items() if "delayed-retry" in name or "limit" in name} == {
        "x-delayed-retry-type": "failed", "x-delayed-retry-min": 10_000, "x-delayed-retry-max": 60_000,
        "x-delivery-limit": 6,
    }  # fmt: skip


def test_versions_that_refuse_the_same_keys_share_one_topology() -> None:
    """Of thousands of queues it is computed once; a version that refuses a key that is wanted has its own."""
    plain, tuned = load(FILE_WITHOUT_KEYS), load(FILE_WITHOUT_KEYS + "  b: {consumer_timeout: 2h}\n")
    assert expand(plain, version=(3, 10, 8)) is expand(plain, version=(4, 3, 0))
    assert expand(tuned, version=(4, 0, 5)) is expand(tuned, version=(4, 3, 0))
    assert expand(tuned, version=(3, 10, 8)) != expand(tuned, version=(4, 3, 0))


FILE_WITHOUT_KEYS = "version: 1\ntopology: t\ndead_letter: {d: }\ndefaults: {dead_letter: d}\nqueues:\n  a:\n"
