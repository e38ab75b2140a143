"""Use case: `dlxctl status`. Health of the queues of a file, or of all that a vhost has, held against thresholds.

Without a file each queue's role is told by what stands on the broker, as `dlxctl import` tells it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from dlxctl.broker.address import Access
from dlxctl.broker.alarms import alarms
from dlxctl.broker.management import Management
from dlxctl.errors import BrokerRefused, BrokerUnavailable, UsageError
from dlxctl.model.diagnostics import quoted
from dlxctl.model.health import Health, QueueHealth, Role, Status
from dlxctl.model.layout import Layout
from dlxctl.model.topology import Queue, Topology
from dlxctl.ops.health import Ages, health_of, roles_of
from dlxctl.plan.recognise_styles import RoleKind, roles
from dlxctl.sim.routing import Routes
from dlxctl.sim.versions import RELEASES
from dlxctl.spec.scalars import duration_ms

_KINDS = {RoleKind.TIER: Role.TIER, RoleKind.DELAY: Role.TIER, RoleKind.DEAD_LETTERS: Role.DEAD_LETTER}
_ORDER = tuple(Role)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much may be ready, and how old the oldest message may be; None for no limit.

    `depth` and `age_s` are for each dead-letter queue, `depths` for queues by name, which go first.
    """

    depth: int | None = None
    depths: Mapping[str, int] = field(default_factory=dict)
    age_s: float | None = None

    def depth_of(self, queue: QueueHealth) -> int | None:
        """How much may be ready in `queue`."""
        return self.depths.get(queue.name, self.depth if queue.role is Role.DEAD_LETTER else None)

    def age_of(self, queue: QueueHealth) -> float | None:
        """How old in seconds the oldest message of `queue` may be."""
        return self.age_s if queue.role is Role.DEAD_LETTER else None


def limits(depths: Iterable[str], age: str | None) -> Limits:
    """The limits of the options `N`, `QUEUE=N` and `2h`. Raises UsageError."""
    everywhere: int | None = None
    named: dict[str, int] = {}
    for text in depths:
        queue, sign, number = text.rpartition("=")
        if not (number.isascii() and number.isdigit()) or bool(sign) != bool(queue):
            raise UsageError(
                f"{quoted(text)} is no depth", remedy="Write --max-depth 100, or --max-depth orders=5000 for one queue."
            )
        if queue:
            named[queue] = int(number)
        else:
            everywhere = int(number)
    try:
        age_s = None if age is None else duration_ms(age) / 1_000
    except ValueError:
        raise UsageError(f"{quoted(age or '')} is no time", remedy="Write --max-age 2h (ms, s, m, h, d).") from None
    return Limits(depth=everywhere, depths=named, age_s=age_s)


def read_status(access: Access, layout: Layout | None, limits: Limits, ages: Ages) -> Status:
    """How the queues of `layout`, or else of the vhost, are doing now.

    Raises BrokerUnavailable, BrokerRefused, NotFound (the vhost), and UsageError for a limit on a queue that is
    neither in the file nor on the broker.
    """
    told = roles_of(layout) if layout else observed_roles(Management(access).read())
    if strange := limits.depths.keys() - told.keys():
        raise UsageError(
            f"--max-depth names {', '.join(map(quoted, sorted(strange)))}, which is no queue of "
            + (layout.source if layout else f"vhost {quoted(access.vhost)}"),
            remedy="`dlxctl status` lists them.",
        )
    health = health_of(access, told, layout=layout, ages=ages)
    return Status(health=health, alarms=_alarms(access), exceeded=tuple(exceeded(health, limits)))


def exceeded(health: Health, limits: Limits) -> Iterator[str]:
    """What is above its limit. A queue that is not there cannot be said to be below it; an unknown age is no excess."""
    for queue in health.queues:
        depth, age_s = limits.depth_of(queue), limits.age_of(queue)
        if queue.ready is None and (depth is not None or age_s is not None):
            yield f"queue {quoted(queue.name)} is not on the broker"
        if depth is not None and queue.ready is not None and queue.ready > depth:
            yield f"queue {quoted(queue.name)} has {queue.ready:,} messages ready, more than {depth:,}"
        if age_s is not None and queue.oldest_s is not None and queue.oldest_s > age_s:
            yield f"the oldest message of {quoted(queue.name)} died {queue.oldest_s:,.0f}s ago, more than {age_s:,.0f}s"


def observed_roles(observed: Topology) -> dict[str, Role]:
    """What each lasting queue of a vhost is for, in the order of the roles and then of the names."""
    routes = Routes(observed, RELEASES[-1])
    told = roles(observed, lambda exchange, key: routes.route(exchange, key, {}), frozenset())
    known = {name: _KINDS[role.kind] for name, role in told.items()}
    dead = frozenset(name for name, role in known.items() if role is Role.DEAD_LETTER)
    known |= {name: Role.PARKING for name in dead if told[name].of and dead.issuperset(told[name].of)}
    shown = {queue.name: known.get(queue.name, Role.WORK) for queue in observed.queues.values() if _lasts(queue)}
    return dict(sorted(shown.items(), key=lambda pair: (_ORDER.index(pair[1]), pair[0])))


def _lasts(queue: Queue) -> bool:
    """Not a worker's own: its mailbox, its events, or the lock of an apply."""
    return queue.durable and not (queue.auto_delete or queue.exclusive)


def _alarms(access: Access) -> tuple[str, ...] | None:
    try:
        return alarms(access)
    except (BrokerUnavailable, BrokerRefused):
        return None
