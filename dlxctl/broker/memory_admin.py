"""`Admin` in memory: a double for tests, yours too, that answers as RabbitMQ does.

tests/contract/test_admin.py runs the same tests on it and on RabbitMQ 3.10, 4.0 and 4.3. It knows objects and their
rules; of messages it knows the numbers that it is told.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from dlxctl.broker.admin import Admin, Lock, Pipeline
from dlxctl.broker.counts import Counts
from dlxctl.broker.lock import held
from dlxctl.errors import BrokerRefused, NotFound
from dlxctl.model.attributes import BY_ARGUMENT, BY_POLICY
from dlxctl.model.depth import Depth
from dlxctl.model.server import ServerInfo
from dlxctl.model.topology import Binding, BrokerObject, Exchange, Key, Policy, Queue, Topology

EXCHANGE_TYPES = ("direct", "fanout", "topic", "headers")
STANDING = (
    Exchange(name="amq.direct", type="direct"),
    Exchange(name="amq.fanout", type="fanout"),
    Exchange(name="amq.headers", type="headers"),
    Exchange(name="amq.match", type="headers"),
    Exchange(name="amq.rabbitmq.trace", type="topic", internal=True),
    Exchange(name="amq.topic", type="topic"),
)
"""The exchanges of every vhost."""
PATTERN_LIMIT = 1024
"""Longest pattern of a policy on 4.3."""
MATCHES = ("all", "any", "all-with-x", "any-with-x")


class MemoryAdmin:
    """One vhost of a broker of `version`. `tags` are those of the user; `operator_policies` are there to be read.

    `holding`: how much is in a queue, by name; the others are empty.
    """

    def __init__(
        self,
        vhost: str = "/",
        *objects: BrokerObject,
        version: tuple[int, ...] = (4, 3, 0),
        tags: frozenset[str] = frozenset({"administrator"}),
        operator_policies: tuple[Policy, ...] = (),
        holding: Mapping[str, Depth] | None = None,
    ) -> None:
        self._vhost, self._operator_policies = vhost, operator_policies
        self._server = ServerInfo(version=version, cluster_name="memory", user="guest", tags=tags)
        self._objects: dict[Key, BrokerObject] = {standing.key: standing for standing in STANDING}
        self._objects |= {given.key: given for given in objects}
        self._locks: dict[str, str] = {}
        self._plugged: set[str] = set()
        self.holding = dict(holding or {})

    def server(self) -> ServerInfo:
        """As the constructor was told."""
        return self._server

    def read(self) -> Topology:
        """Everything in the vhost."""
        return Topology.of(self._vhost, *self._objects.values(), operator_policies=self._operator_policies)

    def depths(self) -> Mapping[str, Depth]:
        """What the queues hold, as `holding` says."""
        queues = (thing.name for thing in self._objects.values() if isinstance(thing, Queue))
        return {name: self._depth(name) for name in queues}

    def counts(self, queues: Iterable[str]) -> Mapping[str, Counts | None]:
        """The same, as far as it is ready."""
        return {name: self._counts(name) if ("queue", name) in self._objects else None for name in queues}

    def plug(self, queue: str) -> bool:
        """Refused by a queue that holds something."""
        if ("queue", queue) not in self._objects or self._counts(queue).ready:
            return False
        self._plugged.add(queue)
        return True

    def unplug(self, queue: str) -> None:
        """Nothing if there is no plug."""
        self._plugged.discard(queue)

    def declare_exchange(self, exchange: Exchange) -> None:
        """Refuses reserved names, unknown types, and other settings than those there."""
        there = self._objects.get(exchange.key)
        if there is None and exchange.name.startswith("amq."):
            raise BrokerRefused(f"user 'guest' may not declare exchange {exchange.name!r}", why="Access refused.")
        if exchange.type not in EXCHANGE_TYPES:
            raise BrokerRefused("declare exchange", why=f"unknown exchange type '{exchange.type}'")
        self._keep(exchange, there)

    def declare_queue(self, queue: Queue) -> None:
        """Refuses arguments that the attribute table forbids to the type, and other settings than those there."""
        there = self._objects.get(queue.key)
        if there is None and queue.name.startswith("amq."):
            raise BrokerRefused(f"user 'guest' may not declare queue {queue.name!r}", why="Access refused.")
        for name, value in queue.arguments.items():
            self._check_argument(queue, name, value)
        if "x-dead-letter-routing-key" in queue.arguments and "x-dead-letter-exchange" not in queue.arguments:
            raise BrokerRefused(f"declare queue {queue.name!r}", why="routing_key_but_no_dlx_defined")
        self._keep(queue, there)

    def bind(self, binding: Binding) -> None:
        """Refuses missing ends and a bad x-match."""
        destination = ("exchange" if binding.to_exchange else "queue", binding.destination)
        for key in (("exchange", binding.source), destination):
            if key not in self._objects:
                raise NotFound("bind", why=f"no {key[0]} '{key[1]}' in vhost '{self._vhost}'")
        if binding.arguments.get("x-match", "all") not in MATCHES:
            raise BrokerRefused("bind", why="Invalid x-match field value")
        self._objects[binding.key] = binding

    def pipeline(self) -> AbstractContextManager[Pipeline]:
        """One after the other, up to the first that is refused."""
        return nullcontext(MemoryPipeline(self))

    def unbind(self, binding: Binding) -> None:
        """Nothing if there is none."""
        self._objects.pop(binding.key, None)

    def delete_exchange(self, name: str) -> None:
        """With its bindings; refuses reserved names."""
        if name.startswith("amq."):
            raise BrokerRefused(f"delete exchange {name!r}", why="Access refused.")
        self._objects.pop(("exchange", name), None)
        self._drop_bindings(lambda b: b.source == name or (b.to_exchange and b.destination == name))

    def delete_queue(self, name: str) -> None:
        """With its bindings."""
        self._plugged.discard(name)
        self._objects.pop(("queue", name), None)
        self._drop_bindings(lambda b: not b.to_exchange and b.destination == name)

    def put_policy(self, policy: Policy) -> None:
        """Refuses unknown keys, bad values, an invalid pattern, and a policy that sets nothing."""
        self._may_set_policies()
        try:
            re.compile(policy.pattern)
        except re.error:
            raise BrokerRefused("set policy", why="pattern should be regular expression but is invalid") from None
        if self._server.version >= (4, 3) and len(policy.pattern.encode()) > PATTERN_LIMIT:
            raise BrokerRefused("set policy", why=f"pattern must not exceed {PATTERN_LIMIT} bytes")
        if not policy.definition:
            raise BrokerRefused("set policy", why="no policy provided")
        self._check_apply_to(policy)
        for name, value in policy.definition.items():
            attribute = BY_POLICY.get(name)
            if name != "alternate-exchange" and (attribute is None or attribute.policy_since > self._server.version):
                raise BrokerRefused("set policy", why=f"{name} is not a recognised policy setting")
            if attribute and not _valid(attribute.kind, attribute.choices, value):
                raise BrokerRefused("set policy", why=f"{value!r} is not a valid {name}")
        self._objects[policy.key] = policy

    def delete_policy(self, name: str) -> None:
        """Nothing if there is none."""
        self._may_set_policies()
        self._objects.pop(("policy", name), None)

    @contextmanager
    def lock(self, queue: str, *, purpose: str) -> Iterator[Lock]:
        """One holder at a time."""
        if queue in self._locks:
            raise held(queue, self._locks[queue])
        self._locks[queue] = f"dlxctl {purpose} (memory)"
        try:
            yield _MemoryLock()
        finally:
            del self._locks[queue]

    def _keep(self, wanted: Exchange | Queue, there: BrokerObject | None) -> None:
        if there not in (None, wanted):
            raise BrokerRefused(f"declare {wanted.name!r}", why=f"inequivalent arg for '{wanted.name}'")
        self._objects[wanted.key] = wanted

    def _depth(self, name: str) -> Depth:
        return self.holding.get(name, Depth(ready=0, unacknowledged=0, elsewhere=0, consumers=0))

    def _counts(self, name: str) -> Counts:
        depth = self._depth(name)
        return Counts(ready=(depth.ready or 0) + (name in self._plugged), consumers=depth.consumers or 0)

    def _drop_bindings(self, gone: Callable[[Binding], bool]) -> None:
        for key in [key for key, thing in self._objects.items() if isinstance(thing, Binding) and gone(thing)]:
            del self._objects[key]

    def _may_set_policies(self) -> None:
        if not self._server.may_set_policies:
            raise BrokerRefused("user 'guest' may not set policies", why="it lacks the tag `policymaker`")

    def _check_apply_to(self, policy: Policy) -> None:
        """3.10 knows no queue types here (facts 5.6)."""
        known = {"all", "queues", "exchanges"}
        if self._server.version >= (3, 12):
            known |= {"classic_queues", "quorum_queues", "streams"}
        if policy.apply_to not in known:
            raise BrokerRefused("set policy", why=f"apply-to '{policy.apply_to}' unrecognised")

    def _check_argument(self, queue: Queue, name: str, value: Any) -> None:
        attribute = BY_ARGUMENT.get(name)
        if attribute is None or name == "x-queue-type":
            return
        # Unchecked settings are stored as they come before the version that knows them (facts 5.1).
        if attribute.since > self._server.version:
            return
        if queue.type not in attribute.types and attribute.checked:
            raise BrokerRefused(f"declare queue {queue.name!r}", why=f"invalid arg '{name}' of queue type {queue.type}")
        if attribute.checked and not _valid(attribute.kind, attribute.choices, value):
            raise BrokerRefused(f"declare queue {queue.name!r}", why=f"invalid arg '{name}': {value!r}")


class MemoryPipeline:
    """Makes what it is told by the calls of `admin`."""

    def __init__(self, admin: Admin) -> None:
        self._admin = admin

    def make(self, objects: Sequence[Queue | Binding]) -> None:
        """In order; raises what the first call raises."""
        for thing in objects:
            if isinstance(thing, Queue):
                self._admin.declare_queue(thing)
            else:
                self._admin.bind(thing)


class _MemoryLock:
    def confirm(self) -> None:
        """Never lost."""


def _valid(kind: type, choices: tuple[str, ...], value: Any) -> bool:
    """Whether `value` is of `kind` (a bool is no int) and not negative, and one of `choices`."""
    if type(value) is not kind or (isinstance(value, int) and value < 0):
        return False
    return not choices or value in choices
