"""`replay --dry-run`: the same decisions on the messages at the head of the queue, and nothing moved."""

from typing import assert_never

from dlxctl.broker.link import Link
from dlxctl.ops.look import MOST_UNACKNOWLEDGED, letters
from dlxctl.replay.order import Decision, Left, ReplayOrder, Route, decide
from dlxctl.replay.origin import Held, Hold
from dlxctl.replay.report import RunReport


def rehearse(link: Link, order: ReplayOrder, queues: frozenset[str] | None) -> RunReport:
    """What a replay would do, from at most MOST_UNACKNOWLEDGED messages; `queues` are those that exist, None unknown.

    Raises NotFound, BrokerRefused, BrokerUnavailable.
    """
    report = RunReport(run_id=order.rewrite.run_id, queue=order.queue, dry_run=True)
    report.found = report.remaining = link.depth(order.queue)
    most = min(MOST_UNACKNOWLEDGED, order.limit if order.limit is not None else MOST_UNACKNOWLEDGED)
    for letter in letters(link, order.queue, most):
        report.examined += 1
        _count(report, _checked(decide(letter, order), queues), letter.id)
    if report.examined < report.found:
        report.notes.append(f"Looked at the first {report.examined:,} of {report.found:,} messages.")
    return report


def _checked(decision: Decision, queues: frozenset[str] | None) -> Decision:
    """A real run learns from the broker that a queue is missing; a rehearsal has to know."""
    if isinstance(decision, Route) and not decision.exchange and queues is not None and decision.key not in queues:
        return Held(why=Hold.NO_QUEUE, detail=decision.key)
    return decision


def _count(report: RunReport, decision: Decision, identity: str) -> None:
    match decision:
        case Held():
            report.hold(decision, identity)
        case Left():
            report.left += 1
        case Route(parked=True):
            report.parked += 1
        case Route():
            report.moved[decision.label] += 1
        case _:
            assert_never(decision)
