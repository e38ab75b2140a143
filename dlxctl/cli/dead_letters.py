"""What the commands on dead letters have in common: the queue, the optional topology file, the way to the broker, and
a look at the queue."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from dlxctl.broker.address import Access
from dlxctl.broker.management import Management
from dlxctl.broker.raw_link import RawLink
from dlxctl.broker.run_guard import BrokerGuard
from dlxctl.cli.completion import completed_by
from dlxctl.cli.options import DEFAULT_FILE, access_for, broker_access, variable_options
from dlxctl.cli.progress import LINE_EVERY_S
from dlxctl.cli.signals import graceful
from dlxctl.cli.talk import remark
from dlxctl.model.layout import Layout
from dlxctl.ops.look_around import Looked, Wanted, look
from dlxctl.ops.make_safe import make_safe
from dlxctl.ops.rotation import Judge
from dlxctl.ops.run_identity import holder, new_run_id
from dlxctl.ops.situation import LIMIT_HAZARD, Situation, refuse_danger, situation
from dlxctl.replay.letter import Letter
from dlxctl.replay.verdict import Verdict

BLOCKED_TIMEOUT_S = 120
Command = TypeVar("Command", bound=Callable[..., Any])


def queue_options(command: Command) -> Command:
    """Add `--queue`, `--file` with its variables, and `--allow`."""
    command = click.option(
        "--allow", "allowed", multiple=True, type=click.Choice([LIMIT_HAZARD]), help="Go on in spite of a hazard."
    )(command)
    command = click.option(
        "--file", "file", type=click.Path(path_type=Path), default=None,
        help=f"Topology file that tells work queues from tiers. [default: {DEFAULT_FILE} when it is there]",
    )(command)  # fmt: skip
    command = variable_options(command)
    return click.option(
        "--queue",
        "-q",
        required=True,
        metavar="NAME",
        shell_complete=completed_by(_queues),
        help="The dead-letter queue.",
    )(command)


def _queues(context: click.Context) -> dict[str, str]:
    """Every queue of the vhost, with what is ready in it. Raises DlxctlError."""
    given = context.params
    access = way(layout_of(given.get("file")), given.get("url"), given.get("management_url"))
    depths = Management(access).depths()
    return {name: "" if depth.ready is None else f"{depth.ready:,} ready" for name, depth in depths.items()}


def layout_of(file: Path | None) -> Layout | None:
    """The topology file: the one named, else topology.yaml when it is there, else none."""
    if file is None and not Path(DEFAULT_FILE).exists():
        return None
    from dlxctl.ops.topology_file import read_layout  # a tenth of a second, for those who have a file

    return read_layout(file or Path(DEFAULT_FILE), os.environ)


def way(layout: Layout | None, url: str | None, management_url: str | None) -> Access:
    """The connection, in the file's vhost when there is a file."""
    return access_for(layout.vhost, url, management_url) if layout else broker_access(url, management_url)


def survey(access: Access, queue: str, layout: Layout | None) -> Situation:
    """What is known about the queue; what is not is told on stderr."""
    found = situation(queue, layout, Management(access))
    for text in found.remarks:
        remark(text)
    return found


@contextmanager
def linked(access: Access, purpose: str) -> Iterator[RawLink]:
    """A link for the block. Raises BrokerUnavailable, also when an alarm stops publishers for BLOCKED_TIMEOUT_S."""
    link = RawLink(access, purpose=purpose, blocked_timeout_s=BLOCKED_TIMEOUT_S, on_blocked=_blocked)
    try:
        yield link
    finally:
        link.close()


def safely(
    access: Access, queue: str, layout: Layout | None, allowed: frozenset[str], verb: str, *, safer: bool = False
) -> Situation:
    """What is known about the queue, once it is sure that returning messages to it harms none.

    With `safer` a policy is set first where that is needed. Raises RefusedForSafety.
    """
    if safer and (policy := make_safe(queue, Management(access))):
        remark(f"set policy {policy!r}, under which {queue!r} may be looked at; it stays until you delete it")
    found = survey(access, queue, layout)
    refuse_danger(queue, found.around, allowed, verb)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Looking:
    """`enough`: whether the look may end before all was seen; `run_id`: of the run that the lock is held by."""

    judge: Judge
    run_id: str = ""
    enough: Callable[[], bool] = lambda: False


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """`interrupted`: somebody stopped it, between two batches."""

    looked: Looked
    interrupted: bool


def looked(link: RawLink, wanted: Wanted, found: Situation, looking: Looking) -> Seen:
    """Look, and say on stderr what that costs and how far it is. Raises what `look` raises."""
    pace = _Pace(looking.judge)

    def begins(number: int, copies: bool) -> None:
        pace.total = number
        if copies:
            remark(
                f"{number:,} messages go to the tail of {wanted.queue!r} one after the other, by confirmed copies in "
                "their order; a time to live begins anew"
            )
        elif number and found.returning_counts:
            remark(f"this broker counts it as a delivery of each message; their limit is {found.around.limit:,}")

    with graceful() as stop:
        guard, who = BrokerGuard(link.connection), holder(looking.run_id or new_run_id())
        seen = look(
            link, guard, who, wanted, found, pace.judge, begins, lambda: stop.asked or looking.enough()
        )  # fmt: skip
    return Seen(looked=seen, interrupted=stop.asked)


class _Pace:
    """Says every LINE_EVERY_S how far a look has come."""

    def __init__(self, judge: Judge) -> None:
        self._judge, self._seen, self._last, self.total = judge, 0, time.monotonic(), 0

    def judge(self, letter: Letter) -> Verdict:
        self._seen += 1
        if time.monotonic() - self._last >= LINE_EVERY_S:
            self._last = time.monotonic()
            remark(f"looked at {self._seen:,} of {self.total:,}")
        return self._judge(letter)


def _blocked(reason: str | None) -> None:
    remark(f"the broker blocks publishers ({reason}); waiting" if reason else "the broker takes messages again")
