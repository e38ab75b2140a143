"""CPU time of the broker's own process, and whether it is at rest; None where its process cannot be seen."""

import os
import time
from pathlib import Path
from urllib.parse import urlsplit

PROC = Path("/proc")
LISTEN = "0A"
QUIET_SHARE = 0.1
"""A node below this share of one core has nothing left to do: compaction, statistics and the like are done."""


def process_of(amqp_url: str) -> int | None:
    """The pid of the Erlang node that listens at the URL's port of this machine."""
    parts = urlsplit(amqp_url)
    if parts.hostname not in ("127.0.0.1", "localhost") or parts.port is None:
        return None
    wanted = {f"socket:[{inode}]" for inode in _listening(parts.port)}
    for name in PROC.glob("[0-9]*/comm"):
        if _is_beam(name) and wanted & _sockets(name.parent / "fd"):
            return int(name.parent.name)
    return None


def cpu_seconds(process: int | None) -> float | None:
    """User and system seconds that the process has had so far."""
    if process is None:
        return None
    fields = (PROC / str(process) / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rest(process: int | None, *, at_most_s: float = 5.0) -> None:
    """Wait until the node is quiet for half a second; two seconds where its CPU is not known."""
    if process is None:
        time.sleep(2)
        return
    deadline = time.monotonic() + at_most_s
    while time.monotonic() < deadline:
        before = cpu_seconds(process) or 0.0
        time.sleep(0.5)
        if (cpu_seconds(process) or 0.0) - before < QUIET_SHARE * 0.5:
            return


def _listening(port: int) -> set[str]:
    """Inodes of the sockets that listen at `port` (proc(5): column 1 address, 3 state, 9 inode)."""
    found = set()
    for table in ("net/tcp", "net/tcp6"):
        path = PROC / table
        for line in path.read_text().splitlines()[1:] if path.exists() else ():
            fields = line.split()
            if fields[3] == LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                found.add(fields[9])
    return found


def _is_beam(comm: Path) -> bool:
    try:
        return comm.read_text().strip() == "beam.smp"
    except OSError:  # it ended
        return False


def _sockets(descriptors: Path) -> set[str]:
    found = set()
    try:
        for descriptor in descriptors.iterdir():
            found.add(str(descriptor.readlink()))
    except OSError:  # another user's process, or a descriptor that was closed meanwhile
        return found
    return found
