"""A vhost of the benchmark's own: the queues `dead` and `orders`, made and seeded anew for each run."""

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from tempfile import TemporaryDirectory
from typing import Any

from bench.letters import recorded, seed
from bench.process import BenchError
from dlxctl.broker.address import Access, access
from dlxctl.broker.amqp import open_connection
from tests.brokers import RunningBroker
from tests.links import Message

ARRIVAL_S = 30.0
"""How long a queue may take to count what was confirmed already."""


@dataclass
class Scene:
    """One vhost, one queue type. `directory` is empty: a topology.yaml or a .env of the shell steers nothing."""

    broker: RunningBroker
    queue_type: str
    vhost: str
    directory: str
    letters: dict[int, tuple[Message, str]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """The AMQP URL of the vhost, with its password."""
        return f"{self.broker.amqp_url}/{self.vhost}"

    @property
    def reach(self) -> Access:
        """The vhost for dlxctl's own connections."""
        return access(self.url, self.broker.management_url)

    def arguments(self, queue: str) -> dict[str, Any]:
        """What `queue` is declared with."""
        limit = {"x-delivery-limit": 1_000_000} if self.queue_type == "quorum" else {}
        leads = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"} if queue == "orders" else {}
        return {"x-queue-type": self.queue_type, **limit, **leads}

    def prepare(self, size: int, count: int) -> None:
        """Fresh queues, with `count` dead letters of `size` octets in `dead`."""
        self._declare()
        if size not in self.letters:
            self.letters[size] = recorded(self.reach, self.url, size)
            self._declare()
        seed(self.reach, self.letters[size], count)
        self.check(dead=count, orders=0)

    def check(self, *, dead: int, orders: int, within_s: float = ARRIVAL_S) -> None:
        """The queues hold exactly so many. Raises BenchError when they do not come to it."""
        found = self.until_depths(lambda depths: depths == (dead, orders), within_s)
        if found != (dead, orders):
            raise BenchError(f"dead holds {found[0]} messages and orders {found[1]}, not {dead} and {orders}")

    def until_depths(self, satisfied: Any, seconds: float) -> tuple[int, int]:
        """Read the depths of `dead` and `orders` until they satisfy or the time is over; the last ones read."""
        connection = open_connection(self.reach, purpose="bench")
        channel, deadline = connection.channel(), time.monotonic() + seconds
        try:
            while True:
                dead, orders = (
                    channel.queue_declare(name, passive=True).method.message_count for name in ("dead", "orders")
                )
                if satisfied((dead, orders)) or time.monotonic() > deadline:
                    return dead, orders
                time.sleep(0.02)
        finally:
            connection.close()

    def _declare(self) -> None:
        connection = open_connection(self.reach, purpose="bench")
        channel = connection.channel()
        for name in ("dead", "orders"):
            channel.queue_delete(name)
            channel.queue_declare(name, durable=True, arguments=self.arguments(name))
        connection.close()


@contextmanager
def scene(broker: RunningBroker, queue_type: str) -> Iterator[Scene]:
    """A scene whose vhost is gone afterwards."""
    vhost = f"bench-{uuid.uuid4().hex[:12]}"
    broker.api("PUT", f"vhosts/{vhost}", {})
    broker.api("PUT", f"permissions/{vhost}/{broker.user}", {"configure": ".*", "write": ".*", "read": ".*"})
    try:
        with TemporaryDirectory(prefix="dlxctl-bench-") as directory:
            yield Scene(broker, queue_type, vhost, directory)
    finally:
        broker.api("DELETE", f"vhosts/{vhost}")
