"""A RabbitMQ node of the suite's own, beside the shared ones: it may be restarted, and given real alarms.

Made from the same Debian roots as tests/brokers, on its own ports, so it needs what they need (docs/testing.md, way 4).
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.brokers.debian import _place, cache
from tests.brokers.node import MARK, Node, stop
from tests.brokers.running import RunningBroker

OFFSET = 500


class Spare(Node):
    """The node of a release on other ports, with its own data and its own mark."""

    @property
    def port(self) -> int:
        """Away from the shared node's."""
        return int(Node.port.__get__(self)) + OFFSET

    @property
    def base(self) -> Path:
        """Away from the shared node's."""
        own = Path("/var/lib/rabbitmq") if os.geteuid() == 0 else self.cache
        return own / f"dlxctl-spare-{self.release}"

    @property
    def mark(self) -> str:
        """What finds the processes of this node and of no other."""
        return f"{self.release}-spare"

    def ctl(self, *words: str) -> None:
        """`rabbitmqctl` on this node."""
        chroot = ["chroot", "--userspec=rabbitmq:rabbitmq", str(self.root), "/usr/lib/rabbitmq/bin/rabbitmqctl"]
        environment = {name: value for name, value in self._environment().items() if name != MARK}
        subprocess.run([*chroot, *words], env=environment, check=True, capture_output=True, timeout=60)

    def restart(self) -> RunningBroker:
        """Stop the broker and start it on the data that it has."""
        self.ctl("stop_app")
        self.ctl("start_app")
        return self.broker.await_start(60)


@contextmanager
def spare_node(release: str) -> Iterator[tuple[Spare, RunningBroker]]:
    """A running spare node, gone afterwards. Raises NoBroker."""
    node = Spare(release=release, root=_place(release), cache=cache())
    try:
        yield node, node.ensure()
    finally:
        stop(node.mark)
