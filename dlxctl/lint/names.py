"""Rules about names: one name must not mean two things, and some names belong to others."""

import re
from collections.abc import Iterable, Iterator

from dlxctl.lint.checks import Finding, error
from dlxctl.model.diagnostics import Place, quoted
from dlxctl.model.layout import Layout
from dlxctl.model.topology import Topology

Role = tuple[str, str, Place]
"""name, what it is, where it is said"""

RESERVED = (
    (re.compile(r"dlxctl\."), "dlxctl's own marks and locks"),
    (re.compile(r"celery_delayed_\d+$|celery_delayed_delivery$"), "Celery's native delay"),
    (re.compile(r"celeryev(\.|$)"), "Celery's events"),
    (re.compile(r"(.*\.)?(reply\.)?celery\.pidbox$"), "Celery's remote control"),
)


@error(
    "DLX301",
    "Two queues have one name",
    "A work queue, a retry tier, a dead-letter queue and a parking queue with one name would be one queue: retries "
    "would wait behind tasks, or workers would eat dead letters.",
)
def queue_names_differ(layout: Layout, topology: Topology) -> Iterator[Finding]:
    """Work queues, tiers, DLQs, parking queues and the lock; two DLQs may share a parking queue."""
    return _clashes(_queue_roles(layout))


@error(
    "DLX302",
    "Two exchanges have one name",
    "A public exchange with the name of the dead-letter exchange, its alternate, a retry tier or the owner mark would "
    "be declared twice, differently.",
)
def exchange_names_differ(layout: Layout, topology: Topology) -> Iterator[Finding]:
    """Public exchanges, the DLX and its alternate, tiers, the owner exchange."""
    return _clashes(_exchange_roles(layout))


@error(
    "DLX303",
    "A name is reserved",
    "Names that begin with `dlxctl.` are dlxctl's own; `celery_delayed_*`, `celeryev` and `*.celery.pidbox` "
    "are queues that Celery declares itself.",
)
def names_are_free(layout: Layout, topology: Topology) -> Iterator[Finding]:
    """No declared name is one that dlxctl or Celery uses."""
    for name, role, place in (*_queue_roles(layout), *_exchange_roles(layout)):
        if role in ("the lock of apply", "the owner mark"):
            continue
        for reserved, owner in RESERVED:
            if reserved.match(name):
                yield Finding(place, f"{role} {quoted(name)} has a name that is kept for {owner}.", "Rename it.")
    own, owner = RESERVED[0]
    for name in layout.verbatim.policies:
        if own.match(name):
            place = layout.place("verbatim", "policies", name)
            yield Finding(place, f"the policy {quoted(name)} has a name that is kept for {owner}.", "Rename it.")


def _clashes(roles: Iterable[Role]) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    for name, role, place in roles:
        if name in seen:
            yield Finding(place, f"{role} {quoted(name)} has the name of {seen[name]}.", "Rename one of the two.")
        seen.setdefault(name, role)


def _queue_roles(layout: Layout) -> Iterator[Role]:
    yield layout.lock_queue, "the lock of apply", layout.place("topology")
    for delay in layout.tiers_ms:
        yield layout.naming.tier(delay), "the retry tier", layout.place("naming", "retry")
    for name in layout.dead_letter_queues:
        yield name, "the dead-letter queue", layout.place("dead_letter", name)
    parked: set[str] = set()
    for name, queue in layout.dead_letter_queues.items():
        if queue.parking is not None and queue.parking not in parked:
            parked.add(queue.parking)
            yield queue.parking, "the parking queue", layout.place("dead_letter", name, "parking")
    for name in layout.work_queues:
        yield name, "the work queue", layout.place("queues", name)
    for name in layout.verbatim.queues:
        yield name, "the queue", layout.place("verbatim", "queues", name)


def _exchange_roles(layout: Layout) -> Iterator[Role]:
    yield layout.owner_exchange, "the owner mark", layout.place("topology")
    yield layout.naming.dlx, "the dead-letter exchange", layout.place("naming", "dlx")
    yield layout.naming.unrouted, "the alternate of the dead-letter exchange", layout.place("naming", "dlx")
    for delay in layout.tiers_ms:
        yield layout.naming.tier(delay), "the retry tier", layout.place("naming", "retry")
    for name in layout.exchanges:
        yield name, "the exchange", layout.place("exchanges", name)
