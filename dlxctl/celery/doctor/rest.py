"""Where a queue's rejected messages come to rest: its dead-letter exchange, followed through the broker's bindings.

Rules: https://www.rabbitmq.com/docs/dlx; a missing or unbound dead-letter exchange drops silently, unless the queue is
quorum and dead-letters at least once: then its messages stay, out of everybody's sight (facts 4.2, 4.4).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from dlxctl.model.attributes import Version
from dlxctl.model.effective import delivery_limit, setting
from dlxctl.model.topology import Binding, Queue, QueueType, Topology

UNKNOWN = "?"
"""Stands for the dead-letter queue that a queue is trusted to have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """What the broker does with messages of `queue` that are rejected, or returned too often.

    `dead_letters`: the queues that a rejected message reaches; empty where `trouble` says why it reaches none.
    `limit`: after so many returns it is dead-lettered, None for never. `keeps`: what reaches none stays, unseen.
    `dropping`: that it reaches none is what the topology file says. `back_by`: the queue from which what was rejected
    comes back into this one, '' where it does not.
    """

    queue: str
    type: QueueType
    limit: int | None = None
    dead_letters: tuple[str, ...] = ()
    trouble: str = ""
    keeps: bool = False
    back_by: str = ""
    dropping: bool = False


def rest_of(topology: Topology, queue: Queue, version: Version, *, complete: bool = True) -> Rest:
    """Follow the dead letters of `queue`. Where `topology` is not `complete`, what it does not tell is trusted."""
    exchange = setting(topology, queue, "x-dead-letter-exchange")
    limit = delivery_limit(topology, queue, version)
    if not complete and (exchange is None or (exchange and topology.exchange(exchange) is None)):
        return Rest(queue=queue.name, type=queue.type, limit=limit, dead_letters=(UNKNOWN,))
    if exchange is None:
        return Rest(queue=queue.name, type=queue.type, limit=limit, trouble="it has no dead-letter exchange")
    key = setting(topology, queue, "x-dead-letter-routing-key")
    found = tuple(dict.fromkeys(_reached(topology, str(exchange), None if key is None else str(key), queue.name)))
    used = queue.name if key is None else str(key)
    return Rest(
        queue=queue.name, type=queue.type, limit=limit, dead_letters=found,
        back_by=_back_by(topology, queue, found, used),
        trouble="" if found else _trouble(topology, str(exchange), used),
        keeps=queue.type is QueueType.QUORUM
        and setting(topology, queue, "x-dead-letter-strategy") == "at-least-once"
        and setting(topology, queue, "x-overflow") == "reject-publish",
    )  # fmt: skip


def _back_by(topology: Topology, queue: Queue, reached: tuple[str, ...], key: str) -> str:
    """Follows queues whose messages expire into an exchange, as in retries by TTL; `key` is the message's by then."""
    todo, seen = [(name, queue.name, key) for name in reached], set[str]()
    while todo:
        name, via, key = todo.pop()
        if name == queue.name:
            return via
        waiting = topology.queue(name)
        if name in seen or waiting is None or setting(topology, waiting, "x-message-ttl") is None:
            continue
        seen.add(name)
        exchange = setting(topology, waiting, "x-dead-letter-exchange")
        if exchange is not None:
            used = str(setting(topology, waiting, "x-dead-letter-routing-key") or key)
            todo += [(after, name, used) for after in _reached(topology, str(exchange), used, name)]
    return ""


def _reached(topology: Topology, exchange: str, key: str | None, queue: str) -> Iterator[str]:
    """Queues behind `exchange`; `key` None is the message's own, which by name is the queue's."""
    if exchange == "":
        target = queue if key is None else key
        return iter((target,) if topology.queue(target) else ())
    return _behind(topology, exchange, queue if key is None else key, frozenset(), any_key=key is None)


def _behind(topology: Topology, exchange: str, key: str, seen: frozenset[str], *, any_key: bool) -> Iterator[str]:
    found = topology.exchange(exchange)
    if found is None or exchange in seen:
        return
    passed = False
    for binding in topology.bindings.values():
        if binding.source != exchange or not (any_key or _takes(found.type, binding, key)):
            continue
        passed = True
        if binding.to_exchange:
            yield from _behind(topology, binding.destination, key, seen | {exchange}, any_key=any_key)
        elif topology.queue(binding.destination):
            yield binding.destination
    alternate = found.arguments.get("alternate-exchange")
    if not passed and alternate:
        yield from _behind(topology, str(alternate), key, seen | {exchange}, any_key=any_key)


def _takes(kind: str, binding: Binding, key: str) -> bool:
    """Whether the binding takes the routing key; headers and foreign exchange types are given the benefit of doubt."""
    match kind:
        case "direct":
            return binding.routing_key == key
        case "topic":
            return _matches(binding.routing_key.split("."), key.split("."))
        case _:
            return True


def _matches(pattern: list[str], words: list[str]) -> bool:
    """A topic's key, word by word: the numbers of words that the pattern so far may have taken."""
    taken = {0}
    for part in pattern:
        if part == "#":
            taken = set(range(min(taken, default=len(words) + 1), len(words) + 1))
        else:
            taken = {n + 1 for n in taken if n < len(words) and part in ("*", words[n])}
    return len(words) in taken


def _trouble(topology: Topology, exchange: str, key: str) -> str:
    if exchange == "":
        return f'it dead-letters to queue "{key}", which does not exist'
    if topology.exchange(exchange) is None:
        return f'its dead-letter exchange "{exchange}" does not exist'
    return f'its dead-letter exchange "{exchange}" leads to no queue under the key "{key}"'
