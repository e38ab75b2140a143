"""dlxctl.replay.archived: a line is the message to the byte, and no line of anyone's raises."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlxctl.replay.archived import Archived, Head, end_line, head_line, head_of, identity, message_line, message_of
from dlxctl.replay.letter import Letter
from dlxctl.replay.origin import OriginRules
from dlxctl.replay.summary import row_of
from dlxctl.replay.verdict import may_be_copied, with_entries
from dlxctl.wire.intake import Delivery
from tests import amqp_values as amqp
from tests.letters import delivery
from tests.oracle import entries_of, without_table

HEAD = Head(queue="dead", vhost="/", exported="2026-11-21T12:00:00Z", run="r1")


def line_of(one: Delivery) -> bytes:
    letter = Letter(one)
    return message_line(letter, row_of(letter, OriginRules()))


@given(st.binary(max_size=400), st.binary(max_size=400), st.binary(max_size=50))
def test_a_line_gives_back_what_it_was_made_of(header: bytes, body: bytes, key: bytes) -> None:
    """Any octets of header, body and routing key; even a header that cannot be read."""
    found = message_of(line_of(Delivery(1, False, b"dlx", key, header, amqp.body_frame(body))))
    assert found == Archived(exchange=b"dlx", routing_key=key, header=header, body=body)


def test_a_body_of_many_frames_comes_back_whole() -> None:
    """Larger than a frame: the archive holds the body, and the letter made of it the same frames."""
    one = delivery(body=b"x" * 300_000)
    found = message_of(line_of(one))
    assert isinstance(found, Archived)
    assert (found.body, found.letter.delivery.body) == (b"x" * 300_000, one.body)


@given(st.one_of(st.binary(max_size=200), st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["header", "body", "exchange", "routing_key", "sha256", "messages", "dlxctl_archive"]), inner),
).map(lambda value: json.dumps(value).encode())))  # fmt: skip
def test_no_line_raises(line: bytes) -> None:
    """A torn, foreign or hostile line is no message."""
    assert not isinstance(message_of(line), Archived)
    head_of(line)


@pytest.mark.parametrize("name", ["exchange", "routing_key", "header", "body", "sha256"])
def test_an_altered_line_is_no_message(name: str) -> None:
    """Whatever of it was changed, the checksum tells."""
    entry = json.loads(line_of(delivery(body=b"abc")))
    entry[name] = "AAAA"
    assert message_of(json.dumps(entry).encode()) is None


def test_octets_cannot_change_sides() -> None:
    """Moving the end of one part to the start of the next is an alteration, too."""
    one = json.loads(line_of(Delivery(1, False, b"ab", b"c", b"", b"")))
    other = json.loads(line_of(Delivery(1, False, b"a", b"bc", b"", b"")))
    assert one["sha256"] != other["sha256"]


def test_head_and_end_are_known() -> None:
    """They are read back; another format's head is not."""
    assert head_of(head_line(HEAD)) == HEAD
    assert message_of(end_line(7)) == 7
    assert head_of(head_line(HEAD).replace(b'"dlxctl_archive": 1', b'"dlxctl_archive": 2')) is None


def test_the_brokers_counters_are_no_part_of_what_a_message_is() -> None:
    """The same message with other counts is the same; with another header or body it is not."""
    plain = delivery(amqp.entry(b"a", amqp.integer(1)))
    counted = delivery(amqp.entry(b"a", amqp.integer(1)), amqp.entry(b"x-delivery-count", amqp.integer(9)))
    other = delivery(amqp.entry(b"a", amqp.integer(2)))
    keys = [identity(one.header, one.body) for one in (plain, counted, other)]
    assert (keys[0] == keys[1], keys[0] == keys[2]) == (True, False)
    sorted_anew = delivery(amqp.entry(b"x-delivery-count", amqp.integer(1)), amqp.entry(b"b", amqp.integer(2)),
                           amqp.entry(b"a", amqp.integer(1)))  # fmt: skip
    as_sent = delivery(amqp.entry(b"a", amqp.integer(1)), amqp.entry(b"b", amqp.integer(2)))
    assert identity(sorted_anew.header, sorted_anew.body) == identity(as_sent.header, as_sent.body)
    bare, counted = amqp.Header(b"", None), amqp.Header(b"", (amqp.entry(b"x-delivery-count", amqp.integer(1)),))
    assert identity(bare.payload(), b"") == identity(counted.payload(), b"")
    assert identity(plain.header, delivery(body=b"x").body) != keys[0]


@given(st.binary(max_size=300), st.binary(max_size=100))
def test_no_header_raises(header: bytes, body: bytes) -> None:
    """An archive may be anybody's: any octets have an identity, and are copied or not."""
    identity(header, amqp.body_frame(body))
    may_be_copied(Letter(Delivery(1, False, b"", b"", header, b"")), "guest")


def test_entries_are_added_and_taken_off_and_the_rest_stays() -> None:
    """Properties and other entries keep their octets; an entry of the same key gives way."""
    header = amqp.Header(b"", (*amqp.EVERY_TYPE, amqp.entry(b"n", amqp.string("old"))), amqp.ALL_PROPERTIES).payload()
    new = amqp.entry(b"n", amqp.string("new"))
    changed = with_entries(header, new, instead_of=frozenset({b"n"}))
    assert without_table(changed) == without_table(header)
    assert entries_of(changed) == entries_of(header) | {b"n": new}
