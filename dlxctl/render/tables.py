"""Tables and durations as text, by rich; cells are escaped here, so callers pass raw values."""

import io
from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dlxctl.render.escape import printable


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, width: int, colour: bool = False) -> str:
    """A plain table. A title that starts with `#` is a right-aligned column, one with `=` is never folded."""
    built = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for title in columns:
        built.add_column(
            title.lstrip("#="), justify="right" if title[0] == "#" else "left", overflow="fold", no_wrap=title[0] == "="
        )
    for row in rows:
        built.add_row(*(Text(printable(str(cell))) for cell in row))
    target = io.StringIO()
    Console(file=target, width=width, force_terminal=colour, no_color=not colour, highlight=False).print(built)
    return "\n".join(line.rstrip() for line in target.getvalue().splitlines())


def age(seconds: float) -> str:
    """A span as people say it: 42s, 17m, 5h, 3d."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{int(seconds // size)}{unit}"
    return f"{max(0, int(seconds))}s"


def count(number: int, noun: str, plural: str = "") -> str:
    """`1 message`, `1,234 messages`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
