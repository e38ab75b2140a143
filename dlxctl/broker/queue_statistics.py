"""What the management API tells of one queue's messages: behind by up to ten seconds, and all that tells of messages
that are unacknowledged, delayed, or waiting to be dead-lettered (facts 9.8, 11.3)."""

from typing import Any, TypeVar

from dlxctl.broker import http_failures
from dlxctl.broker.address import Access
from dlxctl.broker.http import Http

Shape = TypeVar("Shape", bound=dict[str, Any] | list[Any])
LAG_S = 10.0
"""How far behind at most: measured 3 to 9 s on 3.10, 4.0 and 4.3."""
_KINDS = ("messages", "messages_ready", "messages_unacknowledged", "messages_dlx", "messages_delayed")


class QueueStatistics:
    """The statistics of queues in the vhost of `access`."""

    def __init__(self, access: Access, *, tags: frozenset[str] = frozenset()) -> None:
        """`tags` are the user's: those of other users' channels are shown to some only."""
        self._access, self._http = access, Http(access.management)
        self._sees_all = bool(tags & {"monitoring", "administrator"})

    def of(self, queue: str) -> dict[str, int] | None:
        """Messages by kind, as far as the broker tells; None when it tells nothing yet, or knows no such queue.

        What is missing is unknown, never 0, but for kinds that the version or the type does not have. Raises
        BrokerUnavailable.
        """
        row = self._get(dict, "queues", self._access.vhost, queue) or {}
        told = {kind: row[kind] for kind in _KINDS if isinstance(row.get(kind), int)}
        return told if "messages_unacknowledged" in told else None

    def held_by_others(self, queue: str, priority: int) -> int | None:
        """At most so many messages of `queue` are with others than its consumer of `priority`; None when unknown.

        Counted by channel: those that consume from the queue, also what they have of other queues, and those that
        consume nothing, which may have got single messages. Raises BrokerUnavailable.
        """
        if not self._sees_all:
            return None
        consumers = self._get(list, "consumers", self._access.vhost)
        columns = "columns=name,consumer_count,messages_unacknowledged"
        channels = self._get(list, "vhosts", self._access.vhost, "channels", query=columns)
        if consumers is None or channels is None:
            return None
        of_queue = [row for row in consumers if row["queue"]["name"] == queue]
        if not all(map(_channel, of_queue)):
            return None
        ours = {_channel(row) for row in of_queue if (row["arguments"] or {}).get("x-priority") == priority}
        theirs = {_channel(row) for row in of_queue} - ours
        held = [
            row.get("messages_unacknowledged")
            for row in channels
            if row.get("name") in theirs or (not row.get("consumer_count") and row.get("name") not in ours)
        ]
        return None if None in held else sum(held)

    def _get(self, shape: type[Shape], *path: str, query: str = "") -> Shape | None:
        """What the API answers; None when it refuses."""
        answer = self._http.request("GET", *path, query=query)
        if answer.status >= 300:
            return None
        if not isinstance(answer.data, shape):
            raise http_failures.garbage(self._access.management, f"GET {'/'.join(path)}")
        return answer.data


def _channel(consumer: dict[str, Any]) -> str:
    """Its name; '' while the API knows nothing of it, which it writes as an empty list."""
    return str((consumer["channel_details"] or {}).get("name") or "")
