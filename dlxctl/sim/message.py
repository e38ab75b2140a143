"""A message and its deaths, and the headers in which the broker tells of them.

Source: https://www.rabbitmq.com/docs/dlx#effects; entries are grouped by queue and reason, and keep the exchange, the
routing keys and the expiration of the first death of their group.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from dlxctl.sim.versions import Release


class Reason(StrEnum):
    """Why a message died; the values are RabbitMQ's."""

    REJECTED = "rejected"
    EXPIRED = "expired"
    MAXLEN = "maxlen"
    DELIVERY_LIMIT = "delivery_limit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """All deaths in `queue` for `reason`: where the message had been published when it first died so."""

    queue: str
    reason: Reason
    exchange: str
    routing_key: str
    count: int = 1
    original_expiration_ms: int | None = None

    def entry(self) -> dict[str, Any]:
        """The entry of `x-death`, without its time."""
        entry: dict[str, Any] = {
            "count": self.count,
            "reason": str(self.reason),
            "queue": self.queue,
            "exchange": self.exchange,
            "routing-keys": [self.routing_key],
        }
        if self.original_expiration_ms is not None:
            entry["original-expiration"] = str(self.original_expiration_ms)
        return entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message as it lies in a queue.

    `exchange` and `routing_key` are those of its last publish or dead-lettering. `deaths` have the broker's order.
    `first` and `last` are the first and the last death as they happened. `failures` counts its failed deliveries.
    """

    id: str
    exchange: str = ""
    routing_key: str = ""
    headers: Mapping[str, Any] = field(default_factory=dict)
    expiration_ms: int | None = None
    deaths: tuple[Death, ...] = ()
    first: Death | None = None
    last: Death | None = None
    failures: int = 0

    def seen_headers(self, release: Release) -> dict[str, Any]:
        """Its own headers and those that a broker of `release` adds about deaths."""
        headers = dict(self.headers)
        for name, death in (("first", self.first), ("last", self.last if release.last_death else None)):
            if death is not None:
                headers |= {
                    f"x-{name}-death-exchange": death.exchange,
                    f"x-{name}-death-queue": death.queue,
                    f"x-{name}-death-reason": str(death.reason),
                }
        if self.deaths:
            headers["x-death"] = [death.entry() for death in self.deaths]
        return headers
