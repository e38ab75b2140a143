"""Where something stands in a file, and what is wrong there: the common coin of spec, lint and cli."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from dlxctl.errors import DlxctlError, ExitCode


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
        """`topology.yaml:12:9: DLX203 cause Remedy`, one line; `source` is the name of the file."""
        return f"{source}:{self.place.line}:{self.place.column}: {self.code} {self.cause} {self.remedy}".rstrip()


class InvalidTopology(DlxctlError):
    """A topology file with errors: all of them at once, in the order of the file."""

    exit_code = ExitCode.USAGE

    def __init__(self, source: str, diagnostics: Iterable[Diagnostic]) -> None:
        self.source = source
        self.diagnostics = tuple(sorted(diagnostics, key=lambda d: (d.place, d.code)))
        super().__init__("\n".join(d.render(source) for d in self.diagnostics))
