"""Resource alarms of the nodes: while one is on, the broker takes no message from anybody.

Rule: https://www.rabbitmq.com/docs/alarms. `GET /api/nodes` needs the tag `monitoring`.
"""

from dlxctl.broker.address import Access
from dlxctl.broker.http import Http

_KINDS = {"mem_alarm": "memory", "disk_free_alarm": "disk"}


def alarms(access: Access) -> tuple[str, ...] | None:
    """`memory on rabbit@one`, a line for each alarm; None when the user may not know. Raises BrokerUnavailable."""
    columns = ",".join(("name", *_KINDS))
    answer = Http(access.management).request("GET", "nodes", query=f"columns={columns}")
    if answer.status >= 300 or not isinstance(answer.data, list):
        return None
    return tuple(
        f"{kind} on {row.get('name', '?')}"
        for row in answer.data
        for key, kind in _KINDS.items()
        if isinstance(row, dict) and row.get(key) is True
    )
