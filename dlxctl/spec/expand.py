"""Layout -> Topology: the broker objects that a topology file asks for (docs/topology-file.md has the picture).

What may be tuned later is set by policy, what *is* the queue by argument, because declared arguments can never change
(406). A tier's TTL and return road, and the delivery limit that makes a dead-letter queue safe to look into, are
arguments: no foreign policy may take them away.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from dlxctl.model.attributes import BY_POLICY, SAFE_DELIVERY_LIMIT, Version
from dlxctl.model.identity import Same
from dlxctl.model.layout import DeadLetterQueue, Ladder, Layout, SettingsMode, VerbatimQueue, WorkQueue
from dlxctl.model.topology import Binding, BrokerObject, Exchange, Queue, QueueType, Topology
from dlxctl.spec.policies import Tunable, policies

ASSUMED_VERSION: Version = (4, 0)
"""The RabbitMQ version that is expanded for while none is known."""
OWNER_HEADER = "dlxctl-owned-by"
AT_LEAST_ONCE = {"dead-letter-strategy": "at-least-once", "overflow": "reject-publish"}
"""Quorum only. One does not work without the other: with drop-head the broker falls back silently (facts 4.1)."""


def expand(layout: Layout, *, version: Version = ASSUMED_VERSION) -> Topology:
    """Everything that `layout` asks of a broker of `version`; policy keys that it would refuse are left out.

    Asked for many times, and computed once for all versions that refuse the same keys.
    """
    return _expanded(Same(layout), frozenset(key for key in _keys(Same(layout)) if _since(key) <= version))


@lru_cache(maxsize=4)
def _keys(layout: Same[Layout]) -> frozenset[str]:
    """All policy keys that `layout` wants to set."""
    some = (work_settings(queue, layout.value) for queue in layout.value.work_queues.values())
    others = (dead_letter_settings(queue) for queue in layout.value.dead_letter_queues.values())
    return frozenset(key for settings in (*some, *others) for key in settings)


@lru_cache(maxsize=4)
def _expanded(same: Same[Layout], known: frozenset[str]) -> Topology:
    layout = same.value
    expansion = _Expansion(layout, known)
    objects = [*expansion.dead_letters(), *expansion.tiers(), *expansion.work(), *expansion.verbatim()]
    marks = [mark(layout, owned) for owned in objects if isinstance(owned, Exchange | Queue)]
    owner = Exchange(name=layout.owner_exchange, type="headers", internal=True)
    kept = layout.verbatim.policies.values()
    return Topology.of(layout.vhost, owner, *objects, *marks, *kept, *policies(layout.name, expansion.tunables))


def mark(layout: Layout, owned: Exchange | Queue) -> Binding:
    """The binding that says that `owned` is ours.

    No message passes it: clients cannot publish to an internal exchange, and the header is one that no client sets. A
    binding with nothing but `x-match: all` would match every message.
    """
    return Binding(
        source=layout.owner_exchange,
        destination=owned.name,
        to_exchange=isinstance(owned, Exchange),
        arguments={"x-match": "all", OWNER_HEADER: layout.name},
    )


def left_out(layout: Layout, version: Version) -> Iterator[tuple[WorkQueue, str]]:
    """Work queues with a policy key that a broker of `version` would refuse, and the key."""
    if layout.settings is SettingsMode.POLICY and any(_since(key) > version for key in _keys(Same(layout))):
        for queue in layout.work_queues.values():
            yield from ((queue, key) for key in work_settings(queue, layout) if _since(key) > version)


def _since(key: str) -> Version:
    """The first version that takes a policy with `key`."""
    return BY_POLICY[key].policy_since


def work_settings(queue: WorkQueue, layout: Layout) -> dict[str, Any]:
    """The tunable settings of a work queue, by policy key: where its failures go, its limits."""
    settings: dict[str, Any] = {}
    if queue.dead_letter is not None:
        settings |= {"dead-letter-exchange": layout.naming.dlx, "dead-letter-routing-key": queue.dead_letter}
        if queue.type is QueueType.QUORUM and queue.overflow in (None, "reject-publish"):
            settings |= AT_LEAST_ONCE
    wanted = {
        "overflow": queue.overflow,
        "max-length": queue.max_length,
        "delivery-limit": queue.delivery_limit,
        "consumer-timeout": queue.consumer_timeout_ms,
    }
    settings |= {key: value for key, value in wanted.items() if value is not None}
    ladder = layout.native_ladder(queue)
    return settings | (native_settings(ladder) if ladder else {})


def native_settings(ladder: Ladder) -> dict[str, Any]:
    """What makes a quorum queue of RabbitMQ 4.3 retry by itself, by policy key.

    Only `failed` returns are delayed: a `basic.reject`, as RetryTask gives it, and a lost worker. Those count against
    the delivery limit, which is why it ends the attempts; a `basic.nack` does not, and would go on for ever (facts 13).
    """
    return {
        "delayed-retry-type": "failed",
        "delayed-retry-min": ladder.delays_ms[0],
        "delayed-retry-max": ladder.delays_ms[-1],
        "delivery-limit": ladder.attempts,
    }


def dead_letter_settings(queue: DeadLetterQueue) -> dict[str, Any]:
    """The tunable settings of a DLQ.

    After its retention a message goes to the parking queue through the default exchange, at least once: it stays in
    the DLQ until the parking queue has confirmed it. A full DLQ refuses rather than drops, so that dead letters wait
    in their work queues.
    """
    settings: dict[str, Any] = {}
    if queue.max_length is not None:
        settings |= {"max-length": queue.max_length, "overflow": "reject-publish"}
    if queue.retention_ms is not None and queue.parking is not None:
        settings |= {"message-ttl": queue.retention_ms, "dead-letter-exchange": "", **AT_LEAST_ONCE}
        settings["dead-letter-routing-key"] = queue.parking
    return settings


class _Expansion:
    """One expansion: collects in `tunables` what policies are to set; the broker takes the policy keys `known`."""

    def __init__(self, layout: Layout, known: frozenset[str]) -> None:
        self.layout, self.known = layout, known
        self.tunables: list[Tunable] = []

    def dead_letters(self) -> Iterator[BrokerObject]:
        """The DLX with its safety net, the DLQs and their parking queues."""
        naming, queues = self.layout.naming, self.layout.dead_letter_queues
        if not queues:
            return
        yield Exchange(name=naming.dlx, type="direct", arguments={"alternate-exchange": naming.unrouted})
        yield Exchange(name=naming.unrouted, type="fanout")
        yield Binding(source=naming.unrouted, destination=next(iter(queues)))
        safe = {"x-delivery-limit": SAFE_DELIVERY_LIMIT}
        for name, queue in queues.items():
            yield self._queue(name, QueueType.QUORUM, safe, dead_letter_settings(queue))
            yield Binding(source=naming.dlx, destination=name, routing_key=name)
        for parking in dict.fromkeys(queue.parking for queue in queues.values() if queue.parking):
            yield Queue(name=parking, type=QueueType.QUORUM, arguments=safe)

    def tiers(self) -> Iterator[BrokerObject]:
        """An exchange and a queue for each delay. The routing key is the work queue's name, and takes it back there."""
        for delay_ms in self.layout.tiers_ms:
            name = self.layout.naming.tier(delay_ms)
            arguments = {
                "x-message-ttl": delay_ms,
                "x-dead-letter-exchange": "",
                "x-dead-letter-strategy": "at-least-once",
                "x-overflow": "reject-publish",
            }
            yield Exchange(name=name, type="fanout")
            yield Queue(name=name, type=QueueType.QUORUM, arguments=arguments)
            yield Binding(source=name, destination=name)

    def work(self) -> Iterator[BrokerObject]:
        """Public exchanges, work queues and the bindings between them."""
        for exchange in self.layout.exchanges.values():
            yield Exchange(
                name=exchange.name,
                type=exchange.type,
                durable=exchange.durable,
                auto_delete=exchange.auto_delete,
                internal=exchange.internal,
                arguments=exchange.arguments,
            )
        for queue in self.layout.work_queues.values():
            fixed: dict[str, Any] = {"x-max-priority": queue.priority} if queue.priority is not None else {}
            if queue.single_active_consumer:
                fixed["x-single-active-consumer"] = True
            settings = work_settings(queue, self.layout)
            yield self._queue(queue.name, queue.type, fixed, settings, extra=queue.arguments)
            yield from _bound(queue)

    def verbatim(self) -> Iterator[BrokerObject]:
        """What is kept as it is: queues with their bindings, bindings between exchanges."""
        for queue in self.layout.verbatim.queues.values():
            yield Queue(
                name=queue.name,
                type=queue.type,
                durable=queue.durable,
                auto_delete=queue.auto_delete,
                arguments=queue.arguments,
            )
            yield from _bound(queue)
        for binding in self.layout.verbatim.bindings:
            yield Binding(
                source=binding.source,
                destination=binding.destination,
                to_exchange=True,
                routing_key=binding.routing_key,
                arguments=binding.arguments,
            )

    def _queue(
        self,
        name: str,
        type_: QueueType,
        fixed: Mapping[str, Any],
        settings: Mapping[str, Any],
        extra: Mapping[str, Any] | None = None,
    ) -> Queue:
        """The queue, with `settings` noted for a policy or put into its arguments, as the layout asks."""
        if self.layout.settings is SettingsMode.POLICY:
            known = {key: value for key, value in settings.items() if key in self.known}
            self.tunables.append(Tunable(queue=name, type=type_, definition=known))
            return Queue(name=name, type=type_, arguments={**fixed, **(extra or {})})
        declared = {BY_POLICY[key].argument: value for key, value in settings.items()}
        return Queue(name=name, type=type_, arguments={**fixed, **declared, **(extra or {})})


def _bound(queue: WorkQueue | VerbatimQueue) -> Iterator[Binding]:
    for binding in queue.bindings:
        yield Binding(
            source=binding.exchange,
            destination=queue.name,
            routing_key=binding.routing_key,
            arguments=binding.arguments,
        )
