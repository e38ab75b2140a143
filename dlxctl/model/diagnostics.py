"""Where something stands in a file, and what is wrong there: the common coin of spec, lint and cli."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from dlxctl.errors import DlxctlError, ExitCode

MOST_REPORTED = 100
"""So many problems of one step or rule are reported, so that a hostile file costs no more than a second."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A position in a text; line and column count from 1, and 0 means that it is not known."""

    line: int = 0
    column: int = 0


class Severity(StrEnum):
    """ERROR: the file must not be applied. WARNING: it can be, and something is likely not meant so."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One problem: its stable `code` (DLX203), `place`, `cause` in one sentence and `remedy` in another."""

    code: str
    severity: Severity
    place: Place
    cause: str
    remedy: str

    def render(self, source: str) -> str:
        """`topology.yaml:12:9: DLX203 cause Remedy`, without control bytes; a warning says so after its code."""
        code = f"{self.code} warning:" if self.severity is Severity.WARNING else self.code
        line = f"{source}:{self.place.line}:{self.place.column}: {code} {self.cause} {self.remedy}"
        return printable(line.rstrip())


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a code stands for: one row of docs/checks.md. The tables are in `dlxctl.spec.rules` and `dlxctl.lint`."""

    code: str
    title: str
    explanation: str
    severity: Severity = Severity.ERROR

    def at(self, place: Place, cause: str, remedy: str) -> Diagnostic:
        """This rule, broken at `place`."""
        return Diagnostic(code=self.code, severity=self.severity, place=place, cause=cause, remedy=remedy)


def printable(text: str) -> str:
    """`text` with every character that a terminal would obey, not show, written as its escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def quoted(text: object, limit: int = 80) -> str:
    """`text` between double quotes, cut after `limit` characters: how a diagnostic shows a name or a value."""
    shown = str(text)
    return f'"{shown[:limit]}..."' if len(shown) > limit else f'"{shown}"'


class InvalidTopology(DlxctlError):
    """A topology file with errors: all of them at once, in the order of the file."""

    exit_code = ExitCode.USAGE
    placed = True

    def __init__(self, source: str, diagnostics: Iterable[Diagnostic]) -> None:
        self.source = source
        self.diagnostics = tuple(sorted(diagnostics, key=lambda d: (d.place, d.code)))
        super().__init__("\n".join(d.render(source) for d in self.diagnostics))
