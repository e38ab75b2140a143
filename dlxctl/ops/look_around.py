"""One look at a dead-letter queue, by the way that its length and its settings allow (docs/decisions/0008).

Up to MOST_UNACKNOWLEDGED messages are held and given back. More are gone round by copies, under the lock of replay, so
that no replay meets them on the way, and with its mark, so that a look that died is known.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from dlxctl.broker.link import Link
from dlxctl.broker.run_guard import RunGuard
from dlxctl.errors import DlxctlError, RefusedForSafety
from dlxctl.ops.look import MOST_UNACKNOWLEDGED
from dlxctl.ops.rotation import Judge, Round, Tally
from dlxctl.ops.situation import Situation
from dlxctl.replay.letter import Letter
from dlxctl.replay.verdict import STAY, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """`most`: how many messages to look at, None for all that are there when the look begins. `user`: the broker's.
    `takes`: whether the judge may drop or send messages, so that nobody else may work on the queue meanwhile."""

    queue: str
    most: int | None
    user: str
    takes: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """`found`: messages in the queue when the look began; `copies`: whether those that stay went to the tail."""

    found: int
    copies: bool
    tally: Tally


def look(
    link: Link, guard: RunGuard, holder: dict[str, Any], wanted: Wanted, found: Situation, judge: Judge,
    begins: Callable[[int, bool], None], stopping: Callable[[], bool],
) -> Looked:  # fmt: skip
    """Judge what is wanted; `begins` hears the number of messages and whether copies are made, before the first one.

    Raises RefusedForSafety where copies would not be safe, Locked, and what `Round.go` raises.
    """
    depth = link.depth(wanted.queue)
    goal = depth if wanted.most is None else min(depth, wanted.most)
    copies = goal > MOST_UNACKNOWLEDGED
    if copies and not found.around.may_rotate:
        if not wanted.takes:
            raise _no_copies(wanted.queue, depth)
        copies = False  # its head is worked on; the next run goes on
    begins(goal, copies)
    if not copies and not wanted.takes:
        tally = Round(link, wanted.queue, judge, copies=False, user=wanted.user).go(goal, stopping)
        return Looked(found=depth, copies=False, tally=tally)
    suspect = guard.begin(wanted.queue, holder)
    goal = min(goal, link.depth(wanted.queue))  # a replay may have ended meanwhile: copies must not be met again
    around = Round(link, wanted.queue, judge, copies=copies, user=wanted.user, suspect=suspect)
    try:
        tally = around.go(goal, stopping)
    except BaseException:
        with suppress(DlxctlError):
            guard.end(settled=around.settled and not suspect)
        raise
    guard.end(settled=not suspect)
    return Looked(found=depth, copies=copies, tally=tally)


def seeing(show: Callable[[Letter], None]) -> Judge:
    """A judge that shows each letter and leaves it."""

    def judge(letter: Letter) -> Verdict:
        show(letter)
        return STAY

    return judge


def _no_copies(queue: str, depth: int) -> RefusedForSafety:
    return RefusedForSafety(
        f"looking at more than {MOST_UNACKNOWLEDGED:,} of the {depth:,} messages of {queue!r} could push some out",
        why="each would go to its tail as a copy, and its length is bounded, or nobody tells that it is not",
        remedy=f"Look at its head (--limit {MOST_UNACKNOWLEDGED}), or take the maximum length off first.",
    )
