"""What one replay is asked to do, and what becomes of each dead letter under it. Pure."""

from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from dlxctl.model import headers as names
from dlxctl.replay import deaths
from dlxctl.replay.letter import Letter
from dlxctl.replay.origin import Held, Hold, OriginRules, origin_of
from dlxctl.replay.rewrite import RewriteOptions
from dlxctl.replay.verdict import may_be_copied
from dlxctl.wire import table

DEFAULT_MAX_REPLAYS = 5


class Chooser(Protocol):
    """What selects dead letters; `dlxctl.replay.selection.Selection` is one."""

    def matches(self, letter: Letter, rules: OriginRules) -> bool:
        """Whether the letter is meant."""


class Route(NamedTuple):
    """Where a copy is published: `exchange` '' means straight to the queue that `key` names. `parked`: it goes to the
    parking queue, as it is, since it was replayed too often."""

    exchange: str
    key: str
    parked: bool = False

    @property
    def label(self) -> str:
        """What reports call it."""
        return f"{self.exchange}:{self.key}" if self.exchange else self.key


class Left(NamedTuple):
    """The letter was not chosen: it stays, and nobody has to look into it."""


LEFT = Left()


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """Move `size` messages first and watch for `wait_s` seconds; stop when more than `percent` of them died again."""

    size: int
    percent: float = 0.0
    wait_s: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOrder:
    """`to` overrides every origin; `via_exchange` goes through the exchange and key of the original publish.

    `limit` bounds what is moved (None: all that was there at the start), `rate` how many a second. `chosen` None means
    all. `dropping`: target queues that drop their oldest message, or the new one, when they are full. `parking`: where
    what was replayed `max_replays` times goes, None to hold it. `may_rotate`: whether more than a few messages that
    stay may be moved to the tail of the queue.
    """

    queue: str
    rewrite: RewriteOptions
    rules: OriginRules = field(default_factory=OriginRules)
    chosen: Chooser | None = None
    to: str | None = None
    via_exchange: bool = False
    limit: int | None = None
    rate: float | None = None
    canary: Canary | None = None
    max_replays: int = DEFAULT_MAX_REPLAYS
    parking: str | None = None
    dropping: frozenset[str] = frozenset()
    may_rotate: bool = False


Decision = Route | Held | Left


def decide(letter: Letter, order: ReplayOrder) -> Decision:
    """Where a copy of `letter` goes, or why it stays."""
    if letter.broken_at >= 0:
        return Held(why=Hold.UNREADABLE, detail=f"octet {letter.broken_at} of its header")
    if letter.run == order.rewrite.run_id:
        return Held(why=Hold.CAME_BACK)
    if order.chosen is not None and not order.chosen.matches(letter, order.rules):
        return LEFT
    if letter.replays >= order.max_replays:
        if order.parking in order.dropping:
            return Held(why=Hold.DROPS, detail=order.parking)
        if order.parking and may_be_copied(letter, order.rewrite.user):
            return Route("", order.parking, parked=True)
        return Held(why=Hold.TOO_MANY_REPLAYS, detail=f"{letter.replays} times")
    return _destination(letter, order)


def _destination(letter: Letter, order: ReplayOrder) -> Decision:
    target = order.to or origin_of(letter, order.rules)
    if isinstance(target, Held):
        return target
    if target in order.dropping:
        return Held(why=Hold.DROPS, detail=target)
    if order.via_exchange and not order.to:
        return _original_publish(letter, target)
    return Route("", target)


def _original_publish(letter: Letter, queue: str) -> Decision:
    """The exchange and key under which the message first came to `queue`, from that death's entry."""
    raw = letter.delivery.header
    for located in letter.located_deaths:
        exchange, key = deaths.published_to(raw, located)
        if key and table.text(raw, located.get(b"queue")) == queue:
            return Route(exchange, key)
    if letter.text(names.ORIGIN):  # the worker's copy has no broker history: by name is all there is
        return Route("", queue)
    return Held(why=Hold.NO_ORIGIN, detail="no exchange and routing key in its history")
