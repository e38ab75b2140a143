"""What a lint rule is: its row in the table and the function that finds where it is broken."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from dlxctl.model.diagnostics import Diagnostic, Place, Rule, Severity
from dlxctl.model.layout import Layout
from dlxctl.model.topology import Topology


class Finding(NamedTuple):
    """One place where a rule is broken: `cause` and `remedy` in one sentence each."""

    place: Place
    cause: str
    remedy: str


Find = Callable[[Layout, Topology], Iterator[Finding]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A rule and how it is checked, on a layout and the topology that it expands to."""

    rule: Rule
    find: Find

    def __call__(self, layout: Layout, topology: Topology) -> Iterator[Diagnostic]:
        return (self.rule.at(*finding) for finding in self.find(layout, topology))


def error(code: str, title: str, explanation: str) -> Callable[[Find], Check]:
    """Make the decorated function the check of a rule whose breach must not be applied."""
    rule = Rule(code=code, title=title, explanation=explanation)
    return lambda find: Check(rule=rule, find=find)


def warning(code: str, title: str, explanation: str) -> Callable[[Find], Check]:
    """Make the decorated function the check of a rule whose breach is likely not meant."""
    rule = Rule(code=code, title=title, explanation=explanation, severity=Severity.WARNING)
    return lambda find: Check(rule=rule, find=find)
