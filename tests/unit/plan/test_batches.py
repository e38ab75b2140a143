"""Long runs of queues and bindings are made several at a time, and told in order."""

import pytest

from dlxctl.broker.memory_admin import MemoryAdmin
from dlxctl.errors import BrokerUnavailable, ExitCode
from dlxctl.model.topology import Queue
from dlxctl.ops.apply import apply
from dlxctl.ops.batches import AT_ONCE, LONG, units
from dlxctl.plan.changes import CreateQueue, Mark
from tests.unit.plan.layouts import Dying, Killed, layout, plan_on

HEAD = """\
version: 1
topology: shop
dead_letter: {dead: }
defaults: {dead_letter: dead}
exchanges: {x: {type: topic}}
queues:
"""
MANY = HEAD + "".join(f"  q{n:03d}: {{bindings: [{{exchange: x, routing_key: a}}]}}\n" for n in range(2 * LONG))


def test_all_changes_are_there_once_and_in_order() -> None:
    """A queue goes with its mark; runs that are short stay single."""
    changes = plan_on(MemoryAdmin(), layout(MANY)).changes
    stretches = list(units(changes))
    assert tuple(change for _, run in stretches for unit in run for change in unit) == changes
    at_once = [unit for parallel, run in stretches if parallel for unit in run]
    assert (
        sum(isinstance(unit[0], CreateQueue) and isinstance(unit[1], Mark) for unit in at_once if len(unit) == 2)
        == 2 * LONG
    )
    assert all(len(unit) == 1 for parallel, run in stretches if not parallel for unit in run)


def test_a_failure_among_many_is_told_with_what_was_made_beside_it() -> None:
    """Each change is made, failed, or not tried; the next run goes on."""

    class Failing(MemoryAdmin):
        broken = True

        def declare_queue(self, queue: Queue) -> None:
            if queue.name == "q070" and self.broken:
                raise BrokerUnavailable("the broker is gone")
            super().declare_queue(queue)

    broker = Failing()
    report = apply(broker, layout(MANY))
    assert report.exit_code is ExitCode.PARTIAL
    assert isinstance(report.failed, CreateQueue)
    assert report.failed.queue.name == "q070"
    assert len(report.made) + 1 + len(report.not_tried) == len(report.plan.changes)
    assert broker.read().queue("q071")
    broker.broken = False
    assert apply(broker, layout(MANY)).exit_code is ExitCode.OK


@pytest.mark.parametrize("calls", [30, 100, 250])
def test_a_run_that_dies_among_many_leaves_few_without_a_mark(calls: int) -> None:
    """As many as are made at once; the next run ends where a whole one does."""
    whole, broker = MemoryAdmin(), MemoryAdmin()
    apply(whole, layout(MANY))
    with pytest.raises(Killed):
        apply(Dying(broker, calls), layout(MANY))  # type: ignore[arg-type]
    seen = broker.read()
    marked = {b.destination for b in seen.bindings.values() if b.source == "dlxctl.shop"}
    assert len([queue for queue in seen.queues.values() if queue.name not in marked]) <= AT_ONCE
    assert apply(broker, layout(MANY)).exit_code is ExitCode.OK
    assert broker.read() == whole.read()
