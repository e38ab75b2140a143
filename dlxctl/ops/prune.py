"""Use case: is a queue that is to be deleted empty, and does it stay so? Asked twice: before and after it is closed.

A quorum queue cannot be deleted on condition that it is empty (asking for it closes the connection, facts 9.8), so the
race with publishers is closed by what stands on the broker (docs/decisions/0009): queues are unbound and refuse
publishers; then two readings, of which the first is younger than that, show no message and no new one; then a quorum
queue takes a plug of ours as its only message, after which it takes nothing from anybody.
"""

import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from dlxctl.broker.admin import Admin, Lock
from dlxctl.broker.counts import Counts
from dlxctl.errors import RefusedForSafety
from dlxctl.model.depth import Depth
from dlxctl.model.diagnostics import quoted
from dlxctl.model.topology import Queue, QueueType
from dlxctl.plan.changes import DeleteQueue
from dlxctl.plan.hazards import Danger, Hazard
from dlxctl.plan.value import Plan

_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long apply waits, in seconds, for what RabbitMQ does behind its own back.

    `refusing_s`: until a policy rules its queues (0.5 s measured). `settled_s`, `between_s`: before the first and the
    second reading; numbers are sent every 5 s, and were up to 11 s old. `plugged_s`: until every channel that publishes
    has heard that a queue is full.
    """

    refusing_s: float = 1.5
    settled_s: float = 8.0
    between_s: float = 6.0
    plugged_s: float = 1.0


def doomed(plan: Plan) -> tuple[Queue, ...]:
    """The queues that `plan` deletes."""
    return tuple(change.queue for change in plan.changes if isinstance(change, DeleteQueue))


def refuse_busy(admin: Admin, plan: Plan, allowed: Collection[Hazard]) -> None:
    """Raise RefusedForSafety, before the first change, when a queue that is to be deleted is in use."""
    names = [queue.name for queue in doomed(plan)]
    if not names:
        return
    counts = admin.counts(names)
    for name, count in counts.items():
        if count and count.ready == 1:
            admin.unplug(name)
    counts, depths = admin.counts(names), admin.depths()
    dangers = [danger for name in names for danger in _uses(name, counts.get(name), depths.get(name))]
    refuse(dangers, allowed)


def confirm_closed(admin: Admin, lock: Lock, plan: Plan, allowed: Collection[Hazard], patience: Patience) -> None:
    """Raise RefusedForSafety when a queue that was closed is not empty, or is still published to."""
    names = [queue.name for queue in doomed(plan)]
    wait(lock, patience.settled_s)
    before = admin.depths()
    wait(lock, patience.between_s)
    counts, after = admin.counts(names), admin.depths()
    dangers = [danger for name in names for danger in _uses(name, counts.get(name), after.get(name))]
    for name in names:
        if more := after.get(name, Depth()).published - before.get(name, Depth()).published:
            cause = f"queue {quoted(name)} was published to {more} times while it was closed"
            dangers.append(Danger(hazard=Hazard.OPEN, cause=cause))
    refuse(dangers, allowed)
    if Hazard.OPEN not in allowed:
        _plug(admin, lock, plan, patience)


def refuse(found: Collection[Danger], allowed: Collection[Hazard]) -> None:
    """Raise RefusedForSafety naming each danger that is not allowed, and the flag that allows it."""
    dangers = [danger for danger in found if danger.hazard is Hazard.MESSAGES or danger.hazard not in allowed]
    if not dangers:
        return
    shown = [f"{danger.cause} [{danger.hazard}]" for danger in dangers]
    more = f"\n  and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    flags = " ".join(f"--allow {h}" for h in dict.fromkeys(d.hazard for d in dangers) if h is not Hazard.MESSAGES)
    remedies = [f"To go on all the same: {flags}."] if flags else []
    if any(danger.hazard is Hazard.MESSAGES for danger in dangers):
        remedies.append("No flag deletes messages: let them be consumed, or replay them, and run it again.")
    raise RefusedForSafety("\n  ".join(shown[:_SHOWN]) + more, remedy=" ".join(remedies))


def wait(lock: Lock, seconds: float) -> None:
    """Let `seconds` pass, keeping the lock's heartbeats answered. Raises BrokerUnavailable when the lock is lost."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        lock.confirm()
        time.sleep(min(left, 1.0))


def _uses(name: str, counts: Counts | None, depth: Depth | None) -> Iterator[Danger]:
    """What is in the queue: `counts` are exact, `depth` has the rest of it and is seconds old."""
    if counts is None:  # gone meanwhile
        return
    depth = depth or Depth()
    parts = {
        "ready": counts.ready,
        "unacknowledged": depth.unacknowledged,
        "delayed or on the way to a dead-letter queue": depth.elsewhere,
    }
    if held := ", ".join(f"{number} {what}" for what, number in parts.items() if number):
        yield Danger(hazard=Hazard.MESSAGES, cause=f"queue {quoted(name)} has messages: {held}")
    elif None in parts.values():
        cause = f"the broker does not tell yet how much is in queue {quoted(name)}; try again in some seconds"
        yield Danger(hazard=Hazard.MESSAGES, cause=cause)
    if counts.consumers:
        number = "a consumer" if counts.consumers == 1 else f"{counts.consumers} consumers"
        yield Danger(hazard=Hazard.CONSUMERS, cause=f"queue {quoted(name)} has {number}")


def _plug(admin: Admin, lock: Lock, plan: Plan, patience: Patience) -> None:
    names = [queue.name for queue in doomed(plan) if queue.type is QueueType.QUORUM]
    refused = [name for name in names if not admin.plug(name)]
    wait(lock, patience.plugged_s if names else 0)
    counts = admin.counts(names)
    slipped = [name for name in names if (count := counts.get(name)) and count.ready > 1]
    if late := [*refused, *slipped]:
        for name in names:
            admin.unplug(name)
        causes = (f"queue {quoted(name)} was published to while it was closed" for name in late)
        refuse([Danger(hazard=Hazard.OPEN, cause=cause) for cause in causes], ())
