"""The way in: layout, observed topology and server -> `Plan`."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from typing import Any

from dlxctl.model.depth import Depth
from dlxctl.model.layout import Layout
from dlxctl.model.server import ServerInfo
from dlxctl.model.topology import Binding, BrokerObject, Exchange, Key, Policy, Queue, Topology
from dlxctl.plan import findings, order
from dlxctl.plan.drift import Drift
from dlxctl.plan.guards import pruning_dangers, wrong_cluster
from dlxctl.plan.native import retries
from dlxctl.plan.prune import Pruning, made
from dlxctl.plan.value import CannotChange, Intent, Plan
from dlxctl.spec.expand import expand


def plan_for(
    layout: Layout,
    observed: Topology,
    server: ServerInfo,
    *,
    intent: Intent = Intent.KEEP,
    depths: Mapping[str, Depth] | None = None,
) -> Plan:
    """What makes the `observed` vhost of `server` what `layout` asks for; `depths` say how many messages are at stake.

    Raises InvalidTopology when the version of `server` cannot do what it asks for.
    """
    destroy = intent is Intent.DESTROY
    backends = () if destroy else retries(layout, server)
    desired = Topology.of(layout.vhost) if destroy else expand(layout, version=server.version)
    drift = Drift(layout=layout, desired=desired, observed=observed)
    doomed = _pruning(drift, server, intent, depths or {})
    changes = () if destroy else tuple(order.changes(drift))
    pruning = tuple(doomed.changes()) if doomed else ()
    return Plan(
        topology=layout.name,
        vhost=layout.vhost,
        source=layout.source,
        server=server,
        changes=(*changes, *pruning),
        blocked=tuple(_at_stake(each, drift, depths or {}) for each in findings.blocked(drift)),
        leftovers=() if doomed else tuple(findings.leftovers(drift)),
        warnings=tuple(sorted(findings.warnings(drift, server), key=lambda d: (d.place, d.code))),
        fingerprint=_fingerprint(drift, intent),
        retries=backends,
        intent=intent,
        pruning=len(pruning),
        dangers=(*wrong_cluster(drift, server), *(pruning_dangers(doomed) if doomed else ())),
    )


def _pruning(drift: Drift, server: ServerInfo, intent: Intent, depths: Mapping[str, Depth]) -> Pruning | None:
    """What is to be taken away after everything else is made."""
    if intent is Intent.KEEP:
        return None
    whole = intent is Intent.DESTROY
    after = drift if whole else replace(drift, observed=made(drift))
    return Pruning(drift=after, depths=depths, may_set_policies=server.may_set_policies, whole=whole)


def _at_stake(blocked: CannotChange, drift: Drift, depths: Mapping[str, Depth]) -> CannotChange:
    """With the messages and bindings that a migration has to bring over."""
    thing, exchange = blocked.desired, isinstance(blocked.desired, Exchange)
    ends = (b for b in drift.observed.bindings.values() if not drift.is_mark(b))
    leading = sum(b.destination == thing.name and b.to_exchange == exchange for b in ends)
    messages = None if exchange else depths.get(thing.name, Depth()).messages
    return replace(blocked, messages=messages, bindings=max(leading, blocked.bindings))


def _fingerprint(drift: Drift, intent: Intent) -> str:
    """Over what is desired, and what of it (and of policies, and of ours) is there; queues of others do not count."""
    desired, observed = drift.desired, drift.observed
    wanted: dict[Key, BrokerObject] = {**desired.exchanges, **desired.queues, **desired.bindings}
    seen: dict[Key, BrokerObject] = {**observed.exchanges, **observed.queues, **observed.bindings}
    concerned = [thing for key, thing in seen.items() if key in wanted or key in drift.owned]
    kept = drift.layout.verbatim.policies.values()
    groups: list[Iterable[BrokerObject]] = [wanted.values(), drift.stand, kept, concerned, observed.policies.values()]
    told = [[_told(thing) for thing in sorted(group, key=lambda thing: thing.key)] for group in groups]
    return hashlib.sha256(json.dumps([str(intent), *told], sort_keys=True).encode()).hexdigest()


def _told(thing: BrokerObject) -> tuple[str, dict[str, Any]]:
    return thing.key[0], {name: getattr(thing, name) for name in _COMPARED[type(thing)]}


_COMPARED = {
    kind: tuple(field.name for field in fields(kind) if field.compare) for kind in (Exchange, Queue, Binding, Policy)
}
"""The fields that make two objects of a kind equal."""
