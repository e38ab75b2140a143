"""Which queues a message reaches: the exchange types, exchange-to-exchange bindings and alternate exchanges.

Rules: https://www.rabbitmq.com/tutorials/amqp-concepts#exchanges and https://www.rabbitmq.com/docs/ae. The alternate
exchange is used when no binding of the exchange itself matches, wherever the matching ones would have led.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from dlxctl.model.topology import Binding, Exchange, Topology
from dlxctl.sim.settings import alternate_of
from dlxctl.sim.versions import Release

STANDING = {
    "amq.direct": "direct",
    "amq.fanout": "fanout",
    "amq.topic": "topic",
    "amq.headers": "headers",
    "amq.match": "headers",
}
"""Exchanges of every vhost, whether or not a topology names them."""


class Routes:
    """The exchanges and bindings of a topology, indexed once."""

    def __init__(self, topology: Topology, release: Release) -> None:
        self._queues = {queue.name for queue in topology.queues.values()}
        self._exchanges = {name: Exchange(name=name, type=type_) for name, type_ in STANDING.items()}
        self._exchanges |= {exchange.name: exchange for exchange in topology.exchanges.values()}
        self._topology, self._release = topology, release
        self._direct: dict[tuple[str, str], list[Binding]] = {}
        self._from: dict[str, list[Binding]] = {}
        for binding in topology.bindings.values():
            self._from.setdefault(binding.source, []).append(binding)
            self._direct.setdefault((binding.source, binding.routing_key), []).append(binding)

    def knows(self, exchange: str) -> bool:
        """Whether there is such an exchange; the default one always is."""
        return exchange == "" or exchange in self._exchanges

    def route(self, exchange: str, key: str, headers: Mapping[str, Any]) -> tuple[str, ...]:
        """The queues that a message published to `exchange` reaches, each once, in no meaningful order."""
        if exchange == "":
            return (key,) if key in self._queues else ()
        found: dict[str, None] = {}
        seen, ahead = {exchange}, [exchange]
        while ahead:
            queues, exchanges = self._step(ahead.pop(), key, headers)
            found |= dict.fromkeys(queues)
            ahead += [name for name in exchanges if name not in seen]
            seen.update(exchanges)
        return tuple(found)

    def _step(self, name: str, key: str, headers: Mapping[str, Any]) -> tuple[list[str], list[str]]:
        """Queues and exchanges that the exchange `name` itself leads to."""
        exchange = self._exchanges.get(name)
        if exchange is None:
            return [], []
        matching = self._matching(exchange, key, headers)
        if not matching:
            alternate = alternate_of(self._topology, exchange, self._release)
            return [], [alternate] if alternate is not None else []
        queues = [each.destination for each in matching if not each.to_exchange and each.destination in self._queues]
        return queues, [each.destination for each in matching if each.to_exchange]

    def _matching(self, exchange: Exchange, key: str, headers: Mapping[str, Any]) -> list[Binding]:
        bindings = self._from.get(exchange.name, [])
        match exchange.type:
            case "direct":
                return self._direct.get((exchange.name, key), [])
            case "fanout":
                return bindings
            case "topic":
                return [binding for binding in bindings if topic_matches(binding.routing_key, key)]
            case "headers":
                return [binding for binding in bindings if headers_match(binding.arguments, headers)]
            case _:
                return []  # a plugin's exchange: what it would do is not known here


def topic_matches(binding_key: str, key: str) -> bool:
    """Whether a topic binding takes `key`: `*` is one word between dots, `#` any number of words, none included."""
    return _topic_pattern(binding_key).fullmatch(f".{key}" if key else "") is not None


@lru_cache(maxsize=10_000)
def _topic_pattern(binding_key: str) -> re.Pattern[str]:
    """Each word with the dot before it, so that `#` may stand for no word at either end."""
    words = {"#": r"(?:\.[^.]*)*", "*": r"\.[^.]*"}
    parts = binding_key.split(".") if binding_key else []
    return re.compile("".join(words.get(part, r"\." + re.escape(part)) for part in parts), re.DOTALL)


def headers_match(arguments: Mapping[str, Any], headers: Mapping[str, Any]) -> bool:
    """Whether a headers binding takes a message; `all` and `any` leave out the arguments that begin with `x-`."""
    kind = arguments.get("x-match", "all")
    wanted = {
        name: value
        for name, value in arguments.items()
        if name != "x-match" and (str(kind).endswith("-with-x") or not name.startswith("x-"))
    }
    hits = (name in headers and value in (None, headers[name]) for name, value in wanted.items())
    return any(hits) if str(kind).startswith("any") else all(hits)
