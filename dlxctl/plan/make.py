"""The way in: layout, observed topology and server -> `Plan`."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict

from dlxctl.model.layout import Layout
from dlxctl.model.server import ServerInfo
from dlxctl.model.topology import BrokerObject, Key, Topology
from dlxctl.plan import findings, order
from dlxctl.plan.drift import Drift
from dlxctl.plan.native import retries
from dlxctl.plan.value import Plan
from dlxctl.spec.expand import expand


def plan_for(layout: Layout, observed: Topology, server: ServerInfo) -> Plan:
    """What makes the `observed` vhost of `server` what `layout` asks for.

    Raises InvalidTopology when the version of `server` cannot do what it asks for.
    """
    backends = retries(layout, server)
    drift = Drift(layout=layout, desired=expand(layout, version=server.version), observed=observed)
    return Plan(
        topology=layout.name,
        vhost=layout.vhost,
        source=layout.source,
        server=server,
        changes=tuple(order.changes(drift)),
        blocked=tuple(findings.blocked(drift)),
        leftovers=tuple(findings.leftovers(drift)),
        warnings=tuple(sorted(findings.warnings(drift, server), key=lambda d: (d.place, d.code))),
        fingerprint=_fingerprint(drift),
        retries=backends,
    )


def _fingerprint(drift: Drift) -> str:
    """Over what is desired, and what of it (and of policies, and of ours) is there; queues of others do not count."""
    desired, observed = drift.desired, drift.observed
    wanted: dict[Key, BrokerObject] = {**desired.exchanges, **desired.queues, **desired.bindings}
    seen: dict[Key, BrokerObject] = {**observed.exchanges, **observed.queues, **observed.bindings}
    concerned = [thing for key, thing in seen.items() if key in wanted or key in drift.owned]
    groups: list[Iterable[BrokerObject]] = [wanted.values(), drift.stand, concerned, observed.policies.values()]
    text = json.dumps([sorted(map(_canonical, group)) for group in groups])
    return hashlib.sha256(text.encode()).hexdigest()


def _canonical(thing: BrokerObject) -> str:
    fields = {name: value for name, value in asdict(thing).items() if name != "properties_key"}
    return json.dumps([thing.key, fields], sort_keys=True)
