"""`make fuzz`: atheris on one target after the other, led by coverage; the first finding ends it and is written down.

SECONDS= a target (600), TARGETS= names, all without it. It begins with tests/hostile/corpus/TARGET; what it finds to
go on from grows in .cache/fuzz/TARGET and is used again. A finding belongs into the former once it is mended.
"""

import os
import subprocess
import sys
from pathlib import Path

import atheris

CORPUS = Path(".cache/fuzz")


def main(names: list[str]) -> int:
    """Fuzz one target in this process, or each of several in a process of its own, as libFuzzer never returns."""
    with atheris.instrument_imports(include=["dlxctl"]):
        from tests.hostile.targets import SEEDS, TARGETS
    if len(names) != 1:
        each = ([sys.executable, "-m", "tests.hostile", name] for name in names or TARGETS)
        return next((code for command in each if (code := subprocess.run(command).returncode)), 0)
    (name,) = names
    corpus = CORPUS / name
    corpus.mkdir(parents=True, exist_ok=True)
    print(f"fuzzing {name}", flush=True)
    seconds = os.environ.get("SECONDS_EACH", "600")
    options = [
        f"-max_total_time={seconds}",
        f"-artifact_prefix={CORPUS}/{name}-",
        "-print_final_stats=1",
        "-verbosity=0",
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus), str(SEEDS / name)], TARGETS[name])
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main(os.environ.get("TARGETS", "").split() if len(sys.argv) == 1 else sys.argv[1:]))
