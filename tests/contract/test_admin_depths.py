"""What prune relies on, on the double and on each real RabbitMQ: how much a queue holds, and the plug."""

import time
from collections.abc import Iterator

import pytest

from dlxctl.broker.address import Access
from dlxctl.broker.admin import Admin
from dlxctl.broker.management import Management
from dlxctl.broker.memory_admin import MemoryAdmin
from dlxctl.model.topology import Policy, Queue, QueueType
from dlxctl.ops.prune import Patience
from dlxctl.plan.prune import CLOSED
from tests.brokers import RunningBroker

QUEUES = (Queue(name="c d", type=QueueType.CLASSIC), Queue(name="q/d", type=QueueType.QUORUM))
CLOSING = Policy(name="closed", pattern=".", priority=5, definition=CLOSED)


class DepthContract:
    """An empty queue, a closed one, and a plugged one."""

    def test_counts_are_exact_and_missing_queues_are_none(self, admin: Admin) -> None:
        """A queue that is not there holds an unknown number, not 0."""
        for queue in QUEUES:
            admin.declare_queue(queue)
        counts = admin.counts(["c d", "missing", "q/d"])
        assert counts["missing"] is None
        for name in ("c d", "q/d"):
            count = counts[name]
            assert count
            assert (count.ready, count.consumers) == (0, 0)

    def test_depths_become_known(self, admin: Admin) -> None:
        """Unknown at first, where the broker has not counted yet; then 0."""
        for queue in QUEUES:
            admin.declare_queue(queue)
        deadline = time.monotonic() + 30
        while (depths := admin.depths()) and [depths[queue.name].messages for queue in QUEUES] != [0, 0]:
            assert {depths[queue.name].messages for queue in QUEUES} <= {None, 0}
            assert time.monotonic() < deadline
            time.sleep(0.2)

    def test_a_closed_quorum_queue_takes_one_plug(self, admin: Admin) -> None:
        """A second is refused, and once the first is out it is open for one again."""
        queue = QUEUES[1]
        admin.declare_queue(queue)
        admin.put_policy(CLOSING)
        time.sleep(Patience().refusing_s)
        assert admin.plug(queue.name)
        count = admin.counts([queue.name])[queue.name]
        assert count
        assert count.ready == 1
        assert not admin.plug(queue.name)
        admin.unplug(queue.name)
        count = admin.counts([queue.name])[queue.name]
        assert count
        assert count.ready == 0


class TestMemoryAdmin(DepthContract):
    """The double."""

    @pytest.fixture
    def admin(self) -> MemoryAdmin:
        return MemoryAdmin()


class TestManagement(DepthContract):
    """The real broker."""

    @pytest.fixture
    def admin(self, broker: RunningBroker, reach: Access) -> Iterator[Management]:
        return Management(reach)

    def test_unplugging_leaves_what_is_no_plug(self, admin: Management, broker: RunningBroker, vhost: str) -> None:
        """Somebody's message stays."""
        admin.declare_queue(QUEUES[1])
        broker.api(
            "POST", f"exchanges/{vhost}/amq.default/publish",
            {"routing_key": "q/d", "payload": "x", "payload_encoding": "string", "properties": {}},
        )  # fmt: skip
        admin.unplug("q/d")
        deadline = time.monotonic() + 10
        while not (count := admin.counts(["q/d"])["q/d"]) or count.ready != 1:
            assert time.monotonic() < deadline
