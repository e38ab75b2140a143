"""Going once round a queue: every message is judged once, and at most MOST_UNACKNOWLEDGED are out at any time.

A broker gives messages from the head only, and what is returned comes first again. So in a queue that is longer than
what may be held, a message that stays goes to the tail as a copy: mandatory, confirmed, and only then is the original
acknowledged (docs/decisions/0008). In a short one, messages are held, and given back at the end in their order.

Work goes in batches: a consumer takes exactly as many as are still to be judged, so that the round ends where it
began, no copy is met again, and nothing is delivered only to be returned.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from dlxctl.broker.link import LARGEST_HEADER, Link
from dlxctl.errors import DlxctlError, NotFound
from dlxctl.model import headers as names
from dlxctl.ops.look import MOST_UNACKNOWLEDGED, deliveries, return_in_order, wait_for_depth
from dlxctl.ops.silence import Silence
from dlxctl.replay.letter import Letter, shape_book
from dlxctl.replay.verdict import DROP, STAY, Send, Verdict, may_be_copied, with_entries
from dlxctl.wire import content, table
from dlxctl.wire.intake import Cancelled, Confirm, Delivery, Event, Returned

BATCH = 400
"""Twice so many may be out at a time: a quorum queue takes the acknowledgements of a batch a moment after the next
batch began (measured: 1,567 out with batches of 800)."""
MOST_KEPT = 200
"""Of a round that makes copies: messages that cannot be copied, held until its end."""
FIRST_BATCH = 16
BUDGET_BYTES = 16 * 1024 * 1024
"""What a batch may weigh in the client, by the average of what came."""

Judge = Callable[[Letter], Verdict]
_MAYBE_DUPLICATE = table.true_entry(names.MAYBE_DUPLICATE)


@dataclass(slots=True, kw_only=True)
class Tally:
    """Counts of messages. `copied`: stayed, by a copy at the tail; `held`: stayed unacknowledged; `refused`: of those
    to be sent, what the target would not take or no frame would hold, which stayed too."""

    judged: int = 0
    copied: int = 0
    held: int = 0
    dropped: int = 0
    sent: int = 0
    refused: int = 0


def marked(header: bytes) -> bytes:
    """The header of a copy, with the mark of a possible duplicate where it is not there; it may be too long then.

    A copy does not look redelivered any more, so only the mark tells a later run what an unfinished one may have done.
    """
    where = content.read(header)
    there, _ = table.find(header, where.table, where.table_end, frozenset({names.MAYBE_DUPLICATE.encode()}))
    return header if there else with_entries(header, _MAYBE_DUPLICATE)


def telling(letter: Letter) -> Letter:
    """For what outlives the queue, after a run that did not end: a redelivered letter, with the mark where it fits."""
    if not letter.delivery.redelivered:
        return letter
    header = marked(letter.delivery.header)
    return Letter(letter.delivery._replace(header=header)) if len(header) <= LARGEST_HEADER else letter


class Round:
    """One round on one link. `copies`: what stays goes to the tail; else it is held, and the goal is bounded.

    `user` is the broker's user, as whom copies are published. `suspect`: an earlier run did not end, so a redelivered
    message may have a copy already; its own is marked, since a copy does not look redelivered any more.
    """

    def __init__(
        self, link: Link, queue: str, judge: Judge, *, copies: bool, user: str, suspect: bool = False
    ) -> None:  # fmt: skip
        self.link, self.queue, self.tally = link, queue, Tally()
        self._judge, self._copies, self._user, self._suspect = judge, copies, user, suspect
        self._shapes = shape_book()
        self._kept: list[int] = []
        self._pending: dict[int, tuple[int, Send | None]] = {}
        self._done: list[int] = []
        self._missing, self._returned = "", 0
        self.settled = True
        """Whether nothing is in doubt: every copy that a queue took is confirmed, and its original acknowledged."""
        self._octets = 0

    def go(self, goal: int, stopping: Callable[[], bool] = lambda: False) -> Tally:
        """Judge `goal` messages, or as many as there are; what was held is back in the queue at the end.

        Stops between two batches when `stopping` says so. Raises NotFound, BrokerRefused, BrokerUnavailable, what the
        judge raises, and DlxctlError when too many cannot be copied.
        """
        if not self._copies:
            goal = min(goal, MOST_UNACKNOWLEDGED)
        try:
            while not stopping():
                goal = self._within_reach(goal)
                if self.tally.judged >= goal or not self._batch(min(self._size(), goal - self.tally.judged)):
                    break
        except BaseException:
            with suppress(DlxctlError):  # the first error tells more
                self._leave()
            raise
        self._leave()
        return self.tally

    def _within_reach(self, goal: int) -> int:
        """Less than `goal` when messages went by themselves, expired say: in their place would come our own copies."""
        if not self._copies or self.tally.judged >= goal:
            return goal
        rest = goal - self.tally.judged
        there = wait_for_depth(self.link, self.queue, self.tally.copied + rest) - self.tally.copied
        return self.tally.judged + max(0, min(rest, there))

    def _size(self) -> int:
        if self.tally.judged < FIRST_BATCH:
            return FIRST_BATCH
        return max(1, min(BATCH, BUDGET_BYTES * self.tally.judged // max(1, self._octets)))

    def _batch(self, number: int) -> bool:
        """Judge the next `number` messages; False when fewer came."""
        self.link.consume(self.queue, number)
        came = 0
        for delivery in deliveries(self.link, self.queue, number, self._happened):
            came += 1
            self._octets += len(delivery.header) + len(delivery.body)
            letter = Letter(delivery, self._shapes.shape_of(delivery.header))
            self.tally.judged += 1
            self._carry_out(letter, self._judge(letter))
            self._mind_the_kept()
        self.link.cancel()
        self._settle()
        self._mind_the_kept()
        return came == number

    def _carry_out(self, letter: Letter, verdict: Verdict) -> None:
        delivery = letter.delivery
        send = verdict if isinstance(verdict, Send) else None
        if verdict is DROP:
            self._done.append(delivery.tag)
            self.tally.dropped += 1
            return
        header = self._marked(letter, send.header if send else delivery.header)
        fits = len(header) <= LARGEST_HEADER
        if fits and (send or (self._copies and may_be_copied(letter, self._user))):
            self._publish(delivery, send.queue if send else self.queue, header, send)
            return
        self.tally.refused += send is not None
        self._keep(delivery.tag)

    def _marked(self, letter: Letter, header: bytes) -> bytes:
        doubtful = self._suspect and letter.delivery.redelivered
        return marked(header) if doubtful or letter.field(names.MAYBE_DUPLICATE) else header

    def _publish(self, delivery: Delivery, queue: str, header: bytes, send: Send | None) -> None:
        body = delivery.body if send is None or send.body is None else send.body
        sequence = self.link.publish(b"", queue.encode(), header, body)
        self._pending[sequence] = (delivery.tag, send)
        self.settled = False

    def _keep(self, tag: int) -> None:
        self._kept.append(tag)
        self.tally.held += 1

    def _mind_the_kept(self) -> None:
        """Not while confirms are read: every one of them has to be heard."""
        if self._copies and len(self._kept) > MOST_KEPT:
            raise DlxctlError(
                f"{len(self._kept):,} messages of {self.queue!r} cannot go to its tail, so the round stops here",
                why="they carry CC or another user's user_id, or the queue refused their copies",
                remedy="Nothing is lost. Look at the head of the queue only: leave --all out.",
            )

    def _settle(self) -> None:
        """Until every copy is confirmed and every original acknowledged.

        Called with no consumer, to which the acknowledgements would bring more than the batch.
        """
        self.settled, silence = False, Silence()
        while self._pending:
            events = self.link.pump(0.2)
            silence.mind(self.link, len(self._pending), heard=bool(events))
            for event in events:
                self._happened(event)
        for tag in self._done:
            self.link.ack(tag, multiple=False)
        self._done = []
        self.link.settle()
        self.settled = self._returned == 0  # else a queue came meanwhile and took copies whose originals stay
        if self._missing:
            missing, self._missing = self._missing, ""
            raise _gone(missing)

    def _happened(self, event: Event) -> None:
        match event:
            case Confirm():
                self._confirmed(event)
            case Returned():
                self._missing = event.routing_key.decode("utf-8", "backslashreplace")  # its confirm follows
                self._returned += 1
            case Cancelled():
                raise _gone(self.queue)
            case Delivery():
                self._kept.append(event.tag)  # came after the quiet; it goes back unread

    def _confirmed(self, confirm: Confirm) -> None:
        first = next(iter(self._pending), confirm.sequence) if confirm.multiple else confirm.sequence
        for sequence in range(first, confirm.sequence + 1):
            tag, send = self._pending.pop(sequence, (None, None))
            if tag is None:
                continue
            missing = self._missing == (send.queue if send else self.queue)
            self._returned -= missing
            if not confirm.ok or missing:
                self.tally.refused += send is not None
                self._keep(tag)
                continue
            self._done.append(tag)
            self.tally.sent += send is not None
            self.tally.copied += send is None

    def _leave(self) -> None:
        """Give back what is held, in order, and what is still on its way."""
        self.link.cancel()
        self._settle()
        least = len(self._kept) + self.tally.copied
        kept, self._kept = self._kept, []
        return_in_order(self.link, self.queue, kept, least)


def _gone(queue: str) -> NotFound:
    return NotFound(
        f"queue {queue!r} does not exist, or was deleted meanwhile",
        remedy="Nothing was acknowledged without a confirmed copy; create the queue, then run the same command again.",
    )


__all__ = ["DROP", "STAY", "Round", "Send", "Tally"]
