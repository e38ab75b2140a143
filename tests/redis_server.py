"""A Redis for the tests: `DLXCTL_TEST_REDIS_URL`, else a `redis-server` of our own, installed by apt where root may."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from tests.brokers import apt
from tests.workers import wait_until

START_SECONDS = 20
MISSING = (
    "these tests need a Redis: install redis-server, or set DLXCTL_TEST_REDIS_URL=redis://127.0.0.1:6379/15 "
    "(what is in that database may be deleted)"
)


@contextmanager
def redis_url(directory: Path) -> Iterator[str]:
    """The URL of an empty Redis; one of our own listens on a socket in `directory` only, and ends with the block."""
    if url := os.environ.get("DLXCTL_TEST_REDIS_URL"):
        redis.Redis.from_url(url).flushdb()
        yield url
        return
    socket = directory / "redis.sock"
    command = [_program(), "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(directory)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        try:
            wait_until(socket.exists, START_SECONDS)
            yield f"unix://{socket}"
        finally:
            server.terminate()


def _program() -> str:
    found = shutil.which("redis-server")
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        apt.install("redis-server")
        found = shutil.which("redis-server")
    assert found is not None, MISSING
    return found
