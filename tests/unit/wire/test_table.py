"""dlxctl.wire.table: entries are found in any table, and no bytes make it raise."""

from hypothesis import given
from hypothesis import strategies as st

from dlxctl.wire import table
from tests import amqp_values as amqp


def test_every_type_is_stepped_over() -> None:
    """The last entry is found behind one entry of each AMQP type."""
    raw = b"".join((*amqp.EVERY_TYPE, amqp.entry(b"last", amqp.integer(7))))
    found, trouble = table.find(raw, 0, len(raw), frozenset({b"last"}))
    assert trouble == table.INTACT
    assert [table.integer(raw, field) for field in found] == [7]


def test_a_field_spans_its_whole_entry() -> None:
    """Cutting `raw[start:end]` takes the entry out and leaves the rest as it was."""
    first, second, third = (amqp.entry(key, amqp.string("v")) for key in (b"a", b"b", b"c"))
    raw = first + second + third
    (field,), _ = table.find(raw, 0, len(raw), frozenset({b"b"}))
    assert raw[: field.start] + raw[field.end :] == first + third


def test_duplicates_are_all_found() -> None:
    """A key that stands twice is given twice, in order."""
    raw = amqp.entry(b"k", amqp.integer(1)) + amqp.entry(b"k", amqp.integer(2))
    found, _ = table.find(raw, 0, len(raw), frozenset({b"k"}))
    assert [table.integer(raw, field) for field in found] == [1, 2]


def test_the_first_unreadable_octet_is_named() -> None:
    """An unknown kind octet stops the reading at its offset."""
    good = amqp.entry(b"a", amqp.integer(1))
    raw = good + amqp.entry(b"b", b"?xxxx")
    found, trouble = table.find(raw, 0, len(raw), frozenset({b"a"}))
    assert (len(found), trouble) == (1, len(good) + 2)


def test_depth_costs_nothing() -> None:
    """A table nested 20,000 deep is stepped over."""
    value = amqp.integer(1)
    for _ in range(20_000):
        value = amqp.table(amqp.entry(b"", value))
    raw = amqp.entry(b"deep", value) + amqp.entry(b"k", amqp.integer(2))
    found, trouble = table.find(raw, 0, len(raw), frozenset({b"k"}))
    assert (len(found), trouble) == (1, table.INTACT)


@given(st.binary(max_size=400), st.integers(0, 10), st.integers(0, 400))
def test_no_bytes_make_it_raise(raw: bytes, start: int, end: int) -> None:
    """Any bytes and any span give fields inside the span, or a position of trouble."""
    found, _ = table.find(raw, start, min(end, len(raw)), frozenset({b"", b"a", b"\x00"}))
    for field in found:
        assert start <= field.start <= field.value <= field.end <= len(raw)
        table.text(raw, field)
        table.integer(raw, field)


@given(st.text(min_size=1, max_size=40), st.integers(-(2**63), 2**63 - 1), st.binary(max_size=300))
def test_what_is_written_can_be_read(key: str, number: int, data: bytes) -> None:
    """Own entries read back as the values they were written with."""
    raw = table.integer_entry("n", number) + table.string_entry("s", data) + table.true_entry("t")
    found, trouble = table.find(raw, 0, len(raw), frozenset({b"n", b"s", b"t"}))
    fields = {field.key: field for field in found}
    assert trouble == table.INTACT
    assert table.integer(raw, fields[b"n"]) == number
    assert raw[fields[b"s"].value : fields[b"s"].end] == data
    assert raw[fields[b"t"].value : fields[b"t"].end] == b"\x01"
