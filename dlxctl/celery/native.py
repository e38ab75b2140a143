"""Native retries: RabbitMQ 4.3 itself delays a message that is returned to a quorum queue. Pure.

The broker counts failed returns (`basic.reject`, a lost worker) and waits longer after each, linearly; the worker reads
the count from the message. https://www.rabbitmq.com/docs/quorum-queues#delayed-retries
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dlxctl.model.headers import DELIVERY_COUNT
from dlxctl.model.layout import Ladder, native_delay_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeDelay:
    """How long the broker holds what is returned: `shortest_ms` the first time, then more, up to `longest_ms`."""

    shortest_ms: int
    longest_ms: int

    def delay_ms(self, returned: int) -> int:
        """The delay of a message that had been returned `returned` times before."""
        return native_delay_ms(self.shortest_ms, self.longest_ms, returned)

    def as_data(self) -> list[int]:
        """As it is written into a settings module."""
        return [self.shortest_ms, self.longest_ms]

    @classmethod
    def from_data(cls, data: Sequence[int]) -> "NativeDelay":
        """Read what `as_data` wrote."""
        shortest_ms, longest_ms = data
        return cls(shortest_ms=shortest_ms, longest_ms=longest_ms)

    @classmethod
    def of(cls, ladder: Ladder) -> "NativeDelay":
        """The delay of a native ladder."""
        return cls(shortest_ms=ladder.delays_ms[0], longest_ms=ladder.delays_ms[-1])


def returned(request: Mapping[str, Any]) -> int:
    """How often the broker has counted the message of Celery's `request` (headers and more) as failed in its queue.

    On a first delivery there is none: a count that is there all the same came along in the headers of a publisher
    (facts 1.3).
    """
    redelivered = (request.get("delivery_info") or {}).get("redelivered")
    count = request.get(DELIVERY_COUNT)
    return count if redelivered and isinstance(count, int) and count > 0 else 0
