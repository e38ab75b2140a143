"""dlxctl.wire.decode: values come out as they were put in, and no bytes make it raise or run away."""

import math
import struct
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlxctl.wire import content, decode
from tests import amqp_values as amqp


def decoded(*entries: bytes) -> dict[str, Any]:
    raw = b"".join(entries)
    return decode.entries(raw, 0, len(raw))


def encoded(value: Any) -> bytes:
    """A value with its kind octet, written here and not by dlxctl."""
    match value:
        case None:
            return b"V"
        case bool():
            return b"t" + bytes((value,))
        case int():
            return b"l" + struct.pack(">q", value)
        case float():
            return b"d" + struct.pack(">d", value)
        case Decimal():
            _, digits, exponent = value.as_tuple()
            assert isinstance(exponent, int)
            return b"D" + struct.pack(">BI", -exponent, int("".join(map(str, digits))))
        case str():
            return amqp.string(value)
        case bytes():
            return b"x" + amqp.long(value)
        case list():
            return amqp.array(*map(encoded, value))
    return amqp.table(*(amqp.entry(key.encode(), encoded(one)) for key, one in value.items()))


KEYS = st.text(st.characters(codec="utf-8"), max_size=20)
SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.binary(max_size=20)
    | st.text(st.characters(codec="utf-8"), max_size=40)
    | st.builds(lambda whole, scale: Decimal(whole).scaleb(-scale), st.integers(0, 2**32 - 1), st.integers(0, 255))
)  # fmt: skip
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner), max_leaves=30)


@given(st.dictionaries(KEYS, VALUES))
def test_what_was_encoded_comes_out(values: dict[str, Any]) -> None:
    """A table of any values is read back equal."""
    assert decoded(*(amqp.entry(key.encode(), encoded(one)) for key, one in values.items())) == values


def test_every_type_has_its_value() -> None:
    """One entry of each type that RabbitMQ accepts is read as the value that its definition gives."""
    assert decoded(*amqp.EVERY_TYPE) == {
        "t": True, "b": -1, "B": 255, "s": -2, "u": 65_534, "I": -5, "i": 2**32 - 1, "l": -(2**63), "f": 1.5, "d": 1.5,
        "D": Decimal("3.14"), "S": "héllo", "S2": "\\xff\\xfe\x00", "T": 2**63, "V": None, "x": b"\x00\xff",
        "F": {"inner": {"deep": 1}}, "A": [1, "two", [None]], "schlüssel": 1, "empty": {},
    }  # fmt: skip


@given(st.binary(max_size=300))
def test_no_bytes_make_it_raise(raw: bytes) -> None:
    """Any bytes, read as a table, as an array and as each kind of value, give some value."""
    assert isinstance(decode.entries(raw, 0, len(raw)), dict)
    for kind in range(256):
        decode.value(raw, kind, 0, len(raw))


@given(st.data())
def test_a_cut_table_keeps_what_lies_before_the_cut(data: st.DataObject) -> None:
    """Entries before the cut are read, and the rest is marked as left out."""
    raw = b"".join(amqp.entry(b"k%d" % number, encoded(number)) for number in range(5))
    size = len(raw) // 5
    cut = data.draw(st.integers(0, len(raw)))
    expected: dict[str, Any] = {f"k{number}": number for number in range(cut // size)}
    if cut % size:
        expected[decode.LEFT_OUT] = decode.LEFT_OUT
    assert decode.entries(raw, 0, cut) == expected


def test_an_unknown_type_ends_its_own_table_only() -> None:
    """What stands around a nested table that cannot be read is still shown."""
    bad = amqp.table(amqp.entry(b"good", amqp.integer(1)), amqp.entry(b"bad", b"?what"))
    found = decoded(amqp.entry(b"bad", bad), amqp.entry(b"after", amqp.integer(2)))
    assert found == {"bad": {"good": 1, decode.LEFT_OUT: decode.LEFT_OUT}, "after": 2}


@pytest.mark.parametrize("nest", [amqp.array, lambda inner: amqp.table(amqp.entry(b"k", inner))])
def test_twenty_thousand_deep_is_cut(nest: Any) -> None:
    """Nesting ends at the bound with a mark, and what follows is still read."""
    inner = amqp.integer(1)
    for _ in range(20_000):
        inner = nest(inner)
    found = decoded(amqp.entry(b"deep", inner), amqp.entry(b"after", amqp.integer(2)))
    depth, one = 0, found["deep"]
    while isinstance(one, list | dict):
        depth, one = depth + 1, one[0] if isinstance(one, list) else one["k"]
    assert (depth, one, found["after"]) == (decode.DEEPEST - 1, decode.LEFT_OUT, 2)


def test_items_are_counted_over_all_levels() -> None:
    """An array of more items than the bound is cut there, with a mark."""
    many = amqp.array(*[b"V"] * (decode.MOST_ITEMS * 2))
    found = decoded(amqp.entry(b"many", amqp.array(many, many)))
    assert len(found["many"][0]) <= decode.MOST_ITEMS
    assert found["many"][0][-1] == decode.LEFT_OUT
    exactly = decode.value(b"V" * decode.MOST_ITEMS, ord("A"), 0, decode.MOST_ITEMS)
    assert exactly == [None] * decode.MOST_ITEMS


def test_a_long_string_is_cut() -> None:
    """A string over the bound ends in the mark, one at the bound does not."""
    longest = decode.MOST_OCTETS
    found = decoded(amqp.entry(b"a", amqp.string("a" * longest)), amqp.entry(b"b", amqp.string("b" * (longest + 1))))
    assert found == {"a": "a" * longest, "b": "b" * longest + decode.LEFT_OUT}


def test_not_a_number_and_a_second_key_are_values_too() -> None:
    """NaN is read as NaN; of two entries with one key the first counts."""
    found = decoded(amqp.entry(b"n", encoded(math.nan)), *(amqp.entry(b"k", encoded(one)) for one in (1, 2)))
    assert math.isnan(found["n"])
    assert found["k"] == 1


def test_properties_have_their_types() -> None:
    """Short strings are text, the three numbers are numbers, an absent one is None."""
    found = content.read(amqp.Header(b"", (), amqp.ALL_PROPERTIES).payload())
    shown = {name: decode.prop(found, name) for name in ("content_type", "priority", "timestamp", "delivery_mode")}
    assert shown == {
        "content_type": "application/json", "priority": 7, "timestamp": 1_700_000_000, "delivery_mode": 2
    }  # fmt: skip
    assert decode.prop(found, "expiration") is None
