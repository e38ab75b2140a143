"""How a message keeps its exchange and routing key on the way to the temporary queue and home. Pure.

To the temporary queue it goes through a fanout exchange, which looks at no routing key: so the key carries the exchange
that the message came by as well, and its header stays the bytes it was. Home it goes by that exchange and key again
where they lead to its queue and nowhere else; else others would get a copy, and it goes over the bridge, with its key.
"""

import functools
from dataclasses import dataclass, field

from dlxctl.model.topology import Binding, Exchange, Topology
from dlxctl.plan.migration import Scaffold

_LONGEST_KEY = 255
_BETWEEN = b"\0"
_COPIES = (b"\x02CC", b"\x03BCC")
"""Headers that make the broker route copies elsewhere; as octets of a table. A likeness in a value does no harm."""
Road = tuple[bytes, bytes]
"""Exchange and routing key."""


def packed(exchange: bytes, key: bytes) -> bytes:
    """The routing key that carries both; where both do not fit, `key` alone."""
    both = exchange + _BETWEEN + key
    return both if len(both) <= _LONGEST_KEY else key


def unpacked(key: bytes) -> tuple[bytes | None, bytes]:
    """(exchange, key) of a packed key; the exchange is None where it did not fit."""
    exchange, between, rest = key.partition(_BETWEEN)
    return (exchange, rest) if between else (None, key)


@dataclass(frozen=True, kw_only=True)
class RoadsHome:
    """The roads to the queue of `scaffold`, among what was `observed` once the queue had its bindings again."""

    scaffold: Scaffold
    observed: Topology
    _known: dict[Road, Road] = field(default_factory=dict)

    def home(self, exchange: bytes | None, key: bytes, header: bytes) -> Road:
        """Where a copy of a message that came by `exchange` and `key` is published; `header` is its content header."""
        if exchange is None or any(copies in header for copies in _COPIES):
            return self._bridge(key)
        road = self._known.get((exchange, key))
        if road is None:
            road = (exchange, key) if self._alone(exchange, key) else self._bridge(key)
            self._known[exchange, key] = road
        return road

    def _bridge(self, key: bytes) -> Road:
        return self.scaffold.bridge.encode(), key

    def _alone(self, exchange: bytes, key: bytes) -> bool:
        name, routing_key = exchange.decode("utf-8", "replace"), key.decode("utf-8", "replace")
        if not name:
            return routing_key == self.scaffold.queue
        there = self.observed.exchange(name)
        if there is None or there.internal:  # nobody may publish to an internal one
            return False
        bindings = [binding for binding in self.observed.bindings.values() if binding.source == name]
        taken = {binding.key: takes(binding, there, routing_key) for binding in bindings}
        reached = {(b.destination, b.to_exchange) for b in bindings if taken[b.key]}
        return None not in taken.values() and reached == {(self.scaffold.queue, False)}


def takes(binding: Binding, exchange: Exchange, routing_key: str) -> bool | None:
    """Whether `binding` of `exchange` takes messages with this key; None where the key alone does not tell."""
    if exchange.type == "fanout":
        return True
    if exchange.type == "direct":
        return binding.routing_key == routing_key
    if exchange.type == "topic":
        return topic_takes(_words(binding.routing_key), _words(routing_key))
    return None


@functools.lru_cache(maxsize=4096)
def topic_takes(wanted: tuple[str, ...], words: tuple[str, ...]) -> bool:
    """Whether a topic binding takes a key, both in words: `*` is one word, `#` any number of them, also none."""
    if not wanted:
        return not words
    first, rest = wanted[0], wanted[1:]
    if first == "#":
        return any(topic_takes(rest, words[at:]) for at in range(len(words) + 1))
    return bool(words) and first in ("*", words[0]) and topic_takes(rest, words[1:])


def _words(key: str) -> tuple[str, ...]:
    return tuple(key.split(".")) if key else ()
