"""Settings that may change later, as policies: queues of one type with equal settings share one policy.

Only one user policy applies to a queue, and one key that its type does not know voids the whole policy in silence
(facts 5.6), so a policy never mixes types. RabbitMQ 3.10 has no `apply-to` per type, so the pattern alone separates
them. Of two policies with one priority another one wins on 4.3 than on 4.0 (facts 5.5), so priorities are unique.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dlxctl.model.topology import Policy, QueueType

LOWEST_PRIORITY = 1_000
PRIORITIES = 9_000
"""Priorities are taken from 1000 to 9999: above the catch-all policies that brokers usually have."""
PATTERN_BYTES = 8_000
"""Longest alternation of one policy; the broker's regular expressions have a limit, and people read them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tunable:
    """What a policy is to set on one queue; `definition` has policy keys."""

    queue: str
    type: QueueType
    definition: Mapping[str, Any]


def policies(topology: str, wanted: Iterable[Tunable]) -> Iterator[Policy]:
    """One policy `dlxctl.<topology>.<digest>` for each type and definition; none where there is nothing to set.

    Name and priority depend on type and definition alone, so that a new queue changes patterns only.
    """
    groups: dict[str, list[Tunable]] = {}
    for tunable in wanted:
        if tunable.definition:
            groups.setdefault(digest(tunable), []).append(tunable)
    taken: set[int] = set()
    for key, group in sorted(groups.items()):
        for part, names in enumerate(_parts(sorted(tunable.queue for tunable in group))):
            name = f"dlxctl.{topology}.{key}" + (f".{part + 1}" if part else "")
            definition = dict(group[0].definition)
            yield Policy(name=name, pattern=pattern(names), priority=_priority(key, taken), definition=definition)


def digest(tunable: Tunable) -> str:
    """Twelve hexadecimal digits of type and definition."""
    canonical = json.dumps([str(tunable.type), dict(tunable.definition)], sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def pattern(names: Iterable[str]) -> str:
    """The regular expression that matches exactly `names`: anchored, every special character escaped."""
    return f"^({'|'.join(re.escape(name) for name in names)})$"


def _parts(names: list[str]) -> Iterator[list[str]]:
    """Cut the names where the pattern would get too long."""
    part: list[str] = []
    size = 0
    for name in names:
        length = len(re.escape(name).encode()) + 1
        if part and size + length > PATTERN_BYTES:
            yield part
            part, size = [], 0
        part.append(name)
        size += length
    yield part


def _priority(key: str, taken: set[int]) -> int:
    """A priority drawn from the digest, so that it stays when other policies come and go; the next free one if taken."""
    offset = int(key, 16) % PRIORITIES
    while LOWEST_PRIORITY + offset in taken:
        offset = (offset + 1) % PRIORITIES
    taken.add(LOWEST_PRIORITY + offset)
    return LOWEST_PRIORITY + offset
