"""Our own style on a broker: tiers, the DLX with its DLQs and parking queues, and the settings of work queues.

The inverse of `spec.expand`. Only what is exactly as expand makes it is recognised, so that nothing is lost; what the
broker does not know (attempts, which queue retries through which ladder, tasks) is guessed or left out.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from dlxctl.model.attributes import BY_ARGUMENT, SAFE_DELIVERY_LIMIT
from dlxctl.model.layout import (
    Backend,
    DeadLetterQueue,
    Ladder,
    Layout,
    Naming,
    QueueBinding,
    SettingsMode,
    WorkQueue,
    delay_text,
)
from dlxctl.model.patterns import names_in
from dlxctl.model.topology import Arguments, Binding, Exchange, Queue, QueueType, Topology
from dlxctl.spec.expand import dead_letter_settings, work_settings

MOST_DELAYS = 20
"""A ladder of a file has no more (`spec.model.LadderForm`)."""
TIER = {
    "x-queue-type": "quorum",
    "x-dead-letter-exchange": "",
    "x-dead-letter-strategy": "at-least-once",
    "x-overflow": "reject-publish",
}
SAFE = {"x-queue-type": "quorum", "x-delivery-limit": SAFE_DELIVERY_LIMIT}
TUNABLE = frozenset(
    {"dead-letter-exchange", "dead-letter-routing-key", "dead-letter-strategy", "overflow", "max-length", "message-ttl",
     "delivery-limit", "consumer-timeout", "delayed-retry-type", "delayed-retry-min", "delayed-retry-max"}
)  # fmt: skip
"""The policy keys that expand may set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """What was recognised. `layout` has naming, ladders and DLQs, and no work queues.

    `queues` and `exchanges`: the names of theirs. `definitions`: what our policies set, by queue.
    """

    layout: Layout
    queues: frozenset[str] = frozenset()
    exchanges: frozenset[str] = frozenset()
    definitions: Mapping[str, Arguments] = field(default_factory=dict)

    def settings(self, queue: Queue) -> tuple[dict[str, Any], dict[str, Any]]:
        """Its tunable settings by policy key, and its other arguments."""
        plain = {key: value for key, value in queue.arguments.items() if key != "x-queue-type"}
        if self.layout.settings is SettingsMode.POLICY:
            return dict(self.definitions.get(queue.name, {})), plain
        tunable = {a: policy for a in plain if a in BY_ARGUMENT and (policy := BY_ARGUMENT[a].policy) in TUNABLE}
        settings = {policy: plain.pop(argument) for argument, policy in tunable.items()}
        return settings, plain


def own_style(topology: Topology, name: str) -> Own:
    """What of `topology` is as dlxctl makes it for the topology `name`."""
    prefix = f"dlxctl.{name}."
    ours = [policy for policy in topology.policies.values() if policy.name.startswith(prefix)]
    definitions = {queue: p.definition for p in ours for queue in names_in(p.pattern) or ()}
    view = _View(topology)
    pattern, delays = view.tiers()
    chunks = [delays[start : start + MOST_DELAYS] for start in range(0, len(delays), MOST_DELAYS)]
    ladders = {f"standard{i + 1 if i else ''}": chunk for i, chunk in enumerate(chunks)}
    layout = Layout(
        name=name,
        vhost=topology.vhost,
        ladders={n: Ladder(name=n, delays_ms=chunk, attempts=len(chunk)) for n, chunk in ladders.items()},
        naming=Naming(retry=pattern),
    )
    tiers = frozenset(layout.tier_names)
    found = Own(layout=layout, queues=tiers, exchanges=tiers, definitions=definitions)
    found = next(view.dead_letters(found, keep_policies=bool(ours)), found)
    return replace(found, layout=replace(found.layout, ladders={**found.layout.ladders, **_native(definitions)}))


def work_queue(queue: Queue, bindings: tuple[QueueBinding, ...], own: Own) -> WorkQueue:
    """The work queue that expands to `queue`; where its settings are not ours, with all arguments as they are."""
    layout = own.layout
    settings, extra = own.settings(queue)
    dead_letter = settings.get("dead-letter-routing-key")
    known = settings.get("dead-letter-exchange") == layout.naming.dlx and dead_letter in layout.dead_letter_queues
    retry = _retry(settings, own) if known else None
    native = retry is not None and layout.ladders[retry].backend is Backend.NATIVE
    wanted = WorkQueue(
        name=queue.name,
        type=queue.type,
        retry=retry,
        dead_letter=dead_letter if known else None,
        delivery_limit=None if native else settings.get("delivery-limit"),
        max_length=settings.get("max-length"),
        consumer_timeout_ms=settings.get("consumer-timeout"),
        bindings=bindings,
        **_fixed(queue, extra),
    )
    for overflow in (None, settings.get("overflow")):
        candidate = replace(wanted, overflow=overflow)
        if work_settings(candidate, layout) == settings:
            return candidate
    plain = {key: value for key, value in queue.arguments.items() if key != "x-queue-type"}
    return WorkQueue(name=queue.name, type=queue.type, bindings=bindings, **_fixed(queue, plain))


def _fixed(queue: Queue, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Priority and single active consumer under their own keys, where these can say them; the rest as it is."""
    rest = dict(arguments)
    found: dict[str, Any] = {}
    priority = rest.get("x-max-priority")
    if type(priority) is int and 1 <= priority <= 255 and queue.type is QueueType.CLASSIC:
        found["priority"] = rest.pop("x-max-priority")
    if rest.get("x-single-active-consumer") is True:
        found["single_active_consumer"] = rest.pop("x-single-active-consumer")
    return {**found, "arguments": rest}


def _retry(settings: Mapping[str, Any], own: Own) -> str | None:
    """The native ladder that the settings say, or else the first with tiers: a guess, for the broker does not know."""
    asked = _native({"": settings}).values()
    for name, ladder in own.layout.ladders.items():
        if any(replace(each, name=name) == ladder for each in asked) or (not asked and ladder.backend is Backend.TIERS):
            return name
    return None


def _native(definitions: Mapping[str, Arguments]) -> dict[str, Ladder]:
    """A ladder for each way in which policies have quorum queues of 4.3 retry by themselves."""
    found: dict[tuple[int, int, int], None] = {}
    for said in definitions.values():
        values = tuple(said.get(key) for key in ("delayed-retry-min", "delayed-retry-max", "delivery-limit"))
        if said.get("delayed-retry-type") == "failed" and all(type(value) is int and value > 0 for value in values):
            found[values] = None  # type: ignore[index]  # `all` has looked at the three; mypy does not follow it
    ladders: dict[str, Ladder] = {}
    for index, (shortest, longest, attempts) in enumerate(found):
        name = f"native{index + 1 if index else ''}"
        delays = (shortest,) if shortest == longest else (shortest, longest)
        ladders[name] = Ladder(name=name, delays_ms=delays, attempts=attempts, backend=Backend.NATIVE)
    return ladders


class _View:
    """A topology with its bindings by source and by destination queue."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self._from: dict[str, list[Binding]] = {}
        self._to: dict[str, list[Binding]] = {}
        for binding in topology.bindings.values():
            self._from.setdefault(binding.source, []).append(binding)
            if not binding.to_exchange:
                self._to.setdefault(binding.destination, []).append(binding)

    def tiers(self) -> tuple[str, tuple[int, ...]]:
        """The naming pattern that most tiers have, and their delays; our own pattern and none where there are none."""
        groups: dict[str, list[int]] = {}
        for queue in self._topology.queues.values():
            before, delay, after = queue.name.rpartition(delay_text(_ttl(queue))) if _ttl(queue) else ("", "", "")
            if delay and self._is_tier(queue):
                groups.setdefault(f"{before}{{delay}}{after}", []).append(_ttl(queue))
        sound = {pattern: delays for pattern, delays in groups.items() if pattern.count("{delay}") == 1}
        best = max(sound.items(), key=lambda group: (len(group[1]), group[0]), default=(Naming().retry, []))
        return best[0], tuple(sorted(best[1]))

    def dead_letters(self, own: Own, *, keep_policies: bool) -> Iterator[Own]:
        """With the DLX, its DLQs and parking queues; once for each exchange and mode that fit."""
        modes = (SettingsMode.POLICY,) if keep_policies else (SettingsMode.ARGUMENTS, SettingsMode.POLICY)
        for exchange in self._topology.exchanges.values():
            naming = replace(own.layout.naming, dlx=exchange.name)
            names = self._fed(exchange, naming)
            for mode in modes if names else ():
                layout = replace(own.layout, naming=naming, settings=mode)
                queues = self._dead_letter_queues(names, replace(own, layout=layout))
                if queues and (mode is SettingsMode.POLICY or self._nailed(naming, names)):
                    parked = {queue.parking for queue in queues if queue.parking}
                    yield replace(
                        own,
                        layout=replace(layout, dead_letter_queues={queue.name: queue for queue in queues}),
                        queues=own.queues | parked | set(names),
                        exchanges=own.exchanges | {naming.dlx, naming.unrouted},
                    )

    def _is_tier(self, queue: Queue) -> bool:
        fixed = {key: value for key, value in queue.arguments.items() if key != "x-message-ttl"}
        only = [Binding(source=queue.name, destination=queue.name)]
        return (
            fixed == TIER
            and self._topology.exchange(queue.name) == Exchange(name=queue.name, type="fanout")
            and self._from.get(queue.name) == only == self._to.get(queue.name)
        )

    def _fed(self, dlx: Exchange, naming: Naming) -> tuple[str, ...]:
        """The names of the DLQs if `dlx` is a DLX of ours, the one for unrouted letters first."""
        backed = Exchange(name=dlx.name, arguments={"alternate-exchange": naming.unrouted})
        net = Exchange(name=naming.unrouted, type="fanout")
        leads, caught = self._from.get(dlx.name, []), self._from.get(naming.unrouted, [])
        if dlx != backed or self._topology.exchange(naming.unrouted) != net or len(caught) != 1:
            return ()
        first = caught[0].destination
        fed = [b.destination for b in leads]
        wanted = [Binding(source=dlx.name, destination=name, routing_key=name) for name in fed]
        if leads != wanted or caught != [Binding(source=naming.unrouted, destination=first)] or first not in fed:
            return ()
        return (first, *(name for name in fed if name != first))

    def _dead_letter_queues(self, names: tuple[str, ...], own: Own) -> tuple[DeadLetterQueue, ...]:
        found = [self._dead_letter_queue(name, own) for name in names]
        return tuple(queue for queue in found if queue) if all(found) else ()

    def _dead_letter_queue(self, name: str, own: Own) -> DeadLetterQueue | None:
        queue = self._topology.queue(name)
        dlx, unrouted = own.layout.naming.dlx, own.layout.naming.unrouted
        if queue is None or any(b.source not in (dlx, unrouted) for b in self._to.get(name, ())):
            return None
        rest = {key: value for key, value in queue.arguments.items() if SAFE.get(key) != value}
        settings, extra = own.settings(replace(queue, arguments=rest))
        wanted = DeadLetterQueue(
            name=name,
            retention_ms=settings.get("message-ttl"),
            max_length=settings.get("max-length"),
            parking=settings.get("dead-letter-routing-key"),
        )
        safe = SAFE.items() <= dict(queue.arguments).items() and not extra
        fits = safe and dead_letter_settings(wanted) == settings and self._parks(wanted.parking)
        return wanted if fits else None

    def _parks(self, name: str | None) -> bool:
        queue = self._topology.queue(name or "")
        return name is None or (queue is not None and queue.arguments == SAFE and name not in self._to)

    def _nailed(self, naming: Naming, names: tuple[str, ...]) -> bool:
        """Whether a queue has its road into the DLX among its arguments."""
        roads = ((q.arguments.get("x-dead-letter-exchange"), q.arguments.get("x-dead-letter-routing-key"))
                 for q in self._topology.queues.values())  # fmt: skip
        return any(exchange == naming.dlx and key in names for exchange, key in roads)


def _ttl(queue: Queue) -> int:
    ttl = queue.arguments.get("x-message-ttl")
    return ttl if type(ttl) is int and ttl > 0 else 0
