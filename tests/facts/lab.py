"""A vhost on a real broker in which small experiments are made, each with objects of its own."""

import time
import urllib.error
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

import pika
import pika.exceptions

from tests.brokers import RunningBroker

RELEASES = ("3.10", "4.0", "4.3")
"""Those that were measured; another one is expected to be as the newest that is not newer."""
Expected = str | Mapping[str, str]
"""What is found: on all, or by release."""
ARRIVES, NEVER_ARRIVES, COMES_BACK = 10.0, 0.6, 2.0
"""Seconds to wait for a message; for one that is expected nowhere; for one that may be back. They need 0.05."""


def nearest(release: tuple[int, int]) -> str:
    """`(4, 2)` -> `4.0`."""
    known = [name for name in RELEASES if tuple(map(int, name.split("."))) <= release]
    return known[-1] if known else RELEASES[0]


@dataclass
class Taken:
    """A message that a channel of its own holds."""

    channel: Any
    tag: int
    redelivered: bool
    properties: Any
    body: str

    @property
    def headers(self) -> dict[str, Any]:
        return self.properties.headers or {}

    def reject(self, *, requeue: bool) -> None:
        self.channel.basic_reject(self.tag, requeue=requeue)
        self.channel.close()

    def nack(self) -> None:
        self.channel.basic_nack(self.tag, requeue=True)
        self.channel.close()

    def close(self) -> None:
        """Give it back by closing the channel."""
        self.channel.close()


class Lab:
    """`release` is one of RELEASES. Names are made up; `x-queue-type` is always given."""

    def __init__(self, broker: RunningBroker, vhost: str) -> None:
        self.broker, self.vhost, self.release = broker, vhost, nearest(broker.release)
        self.connection = self.connect()
        self._numbers = count(1)

    def connect(self) -> Any:
        """Without heartbeats: nobody answers them between two facts, and other tests may run meanwhile."""
        return pika.BlockingConnection(pika.URLParameters(f"{self.broker.amqp_url}/{self.vhost}?heartbeat=0"))

    def name(self) -> str:
        """A name that none has yet; each is after the one before in the order of the alphabet."""
        return f"f{next(self._numbers):04}"

    def of(self, expected: Expected) -> str:
        return expected if isinstance(expected, str) else expected[self.release]

    def queue(self, kind: str = "quorum", name: str = "", **arguments: Any) -> str:
        """Declare a queue; `message_ttl=5` is the argument `x-message-ttl`."""
        name = name or self.name()
        given = {f"x-{key.replace('_', '-')}": value for key, value in arguments.items()}
        self._once(lambda channel: channel.queue_declare(name, durable=True, arguments={"x-queue-type": kind, **given}))
        return name

    def exchange(self, kind: str = "direct", *, internal: bool = False, arguments: Any = None) -> str:
        name = self.name()
        self._once(lambda channel: channel.exchange_declare(
            name, kind, durable=True, internal=internal, arguments=arguments))  # fmt: skip
        return name

    def bind(self, queue: str, exchange: str, key: str = "", arguments: Any = None) -> None:
        self._once(lambda channel: channel.queue_bind(queue, exchange, key, arguments))

    def policy(self, queue: str, *, priority: int = 0, apply_to: str = "queues", **definition: Any) -> None:
        """A policy for one queue, to be put before the queue is declared: it then applies from the start."""
        body = {"pattern": f"^{queue}$", "apply-to": apply_to, "priority": priority,
                "definition": {key.replace("_", "-"): value for key, value in definition.items()}}  # fmt: skip
        self.broker.api("PUT", f"policies/{self.vhost}/{self.name()}", body)

    def publish(self, exchange: str, key: str, body: str = "m", *, mandatory: bool = False, **properties: Any) -> str:
        """With confirms: `acked`, `nacked`, `returned`, or the code with which the channel was closed."""
        channel = self.connection.channel()
        channel.confirm_delivery()
        try:
            given = pika.BasicProperties(delivery_mode=2, **properties)
            channel.basic_publish(exchange, key, body.encode(), given, mandatory=mandatory)
        except pika.exceptions.NackError:
            return "nacked"
        except pika.exceptions.UnroutableError:
            return "returned"
        except pika.exceptions.ChannelClosedByBroker as error:
            return str(error.reply_code)
        channel.close()
        return "acked"

    def get(self, queue: str) -> Taken | None:
        channel = self.connection.channel()
        method, properties, body = channel.basic_get(queue)
        if method is None:
            channel.close()
            return None
        return Taken(channel, method.delivery_tag, method.redelivered, properties, body.decode())

    def take(self, queue: str) -> Taken:
        """The next message, which must come."""
        deadline = time.monotonic() + ARRIVES
        while (taken := self.get(queue)) is None:
            assert time.monotonic() < deadline, f"nothing came into {queue}"
            self.connection.process_data_events(0.01)
        return taken

    def fate(self, places: Mapping[str, str], expected: Expected) -> str:
        """In which of `places` (word -> queue) a message is, else `nowhere`."""
        deadline = time.monotonic() + (NEVER_ARRIVES if self.of(expected) == "nowhere" else ARRIVES)
        while time.monotonic() < deadline:
            for word, queue in places.items():
                if self.depth(queue):
                    return word
            self.connection.process_data_events(0.01)
        return "nowhere"

    def depth(self, queue: str) -> int:
        return int(self._once(lambda channel: channel.queue_declare(queue, passive=True)).method.message_count)

    def becomes(self, queue: str, depth: int) -> int:
        """The depth, as soon as it is `depth`, or what it is after a while."""
        deadline = time.monotonic() + ARRIVES
        while (found := self.depth(queue)) != depth and time.monotonic() < deadline:
            self.connection.process_data_events(0.01)
        return found

    def refusal(self, act: Callable[[], object]) -> str:
        """The code with which the broker refuses, `accepted` if it does not."""
        try:
            act()
        except pika.exceptions.ChannelClosedByBroker as error:
            return str(error.reply_code)
        except urllib.error.HTTPError as error:
            return str(error.code)
        return "accepted"

    def survives(self, queue: str, give_back: Callable[[Taken], None], most: int) -> int:
        """How often a message can be given back and is there again, at most `most` times."""
        for number in range(most):
            give_back(self.take(queue))
            if not self.becomes_one(queue):
                return number
        return most

    def becomes_one(self, queue: str) -> bool:
        """Whether the message is there again soon."""
        deadline = time.monotonic() + COMES_BACK
        while not self.depth(queue):
            if time.monotonic() > deadline:
                return False
            self.connection.process_data_events(0.01)
        return True

    def _once(self, act: Callable[[Any], Any]) -> Any:
        channel = self.connection.channel()
        answer = act(channel)
        channel.close()
        return answer
