"""How much is in a queue, as the management API tells: numbers that are up to eleven seconds old, or not there yet.

What the API leaves out or writes as null is None: unknown, and never taken for 0 (facts 11.3; a queue has no numbers
at all for its first seconds).
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """Numbers of messages and consumers of one queue.

    `elsewhere`: on the way to a dead-letter queue (`messages_dlx`), or delayed by the queue itself
    (`messages_delayed`); RabbitMQ counts neither as ready. `published`: how many messages were ever routed to it, also
    those that it refused, since the broker began to count; 0 where it counts none (`rates_mode`: none). `in_per_s` and
    `out_per_s`: how many come and go a second; at least so many, where messages come or go that no client moves.
    """

    ready: int | None = None
    unacknowledged: int | None = None
    elsewhere: int | None = None
    consumers: int | None = None
    published: int = 0
    in_per_s: float | None = None
    out_per_s: float | None = None

    @property
    def messages(self) -> int | None:
        """All messages, None when a part of them is unknown."""
        parts = (self.ready, self.unacknowledged, self.elsewhere)
        return None if None in parts else sum(part for part in parts if part is not None)
