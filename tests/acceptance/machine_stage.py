"""The broker of the state machine: what stands there of others, a ledger of every message, and apply without waits.

Nobody consumes here and nobody publishes but the test, so that it knows at once what the broker's statistics tell
seconds later, and what apply and migrate wait for has happened before they begin.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from itertools import count
from typing import Any

import pika

from dlxctl.broker.address import Access
from dlxctl.broker.counts import Counts, queue_counts
from dlxctl.broker.management import Management
from dlxctl.model.depth import Depth
from dlxctl.model.layout import Layout
from dlxctl.model.topology import Binding, Exchange, Key, Policy, Queue, QueueType, Topology
from dlxctl.ops import migrate
from dlxctl.ops.apply import Watch, apply
from dlxctl.ops.prune import Patience
from dlxctl.plan.hazards import ALLOWABLE, Hazard
from dlxctl.plan.migration import SUFFIX
from dlxctl.plan.migration_roads import topic_takes
from dlxctl.plan.report import Report
from dlxctl.plan.value import Intent

OWNER = "dlxctl.m"
AT_ONCE = Patience(refusing_s=0, settled_s=0, between_s=0, plugged_s=0)
MIGRATE_AT_ONCE = migrate.Patience(drain_s=20, statistics_s=0, quiet_s=0, turn_s=0.02)
FOREIGN = (
    Queue(name="theirs"),
    Exchange(name="their.events", type="topic"),
    Binding(source="their.events", destination="theirs", routing_key="#"),
    Policy(name="their policy", pattern="^theirs$", priority=7, definition={"max-length": 1000}),
)
LASTING = {"m.dead": QueueType.QUORUM, "retry.1h": QueueType.QUORUM, "theirs": QueueType.CLASSIC}
"""Queues that stay from one example to the next when they are of this type: on 4.3 making one takes 40 ms."""


class Exact(Management):
    """Tells depths at once: nobody consumes here, so that what is ready is all there is."""

    def __init__(self, access: Access) -> None:
        super().__init__(access)
        self.latest = Topology.of(access.vhost)
        """The last reading."""
        self.changed = True
        """Whether something was changed by hand after it."""
        self.connection = connection_to(access)

    def read(self) -> Topology:
        self.latest, self.changed = super().read(), False
        return self.latest

    def known(self) -> Topology:
        """The last reading, when nothing was changed by hand since; to read takes 20 ms on 4.3."""
        return self.read() if self.changed else self.latest

    def counts(self, queues: Iterable[str]) -> Mapping[str, Counts | None]:
        """Over one connection for all: to open one takes longer than to count."""
        return queue_counts(self.connection, queues)

    def depths(self) -> Mapping[str, Depth]:
        counts = self.counts([queue.name for queue in self.latest.queues.values() if not queue.exclusive])
        return {name: Depth(ready=c.ready, unacknowledged=0, elsewhere=0) for name, c in counts.items() if c}


class ExactStatistics:
    """The same for one queue."""

    def __init__(self, admin: Management) -> None:
        self._admin = admin

    def of(self, queue: str) -> dict[str, int] | None:
        """None when there is no such queue."""
        (counted,) = self._admin.counts([queue]).values()
        return {"messages_ready": counted.ready, "messages_unacknowledged": 0} if counted else None

    def held_by_others(self, queue: str, priority: int) -> int | None:
        """There are no others."""
        return 0


class Stage:
    """One vhost, and what has to lie in which queue of it, by body."""

    def __init__(self, reach: Access) -> None:
        self.reach, self.admin = reach, Exact(reach)
        self.ledger: dict[str, Counter[bytes]] = {}
        self._numbers = count()
        self.by_hand(*FOREIGN)

    def close(self) -> None:
        self.admin.connection.close()

    def apply(self, layout: Layout, intent: Intent, watch: Watch, *, migrating: bool) -> Report:
        """With every permission, but that to migrate where that is not wanted."""
        making = partial(
            migrate.migrate, access=self.reach, patience=MIGRATE_AT_ONCE, statistics=ExactStatistics(self.admin)
        )
        allowed = [hazard for hazard in ALLOWABLE if migrating or hazard is not Hazard.MIGRATE]
        try:
            return apply(
                self.admin, layout, intent=intent, allowed=allowed, migrate=making if migrating else None, watch=watch,
                patience=AT_ONCE,
            )  # fmt: skip
        except Exception:
            self.admin.changed = True  # perhaps; it does not say how far it came
            raise

    def by_hand(self, *things: Queue | Exchange | Binding | Policy) -> None:
        """Make them, as somebody who knows nothing of dlxctl."""
        for thing in things:
            match thing:
                case Queue():
                    self.admin.declare_queue(thing)
                case Exchange():
                    self.admin.declare_exchange(thing)
                case Binding():
                    self.admin.bind(thing)
                case Policy():
                    self.admin.put_policy(thing)
        self.admin.changed = True

    def taken_away(self, thing: Queue | Binding | Policy) -> None:
        """Delete it, in the same way."""
        match thing:
            case Queue():
                self.admin.delete_queue(thing.name)
            case Binding():
                self.admin.unbind(thing)
            case Policy():
                self.admin.delete_policy(thing.name)
        self.admin.changed = True

    def publish(self, exchange: str, key: str) -> None:
        """One message with a body of its own, confirmed, where that road leads anywhere now."""
        body = b"%d" % next(self._numbers)
        reached = destinations(self.admin.known(), exchange, key)
        if reached:
            with self._channel() as channel:
                channel.basic_publish(exchange, key, body, mandatory=True)
        for queue in reached:
            self.ledger.setdefault(queue, Counter())[body] += 1

    def waiting(self, queues: Iterable[str]) -> bool:
        """Whether one of them has a message."""
        return any(self.ledger.get(name) for name in queues)

    def ready(self) -> dict[str, int]:
        """Messages of each queue of the latest reading that has any, exact and now."""
        counts = self.admin.counts([name for _, name in self.admin.latest.queues])
        return {name: found.ready for name, found in counts.items() if found and found.ready}

    def drained(self) -> dict[str, Counter[bytes]]:
        """Take every message of every queue, with its body."""
        found: dict[str, Counter[bytes]] = {}
        with self._channel() as channel:
            for _, name in self.admin.known().queues:
                while (body := channel.basic_get(name, auto_ack=True)[2]) is not None:
                    found.setdefault(name, Counter())[body] += 1
        return found

    @contextmanager
    def _channel(self) -> Iterator[Any]:
        """Of a new connection, since the broker closes one (541) that knew a queue of another type (facts 9.10)."""
        with closing(connection_to(self.reach)) as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            yield channel

    def clear(self) -> None:
        """Delete the queues that an example made, but for those that are needed again, and what a failure left."""
        for queue in self.admin.latest.queues.values():
            if LASTING.get(queue.name) is not queue.type:
                self.taken_away(queue)
        for exchange in self.admin.latest.exchanges.values():
            if SUFFIX in exchange.name:
                self.admin.delete_exchange(exchange.name)
        self.ledger.clear()


def connection_to(access: Access) -> pika.BlockingConnection:
    """Without heartbeats: nobody answers them between two steps."""
    address = access.amqp[0]
    url = f"amqp://{address.user}:{address.password}@{address.host}:{address.port}/{access.vhost}?heartbeat=0"
    return pika.BlockingConnection(pika.URLParameters(url))


def destinations(observed: Topology, exchange: str, key: str) -> set[str]:
    """The queues that a message reaches, by topic and fanout exchanges and the default exchange."""
    if not exchange:
        return {key} if observed.queue(key) else set()
    found = observed.exchange(exchange)
    fans = found is not None and found.type == "fanout"
    return {
        binding.destination
        for binding in observed.bindings.values()
        if binding.source == exchange
        and (fans or topic_takes(tuple(binding.routing_key.split(".")), tuple(key.split("."))))
    }


def owned(observed: Topology, owner: str = OWNER) -> set[str]:
    """The queues that are marked as ours."""
    return {b.destination for b in observed.bindings.values() if b.source == owner and not b.to_exchange}


def untouched(before: Topology, after: Topology, desired: Topology) -> bool:
    """Whether what was neither marked as ours nor asked for is there as it was, its bindings to ours too, where these
    are still there."""
    marks = [binding for binding in before.bindings.values() if binding.source == OWNER]
    ours = {*map(_end, marks), *desired.queues, *desired.exchanges, ("exchange", OWNER)}
    there = {**before.queues, **before.exchanges}
    theirs: dict[Key, object] = {key: thing for key, thing in there.items() if key not in ours}
    theirs |= {key: policy for key, policy in before.policies.items() if not policy.name.startswith(f"{OWNER}.")}
    found = {**after.queues, **after.exchanges, **after.policies}
    ties = (b for b in before.bindings.values() if theirs.keys() & {_end(b), ("exchange", b.source)})
    return all(found.get(key) == thing for key, thing in theirs.items()) and all(
        tie.key in after.bindings for tie in ties if {_end(tie), ("exchange", tie.source)} <= found.keys()
    )


def _end(binding: Binding) -> Key:
    return ("exchange" if binding.to_exchange else "queue", binding.destination)
