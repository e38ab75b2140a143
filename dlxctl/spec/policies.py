"""Settings that may change later, as policies: queues of one type with equal settings share one policy.

Only one user policy applies to a queue, and one key that its type does not know voids the whole policy in silence
(facts 5.6), so a policy never mixes types. RabbitMQ 3.10 has no `apply-to` per type, so the pattern alone separates
them. Of two policies with one priority another one wins on 4.3 than on 4.0 (facts 5.5), so priorities are unique.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from dlxctl.model.patterns import pattern
from dlxctl.model.topology import Policy, QueueType

LOWEST_PRIORITY = 1_000
PRIORITIES = 99_000
"""Priorities are taken from 1000 to 99999: above the catch-all policies that brokers usually have, and more than there
are nodes in the largest file, so that each policy finds a free one."""
PATTERN_BYTES = 1024
"""Longest pattern that RabbitMQ 4.3 takes; 3.10 and 4.0 take some 50,000 bytes (measured: 400 Validation failed)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tunable:
    """What a policy is to set on one queue; `definition` has policy keys."""

    queue: str
    type: QueueType
    definition: Mapping[str, Any]


def policies(topology: str, wanted: Iterable[Tunable]) -> Iterator[Policy]:
    """One policy `dlxctl.<topology>.<digest>` for each type and definition; none where there is nothing to set.

    Name and priority depend on type and definition, not on the queues, so that a new queue changes a pattern only. A
    pattern that would be too long is shared out among several policies.
    """
    alike: dict[tuple[QueueType, str], list[Tunable]] = {}
    for tunable in wanted:
        if tunable.definition:
            alike.setdefault((tunable.type, repr(tunable.definition)), []).append(tunable)
    groups: dict[str, list[Tunable]] = {}
    for some in alike.values():
        groups.setdefault(digest(some[0]), []).extend(some)
    taken: set[int] = set()
    for key, group in sorted(groups.items()):
        for part, names in _parts([_name(text) for text in sorted(tunable.queue for tunable in group)]):
            name = f"{key}.{part}" if part else key
            definition = dict(group[0].definition)
            yield Policy(
                name=f"dlxctl.{topology}.{name}",
                pattern=pattern(names),
                priority=free_priority(name, taken),
                definition=definition,
            )


def digest(tunable: Tunable) -> str:
    """Twelve hexadecimal digits of type and definition."""
    canonical = json.dumps([str(tunable.type), dict(tunable.definition)], sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def free_priority(name: str, taken: set[int]) -> int:
    """A priority drawn from `name`, so that it stays when other policies come and go; from now on one of `taken`."""
    offset = _hash(name) % PRIORITIES
    while LOWEST_PRIORITY + offset in taken:
        offset = (offset + 1) % PRIORITIES
    taken.add(LOWEST_PRIORITY + offset)
    return LOWEST_PRIORITY + offset


class _Name(NamedTuple):
    """A queue's name with what `_parts` asks of it at each step: its hash, and its octets in a pattern, with a `|`."""

    text: str
    hash: int
    octets: int


_FRAME = len(pattern([])) - 1
"""Octets of a pattern beside those of its names: the last of them has no `|`."""


def _name(text: str) -> _Name:
    return _Name(text, _hash(text), len(pattern([text]).encode()) - _FRAME)


def _parts(names: list[_Name], part: str = "") -> Iterator[tuple[str, list[str]]]:
    """Halve the names by their hashes until each pattern fits: ("", all), or ("0", ...), ("10", ...), ("11", ...).

    A name stays in its part until that part is halved, never moves to a part that exists. So a broker that gets new
    policies before it loses old ones never leaves a queue without its settings.
    """
    if sum(name.octets for name in names) + _FRAME <= PATTERN_BYTES:
        yield part, [name.text for name in names]
        return
    halves: dict[str, list[_Name]] = {"0": [], "1": []}
    for name in names:
        halves[str(name.hash >> len(part) & 1)].append(name)
    for bit, half in halves.items():
        if half:
            yield from _parts(half, part + bit)


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest())
