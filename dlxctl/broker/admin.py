"""The seam between decisions and a broker's objects: what plan may do (`Reader`), and what apply may (`Admin`).

Two implementations, held equal by tests/contract/test_admin.py: `management.Management`, a real broker, and
`memory_admin.MemoryAdmin`, the double. Every call is idempotent: to repeat one changes nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from dlxctl.broker.counts import Counts
from dlxctl.model.depth import Depth
from dlxctl.model.server import ServerInfo
from dlxctl.model.topology import Binding, Exchange, Policy, Queue, Topology


class Reader(Protocol):
    """One vhost, read only. Every method raises BrokerUnavailable, BrokerRefused or NotFound (the vhost)."""

    def server(self) -> ServerInfo:
        """Which broker this is, and which user we are there."""

    def read(self) -> Topology:
        """Everything in the vhost but the default exchange and its bindings."""

    def depths(self) -> Mapping[str, Depth]:
        """How much is in each queue, seconds ago; by name."""


class Lock(Protocol):
    """A lock that is held while its connection lives."""

    def confirm(self) -> None:
        """Raises BrokerUnavailable when the lock was lost; to be called every few seconds, for the heartbeats."""


class Pipeline(Protocol):
    """A way to make much at once. It lives for the block that `Admin.pipeline` opens, and works on after a failure."""

    def make(self, objects: Sequence[Queue | Binding]) -> None:
        """Create each of `objects`, as `declare_queue` and `bind` do; a binding stands after the queue it leads to.

        Raises BrokerRefused, NotFound or BrokerUnavailable; then any of `objects` may be there, and which is not
        known. To repeat it one by one tells.
        """


class Admin(Reader, Protocol):
    """One vhost, to be changed. Refusals (permission, inequivalent or invalid arguments) raise BrokerRefused."""

    def declare_exchange(self, exchange: Exchange) -> None:
        """Create `exchange`; nothing if it exists so."""

    def declare_queue(self, queue: Queue) -> None:
        """Create `queue`; nothing if it exists so."""

    def bind(self, binding: Binding) -> None:
        """Create `binding`; nothing if it exists. Raises NotFound when either end is missing."""

    def pipeline(self) -> AbstractContextManager[Pipeline]:
        """For hundreds of queues and bindings; the permissions are those of `declare_queue` and `bind`."""

    def unbind(self, binding: Binding) -> None:
        """Delete `binding`, one that was read; nothing if there is none."""

    def delete_exchange(self, name: str) -> None:
        """Delete the exchange called `name` with its bindings; nothing if there is none."""

    def delete_queue(self, name: str) -> None:
        """Delete the queue called `name` with its bindings and its messages; nothing if there is none."""

    def counts(self, queues: Iterable[str]) -> Mapping[str, Counts | None]:
        """Exactly and now, how much is ready in each of `queues`; None where there is no such queue."""

    def plug(self, queue: str) -> bool:
        """Put a message of our own into the closed queue `queue`; False when it refuses, because it has another."""

    def unplug(self, queue: str) -> None:
        """Take a plug out that a killed run has left; nothing if there is none."""

    def put_policy(self, policy: Policy) -> None:
        """Create `policy`, or replace the one of that name."""

    def delete_policy(self, name: str) -> None:
        """Delete the policy called `name`; nothing if there is none."""

    def lock(self, queue: str, *, purpose: str) -> AbstractContextManager[Lock]:
        """Hold the exclusive queue `queue` for the block. Raises Locked, naming the holder where the broker tells."""
