"""What stands on a broker: exchanges, queues, bindings and policies of one vhost, as values.

The desired topology (made from a file) and the observed one (read from a broker) are the same type, so that drift
is their difference. Rules: a quorum queue that is not durable, or that is exclusive, cannot be constructed; an
absent `x-queue-type` means classic (facts 5.9).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Arguments = Mapping[str, Any]
Key = tuple[str, ...]


class QueueType(StrEnum):
    """The queue types that dlxctl reads; STREAM is observed only."""

    CLASSIC = "classic"
    QUORUM = "quorum"
    STREAM = "stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """An exchange; `arguments` holds `alternate-exchange` and the like, never None."""

    name: str
    type: str = "direct"
    durable: bool = True
    auto_delete: bool = False
    internal: bool = False
    arguments: Arguments = field(default_factory=dict)

    @property
    def key(self) -> Key:
        return ("exchange", self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """A queue; `arguments` always carries `x-queue-type` (the constructor adds it)."""

    name: str
    type: QueueType = QueueType.CLASSIC
    durable: bool = True
    auto_delete: bool = False
    exclusive: bool = False
    arguments: Arguments = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.type is not QueueType.CLASSIC and (not self.durable or self.exclusive or self.auto_delete):
            raise ValueError(f"a {self.type} queue is always durable, shared and permanent: {self.name!r}")
        object.__setattr__(self, "arguments", {**self.arguments, "x-queue-type": str(self.type)})

    @property
    def key(self) -> Key:
        return ("queue", self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """From exchange `source` to `destination`, which is a queue unless `to_exchange`.

    `arguments_key` is the broker's own `properties_key` where the binding was read, and '' where it was not; it
    does not take part in comparison.
    """

    source: str
    destination: str
    to_exchange: bool = False
    routing_key: str = ""
    arguments: Arguments = field(default_factory=dict)
    properties_key: str = field(default="", compare=False)

    @property
    def key(self) -> Key:
        kind = "exchange" if self.to_exchange else "queue"
        return ("binding", self.source, kind, self.destination, self.routing_key, _canonical(self.arguments))


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A user policy. `definition` has policy keys (`message-ttl`, no `x-`); the highest `priority` alone applies."""

    name: str
    pattern: str
    apply_to: str = "queues"
    priority: int = 0
    definition: Arguments = field(default_factory=dict)

    @property
    def key(self) -> Key:
        return ("policy", self.name)


BrokerObject = Exchange | Queue | Binding | Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """All objects of one vhost, by key. `operator_policies` are observed only and never desired."""

    vhost: str
    exchanges: Mapping[Key, Exchange] = field(default_factory=dict)
    queues: Mapping[Key, Queue] = field(default_factory=dict)
    bindings: Mapping[Key, Binding] = field(default_factory=dict)
    policies: Mapping[Key, Policy] = field(default_factory=dict)
    operator_policies: Mapping[Key, Policy] = field(default_factory=dict)

    def exchange(self, name: str) -> Exchange | None:
        return self.exchanges.get(("exchange", name))

    def queue(self, name: str) -> Queue | None:
        return self.queues.get(("queue", name))

    @classmethod
    def of(cls, vhost: str, *objects: BrokerObject, operator_policies: tuple[Policy, ...] = ()) -> "Topology":
        """Index `objects` by key; of two with one key the last stays."""
        return cls(
            vhost=vhost,
            exchanges={o.key: o for o in objects if isinstance(o, Exchange)},
            queues={o.key: o for o in objects if isinstance(o, Queue)},
            bindings={o.key: o for o in objects if isinstance(o, Binding)},
            policies={o.key: o for o in objects if isinstance(o, Policy)},
            operator_policies={o.key: o for o in operator_policies},
        )


def _canonical(arguments: Arguments) -> str:
    return repr(sorted(arguments.items()))
