"""What the management API tells of one queue's messages: behind by up to ten seconds, and all that tells of messages
that are unacknowledged, delayed, or waiting to be dead-lettered (facts 9.8, 11.3)."""

from typing import Any

from dlxctl.broker import http_failures
from dlxctl.broker.address import Access
from dlxctl.broker.http import Http

LAG_S = 10.0
"""How far behind at most: measured 3 to 9 s on 3.10, 4.0 and 4.3."""
_KINDS = ("messages", "messages_ready", "messages_unacknowledged", "messages_dlx", "messages_delayed")


class QueueStatistics:
    """The statistics of queues in the vhost of `access`."""

    def __init__(self, access: Access) -> None:
        self._access, self._http = access, Http(access.management)

    def of(self, queue: str) -> dict[str, int] | None:
        """Messages by kind, as far as the broker tells; None when it tells nothing yet, or knows no such queue.

        What is missing is unknown, never 0, but for kinds that the version or the type does not have. Raises
        BrokerUnavailable.
        """
        answer = self._http.request("GET", "queues", self._access.vhost, queue)
        if answer.status >= 300:
            return None
        if not isinstance(answer.data, dict):
            raise http_failures.garbage(self._access.management, f"GET queues/{queue}")
        row: dict[str, Any] = answer.data
        told = {kind: row[kind] for kind in _KINDS if isinstance(row.get(kind), int)}
        return told if "messages_unacknowledged" in told else None
