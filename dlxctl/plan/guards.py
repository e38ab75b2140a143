"""Which hazards a plan has: another cluster, a file that asks for nothing, much to delete, what is still referred to.

Apply refuses each of them unless it is allowed. Whether a queue that is to be deleted is empty is not judged here: only
a look at the very moment tells (`dlxctl.ops.prune`).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from dlxctl.model.attributes import BY_ARGUMENT
from dlxctl.model.diagnostics import quoted
from dlxctl.model.server import ServerInfo
from dlxctl.model.topology import Policy, Queue
from dlxctl.plan.drift import Drift
from dlxctl.plan.hazards import Danger, Hazard
from dlxctl.plan.policies import is_ours
from dlxctl.plan.prune import Pruning

MANY_OF = 10
MANY_PERCENT = 30
_SHOWN = 5


def wrong_cluster(drift: Drift, server: ServerInfo) -> Iterator[Danger]:
    """The file names a cluster, and this is another one."""
    wanted = drift.layout.cluster_name
    if wanted is not None and wanted != server.cluster_name:
        cause = f"the file is for cluster {quoted(wanted)}, and this is cluster {quoted(server.cluster_name)}"
        yield Danger(hazard=Hazard.CLUSTER, cause=cause)


def pruning_dangers(pruning: Pruning) -> Iterator[Danger]:
    """What speaks against deleting what `pruning` would delete."""
    drift, doomed = pruning.drift, len(pruning.queues) + len(pruning.exchanges)
    ours = len(drift.owned)
    if not pruning.whole and doomed:
        if not drift.layout.work_queues and not drift.layout.exchanges and not drift.layout.dead_letter_queues:
            cause = f"{drift.layout.source} asks for no queue and no exchange; all {doomed} that are ours would go"
            yield Danger(hazard=Hazard.EMPTY, cause=cause)
        if ours >= MANY_OF and doomed * 100 > ours * MANY_PERCENT:
            cause = f"{doomed} of {ours} exchanges and queues of ours would be deleted, more than {MANY_PERCENT} %"
            yield Danger(hazard=Hazard.MANY, cause=cause)
    for queue, why in pruning.open.items():
        cause = f"queue {quoted(queue)} cannot be closed to publishers before it is deleted: {why}"
        yield Danger(hazard=Hazard.OPEN, cause=cause)
    if found := list(_references(pruning)):
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        yield Danger(hazard=Hazard.REFERENCES, cause="; ".join(found[:_SHOWN]) + more)


def _references(pruning: Pruning) -> Iterator[str]:
    """Who still names what would be deleted: as dead-letter exchange or key, as alternate exchange, by a binding."""
    queues = frozenset(queue.name for queue in pruning.queues)
    exchanges = frozenset(exchange.name for exchange in pruning.exchanges)
    drift = pruning.drift
    for queue in drift.observed.queues.values():
        if queue.name not in queues:
            settings = {BY_ARGUMENT[k].policy or k: v for k, v in queue.arguments.items() if k in BY_ARGUMENT}
            yield from _led(settings, queue, queues, exchanges)
    for policy in (*drift.observed.policies.values(), *drift.observed.operator_policies.values()):
        if not is_ours(policy, drift.layout):
            yield from _led(policy.definition, policy, queues, exchanges)
    for exchange in drift.observed.exchanges.values():
        if exchange.name not in exchanges and exchange.arguments.get("alternate-exchange") in exchanges:
            alternate = exchange.arguments["alternate-exchange"]
            yield f"exchange {quoted(exchange.name)} has the alternate exchange {quoted(alternate)}"
    yield from _bindings(pruning, queues, exchanges)


def _led(
    settings: Mapping[str, Any], thing: Queue | Policy, queues: frozenset[str], exchanges: frozenset[str]
) -> Iterator[str]:
    """`settings` by policy key."""
    leads, key = settings.get("dead-letter-exchange"), settings.get("dead-letter-routing-key")
    shown = f"{'policy' if isinstance(thing, Policy) else 'queue'} {quoted(thing.name)}"
    if leads in exchanges:
        yield f"{shown} dead-letters to exchange {quoted(leads)}"
    elif leads == "" and key in queues:
        yield f"{shown} dead-letters to queue {quoted(key)}"


def _bindings(pruning: Pruning, queues: frozenset[str], exchanges: frozenset[str]) -> Iterator[str]:
    """Bindings that go with an exchange, to what stays or from what stays."""
    gone = {("queue", name) for name in queues} | {("exchange", name) for name in exchanges}
    for binding in pruning.drift.observed.bindings.values():
        if pruning.drift.is_mark(binding) or binding in pruning.bindings:
            continue
        source = ("exchange", binding.source)
        end = ("exchange" if binding.to_exchange else "queue", binding.destination)
        if source in gone and end not in gone:
            yield f"exchange {quoted(binding.source)} still leads to {end[0]} {quoted(end[1])}"
        if source not in gone and binding.to_exchange and end in gone:
            yield f"exchange {quoted(binding.source)} still leads to exchange {quoted(end[1])}"
