"""Which line of the topology file asks for an object."""

from collections.abc import Iterable
from typing import assert_never

from dlxctl.model.diagnostics import Place
from dlxctl.model.layout import Backend, Layout, QueueBinding
from dlxctl.model.patterns import names_in
from dlxctl.model.topology import Binding, BrokerObject, Exchange, Policy, Queue, Topology
from dlxctl.plan.coverage import covers


def place_of(thing: BrokerObject, layout: Layout, desired: Topology) -> Place:
    """Where the file asks for `thing`; for a policy, the first queue that it is for."""
    match thing:
        case Queue():
            return _queue(thing.name, layout)
        case Exchange():
            return _exchange(thing.name, layout)
        case Binding():
            return _binding(thing, layout)
        case Policy() if thing.name in layout.verbatim.policies:
            return layout.place("verbatim", "policies", thing.name)
        case Policy():
            named = names_in(thing.pattern)
            queues = desired.queues.values() if named is None else _present(named, desired)
            covered = (queue.name for queue in queues if covers(thing, queue))
            return min((_queue(name, layout) for name in covered), default=Place())
        case _:
            assert_never(thing)


def _present(names: Iterable[str], desired: Topology) -> list[Queue]:
    return [queue for name in names if (queue := desired.queue(name))]


def _queue(name: str, layout: Layout) -> Place:
    if name in layout.work_queues:
        return layout.place("queues", name)
    if name in layout.verbatim.queues:
        return layout.place("verbatim", "queues", name)
    if name in layout.dead_letter_queues:
        return layout.place("dead_letter", name)
    for queue in layout.dead_letter_queues.values():
        if queue.parking == name:
            return layout.place("dead_letter", queue.name, "parking")
    return _tier(name, layout)


def _tier(name: str, layout: Layout) -> Place:
    for ladder in layout.ladders.values():
        for index, delay_ms in enumerate(ladder.delays_ms):
            if ladder.backend is Backend.TIERS and layout.naming.tier(delay_ms) == name:
                return layout.place("retry", ladder.name, "delays", index)
    return Place()


def _exchange(name: str, layout: Layout) -> Place:
    if name in layout.exchanges:
        return layout.place("exchanges", name)
    if name == layout.owner_exchange:
        return layout.place("topology")
    if name in (layout.naming.dlx, layout.naming.unrouted):
        return layout.place("naming", "dlx") if ("naming", "dlx") in layout.places else layout.place("dead_letter")
    return _tier(name, layout)


def _binding(binding: Binding, layout: Layout) -> Place:
    if binding.to_exchange:
        return _exchange_binding(binding, layout)
    queue = layout.work_queues.get(binding.destination)
    for index, wanted in enumerate(queue.bindings if queue else ()):
        if _same(wanted, binding):
            return layout.place("queues", binding.destination, "bindings", index)
    return _queue(binding.destination, layout)


def _exchange_binding(binding: Binding, layout: Layout) -> Place:
    for index, said in enumerate(layout.verbatim.bindings):
        ends = (said.source, said.destination, said.routing_key)
        if ends == (binding.source, binding.destination, binding.routing_key) and said.arguments == binding.arguments:
            return layout.place("verbatim", "bindings", index)
    return _exchange(binding.destination, layout)


def _same(wanted: QueueBinding, binding: Binding) -> bool:
    return (wanted.exchange, wanted.routing_key) == (binding.source, binding.routing_key) and dict(
        wanted.arguments
    ) == dict(binding.arguments)
