"""The machine in one sentence, without names or addresses: processor, cores, memory, Python and library versions."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

LIBRARIES = ("dlxctl", "pika", "kombu", "aio-pika")


def described() -> str:
    """E.g. `2 cores (AMD EPYC), 24 GB of memory, Linux 6.1, CPython 3.11.7; dlxctl 0.1.0, pika 1.4.4, ...`."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    system = f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}"
    python = f"{platform.python_implementation()} {platform.python_version()}"
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{cores} cores ({_processor()}), {memory:.0f} GB of memory, {system}, {python}; {libraries}"


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()
