"""`replay --dry-run`: the same decisions on the messages at the head of the queue, and nothing moved."""

from dlxctl.broker.link import Link
from dlxctl.ops.look import MOST_UNACKNOWLEDGED, letters
from dlxctl.replay.order import ReplayOrder, destination
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
        target = destination(letter, order)
        if isinstance(target, str) and queues is not None and target not in queues:
            target = Held(why=Hold.NO_QUEUE, detail=target)
        if isinstance(target, Held):
            report.hold(target, letter.id)
        else:
            report.moved[target] += 1
    if report.examined < report.found:
        report.notes.append(f"Looked at the first {report.examined:,} of {report.found:,} messages.")
    return report
