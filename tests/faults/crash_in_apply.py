"""`python -m tests.faults.crash_in_apply STEP COUNTER FILE INTENT`: apply, killed at one chosen step.

As `crash_in_migration`: no code of dlxctl is wrapped. INTENT is `keep` or `prune`. A step is either side of a call that
changes the broker (declare, bind, unbind, delete, policy, plug, unplug), of each reading and of each wait, and of each
piece that the pipeline sends. Numbers are read without the broker's delay, which is right where nobody holds a message.
With STEP 0 nothing is killed; the number of steps is written to COUNTER. The exit code is dlxctl's, the refusal goes to
stderr.
"""

import os
import signal
import socket
import sys
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from dlxctl.broker.address import access
from dlxctl.errors import DlxctlError
from dlxctl.ops.apply import apply
from dlxctl.ops.prune import Patience
from dlxctl.ops.topology_file import checked
from dlxctl.plan.hazards import ALLOWABLE, Hazard
from dlxctl.plan.value import Intent
from tests.acceptance.machine_stage import Exact

WATCHED = ("broker/management.py", "broker/plug.py", "ops/prune.py")
PIPELINE = "broker/pipeline.py"
STEPS = frozenset({
    "declare_exchange", "declare_queue", "bind", "unbind", "delete_exchange", "delete_queue", "put_policy",
    "delete_policy", "plug", "unplug", "depths", "wait",
})  # fmt: skip
SOON = Patience(refusing_s=0.7, settled_s=0, between_s=0, plugged_s=0.3)
ALLOWED = tuple(hazard for hazard in ALLOWABLE if hazard is not Hazard.OPEN)


class Hook:
    """Counts steps, and ends the process without any farewell at number `fatal`."""

    def __init__(self, fatal: int) -> None:
        self.fatal, self.steps, self._piping = fatal, 0, False

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        if self._is_step(frame.f_code, event, argument):
            self.steps += 1
            if self.steps == self.fatal:
                os.kill(os.getpid(), signal.SIGKILL)

    def _is_step(self, code: CodeType, event: str, argument: Any) -> bool:
        if event in ("c_call", "c_return"):
            return self._piping and argument.__name__ == "send" and isinstance(argument.__self__, socket.socket)
        if code.co_filename.endswith(PIPELINE) and code.co_name == "make":
            self._piping = event == "call"
        return event in ("call", "return") and code.co_name in STEPS and code.co_filename.endswith(WATCHED)


def main() -> int:
    """Run apply under the hook; its exit code."""
    layout, _, _ = checked(Path(sys.argv[3]), os.environ)
    reach = access(os.environ["DLXCTL_URL"], os.environ["DLXCTL_MANAGEMENT_URL"]).in_vhost(layout.vhost)
    hook = Hook(int(sys.argv[1]))
    sys.setprofile(hook)
    try:
        intent = Intent(sys.argv[4])
        report = apply(Exact(reach), layout, intent=intent, allowed=ALLOWED, patience=SOON)
        error, code = report.error, report.exit_code
    except DlxctlError as refused:
        error, code = refused, refused.exit_code
    sys.setprofile(None)
    Path(sys.argv[2]).write_text(str(hook.steps))
    if error is not None:
        print(error, file=sys.stderr)
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
