"""dlxctl.wire.shape: a header that fits a known shape is located just as if it had been walked."""

from hypothesis import given, settings
from hypothesis import strategies as st

from dlxctl.replay.letter import WANTED, Letter, shape_book
from dlxctl.wire.intake import Delivery
from dlxctl.wire.shape import Shape, ShapeBook
from tests import amqp_values as amqp

BASE = amqp.Header(
    b"body",
    (
        *amqp.EVERY_TYPE, amqp.entry(b"task", amqp.string("shop.charge")), amqp.entry(b"id", amqp.string("id-1")),
        amqp.entry(b"retries", amqp.integer(3)),
        amqp.entry(b"x-death", amqp.array(amqp.death("orders"), amqp.death("retry.1s", "expired"))),
    ),
    amqp.ALL_PROPERTIES,
).payload()  # fmt: skip


def seen(raw: bytes, book: ShapeBook | None) -> list[object]:
    """Everything that replay reads off a header."""
    delivery = Delivery(1, False, b"", b"", raw, b"")
    letter = Letter(delivery, book.shape_of(raw)) if book else Letter(delivery)
    content = letter.content
    return [
        letter.fields, letter.broken_at, content.spans, content.table, content.table_end, content.body_size,
        content.raw, letter.deaths, letter.task, letter.id, letter.integer("retries"), letter.is_celery,
    ]  # fmt: skip


def taught() -> ShapeBook:
    book = shape_book()
    for _ in range(2):
        book.shape_of(BASE)
    return book


def test_equal_structure_is_one_shape() -> None:
    """Other ids, counts and times: the very same shape object."""
    book = taught()
    other = BASE.replace(b"id-1", b"id-2").replace(b"orders", b"crates").replace(b"I\0\0\0\3", b"I\0\0\0\4")
    assert book.shape_of(other) is book.shape_of(BASE)
    assert seen(other, book) == seen(other, None)


def test_another_structure_is_another_shape() -> None:
    """A void where a string was is never read as the string."""
    raw = amqp.Header(b"", (amqp.entry(b"task", amqp.string("abcd")), amqp.entry(b"id", amqp.string("x")))).payload()
    twin = amqp.Header(
        b"", (amqp.entry(b"task", b"x" + amqp.long(b"abcd")), amqp.entry(b"id", amqp.string("x")))
    ).payload()
    book = shape_book()
    for _ in range(2):
        book.shape_of(raw)
    assert len(raw) == len(twin)
    assert seen(twin, book) == seen(twin, None)
    assert seen(twin, None) != seen(raw, None)


@settings(max_examples=400)
@given(st.lists(st.tuples(st.integers(0, len(BASE) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_any_changed_octet_is_read_as_without_the_book(changes: list[tuple[int, int]]) -> None:
    """Whatever is changed, also in the death history, the book gives what a fresh walk gives."""
    raw = bytearray(BASE)
    for at, value in changes:
        raw[at] = value
    assert seen(bytes(raw), taught()) == seen(bytes(raw), None)


@settings(max_examples=200)
@given(st.binary(min_size=14, max_size=120), st.binary(min_size=14, max_size=120))
def test_random_payloads_do_not_mislead_the_book(first: bytes, second: bytes) -> None:
    """Shapes learned from garbage are not taken for others."""
    book = ShapeBook(WANTED, frozenset({b"x-death"}))
    for raw in (first, first, second, second, first):
        shape, fresh = book.shape_of(raw), Shape(raw, WANTED)
        assert (shape.fields, shape.broken_at) == (fresh.fields, fresh.broken_at)


def test_the_book_is_bounded() -> None:
    """Ten thousand different lengths and structures do not fill the memory."""
    book = ShapeBook(WANTED, frozenset(), most=8)
    for length in range(100):
        for key in (b"a", b"b", b"c"):
            raw = amqp.Header(b"", (amqp.entry(key, amqp.string("x" * length)),)).payload()
            book.shape_of(raw)
    assert sum(map(len, book._by_length.values())) <= 8
