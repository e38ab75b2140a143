"""Patterns of policies: the ones that we write, an escaped list of names, and what a pattern finds.

The broker searches a pattern anywhere in the name, with Erlang's `re`, a Perl dialect. Python's differs in rare
constructs; a pattern that Python cannot read is unknown here, never taken for a miss.
https://www.rabbitmq.com/docs/policies
"""

import re
from collections.abc import Iterable
from functools import lru_cache

_NAME = re.compile(r"(?:\\.|[^|\\])+", re.DOTALL)


def pattern(names: Iterable[str]) -> str:
    """The regular expression that matches exactly `names`: anchored, every special character escaped."""
    return f"^({'|'.join(re.escape(name) for name in names)})$"


@lru_cache(maxsize=4096)
def names_in(text: str) -> frozenset[str] | None:
    """The names that `pattern` made `text` of; None when it did not, because somebody else wrote it."""
    names = [re.sub(r"\\(.)", r"\1", part, flags=re.DOTALL) for part in _NAME.findall(text[2:-2])]
    return frozenset(names) if pattern(names) == text else None


def finds(text: str, name: str) -> bool | None:
    """Whether the pattern finds `name`; None when it cannot be read.

    A look into a set is a tenth of a search, which makes a plan of 5,000 queues quick.
    """
    named = names_in(text)
    if named is not None and not name.endswith("\n"):  # `$` matches before a last line feed, too
        return name in named
    compiled = _compiled(text)
    return None if compiled is None else bool(compiled.search(name))


def readable(text: str) -> bool:
    """Whether the pattern can be judged here."""
    return names_in(text) is not None or _compiled(text) is not None


@lru_cache(maxsize=4096)
def _compiled(text: str) -> re.Pattern[str] | None:
    try:
        return re.compile(text)
    except (re.error, RecursionError, OverflowError):
        return None
