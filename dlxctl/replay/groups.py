"""Dead letters in groups of one cause: task, exception, normalised message, origin and reason. Pure.

A group holds counts and one sample, never its messages, and there are at most MOST_GROUPS of them, so that a queue of
a million takes no more memory than one of a thousand, whoever made up its headers.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from dlxctl.replay.summary import Row

MOST_GROUPS = 10_000
LONGEST = 300
OTHERS = "others"
"""The key of the group that takes what came after the first MOST_GROUPS groups."""


@dataclass(slots=True, kw_only=True)
class Group:
    """Dead letters of one cause. `group`: its key, the same in every look and every process, for `--group`.

    `message` is normalised; `first` and `last` death in seconds since 1970, 0 unknown; `sample`: the id of one.
    """

    group: str
    task: str
    exception: str
    message: str
    origin: str
    reason: str
    count: int = 0
    first: int = 0
    last: int = 0
    sample: str = ""


class GroupBook:
    """Groups as they fill."""

    def __init__(self) -> None:
        self._groups: dict[str, Group] = {}

    def add(self, row: Row) -> None:
        """Count one more dead letter."""
        group = self._groups.get(row.group) or self._new(row)
        group.count += 1
        if row.died_at:
            group.first = min(group.first or row.died_at, row.died_at)
            group.last = max(group.last, row.died_at)

    def groups(self) -> list[Group]:
        """All groups, largest first."""
        return sorted(self._groups.values(), key=lambda g: (-g.count, g.task, g.exception, g.group))

    def _new(self, row: Row) -> Group:
        if len(self._groups) >= MOST_GROUPS:
            return self._groups.setdefault(
                OTHERS, Group(group=OTHERS, task="(others)", exception="", message="", origin="", reason="")
            )
        task, exception, message, origin, reason = (text[:LONGEST] for text in row.cause)
        self._groups[row.group] = Group(
            group=row.group, task=task, exception=exception, message=message, origin=origin, reason=reason,
            sample=row.id[:LONGEST],
        )  # fmt: skip
        return self._groups[row.group]


def grouped(rows: Iterable[Row]) -> list[Group]:
    """The groups of `rows`, largest first."""
    book = GroupBook()
    for row in rows:
        book.add(row)
    return book.groups()
