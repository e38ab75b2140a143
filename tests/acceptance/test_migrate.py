"""`dlxctl apply --allow migrate` and `dlxctl migrate` on a real broker: what a queue keeps when it is made anew."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pika
import pytest

from dlxctl import spec
from dlxctl.broker.address import Access
from dlxctl.broker.management import Management
from dlxctl.broker.raw_link import RawLink
from dlxctl.model.topology import Binding, Exchange, Queue, QueueType, Topology
from dlxctl.ops.apply import apply
from dlxctl.ops.look import letters
from dlxctl.ops.migrate import Patience, migrate
from dlxctl.wire.intake import Confirm, Delivery
from tests import amqp_values as amqp
from tests.acceptance.machine_stage import MIGRATE_AT_ONCE, Exact, ExactStatistics
from tests.conftest import Dlxctl
from tests.deaths import let_die, wait_for
from tests.faults.conftest import FULL
from tests.faults.shop import Shop
from tests.links import Message, drained, message

FILE = """\
version: 1
topology: shop
vhost: ${DLXCTL_VHOST:-/}
retry: {standard: {delays: [1h], attempts: 2}}
dead_letter: {dead_letter: {}}
exchanges: {shop.events: {type: topic}}
queues:
  orders:
    retry: standard
    dead_letter: dead_letter
    delivery_limit: 20
    bindings: [{exchange: shop.events, routing_key: "order.#"}]
"""
THEIRS = (
    Binding(source="theirs", destination="orders", routing_key="a.*"),
    Binding(source="theirs", destination="orders", routing_key="a.*", arguments={"x": 1}),
    Binding(source="dlxctl.other", destination="orders", arguments={"x-match": "all", "dlxctl-owned-by": "other"}),
)
ROADS = ((b"", b"orders"), (b"shop.events", b"order.new"), (b"theirs", b"a.b"))
TIER = "retry.1h"
Seen = tuple[bytes, bytes, bytes, bytes]
"""Exchange, routing key, content header and body frames of a message."""


@pytest.fixture
def old(reach: Access, tmp_path: Path) -> Management:
    """A broker on which somebody else made the queues, with other types and another delay."""
    (tmp_path / "topology.yaml").write_text(FILE)
    admin = Management(reach)
    admin.declare_queue(Queue(name="dead_letter"))
    if FULL:  # each queue takes its ten seconds
        admin.declare_queue(Queue(name=TIER, type=QueueType.QUORUM, arguments={"x-message-ttl": 1_800_000}))
        admin.declare_exchange(Exchange(name=TIER, type="fanout"))
        admin.bind(Binding(source=TIER, destination=TIER))
    admin.declare_queue(
        Queue(name="orders", arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead_letter"})
    )
    admin.declare_exchange(Exchange(name="shop.events", type="topic"))
    admin.declare_exchange(Exchange(name="theirs", type="direct"))
    admin.declare_exchange(Exchange(name="dlxctl.other", type="headers", internal=True))
    admin.bind(Binding(source="shop.events", destination="orders", routing_key="order.#"))
    for binding in (*THEIRS, Binding(source="theirs", destination="orders", routing_key="a.b")):
        admin.bind(binding)
    return admin


def hostile(number: int) -> Message:
    """A message of every header type and property."""
    body = b"%d" % number
    return amqp.Header(body, amqp.EVERY_TYPE, amqp.ALL_PROPERTIES).payload(), amqp.body_frame(body)


def publish(reach: Access, sent: list[Seen]) -> None:
    """Each by its exchange and key; all confirmed."""
    link = RawLink(reach, purpose="test")
    for exchange, key, header, body in sent:
        link.publish(exchange, key, header, body)
    confirmed = 0
    while confirmed < len(sent):
        for event in link.pump(5):
            assert isinstance(event, Confirm), event
            confirmed = max(confirmed, event.sequence) if event.multiple else confirmed + 1
    link.close()


def seen(delivery: Delivery) -> Seen:
    return delivery.exchange, delivery.routing_key, delivery.header, body_of(delivery)


def body_of(delivery: Delivery) -> bytes:
    """The body frames, with the channel number that tests use."""
    return amqp.body_frame(delivery.body[7:-1])


def looked_at(reach: Access, queue: str) -> list[Seen]:
    """Every message, which stays."""
    link = RawLink(reach, purpose="test")
    try:
        return [seen(letter.delivery) for letter in letters(link, queue)]
    finally:
        link.close()


def taken(reach: Access, queue: str) -> list[Seen]:
    """Every message, taken away."""
    link = RawLink(reach, purpose="test")
    try:
        return [seen(delivery) for delivery in drained(link, queue)]
    finally:
        link.close()


def bindings(observed: Topology, queue: str) -> set[tuple[str, ...]]:
    return {b.key for b in observed.bindings.values() if b.destination == queue and not b.to_exchange}


def test_everything_stays_but_what_had_to_change(dlxctl: Dlxctl, reach: Access, old: Management) -> None:
    """Types and arguments are those of the file; messages are the same octets, in their order, with their exchange and
    key; x-death and the bindings of others, marks too, are kept; nothing of the migration is left."""
    let_die(reach, "orders", [message(f"dead {number}") for number in range(3)])
    wait_for(reach, "dead_letter", 3)
    dead = looked_at(reach, "dead_letter")
    assert all(b"x-death" in header for _, _, header, _ in dead)
    sent = [(*ROADS[number % len(ROADS)], *hostile(number)) for number in range(30)]
    publish(reach, sent)
    waiting = [(TIER.encode(), b"orders", *hostile(number)) for number in range(3 * FULL)]
    publish(reach, waiting)
    before = old.read()
    refused = dlxctl("apply", "topology.yaml")
    assert (refused.returncode, old.read()) == (5, before), refused.stderr
    made = dlxctl("apply", "--allow", "migrate", "topology.yaml")
    assert made.returncode == 0, made.stderr
    after = old.read()
    assert {name: after.queue(name).type for name in ("orders", "dead_letter")} == {  # type: ignore[union-attr]
        "orders": "quorum", "dead_letter": "quorum",
    }  # fmt: skip
    assert bindings(after, "orders") >= bindings(before, "orders")
    assert not [name for _, name in (*after.queues, *after.exchanges) if "dlxctl-migrate" in name]
    assert taken(reach, "orders") == sent
    assert taken(reach, "dead_letter") == dead
    assert taken(reach, TIER) == waiting
    assert dlxctl("plan", "--exit-code", "topology.yaml").returncode == 0


@contextmanager
def worker_that_holds_one(url: str) -> Iterator[Any]:
    """A consumer with a message that it does not acknowledge within the block."""
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    channel.basic_qos(prefetch_count=1)
    tags: list[int] = []
    channel.basic_consume("orders", lambda _, method, *__: tags.append(method.delivery_tag))
    deadline = time.monotonic() + 10
    while not tags and time.monotonic() < deadline:
        connection.process_data_events(0.1)
    yield channel
    connection.close()


def test_a_message_that_a_worker_holds_is_waited_for_and_the_way_back_is_open(
    dlxctl: Dlxctl, reach: Access, old: Management, url: str, tmp_path: Path
) -> None:
    """Exit 6 after --drain-timeout, with the old queue still there; `migrate` says how far it is, and --revert makes
    everything as it was, the held message included."""
    old.delete_queue("dead_letter")
    old.delete_queue(TIER)
    sent = [(*ROADS[1], *message(str(number))) for number in range(5)]
    publish(reach, sent)
    before = old.read()
    with worker_that_holds_one(url):
        late = dlxctl("apply", "--allow", "migrate", "--drain-timeout", 1, "topology.yaml")
        assert late.returncode == 6, late.stderr
        assert "1 unacknowledged" in late.stderr
        publish(reach, [(*ROADS[1], *message("5"))])
        (queue,) = json.loads(dlxctl("migrate", "--format", "json", "topology.yaml").stdout)["queues"]
        assert (queue["name"], queue["bindings"]) == ("orders", 4)
        assert queue["steps"][0].startswith("move every message to orders.dlxctl-migrate")
        back = dlxctl("migrate", "--revert", "--format", "json", "topology.yaml")
        assert json.loads(back.stdout) == {"reverted": ["orders"]}, back.stderr
    after = old.read()
    assert (after.queue("orders"), bindings(after, "orders")) == (before.queue("orders"), bindings(before, "orders"))
    assert not [name for _, name in (*after.queues, *after.exchanges) if "dlxctl-migrate" in name]
    assert sorted(body for *_, body in taken(reach, "orders")) == [message(str(number))[1] for number in range(6)]


SHORT = "retry.3s"


def tier_made_by_hand(admin: Management, kind: QueueType, delay_ms: int) -> None:
    """The tier of 3 s with another delay, and what leads to it."""
    road: dict[str, Any] = {"x-message-ttl": delay_ms, "x-dead-letter-exchange": ""}
    if kind is QueueType.QUORUM:
        road |= {"x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish"}
    admin.declare_queue(Queue(name=SHORT, type=kind, arguments=road))
    admin.declare_exchange(Exchange(name=SHORT, type="fanout"))
    admin.bind(Binding(source=SHORT, destination=SHORT))


def migrated(admin: Management, **choices: Any) -> None:
    """Apply FILE, with the tier of 3 s, and migrate."""
    wanted = replace(spec.load(FILE.replace("1h", "3s")), vhost=admin.read().vhost)
    report = apply(admin, wanted, migrate=partial(migrate, **choices))
    assert report.error is None
    assert report.remaining is not None
    assert report.remaining.clean


@pytest.mark.parametrize("kind", [QueueType.CLASSIC, QueueType.QUORUM])
def test_what_waits_in_a_tier_waits_for_the_new_delay_and_returns(reach: Access, kind: QueueType) -> None:
    """A tier with another delay, or of another type: what waited in it for an hour is back in its work queue after
    three seconds, once, with its octets, and its death names the tier."""
    admin = Exact(reach)
    tier_made_by_hand(admin, kind, 3_600_000)
    sent = [(SHORT.encode(), b"orders", *message(f"waits {number}")) for number in range(300)]
    publish(reach, sent)
    migrated(admin, access=reach, patience=MIGRATE_AT_ONCE, statistics=ExactStatistics(admin))
    wait_for(reach, "orders", len(sent))
    back = taken(reach, "orders")
    assert sorted(body for *_, body in back) == sorted(body for *_, body in sent)
    assert all(SHORT.encode() in header and b"x-death" in header for _, _, header, _ in back)
    assert taken(reach, SHORT) == []
    admin.connection.close()


@pytest.mark.timeout(600)
def test_a_tier_in_use_loses_nothing(reach: Access) -> None:
    """Retries keep coming to it and leaving it: each is worked on, and no publish finds the tier's exchange without a
    queue. Half a minute, so with `DLXCTL_FAULTS=full` only."""
    if not FULL:
        return
    admin = Management(reach)
    admin.declare_queue(Queue(name="orders", type=QueueType.QUORUM))
    for kind, delay_ms in ((QueueType.QUORUM, 2_000), (QueueType.CLASSIC, 3_000)):
        admin.delete_queue(SHORT)
        tier_made_by_hand(admin, kind, delay_ms)
        with Shop(reach, rate=300, exchange=SHORT.encode(), key=b"orders") as shop:
            wait_for_some(shop, 1_000)
            migrated(admin, access=reach, patience=Patience(drain_s=60))
            wait_for_some(shop, len(shop.ledger.worked) + 1_000)
            counts = shop.until_worked()
        print(kind, counts)
        assert (counts.lost, counts.duplicated, shop.ledger.returned) == (0, 0, 0), counts


def wait_for_some(shop: Shop, worked: int) -> None:
    """Until so many messages were worked on."""
    deadline = time.monotonic() + 60
    while len(shop.ledger.worked) < worked:
        assert time.monotonic() < deadline, len(shop.ledger.worked)
        time.sleep(0.05)
