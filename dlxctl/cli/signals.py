"""Ctrl-C and SIGTERM: the first asks the run to finish what is under way, the second ends the process at once."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import click

from dlxctl.errors import ExitCode


class Stop:
    """Whether somebody asked to stop."""

    def __init__(self, remedy: str) -> None:
        self.asked, self._remedy = False, remedy

    def handle(self, _signal: int, _frame: FrameType | None) -> None:
        """Signal handler."""
        if self.asked:
            # The broker returns what is unacknowledged; running on would only publish more.
            os.write(2, f"\ndlxctl: ended at once; nothing is lost. {self._remedy}\n".encode())
            os._exit(int(ExitCode.INTERRUPTED))
        self.asked = True
        click.echo("dlxctl: finishing what is under way; once more to end at once", err=True)


@contextmanager
def graceful(remedy: str = "To go on, run the same command again.") -> Iterator[Stop]:
    """Within the block SIGINT and SIGTERM set `asked`; the old handlers come back after it.

    `remedy`: what to do after a process that ended at once.
    """
    stop = Stop(remedy)
    old = {number: signal.signal(number, stop.handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
