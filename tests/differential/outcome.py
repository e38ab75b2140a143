"""What came of a scenario, and what the model says comes of it when each operation happens at the time that it did."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dlxctl.model.topology import Topology
from dlxctl.sim.message import Message
from dlxctl.sim.routing import Routes
from dlxctl.sim.steps import Kind, Settle
from dlxctl.sim.versions import Release
from dlxctl.sim.world import World
from tests.differential.scenario import Data, topology_of

Seen = tuple[str, dict[str, Any]] | None
"""A message as a consumer sees it: its id and what the broker says of its deaths; None for an empty queue."""
MUCH_LATER_MS = 60_000
"""What waits at the end may still get stuck before the API tells."""
JITTER_MS, JITTERS = 110, 7
"""So much later than it should be may happen what time brings about; a scenario for which that makes a difference, in
any of so many tries, tells nothing."""


@dataclass(slots=True)
class Outcome:
    """`results`: for each operation what it brought, a publish's True (taken) or False (refused), a get's `Seen`.

    `left`: what each queue was emptied of, in order; `stuck`: how many dead letters are stuck in a queue (the model's).
    """

    results: list[Any] = field(default_factory=list)
    left: dict[str, list[Seen]] = field(default_factory=dict)
    stuck: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Played:
    """An outcome on a real broker, with the milliseconds at which each operation and each get of the end happened."""

    outcome: Outcome = field(default_factory=Outcome)
    times: list[float] = field(default_factory=list)
    left_times: dict[str, list[float]] = field(default_factory=dict)
    at_end: float = 0


def predicted(data: Data, release: Release, played: Played) -> Outcome | None:
    """What the model says; None when it hangs on a tenth of a second."""
    chance = random.Random(0)
    plain = at_its_time(data, release, played)
    return plain if all(_predict(data, release, played, chance) == plain for _ in range(JITTERS)) else None


def at_its_time(data: Data, release: Release, played: Played) -> Outcome:
    """What the model says when all happens just when it should."""
    return _predict(data, release, played, None)


def _predict(data: Data, release: Release, played: Played, chance: random.Random | None) -> Outcome:
    late = (lambda ms: ms + chance.randint(0, JITTER_MS)) if chance else (lambda ms: ms)
    topology = topology_of(_later(data, late))
    world, outcome = World(topology, release, _AnyOrder(topology, release, chance or random.Random(0))), Outcome()
    for number, (operation, time) in enumerate(zip(data["operations"], played.times, strict=True)):
        world.advance(int(time))
        outcome.results.append(_do(world, release, operation, number, late))
    for queue, times in played.left_times.items():
        outcome.left[queue] = []
        for time in times:
            world.advance(int(time))
            outcome.left[queue].append(_get(world, release, queue, Settle.ACK))
    world.advance(int(played.at_end) + MUCH_LATER_MS)
    outcome.stuck = {queue: len(messages) for queue, messages in world.stuck().items()}
    return outcome


class _AnyOrder(Routes):
    """Queues are processes of their own: which of several has a message first, and what it does then, is chance."""

    def __init__(self, topology: Topology, release: Release, chance: random.Random) -> None:
        super().__init__(topology, release)
        self._chance = chance

    def route(self, exchange: str, key: str, headers: Mapping[str, Any]) -> tuple[str, ...]:
        queues = super().route(exchange, key, headers)
        return tuple(self._chance.sample(queues, len(queues)))


def _do(world: World, release: Release, operation: list[Any], number: int, late: Any) -> Any:
    match operation:
        case ["publish", exchange, key, headers, expiration]:
            before = len(world.steps)
            ttl = None if expiration is None else late(expiration)
            world.publish(
                Message(id=str(number), exchange=exchange, routing_key=key, headers=headers, expiration_ms=ttl)
            )
            return not any(step.kind is Kind.REFUSED for step in world.steps[before:])
        case ["get", queue, how]:
            return _get(world, release, queue, Settle(how))
        case _:
            return None


def _get(world: World, release: Release, queue: str, how: Settle) -> Seen:
    delivery = world.get(queue)
    if delivery is None:
        return None
    world.settle(delivery, how)
    return seen(delivery.message.id, delivery.message.seen_headers(release))


def seen(id_: str, headers: dict[str, Any]) -> Seen:
    """What is compared of a message: times are left out, and of an expiration that it was there."""
    told = {name: value for name, value in headers.items() if name.startswith(("x-first-death", "x-last-death"))}
    deaths = [{key: value for key, value in entry.items() if key != "time"} for entry in headers.get("x-death", [])]
    for death in deaths:
        if "original-expiration" in death:
            death["original-expiration"] = True
    return id_, told | {"x-death": deaths}


def _later(data: Data, late: Any) -> Data:
    """`data` with times to live that are as late as the broker may be."""

    def shifted(settings: dict[str, Any]) -> dict[str, Any]:
        return {key: late(value) if key.endswith("message-ttl") else value for key, value in settings.items()}

    queues = [[name, type_, shifted(arguments)] for name, type_, arguments in data["queues"]]
    policies = [[*rest, shifted(definition)] for *rest, definition in data["policies"]]
    return data | {"queues": queues, "policies": policies}
