"""Use case: make a queue anew with other fixed settings, under its own name, with its messages and bindings.

Which step is next is decided in `dlxctl.plan.migration` from what stands on the broker; here it is carried out, and the
broker is read again. A run that ends anywhere is gone on with by the next, or reverted before its cut-over.
"""

from dlxctl.broker.address import Access
from dlxctl.broker.admin import Admin, Lock
from dlxctl.broker.queue_statistics import QueueStatistics
from dlxctl.errors import RefusedForSafety
from dlxctl.model.diagnostics import quoted
from dlxctl.model.layout import Layout
from dlxctl.model.topology import Exchange, Queue
from dlxctl.ops.migrate_job import Job
from dlxctl.ops.migrate_messages import Messages, Patience, Statistics, Tell
from dlxctl.plan.changes import name
from dlxctl.plan.migration import Scaffold, site_of
from dlxctl.plan.value import Plan
from dlxctl.spec.expand import expand

__all__ = ["Patience", "migrate", "revert"]


def _silent(_: str) -> None:
    """Nobody listens."""


def migrate(
    admin: Admin, lock: Lock, layout: Layout, plan: Plan, *, access: Access, patience: Patience | None = None,
    tell: Tell = _silent, statistics: Statistics | None = None,
) -> None:  # fmt: skip
    """Bring every queue of `plan.blocked` to what the file says; `tell` hears each step. `statistics`: for those who
    know better than the broker's, which are seconds old.

    Raises RefusedForSafety before the first change, BrokerUnavailable when the broker is away or messages stay
    unacknowledged for too long, BrokerRefused. Calling it again goes on.
    """
    exchanges = [quoted(name(each.desired)) for each in plan.blocked if isinstance(each.desired, Exchange)]
    if exchanges:
        raise RefusedForSafety(
            f"exchange {', '.join(exchanges)}: only queues can be migrated",
            why="an exchange's bindings and publishers belong to others",
            remedy="Nothing was changed. Write its present settings into the file, or give the new one another name.",
        )
    queues = [each.desired for each in plan.blocked if isinstance(each.desired, Queue)]
    told = statistics or QueueStatistics(access, tags=admin.server().tags)
    jobs = [_job(admin, lock, layout, queue, access, patience or Patience(), tell, told) for queue in queues]
    for job in jobs:
        job.check()
    for job in jobs:
        job.run()


def revert(
    admin: Admin, lock: Lock, layout: Layout, *, access: Access, patience: Patience | None = None, tell: Tell = _silent
) -> tuple[str, ...]:
    """Undo every migration of `layout` that has not cut over; the names of the queues.

    Raises RefusedForSafety when one has: it can only go on.
    """
    observed = admin.read()
    desired = expand(layout, version=admin.server().version)
    begun = [queue for queue in desired.queues.values() if site_of(queue.name, observed).begun]
    told = QueueStatistics(access, tags=admin.server().tags)
    jobs = [_job(admin, lock, layout, queue, access, patience or Patience(), tell, told, back=True) for queue in begun]
    for job in jobs:
        job.check()
    for job in jobs:
        job.run()
    return tuple(queue.name for queue in begun)


def _job(
    admin: Admin, lock: Lock, layout: Layout, queue: Queue, access: Access, patience: Patience, tell: Tell,
    statistics: Statistics, *, back: bool = False,
) -> Job:  # fmt: skip
    messages = Messages(access, admin.server(), Scaffold(queue=queue.name), patience, lock.confirm, tell, statistics)
    return Job(admin, layout, queue, messages, tell, back=back)
