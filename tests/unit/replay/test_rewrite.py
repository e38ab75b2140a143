"""dlxctl.replay.rewrite: byte-exact but for what must not go back."""

import json
from typing import Any

import pytest

from dlxctl.replay.letter import Letter
from dlxctl.replay.rewrite import RewriteOptions, number_of, rewritten
from dlxctl.wire.intake import Delivery
from tests import amqp_values as amqp
from tests.letters import CELERY, delivery, letter, x_death

OPTIONS = RewriteOptions(run_id="r1", user="guest")
BROKERS_OWN = tuple(
    amqp.entry(key, amqp.string("x"))
    for key in (
        b"x-first-death-exchange", b"x-first-death-queue", b"x-first-death-reason", b"x-last-death-exchange",
        b"x-last-death-queue", b"x-last-death-reason", b"CC", b"BCC", b"dlxctl-exception", b"dlxctl-traceback",
    )
)  # fmt: skip


def copy_of(found: Letter, *, flagged: bool = False, **options: Any) -> Letter:
    chosen = RewriteOptions(run_id="r1", user="guest", **options)
    header = rewritten(found, "orders", 7, flagged=flagged, options=chosen)
    return Letter(Delivery(1, False, b"", b"orders", header, found.delivery.body))


def own(replays: int = 1, at: int = 0, reason: str = "", exception: str = "") -> tuple[bytes, ...]:
    """The entries that dlxctl adds, in its order."""
    history = json.dumps(
        [{"at": at, "queue": "orders", "reason": reason, "exception": exception}], separators=(",", ":")
    )
    return (
        amqp.entry(b"dlxctl-run", amqp.string("r1/7")), amqp.entry(b"dlxctl-replays", amqp.integer(replays)),
        amqp.entry(b"dlxctl-history", amqp.string(history)),
    )  # fmt: skip


def test_every_type_and_property_goes_back_as_the_bytes_it_was() -> None:
    """A foreign message with each header type and property differs by dlxctl's own headers alone."""
    found = letter(*amqp.EVERY_TYPE, **amqp.ALL_PROPERTIES)
    expected = amqp.Header(b"{}", (*amqp.EVERY_TYPE, *own()), amqp.ALL_PROPERTIES).payload()
    assert copy_of(found).delivery.header == expected


def test_what_must_not_go_back_is_taken_off() -> None:
    """The broker's death headers, CC, BCC and the failure's own headers do not return."""
    first, last = amqp.EVERY_TYPE[0], amqp.EVERY_TYPE[-1]
    found = letter(first, x_death(amqp.death("orders", at=5)), *BROKERS_OWN, last)
    expected = amqp.Header(b"{}", (first, last, *own(at=5, reason="rejected", exception="x"))).payload()
    assert copy_of(found).delivery.header == expected


def test_celery_starts_anew() -> None:
    """retries becomes 0, eta and expires become none."""
    reset = (
        *CELERY[:3], amqp.entry(b"retries", amqp.integer(0)), amqp.entry(b"eta", b"V"), amqp.entry(b"expires", b"V"),
    )  # fmt: skip
    assert copy_of(letter(*CELERY)).delivery.header == amqp.Header(b"{}", (*reset, *own())).payload()


def test_options_keep_retries_and_expires() -> None:
    """What the operator asks to keep stays as it was."""
    kept = (*CELERY[:4], amqp.entry(b"eta", b"V"), CELERY[5])
    found = copy_of(letter(*CELERY), keep_retries=True, keep_expires=True)
    assert found.delivery.header == amqp.Header(b"{}", (*kept, *own())).payload()


def test_expires_comes_back_from_where_the_worker_put_it() -> None:
    """With keep_expires the time that RetryTask set aside is put back."""
    found = letter(
        *CELERY[:5], amqp.entry(b"expires", b"V"), amqp.entry(b"dlxctl-expires", amqp.string("2030-01-01T00:00:00Z"))
    )
    assert copy_of(found, keep_expires=True).text("expires") == "2030-01-01T00:00:00Z"


def test_headers_of_others_named_like_celerys_stay() -> None:
    """`retries` of a message that is no Celery task is none of our business."""
    entries = (amqp.entry(b"retries", amqp.integer(9)), amqp.entry(b"expires", amqp.string("soon")))
    assert copy_of(letter(*entries)).delivery.header == amqp.Header(b"{}", (*entries, *own())).payload()


def test_another_users_user_id_is_taken_off() -> None:
    """The broker would close the channel (406) over it; our own user's stays."""
    for user, stays in ((b"eve", False), (b"guest", True)):
        properties = {**amqp.ALL_PROPERTIES, "user_id": amqp.short(user)}
        kept = properties if stays else amqp.ALL_PROPERTIES
        expected = amqp.Header(b"{}", own(), kept).payload()
        assert copy_of(letter(**properties)).delivery.header == expected


def test_replays_are_counted_and_history_goes_on() -> None:
    """Each replay adds one to the count and one death to the history, newest first."""
    once = copy_of(letter(x_death(amqp.death("orders", at=5))))
    twice = copy_of(once)
    assert (once.replays, twice.replays) == (1, 2)
    history = json.loads(twice.text("dlxctl-history") or "")
    assert [entry["at"] for entry in history] == [0, 5]


def test_a_flag_is_set_and_carried() -> None:
    """A possible duplicate is marked, and stays marked."""
    once = copy_of(letter(), flagged=True)
    assert once.field("dlxctl-maybe-duplicate") is not None
    assert copy_of(once).field("dlxctl-maybe-duplicate") is not None
    assert copy_of(letter()).field("dlxctl-maybe-duplicate") is None


@pytest.mark.parametrize(
    "value", [b"S" + amqp.long(b"{"), amqp.string("[" * 5_000), amqp.string('"x"'), amqp.integer(1)]
)
def test_a_hostile_history_starts_again(value: bytes) -> None:
    """A history that cannot be read is replaced, and stays within its bound."""
    found = copy_of(letter(amqp.entry(b"dlxctl-history", value), amqp.entry(b"dlxctl-replays", amqp.string("x"))))
    assert len(json.loads(found.text("dlxctl-history") or "")) == 1
    assert found.replays == 1


def test_history_is_bounded() -> None:
    """A huge exception name does not grow the header without end."""
    found = letter(amqp.entry(b"dlxctl-exception", amqp.string("E" * 100_000)))
    assert len(copy_of(found).text("dlxctl-history") or "") <= 8_192


def test_a_returned_copy_tells_its_number() -> None:
    """The number is read back for the own run, and for no other."""
    header = copy_of(Letter(delivery())).delivery.header
    assert (number_of(header, "r1"), number_of(header, "r2"), number_of(b"", "r1")) == (7, None, None)
