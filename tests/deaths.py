"""Messages that really die: published to a work queue and rejected there, so that the broker writes their history."""

import struct
import time

from dlxctl.broker.address import Access
from dlxctl.broker.raw_link import RawLink
from dlxctl.wire.intake import Delivery
from tests.links import Message, seed


def let_die(reach: Access, work: str, messages: list[Message]) -> None:
    """Publish to `work` and reject everything. pika's own codec cannot carry the hostile ones, so the link does."""
    link = RawLink(reach, purpose="test")
    seed(link, work, messages)
    link.consume(work, 1_000)
    rejected = 0
    while rejected < len(messages):
        tags = [event.tag for event in link.pump(10) if isinstance(event, Delivery)]
        assert tags, f"{rejected} of {len(messages)} came"
        rejected += len(tags)
        nack_multiple_drop = struct.pack(">BHIHHQBB", 1, link._from, 13, 60, 120, tags[-1], 1, 0xCE)
        link._raw.write(nack_multiple_drop)
    link.cancel()
    link.settle()
    link.close()


def wait_for(reach: Access, queue: str, depth: int) -> None:
    """Until `queue` holds `depth` messages: dead-lettering is done a moment after the reject."""
    link = RawLink(reach, purpose="test")
    deadline = time.monotonic() + 60
    while link.depth(queue) != depth:
        assert time.monotonic() < deadline, f"{link.depth(queue)} of {depth} died"
        time.sleep(0.05)
    link.close()
