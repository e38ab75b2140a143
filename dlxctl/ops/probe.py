"""Use case: send a task that fails through each work queue, and take it out of its dead-letter queue again.

Only the probe is acknowledged. Other dead letters that stand before it are taken and given back in their order, as
`inspect` does; a queue that holds too many of them, or where that could harm them, is not probed.
"""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from dlxctl.broker.link import Link
from dlxctl.celery.doctor.rules import PROBE, Finding, found
from dlxctl.model.diagnostics import quoted
from dlxctl.ops.look import MOST_UNACKNOWLEDGED, QUIET_S, return_in_order
from dlxctl.replay.letter import Letter
from dlxctl.wire.intake import Delivery

POLL_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """One work queue: `seconds` from sending the probe to finding it in `dead_letter`, or None and why not."""

    queue: str
    dead_letter: str = ""
    seconds: float | None = None
    trouble: str = ""

    @property
    def finding(self) -> Finding | None:
        """What is wrong, if it did not arrive."""
        if self.seconds is not None:
            return None
        remedy = "is a worker running that consumes the queue? Its log tells what became of celery.accumulate"
        return found(PROBE, f"queue {quoted(self.queue)}", self.trouble, remedy)


def probe(
    link: Link, roads: Mapping[str, str], send: Callable[[Mapping[str, str]], float], *, timeout_s: float
) -> Iterator[Probed]:
    """Probe every queue of `roads` (work queue -> dead-letter queue) at once; results as they come.

    `send` gets the queues by the id of their probe, and returns when it sent the first (seconds since 1970).
    Raises what `Link` raises, and what `send` does.
    """
    full = {queue for queue, rest in roads.items() if link.depth(rest) >= MOST_UNACKNOWLEDGED - len(roads)}
    for queue in sorted(full):
        many = f"its dead-letter queue {quoted(roads[queue])} holds too many dead letters to look through"
        yield Probed(queue=queue, dead_letter=roads[queue], trouble=many)
    waiting = {str(uuid.uuid4()): queue for queue in roads if queue not in full}
    if not waiting:
        return
    seen = {rest: link.depth(rest) for rest in {roads[queue] for queue in waiting.values()}}
    sent_at = send(dict(waiting))
    deadline = time.monotonic() + timeout_s
    while waiting and time.monotonic() < deadline:
        for identity in _arrived(link, seen, waiting):
            queue = waiting.pop(identity)
            yield Probed(queue=queue, dead_letter=roads[queue], seconds=max(0.0, time.time() - sent_at))
        time.sleep(POLL_S)
    for identity, queue in waiting.items():
        late = f"the probe {identity} was not in {quoted(roads[queue])} after {timeout_s:g} s"
        yield Probed(queue=queue, dead_letter=roads[queue], trouble=late)


def _arrived(link: Link, seen: dict[str, int], waiting: Mapping[str, str]) -> Iterator[str]:
    """The probes that were found, and are gone, in dead-letter queues whose depth has changed."""
    for rest, before in seen.items():
        depth = link.depth(rest)
        if depth != before:
            found_here = tuple(_take_out(link, rest, min(depth, MOST_UNACKNOWLEDGED), waiting))
            seen[rest] = depth - len(found_here)
            yield from found_here


def _take_out(link: Link, rest: str, expected: int, waiting: Mapping[str, str]) -> Iterator[str]:
    """Acknowledge the probes among the first `expected` messages; all others are back in their order afterwards."""
    if not expected:
        return
    link.consume(rest, expected)
    others: list[int] = []
    try:
        for letter in _letters(link, expected):
            if letter.id in waiting:
                link.ack(letter.delivery.tag, multiple=False)
                yield letter.id
            else:
                others.append(letter.delivery.tag)
    finally:
        return_in_order(link, rest, others, len(others))


def _letters(link: Link, expected: int) -> Iterator[Letter]:
    taken, quiet_since = 0, time.monotonic()
    while taken < expected and time.monotonic() - quiet_since < QUIET_S:
        for event in link.pump(0.1):
            if isinstance(event, Delivery):
                taken, quiet_since = taken + 1, time.monotonic()
                yield Letter(event)
