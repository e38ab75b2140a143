"""The road of a failing task, as the generated settings carry it."""

import pytest

from dlxctl.celery.road import Road, Tier, road_of
from dlxctl.model.layout import DeadLetterQueue, Ladder, Layout, Naming, WorkQueue

TIERS = (Tier(exchange="retry.1s", delay_ms=1_000), Tier(exchange="retry.1m", delay_ms=60_000))


@pytest.mark.parametrize(("attempt", "exchange"), [(0, "retry.1s"), (1, "retry.1m"), (2, "retry.1m"), (99, "retry.1m")])
def test_the_last_tier_repeats(attempt: int, exchange: str) -> None:
    """Retry number n takes tier n; after the last tier comes the last tier."""
    assert Road(tiers=TIERS, attempts=5).tier(attempt).exchange == exchange


@pytest.mark.parametrize(
    ("countdown", "exchange"),
    [(0, "retry.1s"), (1, "retry.1s"), (1.001, "retry.1m"), (60, "retry.1m"), (3600, "retry.1m")],
)
def test_a_countdown_takes_the_nearest_tier_not_shorter(countdown: float, exchange: str) -> None:
    """It never waits less than asked, unless the longest tier is shorter."""
    assert Road(tiers=TIERS, attempts=5).tier(0, countdown).exchange == exchange


def test_a_road_survives_being_written_as_data() -> None:
    """What the generator writes is what the worker reads."""
    road = Road(tiers=TIERS, attempts=5, dlx="dlx", dead_letter="dead")
    assert Road.from_data(road.as_data()) == road


def test_the_road_uses_the_names_of_the_file() -> None:
    """Tiers and DLX are called what `naming:` says, and the DLQ is the queue's own."""
    layout = Layout(
        name="shop",
        ladders={"fast": Ladder(name="fast", delays_ms=(500, 60_000), attempts=7)},
        dead_letter_queues={"dead": DeadLetterQueue(name="dead")},
        naming=Naming(dlx="shop.dlx", retry="shop.wait.{delay}"),
    )
    road = road_of(layout, WorkQueue(name="orders", retry="fast", dead_letter="dead"))
    assert [(tier.exchange, tier.delay_ms) for tier in road.tiers] == [
        ("shop.wait.500ms", 500), ("shop.wait.1m", 60_000),
    ]  # fmt: skip
    assert (road.attempts, road.dlx, road.dead_letter) == (7, "shop.dlx", "dead")


def test_a_queue_that_asks_for_nothing_has_an_empty_road() -> None:
    """No ladder: no tiers. No DLQ: no DLX."""
    assert road_of(Layout(name="shop"), WorkQueue(name="orders")) == Road()
