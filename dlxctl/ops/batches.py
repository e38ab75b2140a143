"""Which changes may be made at the same time, so that thousands of queues do not take one round trip after another.

Queues do not depend on each other, and neither do bindings: a long run of either is shared out among a few threads,
each of which makes a queue and its mark together. So after a crash at most `AT_ONCE` objects are without their mark,
and the next plan makes up for them. Short runs, and everything else, go one by one.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby

from dlxctl.errors import DlxctlError
from dlxctl.plan.changes import Bind, Change, CreateQueue, Mark

AT_ONCE = 8
LONG = 64
"""From so many changes on a run is shared out; so many are under way before the next look at the lock."""

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


def make_at_once(run: Sequence[Unit], make: Callable[[Change], None], confirm: Callable[[], None]) -> Iterator[Outcome]:
    """Outcomes in order, until one has failed. `confirm` is called now and then; its error is the next unit's."""

    def whole(unit: Unit) -> Outcome:
        for number, change in enumerate(unit):
            try:
                make(change)
            except DlxctlError as error:
                return Outcome(made=unit[:number], failed=change, error=error)
        return Outcome(made=unit)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for start in range(0, len(run), LONG):
            try:
                confirm()
            except DlxctlError as error:
                yield Outcome(made=(), failed=run[start][0], error=error)
                return
            outcomes = list(pool.map(whole, run[start : start + LONG]))
            yield from outcomes
            if any(outcome.error for outcome in outcomes):
                return


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
