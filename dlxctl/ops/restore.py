"""Restore: the messages of an archive into a queue, byte for byte, each confirmed; what is not safe to send is held."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from dlxctl.broker.link import LARGEST_HEADER, Link
from dlxctl.errors import NotFound
from dlxctl.ops.silence import Silence
from dlxctl.replay.archived import Archived
from dlxctl.replay.letter import Letter
from dlxctl.replay.verdict import may_be_copied
from dlxctl.wire.intake import Confirm, Returned

WINDOW = 500
WINDOW_OCTETS = 16 * 1024 * 1024


@dataclass(slots=True, kw_only=True)
class Restored:
    """Counts of messages: `read` from the archive, `restored` and confirmed, `left`: not chosen, `held`: they would
    not be the same messages or go elsewhere too, `refused` by the queue."""

    read: int = 0
    restored: int = 0
    left: int = 0
    held: int = 0
    refused: int = 0


def restore(
    link: Link, queue: str, messages: Iterable[Archived], chooses: Callable[[Letter], bool], user: str,
    stopping: Callable[[], bool],
) -> Restored:  # fmt: skip
    """Publish them to `queue` by name, mandatory; stops between two windows when `stopping` says so.

    Raises NotFound, BrokerRefused, BrokerUnavailable.
    """
    done = Restored()
    sendable = _sendable(messages, chooses, user, done)
    while not stopping() and (letters := _window(sendable)):
        waiting = {link.publish(b"", queue.encode(), one.delivery.header, one.delivery.body) for one in letters}
        silence = Silence()
        while waiting:
            events = link.pump(0.2)
            silence.mind(link, len(waiting), heard=bool(events))
            for event in events:
                if isinstance(event, Returned):
                    raise NotFound(f"queue {queue!r} does not exist", remedy="Create it, or name another with --queue.")
                if isinstance(event, Confirm):
                    _settle(waiting, event, done)
    return done


def rehearse(messages: Iterable[Archived], chooses: Callable[[Letter], bool], user: str) -> Restored:
    """What `restore` would do, as far as no broker has to tell."""
    done = Restored()
    for _ in _sendable(messages, chooses, user, done):
        done.restored += 1
    return done


def _sendable(
    messages: Iterable[Archived], chooses: Callable[[Letter], bool], user: str, done: Restored
) -> Iterator[Letter]:
    for message in messages:
        letter = message.letter
        done.read += 1
        if not chooses(letter):
            done.left += 1
        elif may_be_copied(letter, user) and len(message.header) <= LARGEST_HEADER:
            yield letter
        else:
            done.held += 1


def _window(letters: Iterator[Letter]) -> list[Letter]:
    """The next letters, WINDOW of them or as many as reach WINDOW_OCTETS."""
    found: list[Letter] = []
    octets = 0
    for letter in islice(letters, WINDOW):
        found.append(letter)
        octets += len(letter.delivery.body)
        if octets >= WINDOW_OCTETS:
            break
    return found


def _settle(waiting: set[int], confirm: Confirm, done: Restored) -> None:
    first = min(waiting, default=confirm.sequence) if confirm.multiple else confirm.sequence
    for sequence in range(first, confirm.sequence + 1):
        if sequence in waiting:
            waiting.discard(sequence)
            done.restored += confirm.ok
            done.refused += not confirm.ok
