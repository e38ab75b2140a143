"""The messages of a migration: out of the old queue and into the new one, and when the old one may be deleted.

What consumers hold unacknowledged is told by statistics only, up to ten seconds late. So the mover takes before all
other consumers: from the moment that it keeps pace nobody else gets a message, what they hold only becomes less, and a
statistic of zero that is younger than that moment is a proof.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from dlxctl.broker.address import Access
from dlxctl.broker.migration_link import PRIORITY, MigrationLink
from dlxctl.broker.queue_statistics import LAG_S
from dlxctl.errors import BrokerRefused, BrokerUnavailable, DlxctlError, RefusedForSafety
from dlxctl.model.effective import setting
from dlxctl.model.server import ServerInfo
from dlxctl.model.topology import Queue, Topology
from dlxctl.ops.migrate_move import WINDOW, Mover, Tally, Way, lost_queue
from dlxctl.plan.migration import Scaffold
from dlxctl.plan.migration_roads import Road, RoadsHome, packed, unpacked
from dlxctl.wire.intake import Delivery

Tell = Callable[[str], None]
LOOK_EVERY_S = 1.0
MOST_SWAPS = 50
GO_ON = "Run the same command again: it goes on from what stands on the broker."


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """In seconds: `drain_s` for unacknowledged messages and full queues, `blocked_s` for an alarm, `dead_s` until the
    broker notices that a killed run is dead; `statistics_s` is how far statistics are behind, `quiet_s` how long the
    temporary queue stays empty before it is deleted: no message is on its way to it any more; `turn_s` how long to
    wait for the broker's next word."""

    drain_s: float = 300.0
    blocked_s: float = 120.0
    dead_s: float = 90.0
    statistics_s: float = LAG_S
    quiet_s: float = 1.0
    turn_s: float = 0.1


class Statistics(Protocol):
    """What is known of messages that no consumer can have now: `broker.queue_statistics.QueueStatistics`."""

    def of(self, queue: str) -> dict[str, int] | None:
        """Messages by kind, None when nothing is known."""

    def held_by_others(self, queue: str, priority: int) -> int | None:
        """At most so many are with others than the consumer of `priority`; None when unknown."""


class Messages:
    """The messages of one migration. `confirm` keeps the lock alive and raises when it is lost."""

    def __init__(
        self, access: Access, server: ServerInfo, scaffold: Scaffold, patience: Patience, confirm: Callable[[], None],
        tell: Tell, statistics: Statistics,
    ) -> None:  # fmt: skip
        self.scaffold, self.patience = scaffold, patience
        self._access, self._confirm, self._tell = access, confirm, tell
        self._statistics = statistics
        self._user = None if "impersonator" in server.tags else server.user
        self.temporary_is_new = False
        """Whether this run made the temporary queue: then all that was set aside in it is known."""
        self._set_aside: Tally | None = None

    def cut_over(self, old: Queue, new: Queue, *, suspect: bool) -> None:
        """Set every message of `old` aside, wait until nobody holds any, delete it and declare `new`.

        `suspect`: a replay of it did not end.

        Raises BrokerUnavailable when messages stay unacknowledged for longer than the patience.
        """
        aside = self.scaffold.aside.encode()
        way = Way(
            came=lambda d: _plain(unpacked(packed(d.exchange, d.routing_key))),
            goes=lambda d: (aside, packed(d.exchange, d.routing_key)),
        )
        link = self._link()
        try:
            mover = Mover(link, old.name, way, user=self._user, suspect=suspect)
            mover.start()
            self._drain(mover)
            self._swap(mover, link, old, new)
        finally:
            link.close()  # on 3.10 a channel that knew the old queue may be killed over the new one (facts 9.10)
        self._set_aside = mover.moved if self.temporary_is_new and not mover.expiring else None
        self._tell(f"{old.name}: {mover.moved.count:,} messages set aside, digest {mover.moved.digest:032x}")

    def bring_home(self, observed: Topology) -> None:
        """Move every message of the temporary queue to the queue; it is empty then, and nothing leads to it.

        Raises RefusedForSafety when the queue would drop messages for them, BrokerUnavailable when it stays full.
        """
        temporary, aside = self.scaffold.temporary, self.scaffold.aside.encode()
        roads = RoadsHome(scaffold=self.scaffold, observed=observed)

        def came(delivery: Delivery) -> tuple[bytes | None, bytes]:
            known = delivery.exchange != aside
            return (delivery.exchange, delivery.routing_key) if known else unpacked(delivery.routing_key)

        way = Way(came=lambda d: _plain(came(d)), goes=lambda d: roads.home(*came(d), d.header))
        link = self._alone(temporary, observed)
        try:
            mover = Mover(link, temporary, way, user=self._user)
            mover.apart = aside
            self._empty(mover, link)
        finally:
            link.close()
        self._compare(mover)
        self._tell(f"{self.scaffold.queue}: {mover.moved.count:,} messages back, digest {mover.moved.digest:032x}")

    def _drain(self, mover: Mover) -> None:
        """Until the queue is empty and nobody holds a message of it."""
        next_look, told = 0.0, False
        while True:
            self._turn(mover)
            now = time.monotonic()
            calm_s = now - mover.last_full - self.patience.statistics_s
            if calm_s < 0 or now < next_look:
                continue
            next_look, numbers = now + LOOK_EVERY_S, self._statistics.of(mover.source)
            if self._free(mover.source, numbers):
                return
            if not told:
                self._tell(f"{mover.source}: waiting up to {self.patience.drain_s:g} s for {_held(numbers)}")
                told = True
            if calm_s > self.patience.drain_s:
                mover.stop()
                raise self._still_held(mover.source, numbers)

    def _free(self, queue: str, numbers: dict[str, int] | None) -> bool:
        """Whether nobody but the mover holds a message. While messages keep coming its own are in the queue's count."""
        if numbers is None or numbers.get("messages_dlx") or numbers.get("messages_delayed"):
            return False
        return not any(numbers.values()) or self._statistics.held_by_others(queue, PRIORITY) == 0

    def _turn(self, mover: Mover, *, acknowledging: bool = True) -> None:
        mover.turn(self.patience.turn_s, acknowledging=acknowledging)
        self._confirm()
        if mover.ended and acknowledging:
            raise lost_queue(mover.source)

    def _swap(self, mover: Mover, link: MigrationLink, old: Queue, new: Queue) -> None:
        for attempt in range(MOST_SWAPS):
            self._settle(mover)
            self._check_aside(mover, link)
            try:
                link.swap(old, new)
                break
            except BrokerRefused:
                if attempt == MOST_SWAPS - 1:
                    raise
        # What came between the last look and the deletion is in our hands only, and unacknowledged for ever.
        deadline = time.monotonic() + self.patience.quiet_s
        while not (mover.ended and mover.idle) and time.monotonic() < deadline:
            self._turn(mover, acknowledging=False)

    def _settle(self, mover: Mover) -> None:
        self._turn(mover)
        while not mover.idle:
            self._turn(mover)

    def _check_aside(self, mover: Mover, link: MigrationLink) -> None:
        """Counts and digest, before anything is deleted."""
        deadline = time.monotonic() + self.patience.quiet_s
        while True:
            counts = link.counts(self.scaffold.temporary)
            there = counts.ready if counts else 0
            if mover.equal and (there >= mover.moved.count or mover.expiring):
                return
            if time.monotonic() > deadline:
                break
        raise DlxctlError(
            f"{mover.moved.count:,} messages of {mover.source!r} were set aside, and {there:,} are in "
            f"{self.scaffold.temporary!r}",
            why="somebody takes messages from it, or a limit drops them",
            remedy=f"Nothing was deleted. Find out who, then go back (dlxctl migrate --revert) or on. {GO_ON}",
        )

    def _empty(self, mover: Mover, link: MigrationLink) -> None:
        while True:
            self._turn(mover)
            now = time.monotonic()
            if mover.idle and now - mover.last_event >= self.patience.quiet_s and link.depth(mover.source) == 0:
                return
            if not mover.idle and now - mover.last_fruit > self.patience.drain_s:
                mover.stop()
                raise BrokerUnavailable(
                    f"queue {self.scaffold.queue!r} takes no more messages",
                    why=f"it is full; the rest waits in {mover.source!r}",
                    remedy=f"Let consumers make room. {GO_ON}",
                )

    def _compare(self, mover: Mover) -> None:
        expected = self._set_aside
        if mover.equal and (expected is None or mover.expiring or mover.from_apart == expected):
            return
        raise DlxctlError(
            f"what came back to {self.scaffold.queue!r} is not what was set aside",
            why=f"{mover.from_apart.count:,} messages with digest {mover.from_apart.digest:032x}; see the lines before",
            remedy=f"Nothing else was deleted. {GO_ON}",
        )

    def _check_room(self, link: MigrationLink, observed: Topology) -> None:
        queue = observed.queue(self.scaffold.queue)
        assert queue is not None
        most = setting(observed, queue, "x-max-length")
        drops = setting(observed, queue, "x-overflow") in (None, "drop-head")
        waiting, there = link.depth(self.scaffold.temporary), link.depth(queue.name)
        if most is not None and drops and waiting + there > most:
            raise RefusedForSafety(
                f"queue {queue.name!r} would drop messages",
                why=f"{there:,} are in it and {waiting:,} in {self.scaffold.temporary!r}; it keeps {most:,}, and drops "
                "the oldest for more",
                remedy=f"Raise its max_length, or let consumers make room. {GO_ON}",
            )

    def _alone(self, queue: str, observed: Topology) -> MigrationLink:
        """A link that is the only consumer of `queue`: that of a killed run has to be gone, with what it held."""
        trying = Retrying(
            retry=retry_if_exception_type(BrokerRefused), wait=wait_fixed(0.5),
            stop=stop_after_delay(self.patience.dead_s), reraise=True,
        )  # fmt: skip
        return trying(self._try_alone, queue, observed)

    def _try_alone(self, queue: str, observed: Topology) -> MigrationLink:
        self._confirm()
        link = self._link()
        link.alone = True
        try:
            self._check_room(link, observed)
            link.consume(queue, WINDOW)
        except DlxctlError:
            link.close()
            raise
        return link

    def _link(self) -> MigrationLink:
        return MigrationLink(
            self._access, purpose=f"migrate {self.scaffold.queue}", blocked_timeout_s=self.patience.blocked_s
        )  # fmt: skip

    def _still_held(self, queue: str, numbers: dict[str, int] | None) -> BrokerUnavailable:
        return BrokerUnavailable(
            f"queue {queue!r} did not become empty within {self.patience.drain_s:g} s",
            why=f"{_held(numbers)}; new messages wait in {self.scaffold.temporary!r}",
            remedy="Wait until its consumers are done, or stop them (one with single_active_consumer lets nobody else "
            "take). Then run the same command again, with a longer --drain-timeout; or: dlxctl migrate --revert.",
        )


def _plain(road: tuple[bytes | None, bytes]) -> Road:
    """For hashes: an exchange that is not known counts as none."""
    return (road[0] or b"", road[1])


def _held(numbers: dict[str, int] | None) -> str:
    if numbers is None:
        return "messages that nobody counts: the management API has no statistics of it"
    kinds = {
        "messages_ready": "ready", "messages_unacknowledged": "unacknowledged", "messages_delayed": "delayed",
        "messages_dlx": "waiting to be dead-lettered",
    }  # fmt: skip
    told = [f"{numbers[kind]:,} {word}" for kind, word in kinds.items() if numbers.get(kind)]
    return f"{', '.join(told) or 'messages'} (statistics, up to {LAG_S:g} s old)"
