"""Migrate: a queue made anew with other fixed settings, under its own name. Pure: which step comes next, and why.

A queue's arguments can never change (406 PRECONDITION_FAILED), so the queue is deleted and declared again, and what
leads to it is led past it meanwhile. The road past it is two exchanges and a queue:

    publisher -> exchange -> bridge (fanout) -> the queue
                               |  its alternate exchange, when it is not bound to the queue
                               v
                             aside (fanout) -> the temporary queue

While the bridge is bound to the queue, messages reach the queue by way of it (once, also while the old binding stands
beside it: RabbitMQ delivers one copy to a queue, however many roads lead there). One unbinding turns all of them to the
temporary queue, one binding turns them back. So at no moment is there no queue, and none in which there are two
(measured on 3.10, 4.0 and 4.3; docs/decisions/0011).

There is no state file: what stands on the broker says which step is next, so that a killed run is gone on with by the
next. The steps before CUT_OVER can be reverted, by the steps behind it with the old queue in place of the new one.
"""

import hashlib
import json
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import assert_never

from dlxctl.model.topology import Binding, Exchange, Queue, Topology

SUFFIX = ".dlxctl-migrate"
LONGEST_NAME = 255
_ROOM = len(f"{SUFFIX}.aside")
MARKS = "x-dlxctl-marks"
"""Argument of the aside exchange: the owner exchanges that mark the queue, a JSON list. Bindings to owner exchanges
are not bridged: what is bound to one counts as owned."""


class Step(StrEnum):
    """One step; its precondition is what `next_step` looks at."""

    PREPARE = "prepare"
    BRIDGE = "bridge"
    RELEASE = "release"
    DIVERT = "divert"
    CUT_OVER = "cut-over"
    DECLARE = "declare"
    JOIN = "join"
    REBIND = "rebind"
    UNBRIDGE = "unbridge"
    BRING_HOME = "bring-home"
    CLEAR = "clear"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaffold:
    """What a migration of `queue` puts up beside it: the temporary queue and the two exchanges, and a queue that only
    tries whether the broker takes the new settings."""

    queue: str

    @property
    def temporary(self) -> str:
        return self._base + SUFFIX

    @property
    def bridge(self) -> str:
        return self._base + SUFFIX

    @property
    def aside(self) -> str:
        return f"{self._base}{SUFFIX}.aside"

    @property
    def probe(self) -> str:
        return f"{self._base}{SUFFIX}.probe"

    @property
    def _base(self) -> str:
        """The queue's name; cut, with a digest, where a suffix would make it too long."""
        data = self.queue.encode()
        if len(data) + _ROOM <= LONGEST_NAME:
            return self.queue
        return data[:180].decode("utf-8", "ignore") + "." + hashlib.sha256(data).hexdigest()[:32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One queue and its scaffold, as they stand.

    `outer` are the bindings to the queue, `twins` those to the bridge, neither from the scaffold nor from owner
    exchanges; `marks` are the latter, and `noted` the owner exchanges that marked the queue when it began. `join` binds
    the bridge to the queue; `catching`: aside is bound to the temporary queue.
    """

    scaffold: Scaffold
    queue: Queue | None
    temporary: Queue | None
    bridge: Exchange | None
    aside: Exchange | None
    probe: Queue | None
    join: Binding | None
    catching: bool
    outer: tuple[Binding, ...]
    twins: tuple[Binding, ...]
    marks: tuple[Binding, ...]
    noted: tuple[str, ...]

    @property
    def joined(self) -> bool:
        """Whether what comes over the bridge reaches the queue."""
        return self.join is not None

    @property
    def unmarked(self) -> tuple[str, ...]:
        """Owner exchanges that marked the old queue, and do not mark this one."""
        there = {binding.source for binding in self.marks}
        return tuple(owner for owner in self.noted if owner not in there)

    @property
    def begun(self) -> bool:
        """Whether anything of a migration stands."""
        return any((self.temporary, self.bridge, self.aside, self.probe))

    @property
    def scaffolded(self) -> bool:
        """Whether the road past the queue is whole."""
        return bool(self.temporary and self.bridge and self.aside and self.catching)

    @property
    def bindings(self) -> int:
        """How many roads from exchanges lead to the queue, or to the bridge in its place."""
        return max(len(self.outer), len(self.twins))

    @property
    def unbridged(self) -> tuple[Binding, ...]:
        """Bindings of the queue that the bridge has not."""
        there = {_road(twin) for twin in self.twins}
        return tuple(binding for binding in self.outer if _road(binding) not in there)

    @property
    def unbound(self) -> tuple[Binding, ...]:
        """Bindings of the bridge that the queue has not."""
        there = {_road(binding) for binding in self.outer}
        return tuple(twin for twin in self.twins if _road(twin) not in there)


def unfinished(queue: str, observed: Topology) -> bool:
    """Whether something of a migration of `queue` stands in the vhost."""
    scaffold = Scaffold(queue=queue)
    exchanges = (observed.exchange(scaffold.bridge), observed.exchange(scaffold.aside))
    return any((*exchanges, observed.queue(scaffold.temporary), observed.queue(scaffold.probe)))


def site_of(queue: str, observed: Topology) -> Site:
    """The surroundings of `queue` in a vhost."""
    scaffold = Scaffold(queue=queue)
    to_queue = [b for b in observed.bindings.values() if not b.to_exchange and b.destination == queue]
    owners = {b.source for b in to_queue if is_owner(observed.exchange(b.source))}
    return Site(
        scaffold=scaffold,
        queue=observed.queue(queue),
        temporary=observed.queue(scaffold.temporary),
        bridge=observed.exchange(scaffold.bridge),
        aside=observed.exchange(scaffold.aside),
        probe=observed.queue(scaffold.probe),
        join=next((b for b in to_queue if b.source == scaffold.bridge), None),
        catching=any(
            b.source == scaffold.aside and b.destination == scaffold.temporary for b in observed.bindings.values()
        ),
        outer=tuple(b for b in to_queue if b.source != scaffold.bridge and b.source not in owners),
        twins=tuple(b for b in observed.bindings.values() if b.to_exchange and b.destination == scaffold.bridge),
        marks=tuple(b for b in to_queue if b.source in owners),
        noted=tuple(owner for owner in _noted(observed.exchange(scaffold.aside)) if is_owner(observed.exchange(owner))),
    )


def _noted(aside: Exchange | None) -> list[str]:
    try:
        return list(map(str, json.loads(aside.arguments.get(MARKS, "[]")))) if aside else []
    except (ValueError, TypeError):  # somebody else's exchange
        return []


def is_owner(exchange: Exchange | None) -> bool:
    """Whether this is an owner exchange of dlxctl, of any topology: it marks, and routes nothing."""
    return exchange is not None and exchange.internal and exchange.name.startswith("dlxctl.")


def next_step(site: Site, *, right: bool) -> Step | None:
    """The step that `site` is ready for, None when nothing is left to do. `right`: the queue is as it is to be."""
    if site.queue is None:
        return Step.DECLARE if site.begun else None
    if right:
        return _behind(site) if site.begun else None
    if not site.scaffolded:
        return Step.PREPARE
    if site.outer:
        return Step.RELEASE if site.joined and not site.unbridged else Step.BRIDGE
    return Step.DIVERT if site.joined else Step.CUT_OVER


def _behind(site: Site) -> Step:
    """The steps once the right queue is there."""
    if site.bridge is not None and (not site.joined or site.unmarked):
        return Step.JOIN
    if site.unbound:
        return Step.REBIND
    if site.twins:
        return Step.UNBRIDGE
    return Step.BRING_HOME if site.temporary else Step.CLEAR


def _road(binding: Binding) -> tuple[str, ...]:
    """What a binding of the queue and its twin have in common."""
    return (binding.source, binding.key[4], binding.key[5])


ORDER = tuple(step for step in Step if step is not Step.DECLARE)
ROUTED = frozenset({Step.BRIDGE, Step.RELEASE, Step.DIVERT, Step.REBIND, Step.UNBRIDGE})
"""Steps that a queue without bindings does not need."""


def steps_left(site: Site, *, right: bool) -> tuple[str, ...]:
    """What is left to do, in order, as text."""
    step = next_step(site, right=right)
    if step is None:
        return ()
    left = (step, *ORDER[ORDER.index(Step.JOIN) :]) if step is Step.DECLARE else ORDER[ORDER.index(step) :]
    return tuple(text(each, site) for each in left if site.bindings or each not in ROUTED)


def twin(binding: Binding, scaffold: Scaffold) -> Binding:
    """`binding` of the queue, made to the bridge."""
    return replace(binding, destination=scaffold.bridge, to_exchange=True, properties_key="")


def homeward(binding: Binding, scaffold: Scaffold) -> Binding:
    """`binding` of the bridge, made to the queue."""
    return replace(binding, destination=scaffold.queue, to_exchange=False, properties_key="")


def text(step: Step, site: Site) -> str:
    """What the step does, for plans and progress."""
    queue, temporary = site.scaffold.queue, site.scaffold.temporary
    bindings = "1 binding" if site.bindings == 1 else f"{site.bindings} bindings"
    match step:
        case Step.PREPARE:
            return f"make {temporary} and the exchanges that lead to it"
        case Step.BRIDGE:
            return f"lead {bindings} to {queue} over the bridge as well"
        case Step.RELEASE:
            return f"take {bindings} off {queue}: the bridge has them"
        case Step.DIVERT:
            return f"turn the bridge from {queue} to {temporary}, in one step"
        case Step.CUT_OVER:
            return f"move every message to {temporary}, wait for unacknowledged ones, delete and declare {queue}"
        case Step.DECLARE:
            return f"declare {queue}"
        case Step.JOIN:
            return f"turn the bridge back to {queue}, in one step"
        case Step.REBIND:
            return f"bind {queue} as it was ({bindings})"
        case Step.UNBRIDGE:
            return f"take {bindings} off the bridge: {queue} has them"
        case Step.BRING_HOME:
            return f"move every message of {temporary} back to {queue}, and delete it"
        case Step.CLEAR:
            return "delete the exchanges of the migration"
        case _:
            assert_never(step)
