"""Which dead letters are meant: by origin, task, reason, exception, id, time, header and `--where`. Pure.

Several values of one criterion are alternatives; different criteria must all hold.
"""

import fnmatch
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from dlxctl.errors import UsageError
from dlxctl.replay import document
from dlxctl.replay.causes import cause_of, group_key
from dlxctl.replay.letter import Letter
from dlxctl.replay.origin import OriginRules
from dlxctl.replay.where import Where

Test = Callable[[Letter, OriginRules], bool]

PATTERNED = ("task", "reason", "exception", "origin")
"""Criteria that are shell patterns, the costliest last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """`origin`, `task`, `reason`, `exception`: shell patterns (`shop.*`), case matters. `ids`: task or message ids.

    `since` (included) and `until` (not included), in seconds since 1970, bound the death: a letter whose time is not
    known is not selected when either is given. `groups`: keys that `inspect` shows, or their first characters.
    `headers`: (name, value); values of one name are alternatives.
    """

    origin: tuple[str, ...] = ()
    task: tuple[str, ...] = ()
    reason: tuple[str, ...] = ()
    exception: tuple[str, ...] = ()
    ids: frozenset[str] = frozenset()
    groups: tuple[str, ...] = ()
    since: float | None = None
    until: float | None = None
    headers: tuple[tuple[str, str], ...] = ()
    where: Where | None = None
    _tests: tuple[Test, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_tests", tuple(self._made()))

    @property
    def everything(self) -> bool:
        """Whether there is no criterion at all."""
        return not self._tests

    def matches(self, letter: Letter, rules: OriginRules) -> bool:
        """Whether `letter` meets every criterion."""
        return all(test(letter, rules) for test in self._tests)

    @property
    def criteria(self) -> dict[str, Any]:
        """What was asked for, by the names of the options, for reports and the journal; no more than was given."""
        given: dict[str, Any] = {name: list(getattr(self, name)) for name in PATTERNED}
        given |= {"id": sorted(self.ids), "group": list(self.groups), "since": self.since, "until": self.until}
        given |= {"header": [f"{name}={value}" for name, value in self.headers]}
        given |= {"where": self.where.text if self.where else None}
        return {name: value for name, value in given.items() if value not in (None, [])}

    def _made(self) -> Iterable[Test]:
        """A test for each criterion, the cheap ones first."""
        if self.ids:
            yield lambda letter, rules: document.FACTS["id"](letter, rules) in self.ids
        for name in PATTERNED:
            if getattr(self, name):
                yield _patterned(name, getattr(self, name))
        if self.since is not None or self.until is not None:
            yield _within(self.since, self.until)
        if self.headers:
            yield _headed(self.headers)
        if self.groups:
            yield lambda letter, rules: group_key(cause_of(letter, rules)).startswith(self.groups)
        if self.where:
            yield self.where.matches


def moment(text: str, now: float) -> float:
    """Seconds since 1970 of an ISO 8601 time (UTC when it names no zone), or of a span ago (`2h`, `3d`).

    Raises UsageError.
    """
    from dlxctl.spec.scalars import duration_ms

    try:
        return now - duration_ms(text) / 1_000
    except ValueError:
        pass
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{text!r} is no time",
            remedy="Write 2026-11-21, 2026-11-21T14:30 (UTC), 2026-11-21T14:30+01:00, or 2h for two hours ago.",
        ) from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def header_criterion(text: str) -> tuple[str, str]:
    """`name=value` as a pair. Raises UsageError."""
    name, sign, value = text.partition("=")
    if not name or not sign:
        raise UsageError(f"{text!r} names no header and value", remedy="Write --header x-tenant=acme.")
    return name, value


def group_criterion(text: str) -> str:
    """A group's key, or at least four characters of its start. Raises UsageError."""
    if not re.fullmatch(r"[0-9a-f]{4,10}", text):
        raise UsageError(f"{text!r} is no group", remedy="Name one as `dlxctl inspect` shows it: --group 3f2a9c01d7.")
    return text


def _patterned(name: str, patterns: tuple[str, ...]) -> Test:
    meant = re.compile("|".join(map(fnmatch.translate, patterns))).match
    read = document.FACTS[name]
    return lambda letter, rules: meant(read(letter, rules)) is not None


def _within(since: float | None, until: float | None) -> Test:
    least = 1.0 if since is None else max(since, 1.0)  # 0 is a time that is not known
    before = float("inf") if until is None else until
    return lambda letter, _: least <= letter.died_at < before


def _headed(wanted: tuple[tuple[str, str], ...]) -> Test:
    values: dict[str, set[str]] = {}
    for name, value in wanted:
        values.setdefault(name, set()).add(value)
    names = frozenset(name.encode("utf-8", "backslashreplace") for name in values)

    def test(letter: Letter, _: OriginRules) -> bool:
        found = document.headers(letter, names)
        return all(name in found and document.shown(found[name]) in meant for name, meant in values.items())

    return test
