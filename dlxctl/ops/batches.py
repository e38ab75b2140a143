"""Which changes may be made at the same time, so that thousands of queues do not take one round trip after another.

Queues do not depend on each other, and neither do bindings: a long run of either goes through the broker's pipeline, a
batch at a time, a queue with its mark. So after a crash few objects are without their mark, and the next plan makes up
for them. A batch that fails is made again one by one, which tells what was refused and why; every change is idempotent.
Short runs, and everything else, go one by one.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from dlxctl.broker.admin import Pipeline
from dlxctl.errors import BrokerUnavailable, DlxctlError
from dlxctl.model.topology import Binding, Queue
from dlxctl.plan.changes import Bind, Change, CreateQueue, Mark, subject

LONG = 64
"""From so many changes on a run goes through the pipeline."""
BATCH = 100
"""Units that are under way before the next look at the lock."""

Unit = tuple[Change, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one unit."""

    made: Unit
    failed: Change | None = None
    error: DlxctlError | None = None


def units(changes: Sequence[Change]) -> Iterator[tuple[bool, list[Unit]]]:
    """Whether the units of a stretch of `changes` may be made at once, and the units, in order."""
    for kind, stretch in groupby(changes, key=_kind):
        run = list(stretch)
        if kind and len(run) >= LONG:
            yield True, list(_together(run))
        else:
            yield False, [(change,) for change in run]


def make_at_once(
    run: Sequence[Unit], pipeline: Pipeline, make: Callable[[Change], None], confirm: Callable[[], None]
) -> Iterator[Outcome]:
    """Outcomes in order, until a batch with one that failed. `make` makes a single change.

    `confirm` is called before each batch; its error is the next unit's.
    """
    for start in range(0, len(run), BATCH):
        batch = run[start : start + BATCH]
        try:
            confirm()
        except DlxctlError as error:
            yield Outcome(made=(), failed=batch[0][0], error=error)
            return
        outcomes = _made(batch, pipeline, make)
        yield from outcomes
        if any(outcome.error for outcome in outcomes):
            return


def _made(batch: Sequence[Unit], pipeline: Pipeline, make: Callable[[Change], None]) -> list[Outcome]:
    things = (subject(change) for unit in batch for change in unit)
    try:
        pipeline.make([thing for thing in things if isinstance(thing, Queue | Binding)])
    except DlxctlError:
        return list(_one_by_one(batch, make))
    return [Outcome(made=unit) for unit in batch]


def _one_by_one(batch: Sequence[Unit], make: Callable[[Change], None]) -> Iterator[Outcome]:
    """All of them, since any may be there already, and the report is to say so; unless the broker is out of reach."""
    for unit in batch:
        outcome = _whole(unit, make)
        yield outcome
        if isinstance(outcome.error, BrokerUnavailable):
            return


def _whole(unit: Unit, make: Callable[[Change], None]) -> Outcome:
    for number, change in enumerate(unit):
        try:
            make(change)
        except DlxctlError as error:
            return Outcome(made=unit[:number], failed=change, error=error)
    return Outcome(made=unit)


def _kind(change: Change) -> str:
    match change:
        case CreateQueue():
            return "queues"
        case Mark() if not change.binding.to_exchange:
            return "queues"
        case Bind():
            return "bindings"
        case _:
            return ""


def _together(run: Sequence[Change]) -> Iterator[Unit]:
    """A queue with the mark that follows it."""
    unit: list[Change] = []
    for change in run:
        if unit and not isinstance(change, Mark):
            yield tuple(unit)
            unit = []
        unit.append(change)
    yield tuple(unit)
