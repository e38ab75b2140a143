"""Prune: taking away what our owner exchange marks and the file has no more, in an order that loses no message.

1. Unbind each queue, so that publishers through exchanges reach it no more.
2. Close it to those that publish by its name, with a policy that refuses: first `overflow: reject-publish`, then
   `max-length: 0`. Both at once would empty a classic queue: it takes the limit first, and drops (docs/decisions/0009).
   The rest of its policy stays, so that a late reject still reaches its DLQ.
3. Delete the queues; apply looks before the first of them whether they are empty and closed.
4. Let the policies go, then the exchanges.

An object that another topology marks too is only unmarked. Killed between any two steps, the next plan is the rest.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from dlxctl.model.depth import Depth
from dlxctl.model.diagnostics import quoted
from dlxctl.model.topology import Binding, Exchange, Key, Queue, Topology
from dlxctl.plan.changeover import steps
from dlxctl.plan.changes import Change, DeleteExchange, DeleteQueue, PutPolicy, Unbind
from dlxctl.plan.coverage import covers, readable, winner
from dlxctl.plan.drift import Drift
from dlxctl.plan.policies import is_ours, ours
from dlxctl.spec.policies import LOWEST_PRIORITY

REFUSING = {"overflow": "reject-publish"}
CLOSED = {**REFUSING, "max-length": 0}
_REFUSALS = frozenset({"reject-publish", "reject-publish-dlx"})


def closes(change: Change) -> bool:
    """Whether `change` is the second step of closing."""
    return isinstance(change, PutPolicy) and change.policy.definition.get("max-length") == 0


@dataclass(frozen=True, kw_only=True)
class Pruning:
    """What of `drift` is to be taken away; `whole`: the owner exchange too. `depths` by queue name, {} if not read."""

    drift: Drift
    depths: Mapping[str, Depth]
    may_set_policies: bool
    whole: bool = False

    @cached_property
    def queues(self) -> tuple[Queue, ...]:
        """Those that are deleted, in the order work queues, tiers, dead-letter queues as far as the file tells."""
        found = (q for q in self.drift.leftover_queues if q.key not in self._shared)
        return tuple(sorted(found, key=self.drift.role, reverse=True))

    @cached_property
    def exchanges(self) -> tuple[Exchange, ...]:
        """Those that are deleted, the owner exchange last, and one that backs another behind it."""
        drift = self.drift
        found = [
            exchange
            for key, exchange in drift.observed.exchanges.items()
            if key in drift.owned and key not in drift.desired.exchanges and key not in self._shared
        ]
        found.sort(key=lambda exchange: "alternate-exchange" not in exchange.arguments)
        owner = drift.observed.exchange(drift.layout.owner_exchange)
        return (*found, owner) if owner and self.whole else tuple(found)

    @cached_property
    def bindings(self) -> tuple[Binding, ...]:
        """Those that are taken away: of the queues, and between ours where the file has them no more."""
        drift = self.drift
        doomed = {queue.key for queue in self.queues}
        return tuple(
            binding
            for key, binding in drift.observed.bindings.items()
            if not _owner(binding, drift) and key not in drift.desired.bindings
            and (_end(binding) in doomed or self._between_ours(binding))
        )  # fmt: skip

    @cached_property
    def open(self) -> dict[str, str]:
        """Which of the queues cannot be closed to those who publish by its name, and why."""
        return {queue.name: why for queue in self.queues if (why := self._why_open(queue))}

    def changes(self) -> Iterator[Change]:
        """All steps in order, from a broker on which everything else is made already."""
        drift = self.drift
        for binding in self.bindings:
            yield Unbind(binding=binding, why=drift.layout.place("queues"))
        last = drift
        for limit in (REFUSING, CLOSED):
            last = replace(last, closing=self._closing(limit))
            yield from _policy_steps(last)
            last = replace(last, observed=made(last))
        for queue in self.queues:
            leading = sum(_end(b) == queue.key for b in drift.observed.bindings.values())
            messages = self.depths.get(queue.name, Depth()).messages
            yield DeleteQueue(
                queue=queue, why=drift.layout.place("queues"), messages=messages, bindings=leading,
            )  # fmt: skip
        gone = {queue.key for queue in self.queues}
        left = {key: queue for key, queue in last.observed.queues.items() if key not in gone}
        yield from _policy_steps(replace(last, closing={}, observed=replace(last.observed, queues=left)))
        for exchange in self.exchanges:
            with_it = sum(exchange.name in (b.source, b.destination) for b in drift.observed.bindings.values())
            yield DeleteExchange(exchange=exchange, why=drift.layout.place("exchanges"), bindings=with_it)
        yield from self._unmarked()

    @cached_property
    def _shared(self) -> frozenset[Key]:
        """What another topology marks too."""
        drift = self.drift
        others = (b for b in drift.observed.bindings.values() if _owner(b, drift) and not drift.is_mark(b))
        return frozenset(_end(b) for b in others)

    def _unmarked(self) -> Iterator[Change]:
        drift = self.drift
        for key, binding in drift.observed.bindings.items():
            if drift.is_mark(binding) and _end(binding) in self._shared and key not in drift.desired.bindings:
                yield Unbind(binding=binding, why=drift.layout.place("topology"))

    def _between_ours(self, binding: Binding) -> bool:
        drift = self.drift
        ends = (("exchange", binding.source), _end(binding))
        wanted = {**drift.desired.exchanges, **drift.desired.queues}
        return all(end in wanted and end in drift.owned and end not in self._shared for end in ends)

    def _closing(self, limit: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
        there = ours(self.drift.layout, self.drift.observed).values()
        rulers = {queue.name: winner(there, queue) for queue in self.queues if queue.name not in self.open}
        return {name: {**(ruler.definition if ruler else {}), **limit} for name, ruler in rulers.items()}

    def _why_open(self, queue: Queue) -> str:
        if not self.may_set_policies:
            return "the user may not set policies"
        if queue.arguments.get("x-overflow", "reject-publish") not in _REFUSALS:
            return "its argument x-overflow drops messages where a limit should refuse them"
        for policy in self.drift.observed.policies.values():
            wins = policy.priority >= LOWEST_PRIORITY or not readable(policy)
            if wins and not is_ours(policy, self.drift.layout) and (covers(policy, queue) or not readable(policy)):
                return f"policy {quoted(policy.name)} (priority {policy.priority}) of others may rule it"
        return ""


def made(drift: Drift) -> Topology:
    """The broker once the changes of `drift` are made, as far as queues and policies go."""
    observed = drift.observed
    foreign = {key: policy for key, policy in observed.policies.items() if not is_ours(policy, drift.layout)}
    policies = foreign | {policy.key: policy for policy in drift.stand}
    return replace(observed, queues={**drift.desired.queues, **observed.queues}, policies=policies)


def _policy_steps(drift: Drift) -> Iterator[Change]:
    found = steps(drift)
    yield from (*found.first, *found.early, *found.late)


def _owner(binding: Binding, drift: Drift) -> bool:
    """Whether `binding` is a mark, ours or another topology's."""
    source = drift.observed.exchange(binding.source)
    return drift.is_mark(binding) or bool(source and source.internal and source.name.startswith("dlxctl."))


def _end(binding: Binding) -> Key:
    return ("exchange" if binding.to_exchange else "queue", binding.destination)
