"""RabbitMQ's exported definitions (rabbitmqctl export_definitions, or the API's /api/definitions) -> Topology.

Of one vhost. Users, permissions and passwords in the file are not read.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from dlxctl.broker import observed
from dlxctl.errors import UsageError
from dlxctl.model.topology import Policy, Topology


def topology_of(text: str, *, source: str, vhost: str | None = None) -> Topology:
    """The objects of `vhost`, which must be named when the file has several. Raises UsageError."""
    try:
        tree = json.loads(text)
        chosen = _chosen(tree, source, vhost)
        rows = {kind: _rows(tree, kind, chosen) for kind in ("exchanges", "queues", "bindings", "policies")}
        operator = [row["value"] | {"name": row["name"]} for row in _rows(tree, "parameters", chosen)
                    if row.get("component") == "operator_policy"]  # fmt: skip
        return Topology.of(
            chosen,
            *observed.exchanges({"internal": False} | row for row in rows["exchanges"]),
            *observed.queues(rows["queues"]),
            *observed.bindings({"properties_key": ""} | row for row in rows["bindings"]),
            *observed.policies(rows["policies"]),
            operator_policies=tuple(_operator_policies(operator)),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{source} is not a file of RabbitMQ definitions", why=f"{type(error).__name__}: {error}",
            remedy="Export one with rabbitmqctl export_definitions, or name a topology file.",
        ) from None  # fmt: skip


def _chosen(tree: Mapping[str, Any], source: str, vhost: str | None) -> str:
    named = [row["name"] for row in tree.get("vhosts", ())]
    if vhost is None and len(named) > 1:
        raise UsageError(f"{source} has {len(named)} vhosts: {', '.join(sorted(named))}", remedy="Name one by --vhost.")
    if vhost is not None and named and vhost not in named:
        raise UsageError(f"{source} has no vhost {vhost!r}", remedy=f"It has {', '.join(sorted(named))}.")
    return str(vhost if vhost is not None else next(iter(named), "/"))


def _rows(tree: Mapping[str, Any], kind: str, vhost: str) -> list[dict[str, Any]]:
    """Rows of one vhost; a vhost's own export does not name it."""
    return [dict(row) for row in tree.get(kind, ()) if row.get("vhost", vhost) == vhost]


def _operator_policies(rows: Iterable[Mapping[str, Any]]) -> Iterable[Policy]:
    return observed.policies({"apply-to": "queues", "priority": 0} | dict(row) for row in rows)
