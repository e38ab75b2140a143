"""Use case: where would a failing message go? From a topology file or RabbitMQ's definitions, without a broker."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dlxctl.errors import UsageError
from dlxctl.model.layout import Layout
from dlxctl.model.topology import Topology
from dlxctl.ops.definitions import topology_of
from dlxctl.ops.prove import rests_in, retries_in, topology_on
from dlxctl.ops.topology_file import read_layout, read_text
from dlxctl.sim.prove import resting
from dlxctl.sim.settings import settings_of
from dlxctl.sim.versions import BY_NAME, Release
from dlxctl.sim.walk import Event, Retries, Trip, Turn, Walk, walk

_TURN = re.compile(r"([a-z]+)(?:\*([0-9]{0,4}))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is traced: a layout from a topology file, or else a topology from RabbitMQ's definitions."""

    layout: Layout | None = None
    definitions: Topology | None = None

    def topology(self, release: Release) -> Topology:
        """The objects, as they would be on a broker of `release`."""
        if self.layout is not None:
            return topology_on(self.layout, release)
        assert self.definitions is not None
        return self.definitions

    def retries(self, queue: str) -> Retries | None:
        """What RetryTask does with the failures of a work queue."""
        return retries_in(self.layout, queue) if self.layout is not None else None

    def rests(self, release: Release) -> frozenset[str]:
        """The last stops: the dead-letter queues of the file, and the queues that do not dead-letter."""
        topology = self.topology(release)
        return rests_in(self.layout, topology, release) if self.layout else resting(topology, release)


def subject(path: Path, environment: Mapping[str, str], vhost: str | None = None) -> Subject:
    """Read a topology file, or RabbitMQ's definitions (*.json). Raises UsageError, InvalidTopology."""
    if path.suffix == ".json":
        return Subject(definitions=topology_of(read_text(path), source=str(path), vhost=vhost))
    return Subject(layout=read_layout(path, environment))


def trace(given: Subject, queue: str, *, events: str, release: str, exchange: str = "", key: str | None = None) -> Walk:
    """Follow a message that is published to `exchange` with `key` (else straight to `queue`). Raises UsageError."""
    rules = BY_NAME[release]
    topology = given.topology(rules)
    found = topology.queue(queue)
    if found is None:
        known = ", ".join(sorted(each.name for each in topology.queues.values())[:20])
        raise UsageError(f"there is no queue {queue!r}", remedy=f"There are: {known}.")
    retries = given.retries(queue)
    turns = script(events or ("fail*" if retries else "reject*"))
    if any(turn.event is Event.OVERFLOW for turn in turns) and settings_of(topology, found, rules).max_length is None:
        raise UsageError(
            f"queue {queue!r} has no max_length, so it cannot overflow", remedy="Give it one, or trace another --event."
        )
    trip = Trip(
        queue=queue, turns=turns, exchange=exchange, key=key, retries=retries, rests=given.rests(rules) - {queue}
    )
    return walk(topology, trip, rules)


def script(text: str) -> tuple[Turn, ...]:
    """`fail*2,crash*` -> two failures, then a crash each time. Raises UsageError."""
    turns = []
    for part in text.split(","):
        found = _TURN.fullmatch(part.strip())
        if found is None or found[1] not in tuple(Event):
            raise UsageError(f"{part.strip()!r} is not an event", remedy=f"Events: {', '.join(Event)}; fail*5, crash*.")
        times = 1 if found[2] is None else int(found[2]) if found[2] else None
        turns.append(Turn(Event(found[1]), times))
    return tuple(turns)
