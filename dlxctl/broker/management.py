"""`Admin` on a real broker: objects through the management API, the lock, and what is much, through AMQP.

Rules: https://www.rabbitmq.com/docs/http-api-reference, and which tag each call needs, facts 11.
"""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing
from functools import cached_property
from typing import Any, TypeVar

from dlxctl.broker import http_failures, observed
from dlxctl.broker.address import Access
from dlxctl.broker.admin import Lock, Pipeline
from dlxctl.broker.amqp import connection_name, open_connection
from dlxctl.broker.counts import Counts, queue_counts
from dlxctl.broker.http import Answer, Http
from dlxctl.broker.lock import exclusive
from dlxctl.broker.pipeline import pipeline
from dlxctl.broker.plug import plug, unplug
from dlxctl.errors import BrokerRefused, DlxctlError, NotFound
from dlxctl.model.depth import Depth
from dlxctl.model.diagnostics import printable, quoted
from dlxctl.model.server import ServerInfo
from dlxctl.model.topology import Binding, Exchange, Policy, Queue, Topology

Parsed = TypeVar("Parsed")
_LIGHT = "disable_stats=true&enable_queue_totals=true"
_OPERATORS = "columns=name,operator_policy"
"""Not among the light columns; what queues tell here is up to 8 s behind (measured)."""
_DEPTHS = (
    "columns=name,messages_ready,messages_unacknowledged,messages_dlx,messages_delayed,consumers,messages_details"
    ",message_stats.publish,message_stats.publish_details,message_stats.ack_details"
    ",message_stats.deliver_no_ack_details,message_stats.get_no_ack_details"
)


class Management:
    """The vhost of `access`. One connection pool; nothing is sent before the first call."""

    def __init__(self, access: Access) -> None:
        self._access, self._vhost = access, access.vhost
        self._address = access.management
        self._http = Http(access.management)

    def server(self) -> ServerInfo:
        """Which broker this is, and which user we are there; asked once."""
        return self._server

    def read(self) -> Topology:
        """Everything in the vhost but the default exchange and its bindings."""
        admin = "administrator" in self._server.tags
        exchange_rows = self._rows("exchanges", query="disable_stats=true")  # alone: a refusal is told once
        rest = {"queues": _LIGHT, "bindings": "", "policies": ""}
        operators = ("operator-policies", "") if admin else ("queues", _OPERATORS)
        with ThreadPoolExecutor(len(rest) + 1) as pool:
            asked = [pool.submit(self._rows, kind, query=query) for kind, query in (*rest.items(), operators)]
        queue_rows, binding_rows, policy_rows, operator_rows = (each.result() for each in asked)

        def build() -> Topology:
            operators = (observed.policies if admin else observed.hidden_operator_policies)(operator_rows)
            return Topology.of(
                self._vhost,
                *observed.exchanges(exchange_rows),
                *observed.queues(queue_rows),
                *observed.bindings(binding_rows),
                *observed.policies(policy_rows),
                operator_policies=tuple(operators),
            )

        return self._understood(build, "read")

    def depths(self) -> Mapping[str, Depth]:
        """Of every queue in one call; up to 11 s behind (measured)."""
        rows = self._rows("queues", query=_DEPTHS)
        return self._understood(lambda: dict(observed.depths(rows)), "queues")

    def counts(self, queues: Iterable[str]) -> Mapping[str, Counts | None]:
        """Passive declares over an AMQP connection of its own."""
        with closing(open_connection(self._access, purpose="count")) as connection:
            return queue_counts(connection, queues)

    def plug(self, queue: str) -> bool:
        """Over an AMQP connection of its own: a new channel knows of no earlier refusal."""
        with closing(open_connection(self._access, purpose=f"prune {queue}")) as connection:
            return plug(connection, queue)

    def unplug(self, queue: str) -> None:
        """Over an AMQP connection of its own."""
        with closing(open_connection(self._access, purpose=f"prune {queue}")) as connection:
            unplug(connection, queue)

    def declare_exchange(self, exchange: Exchange) -> None:
        """PUT /api/exchanges; 400 when it exists with other settings."""
        body = {
            "type": exchange.type,
            "durable": exchange.durable,
            "auto_delete": exchange.auto_delete,
            "internal": exchange.internal,
            "arguments": dict(exchange.arguments),
        }
        needs = "configure on the exchange, and with an alternate exchange read on it and write on that one"
        answer = self._http.request("PUT", "exchanges", self._vhost, exchange.name, body=body)
        self._accept(answer, f"declare exchange {quoted(exchange.name)}", needs)

    def declare_queue(self, queue: Queue) -> None:
        """PUT /api/queues; 400 when it exists with other settings, or its type does not know an argument."""
        body = {"durable": queue.durable, "auto_delete": queue.auto_delete, "arguments": dict(queue.arguments)}
        needs = "configure on the queue, and with a dead-letter exchange read on it and write on that one (amq.default)"
        answer = self._http.request("PUT", "queues", self._vhost, queue.name, body=body)
        self._accept(answer, f"declare queue {quoted(queue.name)}", needs)

    def bind(self, binding: Binding) -> None:
        """POST /api/bindings, which is idempotent."""
        body = {"routing_key": binding.routing_key, "arguments": dict(binding.arguments)}
        kind = "e" if binding.to_exchange else "q"
        path = ("bindings", self._vhost, "e", binding.source, kind, binding.destination)
        what = f"bind {quoted(binding.destination)} to exchange {quoted(binding.source)}"
        self._accept(self._http.request("POST", *path, body=body), what, "read on the source, write on the destination")

    def pipeline(self) -> AbstractContextManager[Pipeline]:
        """Over an AMQP connection of its own."""
        return pipeline(self._access)

    def unbind(self, binding: Binding) -> None:
        """DELETE /api/bindings by the broker's own key, which tells bindings apart that JSON does not."""
        kind = "e" if binding.to_exchange else "q"
        path = ("bindings", self._vhost, "e", binding.source, kind, binding.destination, binding.properties_key)
        what = f"unbind {quoted(binding.destination)} from exchange {quoted(binding.source)}"
        self._accept_gone(path, what, "read on the source, write on the destination")

    def delete_exchange(self, name: str) -> None:
        """DELETE /api/exchanges."""
        self._accept_gone(("exchanges", self._vhost, name), f"delete exchange {quoted(name)}", "configure on it")

    def delete_queue(self, name: str) -> None:
        """DELETE /api/queues, without if-empty: a quorum queue knows none (facts 9.8)."""
        self._accept_gone(("queues", self._vhost, name), f"delete queue {quoted(name)}", "configure on it")

    def put_policy(self, policy: Policy) -> None:
        """PUT /api/policies; needs the tag `policymaker`."""
        body = {
            "pattern": policy.pattern,
            "apply-to": policy.apply_to,
            "priority": policy.priority,
            "definition": dict(policy.definition),
        }
        answer = self._http.request("PUT", "policies", self._vhost, policy.name, body=body)
        self._accept_policy(answer, f"set policy {quoted(policy.name)}")

    def delete_policy(self, name: str) -> None:
        """DELETE /api/policies; one that is not there is fine."""
        answer = self._http.request("DELETE", "policies", self._vhost, name)
        if answer.status != 404:
            self._accept_policy(answer, f"delete policy {quoted(name)}")

    def lock(self, queue: str, *, purpose: str) -> AbstractContextManager[Lock]:
        """Hold the exclusive queue `queue` over an AMQP connection."""
        return exclusive(self._access, queue, purpose=purpose, holder=lambda: self._holder(purpose))

    @cached_property
    def _server(self) -> ServerInfo:
        whoami = self._http.request("GET", "whoami")
        if whoami.status == 401:
            raise http_failures.not_admitted(self._address, whoami.reason)
        overview = self._http.request("GET", "overview", query="disable_stats=true")

        def build() -> ServerInfo:
            tags = whoami.data["tags"]
            return ServerInfo(
                version=_version(overview.data["rabbitmq_version"]),
                cluster_name=str(overview.data.get("cluster_name", "")),
                user=str(whoami.data["name"]),
                tags=frozenset(tags.split(",") if isinstance(tags, str) else tags),
            )

        return self._understood(build, "overview")

    def _rows(self, kind: str, *, query: str = "") -> list[dict[str, Any]]:
        answer = self._http.request("GET", kind, self._vhost, query=query)
        if answer.status == 404:
            raise http_failures.vhost_missing(self._address, self._vhost, answer.error)
        self._accept(answer, f"read the {kind} of vhost {quoted(self._vhost)}", "permissions in the vhost")
        if not isinstance(answer.data, list):
            raise http_failures.garbage(self._address, f"GET {kind}")
        return answer.data

    def _accept(self, answer: Answer, what: str, needs: str) -> None:
        """Nothing for a success; `what` is an infinitive with its object."""
        if answer.status < 300:
            return
        if answer.status in (401, 403):
            raise http_failures.not_permitted(self._address, self._vhost, what, answer.reason, needs)
        why = answer.reason or f"the management API answered {answer.status}"
        error = NotFound if answer.status == 404 else BrokerRefused
        raise error(f"the broker refused to {what}", why=why, remedy="`dlxctl plan` shows what the broker has.")

    def _accept_gone(self, path: tuple[str, ...], what: str, needs: str) -> None:
        """DELETE; what is not there is fine."""
        answer = self._http.request("DELETE", *path)
        if answer.status != 404:
            self._accept(answer, what, needs)

    def _accept_policy(self, answer: Answer, what: str) -> None:
        if answer.status == 401 and not self._server.may_set_policies:
            raise http_failures.no_policy_tag(self._address.user)
        self._accept(answer, what, "permissions in the vhost")

    def _holder(self, purpose: str) -> str:
        """The connections called as ours would be, but not ours; statistics of the lock queue itself lag 5 s."""
        try:
            answer = self._http.request("GET", "vhosts", self._vhost, "connections")
            rows: Iterable[dict[str, Any]] = answer.data or []
            names = (str(row.get("client_properties", {}).get("connection_name", "")) for row in rows)
            others = sorted({name for name in names if name.startswith(f"dlxctl {purpose} (")})
        except (DlxctlError, AttributeError):
            return ""
        return ", ".join(printable(name) for name in others if name != connection_name(purpose))

    def _understood(self, build: Callable[[], Parsed], asked: str) -> Parsed:
        """What `build` makes of the answers; whatever it trips over means that they are not the API's."""
        try:
            return build()
        except (KeyError, TypeError, ValueError, AttributeError):
            raise http_failures.garbage(self._address, asked) from None


def _version(text: str) -> tuple[int, ...]:
    """`4.0.5`, `4.1.0-rc.1` -> the leading numbers; a suffix does not count."""
    return tuple(int(part) for part in text.split("-")[0].split("+")[0].split("."))
