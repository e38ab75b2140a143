"""`python -m tests.faults.crash_at STEP COUNTER ARGUMENTS...`: the real command, killed at one chosen step.

No code of dlxctl is wrapped or changed: the interpreter's profile hook sees each call of the link, of the guard and of
the socket. A step is the return of a method of the link or the guard, and both sides of each `send`; counting begins
when the run is locked. Without a kill (STEP 0) the number of steps is written to COUNTER, so a caller knows its range.
"""

import os
import signal
import socket
import sys
from pathlib import Path
from types import FrameType
from typing import Any

from dlxctl.cli.main import run

WATCHED = ("raw_link.py", "run_guard.py")


class Hook:
    """Counts steps, and ends the process without any farewell at number `fatal`."""

    def __init__(self, fatal: int) -> None:
        self.fatal, self.steps, self.counting = fatal, 0, False

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        if event in ("c_call", "c_return"):
            mine = argument.__name__ == "send" and isinstance(argument.__self__, socket.socket)
        else:
            code = frame.f_code
            mine = event == "return" and code.co_filename.endswith(WATCHED) and not code.co_name.startswith("_")
            self.counting = self.counting or (event == "call" and code.co_name == "begin")
        if mine and self.counting:
            self.steps += 1
            if self.steps == self.fatal:
                os.kill(os.getpid(), signal.SIGKILL)


def main() -> int:
    """Run the command under the hook; its exit code."""
    hook = Hook(int(sys.argv[1]))
    sys.setprofile(hook)
    code = run(sys.argv[3:])
    sys.setprofile(None)
    Path(sys.argv[2]).write_text(str(hook.steps))
    return code


if __name__ == "__main__":
    sys.exit(main())
