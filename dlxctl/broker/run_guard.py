"""One run at a time on a dead-letter queue, and the mark that tells the next run whether the last one ended.

The lock is an exclusive queue: it vanishes with its connection, so nothing has to be unlocked by force. The mark is a
durable queue with one message that names the run; it stays when a run dies. Only then are redelivered dead letters
flagged as possible duplicates: `redelivered` alone does not tell, since on 4.x dead-lettering itself sets it.
"""

import hashlib
import json
from collections import defaultdict
from typing import Any, Protocol

from pika import BasicProperties
from pika import exceptions as pika_errors

from dlxctl.broker.failures import converted
from dlxctl.broker.memory_link import MemoryLink
from dlxctl.errors import Locked

LONGEST_NAME = 255
PERSISTENT = 2


class RunGuard(Protocol):
    """Begin and end of a run on one queue."""

    def begin(self, queue: str, holder: dict[str, Any]) -> bool:
        """Take the lock, leave the mark; True when another run on the queue did not end.

        `holder` is JSON-able and says who runs; a mark that says the same is this run's own, from before it lost its
        connection. Raises Locked, naming the present holder.
        """

    def end(self, *, settled: bool) -> None:
        """Take the mark away when nothing of this or an earlier run is in doubt any more (`settled`)."""


def lock_name(queue: str) -> str:
    """The exclusive queue that is the lock."""
    return _bounded(f"dlxctl.lock.replay.{queue}")


def mark_name(queue: str) -> str:
    """The durable queue that holds the mark."""
    return _bounded(f"dlxctl.run.{queue}")


class BrokerGuard:
    """The guard on RabbitMQ, on a connection that lives as long as the run."""

    def __init__(self, connection: Any) -> None:
        """`connection`: pika's BlockingConnection of the run's link."""
        self._connection = connection
        self._queue = ""

    def begin(self, queue: str, holder: dict[str, Any]) -> bool:
        self._queue = queue
        with converted(f"locking replay of {queue!r} (queue {lock_name(queue)!r})"):
            channel = self._connection.channel()
            try:
                channel.queue_declare(lock_name(queue), exclusive=True, auto_delete=True)
            except pika_errors.ChannelClosedByBroker as error:
                if error.reply_code != 405:
                    raise
                raise self._locked(queue) from None
        with converted(f"marking the run (queue {mark_name(queue)!r})"):
            return self._mark(channel, json.dumps(holder).encode())

    def end(self, *, settled: bool) -> None:
        if settled and self._queue:
            with converted(f"taking away the mark {mark_name(self._queue)!r}"):
                self._connection.channel().queue_delete(mark_name(self._queue))

    def _mark(self, channel: Any, body: bytes) -> bool:
        """Leave the mark in place of those that are there; whether an earlier run left one.

        That the queue stands tells: what is in it may be out, with a run that was refused and reads who holds the lock.
        """
        name = mark_name(self._queue)
        stood = self._stands(name)
        declared = channel.queue_declare(name, durable=True, arguments={"x-queue-type": "classic"})
        there = [channel.basic_get(name) for _ in range(int(declared.method.message_count))]
        channel.confirm_delivery()
        channel.basic_publish("", name, body, BasicProperties(delivery_mode=PERSISTENT), mandatory=True)
        for found, _, _ in there:
            if found is not None:
                channel.basic_ack(found.delivery_tag)
        own = bool(there) and all(mark == body for _, _, mark in there)
        return stood and not own

    def _stands(self, name: str) -> bool:
        try:
            self._connection.channel().queue_declare(name, passive=True)
        except pika_errors.ChannelClosedByBroker as error:
            if error.reply_code != 404:
                raise
            return False
        return True

    def _locked(self, queue: str) -> Locked:
        mark = self._holder(queue)
        told = "run {run} by {user}@{host}, pid {pid}, since {started}".format_map(defaultdict(lambda: "?", mark))
        return Locked(
            f"another replay of {queue!r} is running",
            why=f"held by {told}" if mark else "its holder left no mark yet",
            remedy="Wait until it ends, or stop it there with Ctrl-C; the lock ends with its connection.",
            run=str(mark.get("run", "")),
        )

    def _holder(self, queue: str) -> dict[str, Any]:
        """Who holds the lock, by the mark; empty when it cannot be read."""
        channel = self._connection.channel()
        try:
            found, _, body = channel.basic_get(mark_name(queue))
            if found is None:
                return {}
            channel.basic_nack(found.delivery_tag)
            mark = json.loads(body)
        except (pika_errors.ChannelClosedByBroker, ValueError):
            return {}
        return mark if isinstance(mark, dict) else {}


class MemoryGuard:
    """The double: marks and locks that several guards share; a lock lives as long as the link that took it."""

    def __init__(self, marks: dict[str, dict[str, Any]], locks: dict[str, MemoryLink], link: MemoryLink) -> None:
        self._marks, self._locks, self._link, self._queue = marks, locks, link, ""

    def begin(self, queue: str, holder: dict[str, Any]) -> bool:
        if queue in self._locks and self._locks[queue].alive:
            run = self._marks[queue]["run"]
            raise Locked(
                f"another replay of {queue!r} is running", why=f"held by run {run}", remedy="Wait for it.", run=run
            )
        others = self._marks.get(queue, holder) != holder
        self._locks[queue] = self._link
        self._marks[queue] = holder
        self._queue = queue
        return others

    def end(self, *, settled: bool) -> None:
        if settled:
            self._marks.pop(self._queue, None)


def _bounded(name: str) -> str:
    """A queue name has at most 255 octets; a longer one keeps its start and gets a digest."""
    data = name.encode()
    if len(data) <= LONGEST_NAME:
        return name
    return data[:200].decode("utf-8", "ignore") + "." + hashlib.sha256(data).hexdigest()[:32]
