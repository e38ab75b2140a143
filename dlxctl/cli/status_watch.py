"""`dlxctl status --watch`: again and again until Ctrl-C, also while the broker is away, which is then said."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import NoReturn, Protocol

import click
from rich.live import Live
from rich.text import Text

from dlxctl.cli.talk import remark
from dlxctl.errors import DlxctlError
from dlxctl.model.health import Status
from dlxctl.render.escape import harmless
from dlxctl.render.tables import age

REFRESH_S = 2.0
Shown = Callable[[Status], str]


class View(Protocol):
    """Where a watch is shown."""

    def show(self, status: Status) -> None:
        """The broker has answered."""

    def lost(self, error: DlxctlError, since_s: float) -> None:
        """It has not, for so many seconds; what was shown last is old."""


class Lines:
    """One status after the other on stdout, for a pipe and for JSON. stderr is told what is new, once."""

    def __init__(self, shown: Shown) -> None:
        self._shown = shown
        self._trouble = ""
        self._remarks: tuple[str, ...] = ()
        self._since_s = 0.0

    def show(self, status: Status) -> None:
        """A line or a table more."""
        if self._trouble:
            remark(f"it answers again, after {age(self._since_s)}")
        self._trouble = ""
        for text in status.health.remarks:
            if text not in self._remarks:
                remark(text)
        self._remarks = status.health.remarks
        click.echo(self._shown(status))

    def lost(self, error: DlxctlError, since_s: float) -> None:
        """Nothing on stdout: an old number would be taken for a new one."""
        self._since_s = since_s
        if not self._trouble:
            remark(f"{error}\n  Trying again every {REFRESH_S:.0f} seconds; Ctrl-C ends it.")
        elif str(error) != self._trouble:
            remark(str(error))
        self._trouble = str(error)


class Screen:
    """One table that changes in its place, on a terminal."""

    def __init__(self, live: Live, shown: Shown) -> None:
        self._live, self._shown = live, shown
        self._last = ""

    def show(self, status: Status) -> None:
        """The table of now."""
        self._last = "\n".join((self._shown(status), *map(harmless, status.health.remarks)))
        self._draw(self._last)

    def lost(self, error: DlxctlError, since_s: float) -> None:
        """The trouble above the table, whose end a small terminal cuts off."""
        self._draw(f"NO ANSWER for {age(since_s)}, this is what was: {harmless(str(error))}\n\n{self._last}")

    def _draw(self, text: str) -> None:
        self._live.update(Text(text), refresh=True)


def watch(read: Callable[[], Status], shown: Shown, *, screen: bool) -> NoReturn:
    """Until KeyboardInterrupt. Raises what the first reading raises; later ones are tried again, whatever they raise.

    A vhost or a queue that is gone may be on its way back, as a broker that is away.
    """
    live = Live(auto_refresh=False, screen=True) if screen else None
    around: AbstractContextManager[object] = live or nullcontext()
    first, answered = read(), time.monotonic()
    with around:
        view: View = Screen(live, shown) if live else Lines(shown)
        view.show(first)
        while True:
            time.sleep(REFRESH_S)
            try:
                view.show(read())
                answered = time.monotonic()
            except DlxctlError as error:
                view.lost(error, time.monotonic() - answered)
