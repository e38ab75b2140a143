"""What the file keeps as it is: its policies, before the queues that they are for, and its bindings between exchanges.

Policies carry no mark, so one that the file has no more stays on the broker, as a policy of others.
"""

from collections.abc import Iterator

from dlxctl.plan.changes import Bind, PutPolicy
from dlxctl.plan.drift import Drift


def policies(drift: Drift) -> Iterator[PutPolicy]:
    """Those that are not there, or are there otherwise."""
    for wanted in drift.layout.verbatim.policies.values():
        there = drift.observed.policies.get(wanted.key)
        if there != wanted:
            yield PutPolicy(policy=wanted, before=there, why=drift.place(wanted))


def bindings(drift: Drift) -> Iterator[Bind]:
    """Those between exchanges that are not there."""
    for key, binding in drift.desired.bindings.items():
        if binding.to_exchange and not drift.is_mark(binding) and key not in drift.observed.bindings:
            yield Bind(binding=binding, why=drift.place(binding))
