"""For every work queue and every way to die there: does the message end in a dead-letter queue? If not, the walk.

The ways: rejected, expired, pushed out, over the delivery limit; each for a message that is new, that has been through
a retry tier, and where rejections lead back, that has been rejected before; and RetryTask's retries to their end.
Queues with the same settings share a proof, unless their own name or key makes a difference. Taken for granted: there
is room in the queues on the way.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from dlxctl.model.diagnostics import Rule
from dlxctl.model.topology import QueueType, Topology
from dlxctl.sim import rules
from dlxctl.sim.message import Message
from dlxctl.sim.routing import Routes
from dlxctl.sim.settings import REJECT_PUBLISH, Settings, alternate_of, settings_in
from dlxctl.sim.steps import Settle, Step
from dlxctl.sim.versions import Release
from dlxctl.sim.walk import ID, Ending, Event, Retries, Trip, Turn, Walk, walk
from dlxctl.sim.world import World

LAPS = 30
"""So many rejections are enough: more than the default delivery limit, which 4.3 holds against them."""
LOOKS = 25
SMALL_LIMIT = 10_000
"""A delivery limit from here on is taken to be out of reach."""
KEYS = 5
"""So many routing keys of a queue's bindings are tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`rule` is broken for the object `subject` on `release`; `walk` shows it, where one does, and `looks` how soon.

    The walk may be that of another queue with the same settings.
    """

    rule: Rule
    subject: str
    release: Release
    walk: Walk | None = None
    turns: tuple[Turn, ...] = ()
    looks: int = 0

    @property
    def length(self) -> int:
        """Of the walk: a short one says more."""
        return len(self.walk.steps) if self.walk else 0


def resting(topology: Topology, release: Release) -> frozenset[str]:
    """The queues that do not dead-letter: in a topology without a file, the last stops."""
    return frozenset(name for name, settings in settings_in(topology, release).items() if settings.dlx is None)


def prove(
    topology: Topology, release: Release, work: Mapping[str, Retries | None], rests: frozenset[str]
) -> Iterator[Finding]:
    """What is wrong with the work queues `work`, each given with the retries of its tasks; nothing when all is well."""
    prover = _Prover(topology, release, rests)
    proofs: dict[object, list[_Proof]] = {}
    for name, retries in work.items():
        case = prover.case(name, retries)
        group = proofs.setdefault(case.group, [])
        proof = next((proof for proof in group if proof.covers(name)), None)
        if proof is None:
            proof = prover.proof(case)
            group.append(proof)
        yield from (replace(finding, subject=name) for finding in proof.findings)
    yield from prover.looking()


def leads_nowhere(topology: Topology, release: Release) -> Iterator[Finding]:
    """Exchanges that drop all they get; internal ones are left out, since nobody publishes to them."""
    sources = {binding.source for binding in topology.bindings.values()}
    for exchange in topology.exchanges.values():
        ours = exchange.internal or exchange.name.startswith("amq.") or exchange.name in sources
        if not ours and alternate_of(topology, exchange, release) is None:
            yield Finding(rule=rules.UNBOUND, subject=exchange.name, release=release)


def drops_failures(topology: Topology, release: Release) -> Iterator[Finding]:
    """Queues without a dead-letter exchange into which nothing dead-letters."""
    for name in sorted(resting(topology, release) - _dead_lettered_to(topology, release)):
        queue = topology.queue(name)
        if queue is not None and queue.type is not QueueType.STREAM and not queue.exclusive and not queue.auto_delete:
            yield Finding(rule=rules.NO_DLX, subject=name, release=release)


def work_queues(topology: Topology, release: Release) -> tuple[str, ...]:
    """In a topology without a file: the queues that dead-letter, but for those that only delay."""
    settings = settings_in(topology, release).items()
    return tuple(name for name, each in settings if each.dlx is not None and each.ttl_ms is None)


def _dead_lettered_to(topology: Topology, release: Release) -> set[str]:
    """Queues that a dead-letter exchange may lead to, whatever the routing key."""
    settings = settings_in(topology, release).values()
    found = {each.dlx_key for each in settings if each.dlx == "" and each.dlx_key is not None}
    ahead = [each.dlx for each in settings if each.dlx]
    seen = set(ahead)
    while ahead:
        exchange = topology.exchange(ahead.pop())
        if exchange is None:
            continue
        bindings = [each for each in topology.bindings.values() if each.source == exchange.name]
        found |= {each.destination for each in bindings if not each.to_exchange}
        exchanges = {each.destination for each in bindings if each.to_exchange}
        alternate = alternate_of(topology, exchange, release)
        exchanges |= {alternate} if alternate is not None else set()
        ahead += exchanges - seen
        seen |= exchanges
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """A work queue with all that its proof depends on; `keys` are the routing keys of its messages."""

    queue: str
    settings: Settings
    retries: Retries | None
    keys: tuple[str, ...]

    @property
    def group(self) -> object:
        """Equal for queues that share a proof: their own key matters only where their dead letters keep it."""
        settings = self.settings if self.settings.max_length is None else replace(self.settings, max_length=1)
        return (settings, self.retries, self.keys if settings.dlx is not None and settings.dlx_key is None else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Proof:
    queue: str
    findings: tuple[Finding, ...]
    visited: frozenset[str]

    def covers(self, queue: str) -> bool:
        return queue not in self.visited - {self.queue}


class _Prover:
    def __init__(self, topology: Topology, release: Release, rests: frozenset[str]) -> None:
        self.topology, self.release, self.rests = topology, release, rests
        self.routes = Routes(topology, release)
        self.at_rest: dict[str, Walk] = {}
        self.settings = settings_in(topology, release)
        self.keys: dict[str, list[str]] = {}
        for binding in topology.bindings.values():
            if not binding.to_exchange:
                self.keys.setdefault(binding.destination, []).append(binding.routing_key)

    def case(self, name: str, retries: Retries | None) -> _Case:
        keys = (name, *(_sample(key) for key in self.keys.get(name, ())[:KEYS] if key))
        return _Case(queue=name, settings=self.settings[name], retries=retries, keys=tuple(dict.fromkeys(keys)))

    def proof(self, case: _Case) -> _Proof:
        findings: dict[Rule, Finding] = {}
        visited: set[str] = set()
        keys = case.keys if case.settings.dlx is not None and case.settings.dlx_key is None else case.keys[:1]
        for key in keys:
            for turns in self._scripts(case, key):
                walked = self._walk(case, key, turns)
                visited |= {step.queue for step in walked.steps if isinstance(step, Step)}
                rule = _RULES.get(walked.ending)
                if rule is not None:
                    finding = Finding(rule=rule, subject=case.queue, release=self.release, walk=walked, turns=turns)
                    findings[rule] = min(findings.get(rule, finding), finding, key=lambda each: each.length)
                elif walked.queue and walked.queue != case.queue:
                    self._arrived(walked)
        return _Proof(queue=case.queue, findings=tuple(findings.values()), visited=frozenset(visited))

    def looking(self) -> Iterator[Finding]:
        """Of each queue where messages came to rest, how many looks its most worn message survives."""
        for name, walked in self.at_rest.items():
            limit = self.settings[name].delivery_limit if name in self.settings else None
            if limit is None or limit >= SMALL_LIMIT:
                continue
            looks = min(self._looks(name, walked.message, how) for how in (Settle.NACK, Settle.CRASH))
            if looks <= LOOKS:
                yield Finding(rule=rules.LOOKING, subject=name, release=self.release, walk=walked, looks=looks)

    def _scripts(self, case: _Case, key: str) -> Iterator[tuple[Turn, ...]]:
        rejected = (Turn(Event.REJECT, LAPS), Turn(Event.REQUEUE))
        deaths = [(Turn(event, None),) for event in _possible(case.settings)]
        yield rejected
        yield from deaths
        if case.retries is not None and case.retries.attempts:
            yield (Turn(Event.FAIL, None),)
            yield from ((Turn(Event.FAIL), *script) for script in (rejected, *deaths))
        if self._walk(case, key, (Turn(Event.REJECT),)).ending is Ending.WORKED:
            yield from ((Turn(Event.REJECT), *script) for script in deaths)

    def _walk(self, case: _Case, key: str, turns: tuple[Turn, ...]) -> Walk:
        trip = Trip(queue=case.queue, turns=turns, key=key, placed=True, retries=case.retries, rests=self.rests)
        return walk(self.topology, trip, self.release, self.routes)

    def _arrived(self, walked: Walk) -> None:
        there = self.at_rest.get(walked.queue)
        if there is None or there.message.failures < walked.message.failures:
            self.at_rest[walked.queue] = walked

    def _looks(self, queue: str, message: Message, how: Settle) -> int:
        world = World(self.topology, self.release, self.routes)
        world.place(queue, message)
        for look in range(1, LOOKS + 1):
            delivery = world.get(queue)
            if delivery is None:  # held back by delayed retry, or gone
                return LOOKS + 1 if queue in world.where(ID) else look
            world.settle(delivery, how)
            if queue not in world.where(ID):
                return look
        return LOOKS + 1


_RULES = {
    Ending.DROPPED: rules.LOST,
    Ending.STUCK: rules.STUCK,
    Ending.ENDLESS: rules.ROUND,
    Ending.WORKED: rules.ROUND,
}
"""A walk that comes back after all its rejections, and is worked on then, would have gone on."""


def _possible(settings: Settings) -> Iterator[Event]:
    """How a message can die in a queue besides by rejection; any message may bring an expiration."""
    yield Event.EXPIRE
    if settings.delivery_limit is not None:
        yield Event.LIMIT
    if settings.max_length is not None and settings.overflow != REJECT_PUBLISH:
        yield Event.OVERFLOW


def _sample(binding_key: str) -> str:
    """A key that a topic binding takes."""
    return ".".join("any" if word in ("*", "#") else word for word in binding_key.split("."))
