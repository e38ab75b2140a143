"""The failure as headers: bounded, sendable, and nothing left that would lie or do harm."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dlxctl.celery.failure import Failure, Reason, failure_headers
from dlxctl.model import headers as names


def failure(**changes: Any) -> Failure:
    given_values: dict[str, Any] = {
        "origin": "orders", "reason": Reason.FAILED, "exception": "ValueError", "message": "no stock",
        "traceback": "Traceback ...", "attempts": 4, "died_at": 1_795_000_000,
    }  # fmt: skip
    return Failure(**(given_values | changes))


def test_every_failure_header_of_the_table_is_written() -> None:
    """Names and values follow `dlxctl.model.headers`; custom headers stay."""
    headers = failure_headers({"id": "1", "expires": "2026-01-01T00:00:00", "tenant": "acme"}, failure())
    assert headers == {
        "id": "1", "expires": None, "tenant": "acme",
        names.ORIGIN: "orders", names.REASON: "failed", names.EXCEPTION: "ValueError", names.MESSAGE: "no stock",
        names.TRACEBACK: "Traceback ...", names.ATTEMPTS: 4, names.DIED_AT: 1_795_000_000,
        names.EXPIRES: "2026-01-01T00:00:00",
    }  # fmt: skip
    assert set(names.FAILURE_HEADERS) <= set(headers)


def test_the_brokers_headers_and_copies_are_dropped() -> None:
    """A kept x-death crashes a queue on 3.10; CC would send the copy to other queues too."""
    harmful = dict.fromkeys((*names.BROKER_DEATH_HEADERS, *names.COPY_HEADERS), "x")
    assert not set(failure_headers(harmful, failure())) & set(harmful)


def test_an_earlier_failure_is_overwritten_and_the_history_kept() -> None:
    """A replayed message that dies again tells of its latest death; replay's own headers stay on it."""
    earlier = {names.MESSAGE: "old", names.EXPIRES: "old", names.HISTORY: "[]", names.REPLAYS: 1}
    headers = failure_headers(earlier, failure())
    assert headers[names.MESSAGE] == "no stock"
    assert names.EXPIRES not in headers
    assert (headers[names.HISTORY], headers[names.REPLAYS]) == ("[]", 1)


@given(text=st.text(st.characters(), max_size=3_000).map(lambda text: text * 4))
def test_any_text_becomes_bounded_utf_8(text: str) -> None:
    """No message or traceback, however long or broken, keeps the copy from being sent."""
    headers = failure_headers({}, failure(exception=text, message=text, traceback=text))
    for name, limit in ((names.EXCEPTION, 300), (names.MESSAGE, 1_000), (names.TRACEBACK, 8_000)):
        headers[name].encode("utf-8")
        assert len(headers[name]) <= limit


def test_a_traceback_keeps_its_end_and_a_message_its_beginning() -> None:
    """The end of a traceback names the error, the beginning of a message its gist."""
    headers = failure_headers({}, failure(message="a" * 999 + "bc", traceback="x" * 9_000 + "ValueError: end"))
    assert headers[names.MESSAGE] == "a" * 999 + "…"
    assert headers[names.TRACEBACK].endswith("ValueError: end")
