"""One contract for every `Admin`: the same tests on the double and on each real RabbitMQ."""

import time
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import quote

import pytest

from dlxctl.broker.address import Access
from dlxctl.broker.admin import Admin, Lock
from dlxctl.broker.management import Management
from dlxctl.broker.memory_admin import MemoryAdmin
from dlxctl.errors import BrokerRefused, BrokerUnavailable, Locked, NotFound
from dlxctl.model.topology import Binding, Exchange, Policy, Queue, QueueType
from tests.brokers import RunningBroker

HOSTILE_NAMES = ["a b", "a/b", "a%2Fb", "#", "*", "é😀", "x" * 255, "a?b=c&d", "a+b;c", "a\\b", '"q".^$(|)[]{}', "..."]
QUORUM = Queue(name="orders", type=QueueType.QUORUM, arguments={"x-max-length": 5})
POLICY = Policy(name="p", pattern="^orders$", priority=7, definition={"max-length": 5, "dead-letter-exchange": "dlx"})


class AdminContract:
    """What plan and apply rely on."""

    def test_an_empty_vhost_has_the_standing_exchanges_only(self, admin: Admin) -> None:
        """The default exchange is left out, amq.* are read."""
        observed = admin.read()
        assert {exchange.name for exchange in observed.exchanges.values()} == {
            "amq.direct", "amq.fanout", "amq.headers", "amq.match", "amq.rabbitmq.trace", "amq.topic",
        }  # fmt: skip
        assert not observed.queues
        assert not observed.bindings
        assert not observed.policies

    def test_the_server_says_its_version_and_our_tags(self, admin: Admin) -> None:
        """An administrator may set policies."""
        server = admin.server()
        assert server.version >= (3, 10)
        assert server.cluster_name
        assert (server.user, server.may_set_policies) == ("guest", True)

    @pytest.mark.parametrize(
        "exchange",
        [
            Exchange(name="dlx", arguments={"alternate-exchange": "dlx.unrouted"}),
            Exchange(name="dlxctl.shop", type="headers", internal=True),
            Exchange(name="short", type="topic", durable=False, auto_delete=True),
        ],
        ids=lambda exchange: exchange.name,
    )
    def test_a_declared_exchange_is_read_back_equal(self, admin: Admin, exchange: Exchange) -> None:
        """What was declared is what is read, and declaring it again changes nothing."""
        admin.declare_exchange(exchange)
        admin.declare_exchange(exchange)
        assert admin.read().exchange(exchange.name) == exchange

    @pytest.mark.parametrize(
        "queue",
        [
            QUORUM,
            Queue(name="plain"),
            Queue(name="short", durable=False, auto_delete=True),
            Queue(name="prio", arguments={"x-max-priority": 10}),
            Queue(name="single", type=QueueType.QUORUM, arguments={"x-single-active-consumer": True}),
            Queue(
                name="retry.10s",
                type=QueueType.QUORUM,
                arguments={
                    "x-message-ttl": 10_000,
                    "x-dead-letter-exchange": "",
                    "x-dead-letter-strategy": "at-least-once",
                    "x-overflow": "reject-publish",
                },
            ),
        ],
        ids=lambda queue: queue.name,
    )
    def test_a_declared_queue_is_read_back_equal(self, admin: Admin, queue: Queue) -> None:
        """What was declared is what is read, with its type, and declaring it again changes nothing."""
        admin.declare_queue(queue)
        admin.declare_queue(queue)
        assert admin.read().queue(queue.name) == queue

    @pytest.mark.parametrize("name", HOSTILE_NAMES)
    def test_names_reach_the_broker_as_they_are(self, admin: Admin, name: str) -> None:
        """Slashes, percent signs, spaces, emoji and 255 octets name the same object in every call."""
        admin.declare_exchange(Exchange(name=name, type="topic"))
        admin.declare_queue(Queue(name=name))
        binding = Binding(source=name, destination=name, routing_key=name)
        admin.bind(binding)
        admin.put_policy(Policy(name=name, pattern="x", definition={"max-length": 1}))
        observed = admin.read()
        assert observed.exchange(name)
        assert observed.queue(name)
        assert binding.key in observed.bindings
        assert ("policy", name) in observed.policies
        admin.delete_policy(name)
        assert not admin.read().policies

    @pytest.mark.parametrize(
        "other",
        [
            Queue(name="orders", type=QueueType.QUORUM, arguments={"x-max-length": 6}),
            Queue(name="orders", type=QueueType.QUORUM),
            Queue(name="orders", type=QueueType.QUORUM, arguments={"x-max-length": 5, "x-overflow": "drop-head"}),
            Queue(name="orders", arguments={"x-max-length": 5}),
        ],
        ids=["changed", "omitted", "added", "type"],
    )
    def test_an_existing_queue_with_other_arguments_is_refused(self, admin: Admin, other: Queue) -> None:
        """Declared arguments never change."""
        admin.declare_queue(QUORUM)
        with pytest.raises(BrokerRefused, match="inequivalent arg"):
            admin.declare_queue(other)
        assert admin.read().queue("orders") == QUORUM

    @pytest.mark.parametrize(
        "other",
        [
            Exchange(name="dlx", type="fanout"),
            Exchange(name="dlx", internal=True),
            Exchange(name="dlx", arguments={"alternate-exchange": "a"}),
        ],
        ids=["type", "internal", "alternate"],
    )
    def test_an_existing_exchange_with_other_settings_is_refused(self, admin: Admin, other: Exchange) -> None:
        """Type, internal and alternate exchange are fixed."""
        admin.declare_exchange(Exchange(name="dlx"))
        with pytest.raises(BrokerRefused, match="inequivalent arg"):
            admin.declare_exchange(other)

    @pytest.mark.parametrize(
        ("type_", "arguments"),
        [
            (QueueType.CLASSIC, {"x-delivery-limit": 5}),
            (QueueType.CLASSIC, {"x-dead-letter-strategy": "at-least-once"}),
            (QueueType.QUORUM, {"x-max-priority": 5}),
            (QueueType.QUORUM, {"x-queue-mode": "lazy"}),
            (QueueType.CLASSIC, {"x-message-ttl": -1}),
            (QueueType.CLASSIC, {"x-message-ttl": "5"}),
            (QueueType.CLASSIC, {"x-max-length": 2.5}),
            (QueueType.CLASSIC, {"x-overflow": "bogus"}),
            (QueueType.QUORUM, {"x-dead-letter-strategy": "bogus"}),
            (QueueType.CLASSIC, {"x-single-active-consumer": "yes"}),
            (QueueType.CLASSIC, {"x-dead-letter-routing-key": "a"}),
        ],
        ids=str,
    )
    def test_arguments_that_the_type_does_not_know_are_refused(
        self, admin: Admin, type_: QueueType, arguments: dict[str, object]
    ) -> None:
        """The attribute table says which, and of which kind each must be."""
        with pytest.raises(BrokerRefused):
            admin.declare_queue(Queue(name="q", type=type_, arguments=arguments))
        assert not admin.read().queues

    def test_reserved_names_and_unknown_types_are_refused(self, admin: Admin) -> None:
        """amq.* belongs to the broker."""
        for exchange in (Exchange(name="amq.mine"), Exchange(name="e", type="no-such-type")):
            with pytest.raises(BrokerRefused):
                admin.declare_exchange(exchange)
        with pytest.raises(BrokerRefused):
            admin.declare_queue(Queue(name="amq.mine"))

    def test_a_binding_needs_both_ends(self, admin: Admin) -> None:
        """A missing source or destination is NotFound, and the text names it."""
        admin.declare_queue(QUORUM)
        for binding in (
            Binding(source="nowhere", destination="orders"),
            Binding(source="amq.topic", destination="nothing"),
            Binding(source="amq.topic", destination="nobody", to_exchange=True),
        ):
            with pytest.raises(NotFound, match=r"nowhere|nothing|nobody"):
                admin.bind(binding)

    def test_bindings_are_told_apart_by_key_and_arguments(self, admin: Admin) -> None:
        """Each is read back once, however often it was made, from internal exchanges and to exchanges too."""
        admin.declare_exchange(Exchange(name="dlxctl.shop", type="headers", internal=True))
        admin.declare_queue(QUORUM)
        mark = {"x-match": "all", "dlxctl-owned-by": "shop"}
        wanted = [
            Binding(source="amq.topic", destination="orders", routing_key="a.#"),
            Binding(source="amq.topic", destination="orders", routing_key="b"),
            Binding(source="amq.headers", destination="orders", arguments={"x-match": "any", "n": 1}),
            Binding(source="dlxctl.shop", destination="orders", arguments=mark),
            Binding(source="dlxctl.shop", destination="amq.topic", to_exchange=True, arguments=mark),
        ]
        for binding in wanted * 2:
            admin.bind(binding)
        assert admin.read().bindings == {binding.key: binding for binding in wanted}

    def test_a_header_binding_must_match_in_a_known_way(self, admin: Admin) -> None:
        """x-match is all, any, all-with-x or any-with-x."""
        admin.declare_queue(QUORUM)
        with pytest.raises(BrokerRefused, match="x-match"):
            admin.bind(Binding(source="amq.headers", destination="orders", arguments={"x-match": "some"}))

    def test_a_policy_is_put_replaced_and_deleted(self, admin: Admin) -> None:
        """The last put counts, and to delete one that is gone is fine."""
        admin.put_policy(Policy(name="p", pattern="x", definition={"max-length": 1}))
        admin.put_policy(POLICY)
        admin.put_policy(POLICY)
        assert admin.read().policies == {POLICY.key: POLICY}
        admin.delete_policy("p")
        admin.delete_policy("p")
        assert not admin.read().policies

    @pytest.mark.parametrize(
        "policy",
        [
            Policy(name="p", pattern="(", definition={"max-length": 1}),
            Policy(name="p", pattern="x", definition={}),
            Policy(name="p", pattern="x", definition={"no-such-key": 1}),
            Policy(name="p", pattern="x", definition={"max-length": -1}),
            Policy(name="p", pattern="x", definition={"message-ttl": "5"}),
            Policy(name="p", pattern="x", definition={"overflow": "bogus"}),
            Policy(name="p", pattern="x", apply_to="nothing", definition={"max-length": 1}),
        ],
        ids=["pattern", "empty", "key", "negative", "kind", "choice", "apply-to"],
    )
    def test_an_invalid_policy_is_refused(self, admin: Admin, policy: Policy) -> None:
        """Nothing is stored."""
        with pytest.raises(BrokerRefused):
            admin.put_policy(policy)
        assert not admin.read().policies

    def test_a_long_pattern_is_refused_on_4_3(self, admin: Admin) -> None:
        """1024 octets are taken by every version, 1025 not by 4.3."""
        admin.put_policy(Policy(name="p", pattern="x" * 1024, definition={"max-length": 1}))
        longer = Policy(name="p", pattern="x" * 1025, definition={"max-length": 1})
        if admin.server().version >= (4, 3):
            with pytest.raises(BrokerRefused, match="1024"):
                admin.put_policy(longer)
        else:
            admin.put_policy(longer)

    @pytest.mark.parametrize(
        ("key", "since"), [("consumer-timeout", (4, 0)), ("delayed-retry-type", (4, 3)), ("max-length", (3, 10))]
    )
    def test_a_policy_key_is_refused_before_the_version_that_knows_it(
        self, admin: Admin, key: str, since: tuple[int, ...]
    ) -> None:
        """The attribute table's `policy_since` says from which version on."""
        value = {"delayed-retry-type": "disabled"}.get(key, 60_000)
        policy = Policy(name="p", pattern="x", definition={key: value})
        if admin.server().version >= since:
            admin.put_policy(policy)
            assert admin.read().policies == {policy.key: policy}
        else:
            with pytest.raises(BrokerRefused):
                admin.put_policy(policy)

    def test_the_lock_has_one_holder(self, admin: Admin) -> None:
        """A second run is told who holds it, and gets it once the first has ended."""
        with admin.lock("dlxctl.lock.shop", purpose="apply shop") as lock:
            lock.confirm()
            with (
                pytest.raises(Locked, match=r"dlxctl\.lock\.shop"),
                admin.lock("dlxctl.lock.shop", purpose="apply shop"),
            ):
                pass
            with admin.lock("dlxctl.lock.other", purpose="apply other"):
                lock.confirm()
        with admin.lock("dlxctl.lock.shop", purpose="apply shop") as lock:
            lock.confirm()
        assert not admin.read().queues

    @pytest.mark.parametrize(
        "binding",
        [
            Binding(source="x", destination="orders", routing_key="a.b/#%2F"),
            Binding(source="x", destination="orders"),
            Binding(source="x", destination="orders", arguments={"x-match": "all", "n": 1, "yes": True}),
            Binding(source="x", destination="y", to_exchange=True, routing_key="k"),
        ],
        ids=["key", "plain", "arguments", "exchange"],
    )
    def test_one_binding_is_deleted_and_its_neighbour_stays(self, admin: Admin, binding: Binding) -> None:
        """A binding that was read can be deleted, whatever its key; deleting it again changes nothing."""
        neighbour = Binding(source="x", destination="orders", routing_key="neighbour")
        for exchange in (Exchange(name="x", type="headers"), Exchange(name="y")):
            admin.declare_exchange(exchange)
        admin.declare_queue(QUORUM)
        admin.bind(binding)
        admin.bind(neighbour)
        found = admin.read().bindings[binding.key]
        admin.unbind(found)
        admin.unbind(found)
        assert list(admin.read().bindings.values()) == [neighbour]

    def test_deleted_objects_go_with_their_bindings(self, admin: Admin) -> None:
        """Exchange and queue are gone, with what was bound to them; deleting them again changes nothing."""
        for exchange in (Exchange(name="x"), Exchange(name="y"), Exchange(name="z")):
            admin.declare_exchange(exchange)
        admin.declare_queue(QUORUM)
        stays = Binding(source="y", destination="z", to_exchange=True)
        for binding in (Binding(source="x", destination="y", to_exchange=True), stays):
            admin.bind(binding)
        admin.bind(Binding(source="y", destination="orders"))
        for _ in range(2):
            admin.delete_exchange("x")
            admin.delete_queue("orders")
        observed = admin.read()
        assert (observed.exchange("x"), observed.queue("orders")) == (None, None)
        assert list(observed.bindings.values()) == [stays]


class TestMemoryAdmin(AdminContract):
    """The double."""

    @pytest.fixture(params=[(3, 10, 8), (4, 0, 5), (4, 3, 6)], ids=["3.10", "4.0", "4.3"])
    def admin(self, request: pytest.FixtureRequest) -> MemoryAdmin:
        return MemoryAdmin("v", version=request.param)


class TestManagement(AdminContract):
    """The real broker."""

    @pytest.fixture
    def admin(self, broker: RunningBroker, reach: Access) -> Iterator[Management]:
        return Management(reach)

    def test_an_operator_policy_is_seen_by_everybody(
        self, admin: Management, broker: RunningBroker, vhost: str, reach: Access
    ) -> None:
        """An administrator reads it whole; others read its name, and the queue that it applies to."""
        cap = {"pattern": "^ord", "apply-to": "queues", "priority": 1, "definition": {"max-length": 3}}
        broker.api("PUT", f"operator-policies/{vhost}/cap", cap)
        admin.declare_queue(QUORUM)
        assert admin.read().operator_policies == {
            ("policy", "cap"): Policy(name="cap", pattern="^ord", priority=1, definition={"max-length": 3})
        }
        name = f"u-{vhost}"
        broker.api("PUT", f"users/{name}", {"password": "x", "tags": "management"})
        try:
            broker.api("PUT", f"permissions/{vhost}/{name}", {"configure": "", "write": "", "read": ""})
            other = Management(replace(reach, management=replace(reach.management, user=name, password="x")))
            end = time.monotonic() + 20
            while not (seen := other.read().operator_policies) and time.monotonic() < end:
                time.sleep(0.2)
            assert seen == {("policy", "cap"): Policy(name="cap", pattern="^(orders)$")}
        finally:
            broker.api("DELETE", f"users/{name}")

    def test_a_lost_lock_is_noticed(self, admin: Management, broker: RunningBroker, vhost: str) -> None:
        """When the broker has closed the connection, the run stops before its next change."""
        with admin.lock("dlxctl.lock.shop", purpose="apply shop") as lock:
            end = time.monotonic() + 20
            while not (found := broker.api("GET", f"vhosts/{vhost}/connections")) and time.monotonic() < end:
                time.sleep(0.05)
            broker.api("DELETE", f"connections/{quote(found[0]['name'], safe='')}")
            with pytest.raises(BrokerUnavailable, match="the lock was lost"):
                confirm_until(lock, end)


def confirm_until(lock: Lock, end: float) -> None:
    while time.monotonic() < end:
        lock.confirm()
