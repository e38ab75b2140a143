"""The road of a failing task: through which tiers its work queue retries it, and where it comes to rest.

Written as plain data into the generated settings (`dlxctl_queues`) and read back by the worker; pure, so that the
generator, the worker and the tests share one reading of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dlxctl.celery.native import NativeDelay
from dlxctl.model.layout import Layout, WorkQueue

SETTING = "dlxctl_queues"
"""The Celery setting that holds the roads, by name of the work queue. Celery stores keys that it does not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """One delay: the fanout exchange to publish to, and how long its queue keeps the message."""

    exchange: str
    delay_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Road:
    """What happens to failures of one work queue.

    `tiers` ascend; they are empty where nothing is retried, and where `native` says how the broker delays what is given
    back. `attempts` is the number of retries. `dlx` and `dead_letter` (a DLQ and its routing key) are both None where
    failures are dropped.
    """

    tiers: tuple[Tier, ...] = ()
    attempts: int = 0
    dlx: str | None = None
    dead_letter: str | None = None
    native: NativeDelay | None = None

    @property
    def retries(self) -> bool:
        """Whether failures are tried again at all."""
        return bool(self.tiers) or self.native is not None

    def limit(self, wanted: int | None) -> int | None:
        """How often a message is retried whose task says `wanted`, None for ever. Natively the broker ends it."""
        if self.native is None:
            return wanted
        return self.attempts if wanted is None else min(wanted, self.attempts)

    def tier(self, attempt: int, countdown: float | None = None) -> Tier:
        """The tier before retry number `attempt` (from 0), or for a `countdown` in seconds the nearest not shorter."""
        if countdown is None:
            return self.tiers[min(attempt, len(self.tiers) - 1)]
        return next((tier for tier in self.tiers if tier.delay_ms >= countdown * 1000), self.tiers[-1])

    def as_data(self) -> dict[str, Any]:
        """The road as plain lists, strings and numbers, for a settings module."""
        return {
            "tiers": [[tier.exchange, tier.delay_ms] for tier in self.tiers],
            "attempts": self.attempts,
            "dlx": self.dlx,
            "dead_letter": self.dead_letter,
            **({"native": self.native.as_data()} if self.native else {}),
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> "Road":
        """Read what `as_data` wrote."""
        return cls(
            tiers=tuple(Tier(exchange=exchange, delay_ms=delay_ms) for exchange, delay_ms in data["tiers"]),
            attempts=data["attempts"],
            dlx=data["dlx"],
            dead_letter=data["dead_letter"],
            native=NativeDelay.from_data(data["native"]) if "native" in data else None,
        )


def road_of(layout: Layout, queue: WorkQueue) -> Road:
    """The road of one work queue of the file."""
    ladder = layout.ladders[queue.retry] if queue.retry else None
    native = layout.native_ladder(queue)
    delays = ladder.delays_ms if ladder and not native else ()
    return Road(
        tiers=tuple(Tier(exchange=layout.naming.tier(delay), delay_ms=delay) for delay in delays),
        attempts=ladder.attempts if ladder else 0,
        dlx=layout.naming.dlx if queue.dead_letter else None,
        dead_letter=queue.dead_letter,
        native=NativeDelay.of(native) if native else None,
    )
