"""A queue's messages: in which order they leave, when they expire, and when the queue is full.

Classic queues put a returned message back in its place. Quorum queues keep returned messages apart, in the order of
their return, and deliver them first. Messages expire at the head only (https://www.rabbitmq.com/docs/ttl), so one with
a long time to live keeps those behind it.
"""

from bisect import insort
from dataclasses import dataclass, replace

from dlxctl.model.topology import QueueType
from dlxctl.sim.message import Message
from dlxctl.sim.settings import DROP_HEAD, REJECT_PUBLISH, Settings
from dlxctl.sim.steps import Cause, Settle
from dlxctl.sim.versions import Release

SOFT_LIMIT = 0.8
"""A quorum queue that has refused takes messages again when it is down to this part of its limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A message in a queue: `position` is its turn, `returns` how often it came back here."""

    message: Message
    position: int
    expires_ms: int | None = None
    returns: int = 0


class QueueState:
    """One queue. `stuck` are dead letters that at-least-once dead-lettering cannot place, with the cause."""

    def __init__(self, name: str, settings: Settings, release: Release) -> None:
        self.name, self.settings, self._release = name, settings, release
        self.quorum = settings.type is QueueType.QUORUM
        self.stuck: list[tuple[Message, Cause]] = []
        self._ready: list[Entry] = []
        self._returned: list[Entry] = []
        self._delayed: list[tuple[int, Entry]] = []
        self._blocked: dict[str, bool] = {}
        self._positions = 0

    def messages(self) -> tuple[Message, ...]:
        """Those that wait for a consumer, now or after a delayed retry."""
        delayed = [entry for _, entry in self._delayed]
        return tuple(entry.message for entry in (*self._returned, *self._ready, *delayed))

    def add(self, message: Message, now_ms: int) -> int | None:
        """Put `message` at the end; how long it may live here: the shorter of the queue's time and its own, or None."""
        times = [ttl for ttl in (self.settings.ttl_ms, message.expiration_ms) if ttl is not None]
        lives_ms = max(min(times), 1 if self.quorum else 0) if times else None
        expires = None if lives_ms is None else now_ms + lives_ms
        self._ready.append(Entry(message=message, position=self._next_position(), expires_ms=expires))
        return lives_ms

    @property
    def ready(self) -> bool:
        """Whether there is a message to take."""
        return bool(self._returned or self._ready)

    def take(self) -> Entry | None:
        """The next message, which is then no longer here."""
        queue = self._returned or self._ready
        return queue.pop(0) if queue else None

    def put_back(self, entry: Entry, settle: Settle) -> None:
        """Take a returned message back."""
        if not self.quorum:
            insort(self._ready, entry, key=lambda each: each.position)
        elif self._goes_to_the_back(settle):
            self._ready.append(replace(entry, position=self._next_position()))
        else:
            self._returned.append(entry)

    def delay(self, entry: Entry, ready_ms: int) -> None:
        """Hold a returned message back until `ready_ms`."""
        self._delayed.append((ready_ms, entry))
        self._delayed.sort(key=lambda each: each[0])

    def release_delayed(self, now_ms: int) -> None:
        """Let go of what was held back until now."""
        while self._delayed and self._delayed[0][0] <= now_ms:
            self._returned.append(self._delayed.pop(0)[1])

    def take_expired(self, now_ms: int) -> Entry | None:
        """A head whose time is over."""
        for queue in self._heads():
            if queue[0].expires_ms is not None and queue[0].expires_ms <= now_ms:
                return queue.pop(0)
        return None

    def next_event_ms(self) -> int | None:
        """When the next head expires or the next delay ends."""
        times = [queue[0].expires_ms for queue in self._heads() if queue[0].expires_ms is not None]
        return min(times + [ready_ms for ready_ms, _ in self._delayed[:1]], default=None)

    @property
    def over_limit(self) -> bool:
        """Whether there are more messages than the limit allows. Those with a consumer do not count."""
        limit = self.settings.max_length
        return limit is not None and self._length() > limit

    @property
    def drops_head(self) -> bool:
        """Whether it makes room by dropping its oldest message."""
        return self.settings.overflow == DROP_HEAD and self.over_limit

    def refuses(self, sender: str | None) -> bool:
        """Whether it would not take a message of `sender` now; None: a dead letter whose confirm nobody waits for.

        A classic queue counts before it takes the message. A quorum queue tells each sender it has met when it goes
        over its limit, and when it is well under it again; of at-most-once dead letters it refuses none.
        """
        if self.settings.overflow == DROP_HEAD or self.settings.max_length is None:
            return False
        if not self.quorum:
            return self._length() >= self.settings.max_length
        return sender is not None and self._blocked.setdefault(sender, self.over_limit)

    def tell_senders(self) -> None:
        """Block the known senders of a quorum queue that is over its limit, free them when well under."""
        limit = self.settings.max_length
        if limit is None or not self.quorum or self.settings.overflow != REJECT_PUBLISH:
            return
        if self.over_limit:
            self._blocked = dict.fromkeys(self._blocked, True)
        elif self._length() <= int(limit * SOFT_LIMIT):
            self._blocked = dict.fromkeys(self._blocked, False)

    def _heads(self) -> list[list[Entry]]:
        """Non-empty lists whose first message may expire."""
        lists = [entries for entries in (self._returned, self._ready) if entries]
        return lists if self._release.expires_both_heads else lists[:1]

    def _length(self) -> int:
        return len(self._ready) + len(self._returned) + len(self._delayed) + len(self.stuck)

    def _goes_to_the_back(self, settle: Settle) -> bool:
        back = self._release.returns_to_the_back and self.settings.delivery_limit is None
        return back and settle is not Settle.CRASH

    def _next_position(self) -> int:
        self._positions += 1
        return self._positions
