"""What is made through the pipeline is what single calls make: on the double and on each real RabbitMQ."""

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from dlxctl.broker.address import Access
from dlxctl.broker.admin import Admin
from dlxctl.broker.management import Management
from dlxctl.broker.memory_admin import MemoryAdmin
from dlxctl.broker.pipeline import CHANNELS, AmqpPipeline
from dlxctl.errors import BrokerRefused, BrokerUnavailable, NotFound
from dlxctl.model.topology import Binding, Exchange, Queue, QueueType
from tests.brokers import RunningBroker

OWNER = Exchange(name="dlxctl.shop", type="headers", internal=True)
MARK = {"x-match": "all", "dlxctl-owned-by": "shop"}
KINDS: dict[str, Any] = {
    "x-match": "any", "n": 1, "negative": -1, "long": 2**40, "yes": True, "text": "é😀", "empty": "", "list": [1, "a"],
    "table": {"n": 1},
}  # fmt: skip
QUEUES = [
    Queue(name="é/ #", arguments={"x-max-priority": 10, "x-message-ttl": 2**31}),
    Queue(name="short", durable=False, auto_delete=True),
    Queue(name="orders", type=QueueType.QUORUM, arguments={"x-max-length": 5, "x-single-active-consumer": True}),
    Queue(name="own", arguments={"x-unknown": {"a": [1, True, "x"]}}),
]
BINDINGS = [
    *(Binding(source=OWNER.name, destination=queue.name, arguments=MARK) for queue in QUEUES),
    Binding(source="amq.topic", destination="é/ #", routing_key="ö.#"),
    Binding(source="amq.topic", destination="é/ #"),
    Binding(source="amq.headers", destination="orders", arguments=KINDS),
    Binding(source="amq.headers", destination="amq.fanout", to_exchange=True, routing_key="k", arguments=KINDS),
]


def many(count: int) -> list[Queue | Binding]:
    """Each queue with its mark."""
    return [
        thing
        for number in range(count)
        for thing in (
            Queue(name=f"q{number}"),
            Binding(source=OWNER.name, destination=f"q{number}", arguments=MARK),
        )
    ]


class PipelineContract:
    """What apply relies on."""

    @pytest.mark.parametrize("times", [1, 2])
    def test_what_is_made_is_read_back_equal(self, admin: Admin, times: int) -> None:
        """Queues of every kind and bindings with arguments of every JSON type but float; repeating changes nothing."""
        admin.declare_exchange(OWNER)
        with admin.pipeline() as pipeline:
            for _ in range(times):
                pipeline.make([*QUEUES, *BINDINGS])
        observed = admin.read()
        assert observed.queues == {queue.key: queue for queue in QUEUES}
        assert observed.bindings == {binding.key: binding for binding in BINDINGS}

    def test_a_queue_stands_before_what_is_bound_to_it(self, admin: Admin) -> None:
        """Though several are under way at once."""
        admin.declare_exchange(OWNER)
        with admin.pipeline() as pipeline:
            pipeline.make(many(50))
            pipeline.make([])
        observed = admin.read()
        assert (len(observed.queues), len(observed.bindings)) == (50, 50)

    @pytest.mark.parametrize(
        ("bad", "error"),
        [
            (Queue(name="orders", arguments={"x-max-length": 6}), BrokerRefused),
            (Queue(name="amq.mine"), BrokerRefused),
            (Queue(name="q", arguments={"x-message-ttl": -1}), BrokerRefused),
            (Binding(source="nowhere", destination="orders"), NotFound),
            (Binding(source="amq.topic", destination="nothing"), NotFound),
            (Binding(source="amq.headers", destination="orders", arguments={"x-match": "some"}), BrokerRefused),
        ],
        ids=["inequivalent", "reserved", "argument", "source", "destination", "match"],
    )
    def test_a_refusal_is_raised_wherever_it_stands(
        self, admin: Admin, bad: Queue | Binding, error: type[Exception]
    ) -> None:
        """On each channel; and the same pipeline makes the next batch."""
        admin.declare_queue(Queue(name="orders"))
        good: list[Queue | Binding] = [Queue(name=f"q{number}") for number in range(8)]
        with admin.pipeline() as pipeline:
            for before in range(CHANNELS):
                with pytest.raises(error):
                    pipeline.make([*good[:before], bad, *good[before:]])
            pipeline.make(good)
        assert len(admin.read().queues) == 1 + len(good)


class TestMemoryAdmin(PipelineContract):
    """The double."""

    @pytest.fixture(params=[(3, 10, 8), (4, 0, 5), (4, 3, 6)], ids=["3.10", "4.0", "4.3"])
    def admin(self, request: pytest.FixtureRequest) -> MemoryAdmin:
        return MemoryAdmin("v", version=request.param)


class TestManagement(PipelineContract):
    """The real broker."""

    @pytest.fixture
    def admin(self, broker: RunningBroker, reach: Access) -> Iterator[Management]:
        return Management(reach)

    def test_the_broker_holds_the_same_whichever_way_it_was_made(
        self, admin: Management, broker: RunningBroker, vhost: str
    ) -> None:
        """Every octet of the definitions and every properties key; and either way again adds nothing."""
        admin.declare_exchange(OWNER)

        def through_the_pipeline() -> None:
            with admin.pipeline() as pipeline:
                pipeline.make([*QUEUES, *BINDINGS])

        def one_by_one() -> None:
            for queue in QUEUES:
                admin.declare_queue(queue)
            for binding in BINDINGS:
                admin.bind(binding)

        def stands() -> tuple[Any, dict[Any, str]]:
            keys = {binding.key: binding.properties_key for binding in admin.read().bindings.values()}
            return [canonical(broker.api("GET", f"{kind}/{vhost}")) for kind in ("bindings", "definitions")], keys

        seen = []
        for ways in ((through_the_pipeline, one_by_one), (one_by_one, through_the_pipeline)):
            for way in ways:
                way()
                seen.append(stands())
            for queue in QUEUES:
                admin.delete_queue(queue.name)
            admin.unbind(next(b for b in admin.read().bindings.values() if b.to_exchange))
        assert len(seen[0][1]) == len(BINDINGS)
        assert all(each == seen[0] for each in seen)

    def test_a_float_is_left_to_the_management_api(self, admin: Management) -> None:
        """pika cannot write one: nothing is made of the batch, and the next one works."""
        binding = Binding(source="amq.headers", destination="orders", arguments={"x-match": "any", "n": 1.5})
        with admin.pipeline() as pipeline:
            with pytest.raises(BrokerRefused, match="written"):
                pipeline.make([binding])
            pipeline.make([Queue(name="orders")])
        admin.bind(binding)
        assert binding.key in admin.read().bindings

    def test_a_lost_connection_is_said_and_the_next_batch_has_a_new_one(
        self, admin: Management, reach: Access, broker: RunningBroker, vhost: str
    ) -> None:
        """The broker closes it in between."""
        pipeline = AmqpPipeline(reach)
        pipeline.make([Queue(name="first")])
        deadline = time.monotonic() + 20
        while not (found := broker.api("GET", f"vhosts/{vhost}/connections")):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        broker.api("DELETE", f"connections/{quote(found[0]['name'], safe='')}")
        with pytest.raises(BrokerUnavailable):
            pipeline.make(many(100))
        pipeline.make([Queue(name="second")])
        pipeline.close()
        assert {"first", "second"} <= {queue.name for queue in admin.read().queues.values()}


def canonical(told: Any) -> Any:
    """Without an order, and without what a broker counts."""
    if isinstance(told, dict):
        return {key: canonical(value) for key, value in told.items() if key not in ("policies", "parameters")}
    return sorted(map(repr, map(canonical, told))) if isinstance(told, list) else told
