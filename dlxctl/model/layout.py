"""What a topology.yaml says, with defaults applied and names filled in: the values between spec and everything else.

A `Layout` knows roles (work queue, tier, dead-letter queue); `dlxctl.model.topology` knows broker objects. Times are
milliseconds throughout, and their names end in `_ms`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, assert_never

from dlxctl.model.diagnostics import Place
from dlxctl.model.topology import Policy, QueueType

Path = tuple[str | int, ...]


class SettingsMode(StrEnum):
    """Where settings that may change later are kept on the broker (design 4.2)."""

    POLICY = "policy"
    ARGUMENTS = "arguments"


class Backend(StrEnum):
    """What holds a message until it is tried again."""

    TIERS = "tiers"
    """A queue for each delay, on every RabbitMQ."""
    NATIVE = "native"
    """The quorum work queue itself, from RabbitMQ 4.3 on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """A retry ladder: `attempts` retries through `delays_ms` (strictly growing); the last delay repeats.

    Of a native one the first delay is the shortest, and the last the longest.
    """

    name: str
    delays_ms: tuple[int, ...]
    attempts: int
    backend: Backend = Backend.TIERS

    def delay_ms(self, attempt: int) -> int:
        """The delay before retry number `attempt`, counted from 0."""
        match self.backend:
            case Backend.TIERS:
                return self.delays_ms[min(attempt, len(self.delays_ms) - 1)]
            case Backend.NATIVE:
                return native_delay_ms(self.delays_ms[0], self.delays_ms[-1], attempt)
            case _:
                assert_never(self.backend)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterQueue:
    """A DLQ; after `retention_ms` a message moves on to `parking`, which is set whenever `retention_ms` is."""

    name: str
    retention_ms: int | None = None
    max_length: int | None = None
    parking: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicExchange:
    """An exchange that applications publish to."""

    name: str
    type: str
    durable: bool = True
    auto_delete: bool = False
    internal: bool = False
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueBinding:
    """A binding of a queue to a public exchange."""

    exchange: str
    routing_key: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkQueue:
    """A work queue as the file wants it; `retry` and `dead_letter` name a ladder and a DLQ, None for none.

    `arguments` is the escape hatch: broker arguments (`x-...`) verbatim.
    """

    name: str
    type: QueueType = QueueType.QUORUM
    retry: str | None = None
    dead_letter: str | None = None
    delivery_limit: int | None = None
    max_length: int | None = None
    overflow: str | None = None
    single_active_consumer: bool = False
    consumer_timeout_ms: int | None = None
    priority: int | None = None
    bindings: tuple[QueueBinding, ...] = ()
    tasks: tuple[str, ...] = ()
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerbatimQueue:
    """A queue that is kept as it is, and that no worker consumes: another style's tier, a stream, a passing one.

    Its form guarantees what RabbitMQ asks: a quorum queue or stream is durable and not deleted by itself.
    """

    name: str
    type: QueueType = QueueType.CLASSIC
    durable: bool = True
    auto_delete: bool = False
    bindings: tuple[QueueBinding, ...] = ()
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeBinding:
    """A binding of the exchange `destination` to the exchange `source`."""

    source: str
    destination: str
    routing_key: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verbatim:
    """What the file holds without a role of ours; the policies are by name, as RabbitMQ has them."""

    queues: Mapping[str, VerbatimQueue] = field(default_factory=dict)
    bindings: tuple[ExchangeBinding, ...] = ()
    policies: Mapping[str, Policy] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """How the objects that dlxctl makes are called; `retry` holds `{delay}` (canonical: 10s, 1m, 1500ms)."""

    dlx: str = "dlx"
    retry: str = "retry.{delay}"

    @property
    def unrouted(self) -> str:
        """The alternate exchange of the DLX."""
        return f"{self.dlx}.unrouted"

    def tier(self, delay_ms: int) -> str:
        """The name of a tier's queue and exchange: 60000 -> `retry.1m`."""
        return self.retry.replace("{delay}", delay_text(delay_ms))


@dataclass(frozen=True, slots=True, kw_only=True)
class CeleryOptions:
    """The `celery:` section: its own switches, and `extra`, Celery settings passed through verbatim."""

    default_queue: str | None = None
    declare: bool = False
    native_delay: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A whole topology file. Mappings keep the order of the file; `places` and `source` take no part in comparison.

    `cluster_name`: the only cluster that it may be applied to, None for any.
    """

    name: str
    vhost: str = "/"
    ladders: Mapping[str, Ladder] = field(default_factory=dict)
    dead_letter_queues: Mapping[str, DeadLetterQueue] = field(default_factory=dict)
    exchanges: Mapping[str, PublicExchange] = field(default_factory=dict)
    work_queues: Mapping[str, WorkQueue] = field(default_factory=dict)
    verbatim: Verbatim = field(default_factory=Verbatim)
    settings: SettingsMode = SettingsMode.POLICY
    naming: Naming = field(default_factory=Naming)
    celery: CeleryOptions = field(default_factory=CeleryOptions)
    cluster_name: str | None = None
    source: str = field(default="topology.yaml", compare=False)
    places: Mapping[Path, Place] = field(default_factory=dict, compare=False)

    def place(self, *path: str | int) -> Place:
        """Where `path` stands in the file; its nearest known parent when it was not written out."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, Place())

    @property
    def tiers_ms(self) -> tuple[int, ...]:
        """Every distinct delay of the ladders with tiers, ascending: one tier each, shared by all queues."""
        ladders = (ladder for ladder in self.ladders.values() if ladder.backend is Backend.TIERS)
        return tuple(sorted({delay for ladder in ladders for delay in ladder.delays_ms}))

    def native_ladder(self, queue: WorkQueue) -> Ladder | None:
        """The ladder of `queue` where the broker itself delays its retries."""
        ladder = self.ladders.get(queue.retry or "")
        return ladder if ladder is not None and ladder.backend is Backend.NATIVE else None

    @property
    def tier_names(self) -> frozenset[str]:
        return frozenset(self.naming.tier(delay) for delay in self.tiers_ms)

    @property
    def owner_exchange(self) -> str:
        """The exchange whose bindings mark what this topology owns."""
        return f"dlxctl.{self.name}"

    @property
    def lock_queue(self) -> str:
        return f"dlxctl.lock.{self.name}"


def native_delay_ms(shortest_ms: int, longest_ms: int, attempt: int) -> int:
    """The delay before retry number `attempt`, counted from 0, as RabbitMQ 4.3 grows it: linearly (facts 13.2)."""
    return min(shortest_ms * (attempt + 1), longest_ms)


_UNITS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1))


def delay_text(delay_ms: int) -> str:
    """The canonical spelling of a delay, in the largest unit that divides it: 90000 -> `90s`, 60000 -> `1m`."""
    for unit, size in _UNITS:
        if delay_ms % size == 0 and delay_ms >= size:
            return f"{delay_ms // size}{unit}"
    return f"{delay_ms}ms"
