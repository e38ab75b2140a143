"""What one replay is asked to do, and what becomes of each dead letter under it. Pure."""

from dataclasses import dataclass, field

from dlxctl.model import headers as names
from dlxctl.replay.letter import Letter
from dlxctl.replay.origin import Held, Hold, OriginRules, origin_of
from dlxctl.replay.rewrite import RewriteOptions

DEFAULT_MAX_REPLAYS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOrder:
    """`to` overrides every origin; `limit` bounds what is moved (None: all that was there at the start).

    `dropping`: target queues that are full and drop their oldest message to take a new one.
    """

    queue: str
    rewrite: RewriteOptions
    rules: OriginRules = field(default_factory=OriginRules)
    to: str | None = None
    limit: int | None = None
    max_replays: int = DEFAULT_MAX_REPLAYS
    dropping: frozenset[str] = frozenset()


def destination(letter: Letter, order: ReplayOrder) -> str | Held:
    """The queue that a copy of `letter` goes to, or why it stays."""
    if letter.broken_at >= 0:
        return Held(why=Hold.UNREADABLE, detail=f"octet {letter.broken_at} of its header")
    run, _, _ = (letter.text(names.RUN) or "").rpartition("/")
    if run == order.rewrite.run_id:
        return Held(why=Hold.CAME_BACK)
    if letter.replays >= order.max_replays:
        return Held(why=Hold.TOO_MANY_REPLAYS, detail=f"{letter.replays} times")
    target = order.to or origin_of(letter, order.rules)
    if isinstance(target, str) and target in order.dropping:
        return Held(why=Hold.DROPS, detail=target)
    return target
