"""The journal of runs: a file to which every run appends two lines, and from which past runs are read.

Append-only, one write a line (O_APPEND), so that several processes may write at once. It holds no message and no
password. What cannot be written is told and never stops a run.
"""

import errno
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlxctl.errors import DlxctlError
from dlxctl.replay.past import Past, ended_line, past, started_line

FILE_NAME = "runs.jsonl"
LONGEST_LINE = 1_048_576
"""Octets; a longer line is read as several, none of which is a run."""
HOMELESS = "this user has no home directory"
NO_HOME = f"{HOMELESS}: set DLXCTL_STATE_DIR to a directory"


def state_file(environment: Mapping[str, str]) -> Path | None:
    """Where the journal is: DLXCTL_STATE_DIR, else XDG_STATE_HOME/dlxctl, else ~/.local/state/dlxctl; None: no home."""
    if own := environment.get("DLXCTL_STATE_DIR"):
        return Path(own) / FILE_NAME
    shared = Path(environment.get("XDG_STATE_HOME", ""))
    if shared.is_absolute():  # a relative one is to be ignored: XDG base directory specification
        return shared / "dlxctl" / FILE_NAME
    try:
        return Path.home() / ".local/state/dlxctl" / FILE_NAME
    except RuntimeError:
        return None


class Journal:
    """The journal in the file `path`, made with mode 0600 in a directory of mode 0700 when it is not there."""

    def __init__(self, path: Path | None) -> None:
        self.path = path

    def started(
        self,
        holder: Mapping[str, Any],
        *,
        queue: str,
        vhost: str,
        broker: str,
        found: int,
        options: Mapping[str, Any],
    ) -> str:
        """Note that a run begins. Returns '' or, when that failed, a remark for stderr; never raises OSError.

        `holder`: run, user, host, pid and started (ISO 8601, UTC). `broker`: its address without the password. `found`:
        messages in the queue. `options`: what was asked for, values of JSON's types.
        """
        line = started_line(holder, queue=queue, vhost=vhost, broker=broker, found=found, options=options)
        return self._append(line)

    def ended(self, run: str, report: Mapping[str, Any]) -> str:
        """Note that a run is over, with the report as JSON has it. Returns '' or a remark, as `started` does."""
        return self._append(ended_line(run, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), report))

    def read(self) -> Past:
        """All runs; none when there is no journal yet. Raises DlxctlError when it cannot be read."""
        if self.path is None:
            raise DlxctlError(
                "there is no journal of runs", why=HOMELESS, remedy="Set DLXCTL_STATE_DIR to a directory."
            )
        try:
            with self.path.open("rb") as file:
                return past(iter(lambda: file.readline(LONGEST_LINE), b""))
        except FileNotFoundError:
            return Past()
        except OSError as error:
            raise DlxctlError(
                f"the journal of runs {str(self.path)!r} cannot be read",
                why=error.strerror or str(error),
                remedy="Name another directory with DLXCTL_STATE_DIR.",
            ) from None

    def _append(self, line: bytes) -> str:
        if self.path is None:
            return f"This run is not in the journal: {NO_HOME}."
        try:
            append_line(self.path, line)
        except OSError as error:
            return f"This run is not in the journal {str(self.path)!r}: {error.strerror or error}."
        return ""


def append_line(path: Path, line: bytes) -> None:
    """Append `line` to `path`, made with mode 0600 in a directory of mode 0700. Raises OSError.

    One write, so that lines of several processes stay whole. O_NONBLOCK: a FIFO must not hold up the run.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)
    try:
        size = os.fstat(handle).st_size
        torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"  # a disk was full: begin a line of our own
        data = b"\n" + line if torn else line
        if os.write(handle, data) != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    finally:
        os.close(handle)
