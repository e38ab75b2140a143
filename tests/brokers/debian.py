"""Where a RabbitMQ of Debian comes from: the machine's own package, or another release in a debootstrap root.

A root is a directory with a small Debian of its own under `~/.cache/dlxctl/brokers`; it is made once, in about half
a minute. Making one needs root. A rabbitmq-server that is installed already can be run by anybody.
"""

import contextlib
import fcntl
import os
import platform
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.brokers import apt
from tests.brokers.node import Node
from tests.brokers.running import NoBroker, RunningBroker, say

SUITES = {"3.10": "bookworm", "4.0": "trixie", "4.3": "sid"}
"""RabbitMQ release -> the Debian release that carries it. sid moves on; the release that came is checked."""

HOST = Path("/")


def cache() -> Path:
    """Where roots and the data of an ordinary user's nodes are; survives clones."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "dlxctl" / "brokers"


def from_debian(version: str) -> RunningBroker:
    """The running node of `version`, started if need be; safe when several processes ask. Raises NoBroker."""
    with _one_at_a_time():
        root = _place(version)
        release = apt.rabbitmq_release(root)
        if release is None or version not in ("at-hand", release):
            raise NoBroker(f"Debian {SUITES.get(version)} gives RabbitMQ {release or 'none'} now, not {version}")
        return Node(release=release, root=root, cache=cache()).ensure()


def _place(version: str) -> Path:
    """The root directory that holds a rabbitmq-server of `version`."""
    installed = apt.rabbitmq_release(HOST)
    if installed is not None and version in ("at-hand", installed):
        return HOST
    if version != "at-hand" and version not in SUITES:
        raise NoBroker(f"no Debian release carries RabbitMQ {version}; these do: {', '.join(SUITES)}")
    if os.geteuid() != 0:
        raise NoBroker("installing rabbitmq-server needs root")
    own = platform.freedesktop_os_release()
    if version == "at-hand" or own.get("VERSION_CODENAME") == SUITES[version]:
        apt.install_rabbitmq()
        return HOST
    if own["ID"] != "debian":
        raise NoBroker(f"other releases than the machine's own are made on Debian only, this is {own['NAME']}")
    return _root(SUITES[version])


def _root(suite: str) -> Path:
    """The debootstrap root of a Debian release, with rabbitmq-server in it."""
    root = cache() / suite
    if apt.rabbitmq_release(root) is None:
        say(f"making a root of Debian {suite} with RabbitMQ in {root} (about a minute, once)")
        apt.make_root(suite, root)
    return root


@contextlib.contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Ports are the machine's, so the lock is too: one for each user, whatever HOME says."""
    path = Path(tempfile.gettempdir()) / f"dlxctl-brokers-{os.geteuid()}.lock"
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
