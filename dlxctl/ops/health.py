"""Use case: how a topology is doing. Depths of its queues, and how long the oldest dead letter has lain there.

For health endpoints and for `dlxctl status`. No broker tells the age of a quorum queue's messages, so the first few
dead letters are looked at and given back. That costs them a return, which RabbitMQ 4.0 counts against the queue's
delivery limit (facts 3.1); a process that asks again and again keeps one `Ages`, which looks once a minute at most.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field

from dlxctl.broker.address import Access
from dlxctl.broker.counts import Counts, queue_counts
from dlxctl.broker.link import Link
from dlxctl.broker.management import Management
from dlxctl.broker.raw_link import RawLink
from dlxctl.errors import BrokerRefused, BrokerUnavailable
from dlxctl.model.attributes import SAFE_DELIVERY_LIMIT
from dlxctl.model.depth import Depth
from dlxctl.model.headers import DELIVERY_COUNT
from dlxctl.model.health import Health, QueueHealth, Role
from dlxctl.model.layout import Layout
from dlxctl.ops.look import letters
from dlxctl.ops.situation import situation

LOOKED_AT = 100
"""Dead letters whose age is read. The oldest is among them, unless people returned more than that in another order."""
LOOK_EVERY_S = 60.0
MOST_RETURNS = SAFE_DELIVERY_LIMIT // 2
"""A dead letter that came back so often is not looked at again: at the limit the broker would drop it."""


@dataclass(slots=True, kw_only=True)
class Ages:
    """When the oldest message of each queue died, as it was last seen: up to `look_every_s` seconds ago.

    Threads may share one; at worst two of them look at the same time. `clock` gives seconds since 1970.
    """

    look_every_s: float = LOOK_EVERY_S
    clock: Callable[[], float] = time.time
    _seen: dict[str, tuple[float, int]] = field(default_factory=dict)
    _worn: set[str] = field(default_factory=set)

    def due(self, queue: str) -> bool:
        """Whether `queue` may be looked into now."""
        looked_at, _ = self._seen.get(queue, (float("-inf"), 0))
        return queue not in self._worn and self.clock() - looked_at >= self.look_every_s

    def look(self, link: Link, queue: str) -> None:
        """Read the age of the first dead letters, which are given back. Raises what `ops.look.letters` raises."""
        deaths: list[int] = []
        for letter in letters(link, queue, LOOKED_AT):
            deaths.append(letter.died_at)
            if (letter.integer(DELIVERY_COUNT) or 0) >= MOST_RETURNS:
                self._worn.add(queue)
        self._seen[queue] = (self.clock(), min(filter(None, deaths), default=0))

    def oldest_s(self, queue: str) -> float | None:
        """Seconds since the oldest known message died."""
        _, died_at = self._seen.get(queue, (0.0, 0))
        return max(0.0, self.clock() - died_at) if died_at else None

    def emptied(self, queue: str) -> None:
        """The queue is empty: whatever comes next is to be looked at."""
        self._seen.pop(queue, None)
        self._worn.discard(queue)


def read_health(access: Access, layout: Layout, *, ages: Ages | None = None) -> Health:
    """How every queue of `layout` is doing, on the broker and vhost of `access`.

    A management API that does not answer is a remark, not an error. Raises BrokerUnavailable, BrokerRefused, NotFound
    (the vhost).
    """
    return health_of(access, roles_of(layout), layout=layout, ages=ages or Ages())


def health_of(access: Access, roles: Mapping[str, Role], *, layout: Layout | None, ages: Ages) -> Health:
    """The same for the queues of `roles`, whoever told what they are for; without a `layout` by the broker alone."""
    management = Management(access)
    depths, remarks = _depths(management)
    with closing(RawLink(access, purpose=f"health {layout.name if layout else access.vhost}")) as link:
        counts = queue_counts(link.connection, roles)
        for name, role in roles.items():
            if role in (Role.DEAD_LETTER, Role.PARKING):
                remarks += _note_age(link, name, counts[name], layout, management, ages)
    queues = (_health(name, role, counts[name], depths.get(name, Depth()), ages) for name, role in roles.items())
    return Health(queues=tuple(queues), remarks=tuple(dict.fromkeys(remarks)))


def roles_of(layout: Layout) -> dict[str, Role]:
    """What each queue of the file is for, in its order: work, tiers, dead-letter, parking."""
    return dict(_roles(layout))


def _roles(layout: Layout) -> Iterator[tuple[str, Role]]:
    yield from ((name, Role.WORK) for name in layout.work_queues)
    yield from ((layout.naming.tier(delay), Role.TIER) for delay in layout.tiers_ms)
    yield from ((name, Role.DEAD_LETTER) for name in layout.dead_letter_queues)
    parked = (queue.parking for queue in layout.dead_letter_queues.values())
    yield from ((name, Role.PARKING) for name in dict.fromkeys(filter(None, parked)))


def _depths(management: Management) -> tuple[Mapping[str, Depth], list[str]]:
    try:
        return management.depths(), []
    except (BrokerUnavailable, BrokerRefused) as error:
        return {}, [f"The management API did not help ({error.what}), so what workers hold is not known."]


def _note_age(
    link: RawLink, queue: str, counts: Counts | None, layout: Layout | None, management: Management, ages: Ages
) -> list[str]:
    """Have `ages` know the queue, where that is safe; what there is to say about it."""
    if counts is None or not counts.ready:
        ages.emptied(queue)
        return []
    if not ages.due(queue):
        return []
    found = situation(queue, layout, management)
    if found.around.returning_is_dangerous:
        why = "its delivery limit is small or not known, so that looking into it could destroy messages"
        return [f"The age of {queue!r} is not known: {why}. dlxctl apply raises the limit."]
    ages.look(link, queue)
    return list(found.remarks)


def _health(name: str, role: Role, counts: Counts | None, depth: Depth, ages: Ages) -> QueueHealth:
    return QueueHealth(
        name=name,
        role=role,
        ready=counts.ready if counts else None,
        consumers=counts.consumers if counts else None,
        unacked=depth.unacknowledged,
        elsewhere=depth.elsewhere,
        oldest_s=ages.oldest_s(name),
        in_per_s=depth.in_per_s,
        out_per_s=depth.out_per_s,
    )
