"""One replay, from the way to the broker to its report: signals, progress, the canary's watch."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from dlxctl.broker.address import Access
from dlxctl.broker.link import Link
from dlxctl.broker.raw_link import RawLink
from dlxctl.broker.return_watch import ReturnWatch
from dlxctl.broker.run_guard import BrokerGuard, RunGuard
from dlxctl.cli.progress import ReplayWatch
from dlxctl.cli.signals import graceful
from dlxctl.errors import UsageError
from dlxctl.model.topology import Binding
from dlxctl.ops.replay import Patience, replay
from dlxctl.replay.order import ReplayOrder
from dlxctl.replay.report import RunReport

GRACE_S = 2
"""The run gives up first and reports; the connection itself ends only where the run waits for one answer."""


def run(
    access: Access, order: ReplayOrder, who: dict[str, Any], bindings: Sequence[Binding], patience: Patience
) -> RunReport:
    """Run `order` for `who`; `bindings` are those of its queue, which a canary is watched by."""

    with graceful() as stop, ReplayWatch(stop) as watch, _returns(access, order, bindings) as returns:

        def connect() -> tuple[Link, RunGuard]:
            link = RawLink(
                access,
                purpose=f"replay {order.queue}",
                blocked_timeout_s=patience.blocked_s + GRACE_S,
                on_blocked=watch.blocked,
            )
            return link, BrokerGuard(link.connection)

        return replay(connect, order, who, watch, patience, returns)


@contextmanager
def _returns(access: Access, order: ReplayOrder, bindings: Sequence[Binding]) -> Iterator[ReturnWatch | None]:
    if order.canary is None:
        yield None
        return
    if not bindings:
        raise UsageError(
            f"--canary cannot watch {order.queue!r}: no binding leads into it, or the management API does not tell",
            remedy=f"Try a few by hand: --limit {order.canary.size}, look, then replay the rest.",
        )
    watch = ReturnWatch(RawLink(access, purpose=f"watch {order.queue}"), bindings)
    try:
        yield watch
    finally:
        watch.close()
