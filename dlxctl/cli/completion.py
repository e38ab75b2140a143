"""Shell completion of names that the broker knows; whatever goes wrong, the shell gets no names and no noise."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from threading import Thread

import click
from click.shell_completion import CompletionItem

from dlxctl.errors import DlxctlError

PATIENCE_S = 1.5
"""Who presses the tab key waits no longer."""
OURS = "dlxctl."
Ask = Callable[[click.Context], Mapping[str, str]]
"""Names, each with what is to be said of it, for the options given so far."""


def completed_by(ask: Ask) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]]:
    """The completion of an option whose values `ask` knows; our own marks and locks only for who types their prefix."""

    def complete(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
        found: dict[str, str] = {}

        def fill() -> None:
            with suppress(DlxctlError, OSError):
                found.update(ask(context))

        asking = Thread(target=fill, daemon=True)
        asking.start()
        asking.join(PATIENCE_S)
        names = sorted(name for name in list(found) if name.startswith(incomplete) and name.isprintable())
        return [CompletionItem(name, help=found[name]) for name in names if incomplete or not name.startswith(OURS)]

    return complete
