"""Retry tiers and dead-letter queues as others build them, told by where their messages go, and by their names.

The file keeps such queues as they are: to recognise them keeps workers off them, and says what could take their place.
Conventions: Spring's `q.retry`, `q.dlq`, `q.parkingLot`, NServiceBus's `nsb.*` and `error`, MassTransit's `q_error`,
`q_skipped`, and a tier for each queue and delay (`q.retry.10s`).
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from dlxctl.model.effective import setting
from dlxctl.model.layout import delay_text
from dlxctl.model.topology import Queue, Topology

Route = Callable[[str, str], tuple[str, ...]]
"""Which queues a message reaches that is published to an exchange with a routing key."""


class RoleKind(StrEnum):
    """What a queue is for."""

    TIER = "retry tier"
    DEAD_LETTERS = "dead-letter queue"
    DELAY = "delay infrastructure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """What a queue is for, for which queues (`of`, empty for any), after which delay, and whose `style` that is."""

    kind: RoleKind
    of: tuple[str, ...] = ()
    delay_ms: int | None = None
    style: str = ""

    def __str__(self) -> str:
        """`retry tier of orders: 10s, then back (Spring's naming)`."""
        named = f" of {', '.join(self.of[:5])}{' and more' if len(self.of) > 5 else ''}" if self.of else ""
        style = f" ({self.style})" if self.style else ""
        match self.kind:
            case RoleKind.TIER:
                back = "then back" if self.of else "then back by name"
                return f"{self.kind}{named}: {delay_text(self.delay_ms or 0)}, {back}{style}"
            case RoleKind.DEAD_LETTERS:
                return f"{self.kind}{named or ', by its name'}{style}"
            case RoleKind.DELAY:
                return f"{self.kind}{style}"
            case _:
                assert_never(self.kind)


NSERVICEBUS, SPRING, MASSTRANSIT = "NServiceBus's naming", "Spring's naming", "MassTransit's naming"
DELAYS = re.compile(r"nsb\.(v\d+\.)?delay-(level-\d+|delivery)")
_TIER_NAME = re.compile(r"(^|[._-])(retry|retries|delay|delayed|wait|backoff)([._-]|\d|$)", re.IGNORECASE)
_STYLES = (
    (re.compile(r".\.(retry|dlq|parkingLot)$"), SPRING),
    (re.compile(r"._(error|skipped|delay)$"), MASSTRANSIT),
)
_DEAD_NAME = re.compile(
    r"(^|[._-])(dlq|dlx|dead[._-]?letters?(?:[._-]?queue)?|parking[._-]?lot|failed)$|._(error|skipped)$", re.IGNORECASE
)


def roles(topology: Topology, route: Route, known: frozenset[str]) -> Mapping[str, Role]:
    """The roles of queues, by name; `known` are those whose role is told already."""
    keys: dict[str, list[str]] = {}
    for binding in topology.bindings.values():
        if not binding.to_exchange:
            keys.setdefault(binding.destination, []).append(binding.routing_key)
    queues = (queue for queue in topology.queues.values() if queue.name not in known)
    roads = {queue.name: _Road(queue, topology, route, keys.get(queue.name, ())) for queue in queues}
    nservicebus = any(DELAYS.fullmatch(name) for name in roads)
    found: dict[str, Role] = {}
    for name, road in roads.items():
        if DELAYS.fullmatch(name):
            found[name] = Role(kind=RoleKind.DELAY, style=NSERVICEBUS)
        elif road.ttl_ms and (back := _returns_to(road, roads)) is not None:
            found[name] = Role(kind=RoleKind.TIER, of=back, delay_ms=road.ttl_ms, style=_style(name))
    fed: dict[str, list[str]] = {}
    for name, road in roads.items():
        for target in road.targets if name not in found else ():
            if target != name and target not in known and target not in found and name not in roads[target].targets:
                fed.setdefault(target, []).append(name)
    for name in roads:
        errors = nservicebus and name in ("error", "audit")
        if name not in found and (name in fed or _DEAD_NAME.search(name) or errors):
            style = NSERVICEBUS if errors else _style(name)
            found[name] = Role(kind=RoleKind.DEAD_LETTERS, of=tuple(fed.get(name, ())), style=style)
    return found


class _Road:
    """Where the messages of a queue go when they die; `keys` are those under which it is bound."""

    def __init__(self, queue: Queue, topology: Topology, route: Route, keys: Iterable[str]) -> None:
        self.name = queue.name
        self.ttl_ms = setting(topology, queue, "x-message-ttl")
        self.dlx = setting(topology, queue, "x-dead-letter-exchange")
        self.key = setting(topology, queue, "x-dead-letter-routing-key")
        self.targets: tuple[str, ...] = ()
        if self.dlx is not None:
            used = [self.key] if self.key is not None else [queue.name, *keys]
            reached = dict.fromkeys(name for key in used for name in route(str(self.dlx), str(key)))
            self.targets = tuple(name for name in reached if topology.queue(name))


def _returns_to(road: _Road, roads: Mapping[str, _Road]) -> tuple[str, ...] | None:
    """The queues to which a tier returns its messages, () for any, and None when it is no tier.

    A work queue with a time to live whose expired messages go to its DLQ looks alike; but that DLQ does not lead back,
    and is not what the name of the queue begins with.
    """
    if road.dlx is None:
        return None
    if road.dlx == "" and road.key is None:
        return ()
    others = [roads[name] for name in road.targets if name != road.name and name in roads]
    named = bool(_TIER_NAME.search(road.name))
    back = [w for w in others if road.name in w.targets or named or road.name.startswith((f"{w.name}.", f"{w.name}-"))]
    return tuple(w.name for w in back) if back else None


def _style(name: str) -> str:
    return next((style for pattern, style in _STYLES if pattern.search(name)), "")
