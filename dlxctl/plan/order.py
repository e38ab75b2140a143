"""The changes, in an order that leaves nothing dangling at any step.

Owner exchange, exchanges (the alternate before what it backs); the policies that the file keeps as they are; then what
old policies say of queues that are still to be made; then, role by role, policies before the queues that they are for,
each queue with its mark, their bindings: parking queues, DLQs, tiers, work queues; then bindings between exchanges. So
the bindings to public exchanges come last, and no message arrives before its road is laid; then the policies that are
spent (`changeover` has the rules of policies). A run that ends between any two steps leaves a broker on which the next
plan is the rest of this one.
"""

from collections.abc import Iterator

from dlxctl.model.topology import Exchange, Queue
from dlxctl.plan import verbatim
from dlxctl.plan.changeover import steps
from dlxctl.plan.changes import Bind, Change, CreateExchange, CreateQueue, Mark
from dlxctl.plan.drift import ROLES, Drift


def changes(drift: Drift) -> Iterator[Change]:
    """Every change that apply can make."""
    owner = drift.layout.owner_exchange
    policies = steps(drift)
    exchanges = drift.desired.exchanges.values()
    for exchange in sorted(exchanges, key=lambda e: (e.name != owner, "alternate-exchange" in e.arguments)):
        yield from _created(exchange, drift)
    yield from verbatim.policies(drift)
    yield from policies.first
    early = [(drift.policy_role(step.policy), step) for step in policies.early]
    for role in ROLES:
        yield from (step for wanted, step in early if wanted == role)
        members = [queue for queue in drift.desired.queues.values() if drift.role(queue) == role]
        for queue in members:
            yield from _created(queue, drift)
        for queue in members:
            yield from _bound(queue, drift)
    yield from verbatim.bindings(drift)
    yield from policies.late


def _created(wanted: Exchange | Queue, drift: Drift) -> Iterator[Change]:
    """The object, then its mark, which needs it; a mark that is missing after a crash is made up for next time."""
    there, why = drift.there(wanted), drift.place(wanted)
    if not there and isinstance(wanted, Exchange):
        yield CreateExchange(exchange=wanted, why=why)
    elif not there and isinstance(wanted, Queue):
        yield CreateQueue(queue=wanted, why=why)
    for binding in drift.bindings_of.get(wanted.key, ()):
        if drift.is_mark(binding) and binding.key not in drift.observed.bindings:
            yield Mark(binding=binding, adopts=there, why=why)


def _bound(queue: Queue, drift: Drift) -> Iterator[Change]:
    for binding in drift.bindings_of.get(queue.key, ()):
        if not drift.is_mark(binding) and binding.key not in drift.observed.bindings:
            yield Bind(binding=binding, why=drift.place(binding))
