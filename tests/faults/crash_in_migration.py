"""`python -m tests.faults.crash_in_migration STEP COUNTER FILE`: apply with migrations, killed at one chosen step.

As `crash_at`: no code of dlxctl is wrapped. A step is either side of a call that changes the broker (declare, bind,
unbind, delete, policy, consume, cancel, swap) and of the first pieces that are sent to move messages. Statistics count
as fresh after a second, since in these tests nobody holds a message for longer. With STEP 0 nothing is killed, and the
number of steps is written to COUNTER.
"""

import os
import signal
import sys
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from dlxctl.broker.address import access
from dlxctl.broker.management import Management
from dlxctl.ops.apply import apply
from dlxctl.ops.migrate import Patience, migrate
from dlxctl.ops.topology_file import checked

WATCHED = ("broker/management.py", "broker/migration_link.py", "broker/raw_link.py")
CHANGES = frozenset({
    "declare_exchange", "declare_queue", "bind", "unbind", "delete_exchange", "delete_queue", "put_policy",
    "delete_policy", "consume", "cancel", "swap",
})  # fmt: skip
MOST_PIECES = 4
"""Of each consumer; more would be more of the same."""


class Hook:
    """Counts steps, and ends the process without any farewell at number `fatal`."""

    def __init__(self, fatal: int) -> None:
        self.fatal, self.steps = fatal, 0
        self._flushing: set[int] = set()
        self._pieces = 0

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        code = frame.f_code
        if event not in ("call", "return") or not code.co_filename.endswith(WATCHED):
            return
        if code.co_name == "consume":
            self._pieces = 0
        if code.co_name in CHANGES or (code.co_name == "_flush" and self._sends(frame, event)):
            self.steps += 1
            if self.steps == self.fatal:
                os.kill(os.getpid(), signal.SIGKILL)

    def _sends(self, frame: FrameType, event: str) -> bool:
        """Whether this flush has, or had, something to send."""
        if event == "return":
            return id(frame) in self._flushing
        self._flushing.discard(id(frame))
        if frame.f_locals["self"]._buffer and self._pieces < MOST_PIECES:
            self._pieces += 1
            self._flushing.add(id(frame))
        return id(frame) in self._flushing


def main() -> int:
    """Run apply under the hook; its exit code."""
    layout, _, _ = checked(Path(sys.argv[3]), os.environ)
    reach = access(os.environ["DLXCTL_URL"], os.environ["DLXCTL_MANAGEMENT_URL"]).in_vhost(layout.vhost)
    patience = Patience(drain_s=60, statistics_s=1)
    tell = partial(print, file=sys.stderr, flush=True)
    hook = Hook(int(sys.argv[1]))
    sys.setprofile(hook)
    report = apply(Management(reach), layout, migrate=partial(migrate, access=reach, patience=patience, tell=tell))
    sys.setprofile(None)
    Path(sys.argv[2]).write_text(str(hook.steps))
    return int(report.exit_code)


if __name__ == "__main__":
    sys.exit(main())
