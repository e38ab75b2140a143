"""Topology -> Layout: what stands on a broker, as a topology file says it.

Our own style gets its roles back (`recognise_own`). The tiers and dead-letter queues of others (`recognise_styles`),
and all that no worker should consume, are kept verbatim. The rest are exchanges and work queues with their arguments as
they are. Pure; whether the outcome expands to the same topology is for the caller to look at (`differences`).
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace

from dlxctl.model.layout import (
    ExchangeBinding,
    Layout,
    PublicExchange,
    QueueBinding,
    Verbatim,
    VerbatimQueue,
    WorkQueue,
    delay_text,
)
from dlxctl.model.topology import BrokerObject, Exchange, Key, Queue, QueueType, Topology
from dlxctl.plan.import_rules import DIFFERS, Note
from dlxctl.plan.recognise_own import Own, own_style, work_queue
from dlxctl.plan.recognise_styles import Role, RoleKind, Route, roles

Reasons = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """The `layout`, the `roles` of queues of other styles, and why other queues are kept `aside`, both by name."""

    layout: Layout
    roles: Mapping[str, Role]
    aside: Reasons

    @property
    def ladders(self) -> Mapping[str, tuple[int, ...]]:
        """The delays in ms that tiers of another style give a queue, in their order, by the name of the queue."""
        found: dict[str, set[int]] = {}
        for role in self.roles.values():
            for queue in role.of if role.kind is RoleKind.TIER and role.delay_ms else ():
                found.setdefault(queue, set()).add(role.delay_ms or 0)
        return {queue: tuple(sorted(delays)) for queue, delays in found.items()}


Judge = Callable[[Layout], Reasons]
"""Which work queues of a layout `check` would refuse, and why."""


def recognise(topology: Topology, name: str, route: Route, judge: Judge) -> Recognised:
    """The layout of the sifted `topology`, called `name`, that says all of it and that `check` accepts."""
    own = own_style(topology, name)
    told = roles(topology, route, own.queues)
    refused: dict[str, str] = {}
    while True:
        found = _laid_out(topology, own, told, refused)
        faults = judge(found.layout)
        if not faults.keys() - refused.keys():
            return found
        refused |= faults


def differences(made: Topology, wanted: Topology, owner: str) -> Iterator[Note]:
    """What `made`, the expansion of a file, has otherwise than `wanted`, beside the exchange `owner` and its marks."""
    there, here = _objects(wanted), _objects(made)
    for key in sorted(there.keys() | here.keys()):
        one, other = there.get(key), here.get(key)
        thing = one or other
        ours = owner in (getattr(thing, "source", None), getattr(thing, "name", None))
        if thing is None or ours or (one and other and _text(one) == _text(other)):
            continue
        cause = "it would be there too" if one is None else "it would not be there" if other is None else "it differs"
        yield Note(
            rule=DIFFERS, kind=key[0], name=" -> ".join(key[1:4:2]) if key[0] == "binding" else key[1], cause=cause
        )


def suggestion(delays_ms: tuple[int, ...]) -> str:
    """A ladder as one writes it: `{delays: [10s, 1m], attempts: 2}`."""
    return f"{{delays: [{', '.join(map(delay_text, delays_ms))}], attempts: {len(delays_ms)}}}"


def _laid_out(topology: Topology, own: Own, told: Mapping[str, Role], refused: Reasons) -> Recognised:
    bound = _bindings_of_queues(topology, own)
    work: dict[str, WorkQueue] = {}
    kept: dict[str, VerbatimQueue] = {}
    aside: dict[str, str] = {}
    for queue in (queue for queue in topology.queues.values() if queue.name not in own.queues):
        name, bindings = queue.name, tuple(bound.get(queue.name, ()))
        reason = f"check refuses it as a work queue: {refused[name]}" if name in refused else _unfit(queue)
        if name in told or reason:
            kept[name] = _verbatim(queue, bindings)
            aside |= {name: reason} if name not in told else {}
        else:
            work[name] = work_queue(queue, bindings, own)
    prefix = f"dlxctl.{own.layout.name}."
    policies = {p.name: p for p in topology.policies.values() if not p.name.startswith(prefix)}
    public = {e.name: _public(e) for e in topology.exchanges.values() if e.name not in own.exchanges}
    verbatim = Verbatim(queues=kept, bindings=tuple(_between_exchanges(topology)), policies=policies)
    layout = replace(own.layout, exchanges=public, work_queues=work, verbatim=verbatim)
    return Recognised(layout=layout, roles=told, aside=aside)


def _bindings_of_queues(topology: Topology, own: Own) -> dict[str, list[QueueBinding]]:
    """By the queue's name; without those from exchanges of ours, which expand makes."""
    found: dict[str, list[QueueBinding]] = {}
    for b in topology.bindings.values():
        if not b.to_exchange and b.source not in own.exchanges:
            said = QueueBinding(exchange=b.source, routing_key=b.routing_key, arguments=b.arguments)
            found.setdefault(b.destination, []).append(said)
    return found


def _between_exchanges(topology: Topology) -> Iterator[ExchangeBinding]:
    for b in topology.bindings.values():
        if b.to_exchange:
            yield ExchangeBinding(
                source=b.source, destination=b.destination, routing_key=b.routing_key, arguments=b.arguments
            )


def _unfit(queue: Queue) -> str:
    """Why no Celery worker should consume the queue; '' when one may."""
    if queue.type is QueueType.STREAM:
        return "a stream"
    if queue.auto_delete:
        return "deleted with its last consumer"
    return "" if queue.durable else "gone after a restart of the broker"


def _verbatim(queue: Queue, bindings: tuple[QueueBinding, ...]) -> VerbatimQueue:
    return VerbatimQueue(
        name=queue.name,
        type=queue.type,
        durable=queue.durable,
        auto_delete=queue.auto_delete,
        bindings=bindings,
        arguments={key: value for key, value in queue.arguments.items() if key != "x-queue-type"},
    )


def _public(exchange: Exchange) -> PublicExchange:
    return PublicExchange(
        name=exchange.name,
        type=exchange.type,
        durable=exchange.durable,
        auto_delete=exchange.auto_delete,
        internal=exchange.internal,
        arguments=exchange.arguments,
    )


def _objects(topology: Topology) -> dict[Key, BrokerObject]:
    return {**topology.exchanges, **topology.queues, **topology.bindings, **topology.policies}


def _text(thing: BrokerObject) -> str:
    """Strict: 1 is neither true nor 1.0."""
    fields = {name: value for name, value in asdict(thing).items() if name != "properties_key"}
    return json.dumps(fields, sort_keys=True)
