"""Values for the variables of a topology file, from `--values FILE` and `--set NAME=VALUE`. Pure: takes text."""

import re
from collections.abc import Iterable

from dlxctl.errors import UsageError
from dlxctl.model.diagnostics import quoted
from dlxctl.spec.reader import read

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def values_of(text: str, source: str) -> dict[str, str]:
    """The values of a file: a YAML mapping of names to text, numbers or booleans. Raises UsageError."""
    document = read(text, {})
    if document.problems:
        first = document.problems[0]
        remedy = "Write a line NAME: value for each."
        raise UsageError(f"{source} cannot be used for values", why=first.render(source), remedy=remedy)
    found: dict[str, str] = {}
    for name, value in document.tree.items():
        if isinstance(value, float | list | dict) or value is None:
            place = document.places[(name,)]
            raise UsageError(
                f"{source}:{place.line}:{place.column}: {name} has no plain value",
                remedy="Write NAME: value; put a number with a point in quotes.",
            )
        found[_checked(name, source)] = str(value).lower() if isinstance(value, bool) else str(value)
    return found


def settings_of(given: Iterable[str]) -> dict[str, str]:
    """The values of several NAME=VALUE; of two for one name the last holds. Raises UsageError."""
    found: dict[str, str] = {}
    for setting in given:
        name, equals, value = setting.partition("=")
        if not equals:
            raise UsageError(f"--set {quoted(setting)} has no value", remedy="Write --set NAME=VALUE.")
        found[_checked(name, "--set")] = value
    return found


def _checked(name: str, source: str) -> str:
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{source}: {quoted(name)} cannot name a variable",
            remedy="Use letters, digits and _, as ${NAME} in the topology file does.",
        )
    return name
