"""What stands around a dead-letter queue: who feeds it, what can never be an origin, and what looking at it may cost.

Told by the topology file, by the observed topology of the management API, or by both; each alone is enough.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from dlxctl.model.attributes import SAFE_DELIVERY_LIMIT, Version
from dlxctl.model.effective import delivery_limit, setting
from dlxctl.model.layout import Layout
from dlxctl.model.topology import Binding, Queue, QueueType, Topology
from dlxctl.replay.origin import OriginRules

SAFE_LIMIT = 10_000
"""With a delivery limit below it, returning messages is counted as dangerous: each return may be one too many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """`queue_type` and `limit` are None where nobody told; `limit_known` tells None-for-never from None-for-unknown.
    A queue that the file declares as dead-letter queue is taken to have the limit that `apply` gives it.

    `dropping`: queues that, when full, drop their oldest message or the copy. `queues`: every queue name known, None
    unknown. `bindings`: what leads dead letters into the queue. `parking`: where what is replayed too often goes.
    `may_rotate`: whether a message may go to the queue's tail: nothing bounds its length, so none would be pushed out.
    """

    rules: OriginRules = field(default_factory=OriginRules)
    queue_type: QueueType | None = None
    limit: int | None = None
    limit_known: bool = False
    dropping: frozenset[str] = frozenset()
    queues: frozenset[str] | None = None
    bindings: tuple[Binding, ...] = ()
    parking: str | None = None
    may_rotate: bool = False

    @property
    def returning_is_dangerous(self) -> bool:
        """Whether giving messages back to the queue can destroy them, or nobody knows (facts 3.1)."""
        return not self.limit_known or (self.limit is not None and self.limit < SAFE_LIMIT)


def surroundings(queue: str, layout: Layout | None, observed: Topology | None, version: Version) -> Surroundings:
    """Put together what the file and the broker tell about dead-letter queue `queue`; either may be None."""
    feeders = (_feeders_by_layout(layout, queue) if layout else frozenset()) | (
        _feeders_by_broker(observed, queue) if observed else frozenset()
    )
    skipped = (_never_origins(layout) if layout else frozenset()) | (_delays(observed) if observed else frozenset())
    known = observed is not None or (layout is not None and queue in _dead_letter_names(layout))
    rules = OriginRules(skipped=skipped | {queue}, feeders=feeders - skipped if known else None)
    found = observed.queue(queue) if observed else None
    if observed is None or found is None:
        ours = layout is not None and queue in _dead_letter_names(layout)
        return Surroundings(
            rules=rules,
            limit=SAFE_DELIVERY_LIMIT if ours else None,
            limit_known=ours,
            parking=_parking(layout, queue),
            may_rotate=layout is not None and _unbounded_by_layout(layout, queue),
        )
    return Surroundings(
        rules=rules,
        queue_type=found.type,
        limit=delivery_limit(observed, found, version),
        limit_known=True,
        dropping=frozenset(q.name for q in observed.queues.values() if _drops(observed, q)),
        queues=frozenset(q.name for q in observed.queues.values()),
        bindings=tuple(b for b in observed.bindings.values() if b.destination == queue and not b.to_exchange),
        parking=_parking(layout, queue),
        may_rotate=not _bounded(observed, found),
    )


def _parking(layout: Layout | None, queue: str) -> str | None:
    found = layout.dead_letter_queues.get(queue) if layout else None
    return found.parking if found else None


def _unbounded_by_layout(layout: Layout, queue: str) -> bool:
    found = layout.dead_letter_queues.get(queue)
    return found is not None and found.max_length is None


def _dead_letter_names(layout: Layout) -> frozenset[str]:
    queues = layout.dead_letter_queues.values()
    return frozenset(q.name for q in queues) | {q.parking for q in queues if q.parking}


def _never_origins(layout: Layout) -> frozenset[str]:
    return layout.tier_names | _dead_letter_names(layout)


def _feeders_by_layout(layout: Layout, queue: str) -> frozenset[str]:
    """The work queues whose failures come to rest in `queue`, or were parked there."""
    through = {q.name for q in layout.dead_letter_queues.values() if queue in (q.name, q.parking)}
    return frozenset(work.name for work in layout.work_queues.values() if work.dead_letter in through)


def _feeders_by_broker(observed: Topology, queue: str) -> frozenset[str]:
    """The queues whose effective dead-letter exchange and key lead to `queue`, at once or through other queues."""
    leads = {q.name: _next_queues(observed, q) for q in observed.queues.values()}
    reached, grown = {queue}, True
    while grown:
        more = {name for name, targets in leads.items() if targets & reached} - reached
        grown = bool(more)
        reached |= more
    return frozenset(reached - {queue})


def _next_queues(observed: Topology, queue: Queue) -> set[str]:
    exchange = setting(observed, queue, "x-dead-letter-exchange")
    if exchange is None:
        return set()
    key = setting(observed, queue, "x-dead-letter-routing-key")
    if exchange == "":
        return {str(key if key is not None else queue.name)}
    return set(_destinations(observed, str(exchange), None if key is None else str(key)))


def _destinations(observed: Topology, exchange: str, key: str | None) -> Iterable[str]:
    """Queues that `exchange` may lead to; a direct exchange's bindings are compared with `key` where it is fixed."""
    seen, todo = {exchange}, [exchange]
    while todo:
        source = todo.pop()
        found = observed.exchange(source)
        for binding in observed.bindings.values():
            exact = found is not None and found.type == "direct" and key is not None
            if binding.source != source or (exact and binding.routing_key != key):
                continue
            if not binding.to_exchange:
                yield binding.destination
            elif binding.destination not in seen:
                seen.add(binding.destination)
                todo.append(binding.destination)


def _delays(observed: Topology) -> frozenset[str]:
    """Queues that only wait: a message TTL as argument, and a dead-letter exchange that it leads to."""
    return frozenset(
        q.name
        for q in observed.queues.values()
        if "x-message-ttl" in q.arguments and "x-dead-letter-exchange" in q.arguments
    )


def _bounded(observed: Topology, queue: Queue) -> bool:
    return any(setting(observed, queue, name) is not None for name in ("x-max-length", "x-max-length-bytes"))


def _drops(observed: Topology, queue: Queue) -> bool:
    """Whether it does other than refuse a copy when it is full: `reject-publish-dlx` refuses it and lets it die again,
    so that there are two dead letters of one."""
    return _bounded(observed, queue) and setting(observed, queue, "x-overflow") != "reject-publish"
