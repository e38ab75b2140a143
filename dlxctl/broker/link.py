"""The seam for messages: it takes from one queue and publishes copies, raw bytes throughout.

`Link` is a Protocol. `raw_link.RawLink` is RabbitMQ; `memory_link.MemoryLink` is the double that ships.
tests/contract/test_link.py runs the same tests on both.
"""

from typing import Protocol

from dlxctl.wire.intake import Event

FRAME_MAX = 131_072
LARGEST_HEADER = FRAME_MAX - 8
"""Octets of content header payload that fit one frame; a header frame cannot be cut in two."""


class Link(Protocol):
    """One connection that consumes and publishes, each on a channel of its own.

    Calls that wait for the broker raise NotFound, BrokerRefused or BrokerUnavailable. `publish`, `ack` and
    `give_back` only fill a buffer, which the next `pump` sends.
    """

    @property
    def blocked(self) -> str | None:
        """The broker's reason for not reading what we publish (an alarm), or None."""

    def depth(self, queue: str) -> int:
        """Messages ready in `queue`, exact and now (passive declare)."""

    def takers(self, queue: str) -> int:
        """Consumers of `queue`, now; each may hold messages, which `depth` does not count."""

    def consume(self, queue: str, prefetch: int) -> None:
        """Take from `queue`, at most `prefetch` unacknowledged at a time."""

    def cancel(self) -> None:
        """Take no more. What was delivered before stays outstanding and may still come out of `pump`.

        Acknowledgements given before are with the queue when this returns: on a quorum queue the cancel is a command of
        the queue's log behind them, which its channel's stash does not outlive otherwise (docs/decisions/0007).
        """

    def publish(self, exchange: bytes, routing_key: bytes, header: bytes, body: bytes) -> int:
        """Send a mandatory copy; returns its sequence number. `body` is whole body frames, as a Delivery has them."""

    def ack(self, tag: int, *, multiple: bool) -> None:
        """Acknowledge a delivery; with `multiple` all outstanding ones up to it."""

    def give_back(self, tag: int) -> None:
        """Return one delivery to its queue."""

    def give_back_all(self) -> None:
        """Return every outstanding delivery at once, also those that were not pumped yet, by one nack."""

    def pump(self, timeout_s: float, *, gather: bool = False) -> list[Event]:
        """Send what is buffered; wait until something came in or `timeout_s` is over; what came, in order.

        `gather`: much is on its way, so let it come together for some milliseconds; fewer, larger turns cost less.
        """

    def settle(self) -> None:
        """Return once the broker has taken everything sent so far (a round trip on each channel)."""

    def abort(self) -> None:
        """End the connection at once, without a word to the broker; outstanding deliveries go back. Never raises."""

    def close(self) -> None:
        """Close in good order; outstanding deliveries go back. Never raises."""
