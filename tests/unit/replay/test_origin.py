"""dlxctl.replay.origin: where a dead letter came from, and which claims are not believed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlxctl.replay.origin import HOLD_MEANINGS, Held, Hold, OriginRules, origin_of
from tests import amqp_values as amqp
from tests.letters import letter, x_death

RULES = OriginRules(skipped=frozenset({"retry.10s", "dead_letter"}), feeders=frozenset({"orders", "default"}))


def test_what_the_worker_wrote_comes_first() -> None:
    """`dlxctl-origin` wins over the broker's history."""
    found = letter(amqp.entry(b"dlxctl-origin", amqp.string("orders")), x_death(amqp.death("default")))
    assert origin_of(found, RULES) == "orders"


def test_the_newest_death_is_the_origin() -> None:
    """Without it the first entry of x-death names the queue."""
    assert origin_of(letter(x_death(amqp.death("orders"), amqp.death("retry.10s", "expired"))), RULES) == "orders"


def test_tiers_dlqs_and_native_delay_are_never_the_origin() -> None:
    """Entries of waiting queues are passed over, also when they are the newest."""
    found = letter(x_death(
        amqp.death("dead_letter", "expired"), amqp.death("celery_delayed_3", "expired"),
        amqp.death("retry.10s", "expired"), amqp.death("orders"),
    ))  # fmt: skip
    assert origin_of(found, RULES) == "orders"


def test_x_first_death_queue_is_never_used() -> None:
    """It names the tier after a delay, so a message that has nothing else is held."""
    found = letter(amqp.entry(b"x-first-death-queue", amqp.string("orders")))
    assert origin_of(found, RULES) == Held(why=Hold.NO_ORIGIN)


@pytest.mark.parametrize("entry", [
    amqp.entry(b"dlxctl-origin", amqp.string("payments")), x_death(amqp.death("payments")),
])  # fmt: skip
def test_a_queue_that_does_not_feed_the_dlq_is_not_believed(entry: bytes) -> None:
    """A forged origin, in either header, is held and named."""
    assert origin_of(letter(entry), RULES) == Held(why=Hold.FOREIGN_ORIGIN, detail="payments")


def test_scrambled_older_entries_are_compared_by_time() -> None:
    """Behind a parking hop, 3.10 scrambles the older deaths: the latest one is the origin."""
    found = letter(x_death(
        amqp.death("dead_letter", "expired"), amqp.death("default", at=5), amqp.death("orders", at=9),
    ))  # fmt: skip
    assert origin_of(found, RULES) == "orders"


def test_a_tie_is_held() -> None:
    """Two queues in the same second cannot be told apart, so nobody guesses."""
    found = letter(x_death(
        amqp.death("dead_letter", "expired"), amqp.death("default", at=9), amqp.death("orders", at=9),
    ))  # fmt: skip
    assert origin_of(found, RULES) == Held(why=Hold.AMBIGUOUS_ORIGIN, detail="default, orders")


HOSTILE = (
    amqp.string("x"), amqp.integer(1), amqp.array(amqp.integer(1)), amqp.array(amqp.table()), b"V",
    amqp.array(amqp.table(amqp.entry(b"queue", amqp.integer(1)))), amqp.array(amqp.string("a"), amqp.death("orders")),
    amqp.array(amqp.table(amqp.entry(b"queue", amqp.string("")))), b"A" + amqp.long(b"F\x00\x00\xff\xff"),
)  # fmt: skip


@pytest.mark.parametrize("value", HOSTILE)
def test_a_malformed_history_is_no_history(value: bytes) -> None:
    """x-death of any other shape holds the message and never raises."""
    assert origin_of(letter(amqp.entry(b"x-death", value)), RULES) == Held(why=Hold.NO_ORIGIN)


def test_a_long_history_is_read_in_bounds() -> None:
    """Ten thousand entries cost no more than the first few."""
    found = letter(x_death(amqp.death("orders", times=2**63 - 1), *[amqp.death("retry.10s", "expired")] * 10_000))
    assert origin_of(found, RULES) == "orders"
    assert len(found.deaths) == 64


@given(st.binary(max_size=300))
def test_no_history_raises(data: bytes) -> None:
    """Any octets inside the array give a name or a reason."""
    found = origin_of(letter(amqp.entry(b"x-death", b"A" + amqp.long(data))), OriginRules())
    assert isinstance(found, str | Held)


def test_every_reason_is_explained() -> None:
    """The table of meanings covers every reason to hold."""
    assert set(HOLD_MEANINGS) == set(Hold)
