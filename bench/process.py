"""Measure one command as a process: wall seconds, CPU seconds, peak memory."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

LAUNCH = Path(__file__).parent / "launch.py"
TIMEOUT_S = 1_800


class BenchError(Exception):
    """A way failed, or did not do the whole work: its figures would mean nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Took:
    """What one run took. CPU and memory are the client's; None where there is no client process."""

    seconds: float
    cpu_s: float | None = None
    peak_bytes: int | None = None
    stdout: str = ""


def measured(command: list[str], *, environment: dict[str, str], directory: str) -> Took:
    """Run `command` (its program by path) to its end. Raises BenchError when it does not exit 0."""
    done = subprocess.run(
        [sys.executable, "-SI", str(LAUNCH), *command],
        cwd=directory, env=os.environ | environment, capture_output=True, text=True, timeout=TIMEOUT_S,
    )  # fmt: skip
    if done.returncode:
        told = "\n".join(done.stderr.splitlines()[-8:])
        raise BenchError(f"`{' '.join(command[1:])}` ended with {done.returncode}:\n{told}")
    *output, last = done.stdout.splitlines()
    return Took(**json.loads(last), stdout="\n".join(output))
