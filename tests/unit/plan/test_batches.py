"""Long runs of queues and bindings go through the pipeline, and are told in order."""

from contextlib import AbstractContextManager, nullcontext

import pytest

from dlxctl.broker.admin import Pipeline
from dlxctl.broker.memory_admin import MemoryAdmin, MemoryPipeline
from dlxctl.errors import BrokerRefused, BrokerUnavailable, DlxctlError, ExitCode
from dlxctl.model.topology import Queue
from dlxctl.ops.apply import apply
from dlxctl.ops.batches import BATCH, units
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
COUNT = 2 * BATCH + 1
MANY = HEAD + "".join(f"  q{n:03d}: {{bindings: [{{exchange: x, routing_key: a}}]}}\n" for n in range(COUNT))


class Failing(MemoryAdmin):
    """Raises `error`, while there is one, for the queue q070."""

    error: DlxctlError | None = None

    def declare_queue(self, queue: Queue) -> None:
        if queue.name == "q070" and self.error:
            raise self.error
        super().declare_queue(queue)


class WithoutPipeline(MemoryAdmin):
    """Its pipeline makes half a batch, and breaks."""

    broken = 0

    def pipeline(self) -> AbstractContextManager[Pipeline]:
        return nullcontext(self)

    def make(self, objects: list[Queue]) -> None:
        MemoryPipeline(self).make(objects[: len(objects) // 2])
        self.broken += 1
        raise BrokerUnavailable("the connection was lost")


def test_all_changes_are_there_once_and_in_order() -> None:
    """A queue goes with its mark; runs that are short stay single."""
    changes = plan_on(MemoryAdmin(), layout(MANY)).changes
    stretches = list(units(changes))
    assert tuple(change for _, run in stretches for unit in run for change in unit) == changes
    at_once = [unit for parallel, run in stretches if parallel for unit in run]
    assert (
        sum(isinstance(unit[0], CreateQueue) and isinstance(unit[1], Mark) for unit in at_once if len(unit) == 2)
        == COUNT
    )
    assert all(len(unit) == 1 for parallel, run in stretches if not parallel for unit in run)


def test_a_refusal_among_many_is_told_with_what_was_made_beside_it() -> None:
    """The whole batch is made one by one: each change is made, failed, or not tried; the next run goes on."""
    broker = Failing()
    broker.error = BrokerRefused("no")
    report = apply(broker, layout(MANY))
    assert report.exit_code is ExitCode.PARTIAL
    assert isinstance(report.failed, CreateQueue)
    assert report.failed.queue.name == "q070"
    assert len(report.made) + 1 + len(report.not_tried) == len(report.plan.changes)
    made = {change.queue.name for change in report.made if isinstance(change, CreateQueue)}
    assert "q071" in made
    assert made == {queue.name for queue in broker.read().queues.values()}
    broker.error = None
    assert apply(broker, layout(MANY)).exit_code is ExitCode.OK


def test_a_broker_that_is_gone_is_asked_no_more() -> None:
    """What comes after the change that it did not answer is not tried."""
    broker = Failing()
    broker.error = BrokerUnavailable("the broker is gone")
    report = apply(broker, layout(MANY))
    assert isinstance(report.failed, CreateQueue)
    assert (*report.made, report.failed, *report.not_tried) == report.plan.changes
    assert not broker.read().queue("q071")


def test_a_broken_pipeline_costs_time_only() -> None:
    """What it may have made is made again by single calls, and nothing is reported."""
    whole, broker = MemoryAdmin(), WithoutPipeline()
    apply(whole, layout(MANY))
    report = apply(broker, layout(MANY))
    assert report.exit_code is ExitCode.OK
    assert report.made == report.plan.changes
    assert broker.read() == whole.read()
    assert broker.broken > 2


@pytest.mark.parametrize("calls", [30, 100, 250, 500])
def test_a_run_that_dies_among_many_leaves_few_without_a_mark(calls: int) -> None:
    """One, where they are made in order; the next run ends where a whole one does."""
    whole, broker = MemoryAdmin(), MemoryAdmin()
    apply(whole, layout(MANY))
    with pytest.raises(Killed):
        apply(Dying(broker, calls), layout(MANY))  # type: ignore[arg-type]
    seen = broker.read()
    marked = {b.destination for b in seen.bindings.values() if b.source == "dlxctl.shop"}
    assert len([queue for queue in seen.queues.values() if queue.name not in marked]) <= 1
    assert apply(broker, layout(MANY)).exit_code is ExitCode.OK
    assert broker.read() == whole.read()
