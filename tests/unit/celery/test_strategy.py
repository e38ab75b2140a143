"""The queue behind a delivery."""

from types import SimpleNamespace

import pytest

from dlxctl.celery.worker.strategy import queue_of

CONSUMER = SimpleNamespace(_active_tags={"orders": "tag1", "audit": "tag2"})


@pytest.mark.parametrize(
    ("delivery", "queue"),
    [
        ({"exchange": "", "routing_key": "orders", "consumer_tag": "tag2"}, "orders"),
        ({"exchange": "shop.events", "routing_key": "order.new", "consumer_tag": "tag2"}, "audit"),
        ({"exchange": "shop.events", "routing_key": "orders", "consumer_tag": "gone"}, None),
        ({}, None),
    ],
)
def test_the_queue_is_told_by_name_or_by_consumer_tag(delivery: dict[str, str], queue: str | None) -> None:
    """The default exchange names the queue; behind any other, the tag does; a guess is never made."""
    assert queue_of(delivery, CONSUMER) == queue


def test_a_consumer_without_tags_is_no_error() -> None:
    """Another kombu may hide the tags: then the queue is unknown, and the failure takes Celery's own way."""
    assert queue_of({"exchange": "shop.events", "consumer_tag": "tag1"}, object()) is None
