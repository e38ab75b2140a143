"""A real terminal around a command: a pty that is its stdin, stdout and stderr, read all the time."""

import fcntl
import os
import pty
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.workers import wait_until

DLXCTL = Path(sys.executable).parent / "dlxctl"
WIDTH = 200
CTRL_C = "\x03"


class Terminal:
    """`seen` is every octet that the command has written so far."""

    def __init__(self, process: "subprocess.Popen[bytes]", ours: int) -> None:
        self.process, self.seen = process, b""
        self._ours = ours
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def until(self, text: str, seconds: float = 30) -> None:
        """Wait until `text` has been written. Raises AssertionError."""
        try:
            wait_until(lambda: text.encode() in self.seen, seconds)
        except AssertionError:
            raise AssertionError(f"{text!r} was not shown: {self.seen[-3_000:]!r}") from None

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._ours, text.encode())

    def ended(self, seconds: float = 60) -> int:
        """Wait for the end; the exit code."""
        code = self.process.wait(seconds)
        self._reader.join(seconds)
        return code

    def interrupted(self) -> int:
        """Press Ctrl-C; the exit code."""
        self.type(CTRL_C)
        return self.ended()

    def _read(self) -> None:
        with suppress(OSError):  # EIO: the other end is closed
            while octets := os.read(self._ours, 65_536):
                self.seen += octets


def _control() -> None:
    """In the new process: this terminal is the one whose Ctrl-C it gets."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@contextmanager
def on_terminal(directory: Path, environment: dict[str, str], *words: str) -> Iterator[Terminal]:
    """`dlxctl words` on a terminal that takes colours, in `directory`; it does not outlive the block."""
    ours, theirs = pty.openpty()
    known = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    known |= {"TERM": "xterm-256color", "COLUMNS": str(WIDTH), "LINES": "50"} | environment
    process = subprocess.Popen(
        [str(DLXCTL), *words], cwd=directory, env=known, stdin=theirs, stdout=theirs, stderr=theirs,
        start_new_session=True, preexec_fn=_control,
    )  # fmt: skip
    os.close(theirs)
    terminal = Terminal(process, ours)
    try:
        yield terminal
    finally:
        if process.poll() is None:
            process.kill()
        terminal.ended()
        os.close(ours)
