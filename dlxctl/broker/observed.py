"""The management API's JSON -> `Topology`.

The default exchange and its bindings are left out: they are always there. An absent `x-queue-type` means classic
(facts 5.9), 4.x writes it into `arguments`, and `Queue` makes both the same. Of counts, what is absent or null is
unknown. Queues of types that no AMQP client can declare (MQTT's) are left out.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from dlxctl.model.depth import Depth
from dlxctl.model.topology import Binding, Exchange, Policy, Queue, QueueType

Row = Mapping[str, Any]
_TYPES = frozenset(map(str, QueueType))


def exchanges(rows: Iterable[Row]) -> Iterator[Exchange]:
    """Every exchange with a name. Raises KeyError or TypeError when a row is not an exchange; so do the others."""
    for row in rows:
        if row["name"]:
            yield Exchange(
                name=row["name"],
                type=row["type"],
                durable=row["durable"],
                auto_delete=row["auto_delete"],
                internal=row["internal"],
                arguments=_arguments(row["arguments"]),
            )


def queues(rows: Iterable[Row]) -> Iterator[Queue]:
    """Every queue of a type that we know. `exclusive` is null for quorum queues."""
    for row in rows:
        arguments = _arguments(row["arguments"])
        type_ = row.get("type") or arguments.get("x-queue-type", "classic")
        if type_ in _TYPES:
            yield Queue(
                name=row["name"],
                type=QueueType(type_),
                durable=row["durable"],
                auto_delete=row["auto_delete"],
                exclusive=bool(row.get("exclusive")),
                arguments=arguments,
            )


def bindings(rows: Iterable[Row]) -> Iterator[Binding]:
    """Every binding but those of the default exchange."""
    for row in rows:
        if row["source"]:
            yield Binding(
                source=row["source"],
                destination=row["destination"],
                to_exchange=row["destination_type"] == "exchange",
                routing_key=row["routing_key"],
                arguments=_arguments(row["arguments"]),
                properties_key=row["properties_key"],
            )


def policies(rows: Iterable[Row]) -> Iterator[Policy]:
    """User or operator policies."""
    for row in rows:
        yield Policy(
            name=row["name"],
            pattern=row["pattern"],
            apply_to=row["apply-to"],
            priority=row["priority"],
            definition=dict(row["definition"]),
        )


def depths(rows: Iterable[Row]) -> Iterator[tuple[str, Depth]]:
    """Name and depth of every queue; only a quorum queue tells of messages elsewhere, and only when it tells any."""
    for row in rows:
        ready = _count(row.get("messages_ready"))
        elsewhere = (_count(row.get(key, 0)) for key in ("messages_dlx", "messages_delayed"))
        yield (
            row["name"],
            Depth(
                ready=ready,
                unacknowledged=_count(row.get("messages_unacknowledged")),
                elsewhere=None if ready is None else sum(count or 0 for count in elsewhere),
                consumers=_count(row.get("consumers")),
                published=_count((row.get("message_stats") or {}).get("publish")) or 0,
                **_rates(row),
            ),
        )


_TAKEN = ("ack", "deliver_no_ack", "get_no_ack")


def _rates(row: Row) -> dict[str, float]:
    """What comes and goes a second; nothing while the API does not tell how the depth changes.

    The API counts neither what the broker dead-letters into a queue nor what expires in it (measured on 3.10 and 4.3),
    so the change of the depth makes up for the side that nobody counts.
    """
    change = _rate(row.get("messages_details"))
    if change is None:
        return {}
    stats = row.get("message_stats") or {}
    published = _rate(stats.get("publish_details")) or 0.0
    taken = sum(_rate(stats.get(f"{kind}_details")) or 0.0 for kind in _TAKEN)
    return {"in_per_s": max(published, taken + change), "out_per_s": max(taken, published - change)}


def _rate(details: Any) -> float | None:
    value = details.get("rate") if isinstance(details, dict) else None
    return float(value) if isinstance(value, int | float) else None


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) else None


def hidden_operator_policies(rows: Iterable[Row]) -> Iterator[Policy]:
    """What queues tell of operator policies that only an administrator may read: name and queues, no definition."""
    found: dict[str, list[str]] = {}
    for row in rows:
        if row.get("operator_policy"):
            found.setdefault(row["operator_policy"], []).append(re.escape(row["name"]))
    for name, patterns in found.items():
        yield Policy(name=name, pattern=f"^({'|'.join(patterns)})$")


def _arguments(arguments: Any) -> dict[str, Any]:
    """The API writes no arguments as {} and, in old versions, as []."""
    return dict(arguments or {})
