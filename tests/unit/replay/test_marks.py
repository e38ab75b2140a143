"""What may be there twice says so, wherever its copy went: to parking, to the tail of its queue."""

from collections import deque

import pytest

from dlxctl.broker.memory_link import StoredMessage
from dlxctl.model import headers as names
from dlxctl.ops.replay import Patience, replay
from dlxctl.replay.order import ReplayOrder
from dlxctl.replay.rewrite import RewriteOptions
from tests import amqp_values as amqp
from tests.contract.test_replay_staying import Watching
from tests.links import MemoryWorld, message

MARK = names.MAYBE_DUPLICATE.encode()
WORN = message("worn", amqp.entry(b"dlxctl-replays", amqp.integer(5)))
ORDER = ReplayOrder(queue="dead", parking="parked", rewrite=RewriteOptions(run_id="r1", user="guest"))


@pytest.fixture
def world() -> MemoryWorld:
    """A run of `dead` was killed; what was out is redelivered."""
    world = MemoryWorld(marks={"dead": {"run": "killed"}})
    for name in ("dead", "parked"):
        world.queue(name)
    return world


def redelivered(world: MemoryWorld, header: bytes, body: bytes) -> None:
    world.broker.queues["dead"] = deque([StoredMessage(header, body, redelivered=True)])


def test_what_replay_parks_after_a_killed_run_is_marked(world: MemoryWorld) -> None:
    """The killed one may have parked it already."""
    redelivered(world, *WORN)
    link = world.broker.link()
    report = replay(lambda: (link, world.guard(link)), ORDER, {"run": "r1"}, Watching(), Patience())
    assert report.parked == 1
    assert MARK in world.broker.queues["parked"][0].header
