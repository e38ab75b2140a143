"""Which work queue a dead letter came from, and whether that may be believed (design 7, promise 4; facts 1.5).

Sources in order: what RetryTask wrote; the newest death that is not one of a tier, a DLQ or Celery's native delay.
Never `x-first-death-queue`: after a delay it names the tier. A name is only a claim of the message, so where the
queues that feed the DLQ are known, any other is refused.
"""

from dataclasses import dataclass
from enum import StrEnum

from dlxctl.model import headers as names
from dlxctl.replay.letter import Letter

NATIVE_DELAY = "celery_delayed_"


class Hold(StrEnum):
    """Why a dead letter is left in its DLQ; the value is what reports and JSON say."""

    NO_ORIGIN = "no-origin"
    FOREIGN_ORIGIN = "foreign-origin"
    AMBIGUOUS_ORIGIN = "ambiguous-origin"
    NO_QUEUE = "no-queue"
    REFUSED = "refused"
    DROPS = "queue-drops"
    TOO_MANY_REPLAYS = "too-many-replays"
    CAME_BACK = "came-back"
    UNREADABLE = "unreadable"
    TOO_LARGE = "too-large"


HOLD_MEANINGS: dict[Hold, str] = {
    Hold.NO_ORIGIN: "it does not say which queue it came from: name one with --to",
    Hold.FOREIGN_ORIGIN: "it names a queue that does not feed this dead-letter queue: a claim that is not believed",
    Hold.AMBIGUOUS_ORIGIN: "its history names several queues at the same second: name one with --to",
    Hold.NO_QUEUE: "the queue that it came from does not exist: create it (dlxctl apply), or name another with --to",
    Hold.REFUSED: "the queue refused it (full, or too large a message): try again when there is room",
    Hold.DROPS: "the queue would drop older messages to take it (drop-head), or let it die again (reject-publish-dlx): "
    "set its overflow to reject-publish first",
    Hold.TOO_MANY_REPLAYS: "it was replayed too often already: find out why it dies, or raise --max-replays",
    Hold.CAME_BACK: "it died again during this run",
    Hold.UNREADABLE: "its headers cannot be read, so they cannot be rewritten",
    Hold.TOO_LARGE: "its headers would not fit one frame",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A decision to leave a dead letter where it is; `detail` names the object, e.g. the queue that is missing."""

    why: Hold
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OriginRules:
    """`skipped`: tiers, DLQs and parking queues, never an origin. `feeders`: the queues that dead-letter into this
    DLQ, None when neither file nor management API told."""

    skipped: frozenset[str] = frozenset()
    feeders: frozenset[str] | None = None

    def may_be_origin(self, queue: str) -> bool:
        """Whether a death in `queue` may be the one in a work queue."""
        return queue not in self.skipped and not queue.startswith(NATIVE_DELAY)


def origin_of(letter: Letter, rules: OriginRules) -> str | Held:
    """The name of the work queue, or why there is none to trust."""
    name = letter.text(names.ORIGIN) or _from_deaths(letter, rules)
    if isinstance(name, Held):
        return name
    if rules.feeders is not None and name not in rules.feeders:
        return Held(why=Hold.FOREIGN_ORIGIN, detail=name)
    return name


def _from_deaths(letter: Letter, rules: OriginRules) -> str | Held:
    candidates = [death for death in letter.deaths if rules.may_be_origin(death.queue)]
    if not candidates:
        return Held(why=Hold.NO_ORIGIN)
    first = candidates[0]
    if first is letter.deaths[0] or all(death.queue == first.queue for death in candidates):
        return first.queue
    latest = max(death.at for death in candidates)
    queues = {death.queue for death in candidates if death.at == latest}
    if len(queues) > 1:
        return Held(why=Hold.AMBIGUOUS_ORIGIN, detail=", ".join(sorted(queues)))
    return queues.pop()
