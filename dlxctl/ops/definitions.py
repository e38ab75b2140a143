"""RabbitMQ's exported definitions (rabbitmqctl export_definitions, or the API's /api/definitions) -> Topology.

Of one vhost. Users, permissions and passwords in the file are counted and not read. Files as people keep them pass: of
old versions, of one vhost alone, written by hand with only what matters; what is missing is what RabbitMQ would take.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from dlxctl.broker import observed
from dlxctl.errors import UsageError
from dlxctl.model.attributes import Version
from dlxctl.model.topology import Policy, Topology

MOST_BYTES = 256 * 2**20
"""So much of a file is read; those of brokers with 100,000 queues have some 50 MB."""
BESIDE = ("users", "permissions", "topic_permissions", "parameters", "global_parameters")
"""Sections that a topology has nothing of."""

_SECTIONS = ("exchanges", "queues", "bindings", "policies")
_EXCHANGE = {"durable": True, "auto_delete": False, "internal": False, "arguments": {}}
_QUEUE = {"durable": True, "auto_delete": False, "arguments": {}}
_BINDING = {"destination_type": "queue", "routing_key": "", "arguments": {}, "properties_key": ""}
_POLICY = {"apply-to": "all", "priority": 0}
_TYPES: dict[str, type | tuple[type, ...]] = {
    "name": str, "type": str, "source": str, "destination": str, "destination_type": str, "routing_key": str,
    "pattern": str, "apply-to": str, "durable": bool, "auto_delete": bool, "internal": bool, "priority": int,
    "arguments": (dict, list), "definition": dict,
}  # fmt: skip
_EXPORT = "Export one with rabbitmqctl export_definitions."


@dataclass(frozen=True, slots=True, kw_only=True)
class Definitions:
    """One vhost of a file: its `topology`, the broker's `version` where the file tells, and the rows of other sections.

    `beside`: how many there are, by section, without what they say. `unknown`: queues of types that are not known.
    """

    topology: Topology
    version: Version | None
    beside: Mapping[str, int]
    unknown: tuple[str, ...]


def topology_of(text: str, *, source: str, vhost: str | None = None) -> Topology:
    """The objects of `vhost`, which must be named when the file has several. Raises UsageError."""
    return definitions_of(text, source=source, vhost=vhost).topology


def read(file: BinaryIO, source: str) -> str:
    """The text of `file`, at most 256 MiB. Raises UsageError."""
    content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise UsageError(f"{source} has more than {MOST_BYTES} bytes", remedy="Export the one vhost only.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{source} is not UTF-8 text", why=f"at byte {error.start}", remedy=_EXPORT) from None


def definitions_of(text: str, *, source: str, vhost: str | None = None) -> Definitions:
    """The same with what stands beside the topology. Raises UsageError, with line and column for what is no JSON."""
    tree = _tree(text, source)
    try:
        chosen = _chosen(tree, source, vhost)
        rows = {kind: _rows(tree, kind, chosen) for kind in _SECTIONS}
        operator = [row["value"] | {"name": row["name"]} for row in _rows(tree, "parameters", chosen)
                    if row.get("component") == "operator_policy"]  # fmt: skip
        topology = Topology.of(
            chosen,
            *observed.exchanges(_EXCHANGE | row for row in rows["exchanges"]),
            *observed.queues(_QUEUE | row for row in rows["queues"]),
            *observed.bindings(_BINDING | row for row in rows["bindings"]),
            *observed.policies(_POLICY | row for row in rows["policies"]),
            operator_policies=tuple(_operator_policies(operator)),
        )
        return Definitions(
            topology=topology,
            version=_version(tree),
            beside={kind: count for kind in BESIDE if (count := len(_rows(tree, kind, chosen)))},
            unknown=tuple(row["name"] for row in rows["queues"] if topology.queue(row["name"]) is None),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{source} is not a file of RabbitMQ definitions", why=f"{type(error).__name__}: {error}",
            remedy="Export one with rabbitmqctl export_definitions, or name a topology file.",
        ) from None  # fmt: skip


def _tree(text: str, source: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        place = f"{source}:{error.lineno}:{error.colno}"
        raise UsageError(
            f"{place}: this is not JSON",
            why=error.msg,
            remedy=f"{source} is not a file of RabbitMQ definitions. {_EXPORT}",
        ) from None
    except (ValueError, RecursionError) as error:
        why = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise UsageError(f"{source} is not a file of RabbitMQ definitions", why=why, remedy=_EXPORT) from None


def _refuse_constant(word: str) -> None:
    raise ValueError(f"{word} is no number of JSON")


def _version(tree: Mapping[str, Any]) -> Version | None:
    """`rabbit_version`, which hand-written files do not have."""
    found = re.match(r"(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?", str(tree.get("rabbit_version", "")))
    return tuple(int(part) for part in found.groups() if part) if found else None


def _chosen(tree: Mapping[str, Any], source: str, vhost: str | None) -> str:
    """The vhost that was asked for, or the only one: listed, named by the rows, or by a vhost's own export."""
    rows = [row for kind in _SECTIONS for row in tree.get(kind) or ()]
    listed = [row["name"] for row in tree.get("vhosts") or ()] or [row["vhost"] for row in rows if "vhost" in row]
    named = sorted(set(map(str, listed)))
    if vhost is None and len(named) > 1:
        raise UsageError(f"{source} has {len(named)} vhosts: {', '.join(named)}", remedy="Name one by --vhost.")
    if vhost is not None and named and vhost not in named:
        raise UsageError(f"{source} has no vhost {vhost!r}", remedy=f"It has {', '.join(named)}.")
    return str(vhost if vhost is not None else next(iter(named), tree.get("original_vhost_name", "/")))


def _rows(tree: Mapping[str, Any], kind: str, vhost: str) -> list[dict[str, Any]]:
    """Rows of one vhost, without keys that are null; a vhost's own export does not name it. Raises TypeError.

    RabbitMQ 3.10 and 4.0 export "undefined" where they once imported an exchange without auto_delete (measured).
    """
    found = []
    for row in tree.get(kind) or ():
        if row.get("vhost", vhost) == vhost:
            left = {key: value for key, value in row.items() if value is not None}
            if left.get("auto_delete") == "undefined":
                del left["auto_delete"]
            found.append(left)
            if kind in _SECTIONS:
                _check_types(kind, left)
    return found


def _check_types(kind: str, row: Mapping[str, Any]) -> None:
    for key, wanted in _TYPES.items():
        value = row.get(key)
        if key in row and (not isinstance(value, wanted) or (isinstance(value, bool) and wanted is int)):
            raise TypeError(f"{key} of {row.get('name', 'a row')!r} in {kind} is {json.dumps(value)[:40]}")


def _operator_policies(rows: Iterable[Mapping[str, Any]]) -> Iterable[Policy]:
    return observed.policies({"apply-to": "queues", "priority": 0} | dict(row) for row in rows)
