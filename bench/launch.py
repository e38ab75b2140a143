"""Run a command and print, as its last line of stdout, what it took: `python -SI launch.py COMMAND...`.

A process of its own and small on purpose: on Linux a child's peak memory is never less than that of the process that
started it, and the benchmark itself holds many libraries.
"""

import json
import os
import sys
import time

MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024


def main(command: list[str]) -> int:
    """Start, wait, print; the exit code is the command's."""
    began = time.monotonic()
    process = os.posix_spawn(command[0], command, os.environ)
    _, status, usage = os.wait4(process, 0)
    took = {
        "seconds": time.monotonic() - began,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_bytes": usage.ru_maxrss * MAXRSS_UNIT,
    }
    print(json.dumps(took), flush=True)
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
