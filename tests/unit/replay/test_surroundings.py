"""dlxctl.replay.surroundings: what the broker's settings say about a dead-letter queue and those that feed it."""

import pytest

from dlxctl.model.topology import Queue, Topology
from dlxctl.replay.surroundings import surroundings


@pytest.mark.parametrize(
    ("overflow", "given"),
    [(None, False), ("drop-head", False), ("reject-publish-dlx", False), ("reject-publish", True)],
)
def test_a_bounded_queue_is_given_copies_only_when_it_refuses_them(overflow: str | None, given: bool) -> None:
    """Full, `drop-head` loses another message, and `reject-publish-dlx` makes of the copy one more dead letter."""
    arguments = {"x-max-length": 10, "x-dead-letter-exchange": ""} | ({"x-overflow": overflow} if overflow else {})
    observed = Topology.of("/", Queue(name="orders", arguments=arguments), Queue(name="dead"))
    found = surroundings("dead", None, observed, (4, 3))
    assert found.dropping == (frozenset() if given else frozenset({"orders"}))
