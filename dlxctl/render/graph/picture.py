"""Layout -> Picture: which boxes and edges the picture of a topology has, before anything is drawn.

Tiers are shared, so each is one box, and the way back out of them is one edge for all (`returns`). More than
`SHOWN_ALONE` work queues of one road - type, ladder, dead-letter queue and exchanges - become one box.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from dlxctl.model.depth import Depth
from dlxctl.model.layout import Backend, DeadLetterQueue, Ladder, Layout, WorkQueue, delay_text

SHOWN_ALONE = 6
"""As many work queues with one road are drawn each by itself."""
NAMED = 2
"""As many of a box of several queues are named in it."""


class Role(StrEnum):
    """What a box stands for; boxes of one role are framed together."""

    EXCHANGE = "exchange"
    WORK = "work"
    KEPT = "kept"
    LADDER = "ladder"
    TIER = "tier"
    DLX = "dlx"
    DLQ = "dlq"
    PARKING = "parking"


TITLES: dict[Role, tuple[str, str]] = {
    Role.EXCHANGE: ("exchanges", "producers publish here"),
    Role.WORK: ("work queues", "Celery workers consume them"),
    Role.KEPT: ("kept as they are", "no worker of ours"),
    Role.LADDER: ("retry ladders", "a task fails: RetryTask"),
    Role.TIER: ("retry tiers", "shared; the broker waits"),
    Role.DLX: ("dead-letter exchange", "retries spent, rejected, over a limit"),
    Role.DLQ: ("dead-letter queues", "dlxctl replay puts them back"),
    Role.PARKING: ("parking", "the last stop"),
}
"""Title and second line of each frame."""
RETURNS = "delay over: back to its own work queue, by name"


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """`id` is of letters, digits and `_`; `name` and `lines` are text as the file has it, not escaped."""

    id: str
    role: Role
    name: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """From box to box, by id."""

    source: str
    target: str
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """What is drawn. `returns`: an edge leads from the frame of the tiers back to that of the work queues."""

    title: str
    boxes: tuple[Box, ...]
    edges: tuple[Edge, ...]
    returns: bool

    def of(self, role: Role) -> tuple[Box, ...]:
        """The boxes of one frame."""
        return tuple(box for box in self.boxes if box.role is role)


def picture(layout: Layout, depths: Mapping[str, Depth] | None = None) -> Picture:
    """The picture of `layout`; with the `depths` of a broker's queues, how much is in each."""
    drawing = _Drawing(layout, depths)
    drawing.exchanges()
    drawing.dead_letters()
    drawing.retries()
    drawing.work()
    drawing.kept()
    returns = bool(layout.tiers_ms) and bool(layout.work_queues)
    return Picture(title=layout.name, boxes=tuple(drawing.boxes), edges=tuple(drawing.edges), returns=returns)


class _Drawing:
    """One picture in the making; `ids` by role and name."""

    def __init__(self, layout: Layout, depths: Mapping[str, Depth] | None) -> None:
        self.layout, self.depths = layout, depths
        self.boxes: list[Box] = []
        self.edges: list[Edge] = []
        self.ids: dict[tuple[Role, str], str] = {}

    def exchanges(self) -> None:
        for exchange in self.layout.exchanges.values():
            feeds = [each.destination for each in self.layout.verbatim.bindings if each.source == exchange.name]
            self._box(
                Role.EXCHANGE, exchange.name, exchange.type, *(f"feeds exchange {name}" for name in feeds[:NAMED])
            )

    def dead_letters(self) -> None:
        """A box for each routing key of the DLX, one for all others, the DLQs, the parking queues."""
        queues = self.layout.dead_letter_queues
        for name in queues:
            self._box(Role.DLX, self.layout.naming.dlx, f"key {name}", key=name)
        if queues:
            self._box(Role.DLX, self.layout.naming.unrouted, "any other key")
        for queue in queues.values():
            self._box(Role.DLQ, queue.name, *_bounds(queue), *self._depth(queue.name))
            self._edge((Role.DLX, queue.name), (Role.DLQ, queue.name))
        if queues:
            self._edge((Role.DLX, self.layout.naming.unrouted), (Role.DLQ, next(iter(queues))))
        for name in dict.fromkeys(queue.parking for queue in queues.values() if queue.parking):
            self._box(Role.PARKING, name, *self._depth(name))
        for queue in queues.values():
            if queue.parking:
                after = f"after {delay_text(queue.retention_ms)}" if queue.retention_ms is not None else "dlxctl park"
                self._edge((Role.DLQ, queue.name), (Role.PARKING, queue.parking), after)

    def retries(self) -> None:
        for delay_ms in self.layout.tiers_ms:
            name = self.layout.naming.tier(delay_ms)
            self._box(Role.TIER, name, f"waits {delay_text(delay_ms)}", *self._depth(name))
        for ladder in self._ladders():
            native = ladder.backend is Backend.NATIVE
            span = f"{delay_text(ladder.delays_ms[0])} to {delay_text(ladder.delays_ms[-1])}, in the work queue"
            self._box(Role.LADDER, ladder.name, _times(ladder.attempts, "retry"), *((span,) if native else ()))
            for delay_ms, label in () if native else _steps(ladder):
                self._edge((Role.LADDER, ladder.name), (Role.TIER, self.layout.naming.tier(delay_ms)), label)

    def work(self) -> None:
        """Work queues by road, in the order of the ladders and DLQs, so that few edges cross."""
        roads: dict[tuple[object, ...], list[WorkQueue]] = {}
        for queue in self.layout.work_queues.values():
            sources = tuple(sorted({binding.exchange for binding in queue.bindings}))
            roads.setdefault((queue.type, queue.retry, queue.dead_letter, sources), []).append(queue)
        groups: list[list[WorkQueue]] = []
        for road in roads.values():
            groups += [road] if len(road) > SHOWN_ALONE else [[queue] for queue in road]
        for group in sorted(groups, key=lambda group: self._rank(group[0])):
            self._work(group)

    def kept(self) -> None:
        for queue in self.layout.verbatim.queues.values():
            dlx = queue.arguments.get("x-dead-letter-exchange")
            road = () if dlx is None else (f"dead-letters to {dlx or 'the default exchange'}",)
            self._box(Role.KEPT, queue.name, str(queue.type), *road, *self._depth(queue.name))
            self._bind(
                (queue,), (Role.KEPT, queue.name), [(each.exchange, each.routing_key) for each in queue.bindings]
            )

    def _ladders(self) -> list[Ladder]:
        """Those with the shortest delays first, as the tiers are."""
        return sorted(self.layout.ladders.values(), key=lambda ladder: ladder.delays_ms)

    def _rank(self, queue: WorkQueue) -> tuple[int, int]:
        ladders, dead = [ladder.name for ladder in self._ladders()], list(self.layout.dead_letter_queues)
        ladder = ladders.index(queue.retry) if queue.retry in ladders else len(ladders)
        return ladder, dead.index(queue.dead_letter) if queue.dead_letter in dead else len(dead)

    def _work(self, group: list[WorkQueue]) -> None:
        first, alone = group[0], len(group) == 1
        own = (Role.WORK, first.name)
        title = first.name if alone else f"{len(group)} queues"
        names = () if alone else (*(queue.name for queue in group[:NAMED]), f"and {len(group) - NAMED:,} more")
        limits = _limits(first) if alone else (str(first.type),)
        self._box(*own, *names, *limits, *self._depth(*(queue.name for queue in group)), title=title)
        if first.retry is not None:
            self._edge(own, (Role.LADDER, first.retry))
        if first.dead_letter is not None:
            self._edge(own, (Role.DLX, first.dead_letter))
        self._bind(group, own, [(each.exchange, each.routing_key) for queue in group for each in queue.bindings])

    def _bind(self, group: Iterable[object], target: tuple[Role, str], bindings: list[tuple[str, str]]) -> None:
        for exchange in dict.fromkeys(exchange for exchange, _ in bindings):
            keys = [key for source, key in bindings if source == exchange]
            label = keys[0] if len(keys) == 1 else _times(len(keys), "binding")
            self._edge((Role.EXCHANGE, exchange), target, label)

    def _box(self, role: Role, name: str, *lines: str, key: str = "", title: str = "") -> None:
        found = f"{role}_{sum(box.role is role for box in self.boxes) + 1}"
        self.ids[role, key or name] = found
        self.boxes.append(Box(id=found, role=role, name=title or name, lines=lines))

    def _edge(self, source: tuple[Role, str], target: tuple[Role, str], label: str = "") -> None:
        """An end that has no box of its own, such as `amq.topic`, gets none here: the file does not hold it."""
        if source in self.ids and target in self.ids:
            self.edges.append(Edge(source=self.ids[source], target=self.ids[target], label=label))

    def _depth(self, *names: str) -> tuple[str, ...]:
        """How much is in the queues together, and in which of several the most."""
        if self.depths is None:
            return ()
        missing = [name for name in names if name not in self.depths]
        known = {name: self.depths[name].messages for name in names if name in self.depths}
        counted = {name: messages for name, messages in known.items() if messages is not None}
        lines = [_times(sum(counted.values()), "message")] if counted else []
        fullest = max(counted, key=lambda name: counted[name], default=None)
        if len(names) > 1 and fullest is not None and counted[fullest]:
            lines.append(f"most: {fullest} {counted[fullest]:,}")
        if len(counted) < len(known):
            lines.append("not counted yet" if len(names) == 1 else f"{len(known) - len(counted)} not counted yet")
        if missing:
            lines.append("not on the broker" if len(names) == 1 else f"{len(missing)} not on the broker")
        return tuple(lines)


def _bounds(queue: DeadLetterQueue) -> Iterator[str]:
    if queue.max_length is not None:
        yield f"at most {queue.max_length:,}"


def _limits(queue: WorkQueue) -> Iterator[str]:
    limit = () if queue.delivery_limit is None else (f"delivery limit {queue.delivery_limit}",)
    priority = () if queue.priority is None else (f"priority {queue.priority}",)
    yield ", ".join((str(queue.type), *limit, *priority))
    if queue.max_length is not None:
        yield f"at most {queue.max_length:,}"


def _steps(ladder: Ladder) -> Iterator[tuple[int, str]]:
    """Each delay that the ladder uses, with the attempts that wait so long: `retry 1`, `retry 3 to 5`."""
    used: dict[int, list[int]] = {}
    for attempt in range(ladder.attempts):
        index = min(attempt, len(ladder.delays_ms) - 1)
        used.setdefault(index, [attempt + 1, attempt + 1])[1] = attempt + 1
        if index == len(ladder.delays_ms) - 1:
            used[index][1] = ladder.attempts
            break
    for index, (first, last) in used.items():
        yield ladder.delays_ms[index], f"retry {first}" if first == last else f"retry {first} to {last}"


def _times(number: int, noun: str) -> str:
    plural = f"{noun.removesuffix('y')}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"
