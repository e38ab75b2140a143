"""Part `startup`: how long the command takes to say its version, and its help; no broker is asked."""

import sys
from dataclasses import dataclass
from tempfile import TemporaryDirectory

from bench.process import Took, measured
from bench.ways import DLXCTL

RUNS = 10
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "dlxctl --version": [DLXCTL, "--version"],
    "dlxctl --help": [DLXCTL, "--help"],
    "dlxctl replay --help": [DLXCTL, "replay", "--help"],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """All runs of one command."""

    command: str
    runs: tuple[Took, ...]


def starts() -> list[Start]:
    """Ten runs of each, in turn, after one that warms the disk's cache."""
    runs: dict[str, list[Took]] = {name: [] for name in COMMANDS}
    with TemporaryDirectory(prefix="dlxctl-bench-") as directory:
        for _ in range(RUNS + 1):
            for name, command in COMMANDS.items():
                runs[name].append(measured(command, environment={"NO_COLOR": "1"}, directory=directory))
    return [Start(command=name, runs=tuple(took[1:])) for name, took in runs.items()]
