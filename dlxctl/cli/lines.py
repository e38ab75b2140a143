"""Lines of a plan, coloured on a terminal only; NO_COLOR holds. Diagnostics on stderr."""

import os
import sys
from collections.abc import Iterable

import click

from dlxctl.model.diagnostics import Diagnostic
from dlxctl.render.diagnostics import diagnostic_lines
from dlxctl.render.plan import Line, Tone

_STYLES: dict[Tone, dict[str, str | bool]] = {
    Tone.PLAIN: {},
    Tone.ADD: {"fg": "green"},
    Tone.CHANGE: {"fg": "yellow"},
    Tone.REMOVE: {"fg": "red"},
    Tone.WARN: {"fg": "yellow", "bold": True},
    Tone.FAINT: {"dim": True},
}


def echo_lines(lines: Iterable[Line], *, err: bool = False) -> None:
    """Write `lines` to stdout, or to stderr."""
    stream = sys.stderr if err else sys.stdout
    colour = stream.isatty() and not os.environ.get("NO_COLOR")
    for line in lines:
        text = line.text
        if colour:
            text = click.style(text, **_STYLES[line.tone])  # type: ignore[arg-type]  # click's arguments differ in type
        click.echo(text, err=err)


def echo_diagnostics(source: str, diagnostics: Iterable[Diagnostic]) -> None:
    """Write `diagnostics` to stderr, one line each."""
    click.echo(diagnostic_lines(source, diagnostics), nl=False, err=True)
