"""Desired and observed side by side, with what both together tell: what is ours, and which policies are to stand."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from dlxctl.model.diagnostics import Place
from dlxctl.model.layout import Layout
from dlxctl.model.patterns import names_in
from dlxctl.model.topology import Binding, BrokerObject, Exchange, Key, Policy, Queue, Topology
from dlxctl.plan.conflicts import Comparison, compare_exchanges, compare_queues
from dlxctl.plan.coverage import covers
from dlxctl.plan.places import place_of
from dlxctl.plan.policies import names_in_ours, standing

PARKING, DEAD_LETTER, TIER, WORK = range(4)
ROLES = (PARKING, DEAD_LETTER, TIER, WORK)
"""Roles of queues, each of which needs only what stands before it."""


@dataclass(frozen=True, kw_only=True)
class Drift:
    """One comparison of a layout, expanded to `desired`, with the `observed` vhost.

    `closing`: what policies are to set on queues that are about to be deleted, by the queue's name.
    """

    layout: Layout
    desired: Topology
    observed: Topology
    closing: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @cached_property
    def owned(self) -> frozenset[Key]:
        """Keys of exchanges and queues that carry our mark."""
        marks = (b for b in self.observed.bindings.values() if self.is_mark(b))
        return frozenset(("exchange" if b.to_exchange else "queue", b.destination) for b in marks)

    @cached_property
    def leftover_queues(self) -> tuple[Queue, ...]:
        """Queues of ours that the file has no more."""
        observed, desired = self.observed.queues, self.desired.queues
        return tuple(queue for key, queue in observed.items() if key in self.owned and key not in desired)

    @cached_property
    def kept_queues(self) -> tuple[Queue, ...]:
        """Leftover queues, and those that a policy of ours names: a run made them and died before it marked them."""
        observed, desired = self.observed.queues, self.desired.queues
        names = names_in_ours(self.layout, self.observed)
        kept = (queue for key, queue in observed.items() if key in self.owned or queue.name in names)
        return tuple(queue for queue in kept if queue.key not in desired)

    @cached_property
    def stand(self) -> tuple[Policy, ...]:
        """The policies of ours that are to stand when apply is done."""
        return standing(self.layout, self.desired, self.observed, self.kept_queues, self.closing)

    @cached_property
    def rulers(self) -> dict[str, Policy]:
        """The policy of ours that is to stand, by the name of the queue that it rules."""
        return {name: policy for policy in self.stand for name in names_in(policy.pattern) or ()}

    @cached_property
    def bindings_of(self) -> dict[Key, list[Binding]]:
        """The desired bindings by the key of their destination."""
        found: dict[Key, list[Binding]] = {}
        for binding in self.desired.bindings.values():
            found.setdefault(("exchange" if binding.to_exchange else "queue", binding.destination), []).append(binding)
        return found

    @cached_property
    def comparisons(self) -> tuple[tuple[Exchange | Queue, Comparison], ...]:
        """Each desired exchange and queue that is there, with what differs."""
        exchanges, queues = self.observed.exchanges, self.observed.queues
        found: list[tuple[Exchange | Queue, Comparison]] = []
        for key, exchange in self.desired.exchanges.items():
            if key in exchanges:
                found.append((exchange, compare_exchanges(exchange, exchanges[key])))
        for key, queue in self.desired.queues.items():
            if key in queues:
                policy = self.rulers.get(queue.name)
                found.append((queue, compare_queues(queue, queues[key], policy.definition if policy else {})))
        return tuple(found)

    def is_mark(self, binding: Binding) -> bool:
        return binding.source == self.layout.owner_exchange

    def there(self, thing: Exchange | Queue) -> bool:
        return thing.key in self.observed.exchanges or thing.key in self.observed.queues

    def place(self, thing: BrokerObject) -> Place:
        return place_of(thing, self.layout, self.desired)

    def role(self, queue: Queue) -> int:
        """One of `ROLES`."""
        if queue.name in self.layout.work_queues:
            return WORK
        if queue.name in self.layout.dead_letter_queues:
            return DEAD_LETTER
        return TIER if queue.name in self.layout.tier_names else PARKING

    def policy_role(self, policy: Policy) -> int:
        """The first role that `policy` is for."""
        return min((self.role(q) for q in self.desired.queues.values() if covers(policy, q)), default=WORK)
