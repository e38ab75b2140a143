"""What the checks look at: one app, and the queues that it works with, as the broker or the file has them."""

from dataclasses import dataclass, replace
from functools import cached_property

from dlxctl.celery.doctor.rest import Rest, rest_of
from dlxctl.celery.doctor.values import AppFacts, AppQueue, Version
from dlxctl.model.layout import Layout
from dlxctl.model.topology import Queue, QueueType, Topology

NEWEST: Version = (4, 3)
"""Taken for the broker's version while none is known."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """`observed` is what the broker has, None when nobody asked it; `desired` what `layout` asks for."""

    app: AppFacts
    layout: Layout | None = None
    desired: Topology | None = None
    observed: Topology | None = None
    version: Version = NEWEST

    @property
    def online(self) -> bool:
        """Whether the broker was asked."""
        return self.observed is not None

    @cached_property
    def topology(self) -> Topology:
        """The broker's, else the file's; else empty."""
        return self.observed or self.desired or Topology(vhost=self.app.vhost)

    def there(self, name: str) -> Queue | None:
        """The queue as the broker, or the file, has it."""
        return self.topology.queue(name)

    def rest(self, name: str) -> Rest:
        """Where its rejected messages come to rest; one that is not there is taken as Celery would declare it."""
        queue = self.there(name) or prospective(self.app.queue(name) or AppQueue(name=name))
        complete = self.online or self.desired is not None
        rest = rest_of(self.topology, queue, self.version, complete=complete)
        filed = self.layout.work_queues.get(name) if self.layout else None
        dropping = filed is not None and filed.dead_letter is None and not rest.dead_letters
        return replace(rest, dropping=dropping)

    def copies(self, name: str) -> bool:
        """Whether the DLX, or else the DLQ, that dlxctl's copies go to is there; offline it is taken to be."""
        road = (self.app.roads or {}).get(name) or {}
        if not self.online:
            return True
        exchange, queue = road.get("dlx"), road.get("dead_letter")
        return bool((exchange and self.topology.exchange(exchange)) or (queue and self.topology.queue(queue)))


def prospective(queue: AppQueue) -> Queue:
    """The queue that Celery's declaration would make."""
    named = str(queue.arguments.get("x-queue-type", QueueType.CLASSIC))
    kind = (
        QueueType(named) if named in tuple(QueueType) and queue.durable and not queue.exclusive else QueueType.CLASSIC
    )
    return Queue(
        name=queue.name, type=kind, durable=queue.durable, exclusive=queue.exclusive,
        auto_delete=queue.auto_delete and kind is QueueType.CLASSIC, arguments=queue.arguments,
    )  # fmt: skip
