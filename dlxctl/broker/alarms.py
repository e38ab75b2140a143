"""Resource alarms of the nodes: while one is on, the broker takes no message from anybody.

Rule: https://www.rabbitmq.com/docs/alarms. The health check tells at once and to everybody who may use the management
API (measured on 3.10, 4.0 and 4.3); `GET /api/nodes` knows it some seconds later, nothing of a node that has just
started, and needs the tag `monitoring`.
"""

from dlxctl.broker.address import Access
from dlxctl.broker.http import UNHEALTHY, Http


def alarms(access: Access) -> tuple[str, ...] | None:
    """`memory on rabbit@one`, a line for each alarm; None when the user may not know. Raises BrokerUnavailable."""
    answer = Http(access.management).check("health", "checks", "alarms")
    if answer.status != UNHEALTHY:
        return () if answer.status < 300 else None
    told = answer.data.get("alarms") if isinstance(answer.data, dict) else None
    if not isinstance(told, list):
        return None
    return tuple(f"{row.get('resource', '?')} on {row.get('node', '?')}" for row in told if isinstance(row, dict))
