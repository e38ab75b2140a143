"""dlxctl.wire.content: a content header is spliced and never re-encoded."""

from hypothesis import given
from hypothesis import strategies as st

from dlxctl.wire import content
from tests import amqp_values as amqp


def spliced(where: content.Content, cuts: list[tuple[int, int, bytes]], added: bytes, *without: str) -> bytes:
    return content.assemble(where.raw, content.plan(where, cuts, without), added)


def full_header() -> bytes:
    properties = amqp.ALL_PROPERTIES | {"expiration": amqp.short(b"60000"), "user_id": amqp.short(b"guest")}
    return amqp.Header(b"body", amqp.EVERY_TYPE, properties).payload()


def test_a_splice_that_changes_nothing_gives_the_same_bytes() -> None:
    """Every property and every header type comes through octet by octet."""
    raw = full_header()
    assert spliced(content.read(raw), [], b"") == raw


def test_entries_are_cut_replaced_and_appended() -> None:
    """Cuts and additions touch the named entries and nothing else."""
    kept, cut, changed = (amqp.entry(key, amqp.integer(1)) for key in (b"a", b"b", b"c"))
    where = content.read(amqp.Header(b"", (kept, cut, changed), amqp.ALL_PROPERTIES).payload())
    at = where.table + len(kept)
    new = amqp.entry(b"c", amqp.integer(2))
    cuts = [(at, at + len(cut), b""), (at + len(cut), where.table_end, new)]
    added = amqp.entry(b"d", amqp.integer(3))
    expected = amqp.Header(b"", (kept, new, added), amqp.ALL_PROPERTIES).payload()
    assert spliced(where, cuts, added) == expected


def test_a_message_without_headers_gets_a_table_in_the_right_place() -> None:
    """The new table stands between content_encoding and delivery_mode, and its flag is set."""
    where = content.read(amqp.Header(b"", None, amqp.ALL_PROPERTIES).payload())
    added = amqp.entry(b"d", amqp.integer(3))
    assert spliced(where, [], added) == amqp.Header(b"", (added,), amqp.ALL_PROPERTIES).payload()


def test_a_property_is_left_out_with_its_flag() -> None:
    """`without` removes the value and the flag of a property."""
    where = content.read(amqp.Header(b"", (), {**amqp.ALL_PROPERTIES, "user_id": amqp.short(b"eve")}).payload())
    assert spliced(where, [], b"", "user_id") == amqp.Header(b"", (), amqp.ALL_PROPERTIES).payload()


def test_short_texts_are_read() -> None:
    """A short-string property is text; an absent one is None."""
    where = content.read(full_header())
    assert (content.short_text(where, "expiration"), where.body_size) == ("60000", 4)
    assert content.short_text(content.read(amqp.Header().payload()), "user_id") is None


def test_continued_flags_are_trouble() -> None:
    """Flag bit 0 announces more flags than AMQP 0-9-1 defines: not readable, so not rewritable."""
    raw = bytearray(amqp.Header().payload())
    raw[13] |= 1
    assert content.read(bytes(raw)).trouble >= 0


@given(st.binary(max_size=300))
def test_no_bytes_make_it_raise(raw: bytes) -> None:
    """Any bytes are located or reported as trouble, within the bytes."""
    where = content.read(raw)
    assert 0 <= where.table <= where.table_end
    assert where.table_end <= max(len(raw), content.PREFIX)


@given(st.integers(0, 200))
def test_truncation_is_trouble(length: int) -> None:
    """A header that was cut short is never taken for a whole one."""
    raw = full_header()
    assert content.read(raw[: min(length, len(raw) - 1)]).trouble >= 0
