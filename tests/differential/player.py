"""Plays many scenarios at once on a real broker: the same slot of all of them, then the next. No dlxctl code."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pika
import pika.exceptions

from tests.brokers import RunningBroker
from tests.differential.outcome import Played, Seen, seen
from tests.differential.scenario import QUIET, SLOT, Data

MOST_LEFT = 12
"""So many messages are taken from a queue at the end: some scenarios go round for ever."""
LAG_SECONDS, MOST_LAG_SECONDS = 10, 40
"""The API's counts come so late at least, and at most."""


def play(broker: RunningBroker, vhost: str, scenarios: list[Data]) -> list[Played]:
    """The outcome of each; the names in them must differ."""
    with _connected(broker, vhost) as connection:
        _policies(broker, vhost, scenarios)
        setup = connection.channel()
        for data in scenarios:
            _declare(setup, data)
        return _Player(connection, scenarios).play()


class _Player:
    def __init__(self, connection: Any, scenarios: list[Data]) -> None:
        self.connection, self.scenarios = connection, scenarios
        self.played = [Played() for _ in scenarios]
        self.publishers = [connection.channel() for _ in scenarios]
        for channel in self.publishers:
            channel.confirm_delivery()
        self.began = time.monotonic()

    def play(self) -> list[Played]:
        slots = max(len(data["operations"]) for data in self.scenarios)
        for slot in range(slots):
            self._wait_until(slot * SLOT)
            for data, played, publisher in zip(self.scenarios, self.played, self.publishers, strict=True):
                if slot < len(data["operations"]):
                    self._do(data["operations"][slot], slot, played, publisher)
        self._wait_until((time.monotonic() - self.began) + QUIET)
        for data, played in zip(self.scenarios, self.played, strict=True):
            self._empty(data, played)
        return self.played

    def _do(self, operation: list[Any], number: int, played: Played, publisher: Any) -> None:
        before = self._now_ms()
        match operation:
            case ["publish", exchange, key, headers, expiration]:
                result: Any = _publish(publisher, str(number), exchange, key, headers, expiration)
            case ["get", queue, how]:
                result = self._get(queue, how)
            case _:
                result = None
        played.outcome.results.append(result)
        played.times.append((before + self._now_ms()) / 2)

    def _get(self, queue: str, how: str) -> Seen:
        channel = self.connection.channel()
        method, properties, body = channel.basic_get(queue)
        if method is not None:
            match how:
                case "ack":
                    channel.basic_ack(method.delivery_tag)
                case "reject" | "return":
                    channel.basic_reject(method.delivery_tag, requeue=how == "return")
                case "nack":
                    channel.basic_nack(method.delivery_tag, requeue=True)
                case _:
                    pass  # the closing channel gives it back
        channel.close()
        return None if method is None else seen(body.decode(), properties.headers or {})

    def _empty(self, data: Data, played: Played) -> None:
        for name, _, _ in data["queues"]:
            played.outcome.left[name], played.left_times[name] = [], []
            found: Seen = ("", {})
            while found is not None and len(played.outcome.left[name]) < MOST_LEFT:
                before = self._now_ms()
                found = self._get(name, "ack")
                played.outcome.left[name].append(found)
                played.left_times[name].append((before + self._now_ms()) / 2)
        played.at_end = self._now_ms()

    def _now_ms(self) -> float:
        return (time.monotonic() - self.began) * 1000

    def _wait_until(self, seconds: float) -> None:
        while (left := self.began + seconds - time.monotonic()) > 0:
            self.connection.process_data_events(time_limit=left)


def _publish(channel: Any, id_: str, exchange: str, key: str, headers: dict[str, Any], expiration: int | None) -> bool:
    properties = pika.BasicProperties(
        headers=headers, delivery_mode=2, expiration=None if expiration is None else str(expiration)
    )
    try:
        channel.basic_publish(exchange, key, id_.encode(), properties)
    except pika.exceptions.NackError:
        return False
    return True


@contextmanager
def _connected(broker: RunningBroker, vhost: str) -> Iterator[Any]:
    parameters = pika.URLParameters(f"{broker.amqp_url}/{vhost}")
    parameters.channel_max = 2000
    connection = pika.BlockingConnection(parameters)
    try:
        yield connection
    finally:
        connection.close()


def _policies(broker: RunningBroker, vhost: str, scenarios: list[Data]) -> None:
    for data in scenarios:
        for name, pattern, priority, definition in data["policies"]:
            body = {"pattern": pattern, "priority": priority, "definition": definition, "apply-to": "queues"}
            broker.api("PUT", f"policies/{vhost}/{name}", body)


def _declare(channel: Any, data: Data) -> None:
    exchanges = {name for name, _, _ in data["exchanges"]}
    for name, type_, arguments in data["exchanges"]:
        channel.exchange_declare(name, type_, durable=True, arguments=arguments)
    for name, type_, arguments in data["queues"]:
        channel.queue_declare(name, durable=True, arguments={**arguments, "x-queue-type": type_})
    for source, to, key, arguments in data["bindings"]:
        if to in exchanges:
            channel.exchange_bind(to, source, key, arguments)
        else:
            channel.queue_bind(to, source, key, arguments)


def stuck_in(broker: RunningBroker, vhost: str, expected: dict[str, int]) -> dict[str, int]:
    """How many dead letters wait in which queues, by the API: after its lag, and once more until it says `expected`."""
    ended, counts = time.monotonic(), dict[str, int]()
    while time.monotonic() < ended + MOST_LAG_SECONDS:
        rows = broker.api("GET", f"queues/{vhost}")
        counts = {row["name"]: row["messages_dlx"] for row in rows if row.get("messages_dlx")}
        if counts == expected and time.monotonic() > ended + LAG_SECONDS:
            break
        time.sleep(0.5)
    return counts
