"""Diagnostics as lines and as JSON, and the page of all checks (docs/checks.md)."""

import json
from collections.abc import Iterable

from dlxctl import lint
from dlxctl.model.diagnostics import Diagnostic, Rule
from dlxctl.sim import rules as proofs
from dlxctl.spec import rules

ALL_RULES: tuple[Rule, ...] = tuple(sorted((*rules.RULES, *lint.RULES, *proofs.RULES), key=lambda rule: rule.code))

_HEAD = """\
# Checks

Generated from the rules by `dlxctl.render.diagnostics.checks_page`; do not edit.

`dlxctl check` reports all of these at once, each with file, line, column, code, cause and remedy; `plan`, `apply` and
`celery` refuse a file with errors. Codes are stable. DLX1xx is about the text and its form, DLX2xx about names that
refer to each other, DLX3xx about what is safe and likely meant, DLX4xx about where messages end, by a model of
RabbitMQ's dead-lettering ([trace](trace.md)).

An **error** must be fixed. A **warning** does not keep a file from being applied; `dlxctl check --strict` makes
it an error.

| code | severity | what | why |
| --- | --- | --- | --- |
"""


def diagnostic_lines(source: str, diagnostics: Iterable[Diagnostic]) -> str:
    """One line each: `topology.yaml:12:9: DLX203 cause Remedy`. '' for none."""
    return "".join(f"{diagnostic.render(source)}\n" for diagnostic in diagnostics)


def diagnostics_json(source: str, diagnostics: Iterable[Diagnostic]) -> str:
    """A JSON list of objects {file, line, column, code, severity, cause, remedy}; line and column count from 1."""
    rows = [
        {
            "file": source,
            "line": d.place.line,
            "column": d.place.column,
            "code": d.code,
            "severity": str(d.severity),
            "cause": d.cause,
            "remedy": d.remedy,
        }
        for d in diagnostics
    ]
    return json.dumps(rows, indent=2)


def checks_page() -> str:
    """docs/checks.md."""
    rows = (f"| {r.code} | {r.severity} | {_cell(r.title)} | {_cell(r.explanation)} |\n" for r in ALL_RULES)
    return _HEAD + "".join(rows)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
