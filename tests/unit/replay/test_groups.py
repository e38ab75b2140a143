"""dlxctl.replay.normal, causes and groups: one bug is one group, and groups are bounded."""

import random
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlxctl.replay.groups import MOST_GROUPS, OTHERS, GroupBook, grouped
from dlxctl.replay.letter import Letter, shape_book
from dlxctl.replay.normal import LONGEST, normalised
from dlxctl.replay.origin import OriginRules
from dlxctl.replay.selection import Selection
from dlxctl.replay.summary import Row, row_of
from tests import amqp_values as amqp
from tests.letters import delivery, x_death


@pytest.mark.parametrize(
    ("message", "seen"),
    [
        ("order 4711 not found", "order # not found"),
        ("order -5.25 of 1,000 not found.", "order # of # not found."),
        ("order ord_8fK2xQ91 not found", "order ord_# not found"),
        ("no row 3f2504e0-4f89-11d3-9a0c-0305e82c3301", "no row #"),
        ("digest deadbeef", "digest #"),
        ("digest 12345678", "digest #"),
        ("<Foo object at 0x7f31a9c04d90>", "<Foo object at #>"),
        ("cannot connect to 10.0.3.17:5432", "cannot connect to <address>"),
        ("cannot connect to [2001:db8::17]:5432", "cannot connect to <address>"),
        ("cannot connect to db-7.shop.internal:5432", "cannot connect to <address>"),
        ("GET https://api.example.com/v1/orders/17?x=1 failed", "GET <url> failed"),
        ("no mailbox jane.doe+x@example.co.uk", "no mailbox <email>"),
        ("since 2026-11-21T14:30:05.123Z", "since <time>"),
        ("since 2026-11-21 14:30:05+01:00", "since <time>"),
        ("since Sat, 21 Nov 2026 14:30:05 GMT", "since <time>"),
        ("at 14:30:05", "at <time>"),
        ("invalid literal for int() with base 10: 'abc'", "invalid literal for int() with base #: '…'"),
        ('said "no way" and "never"', "said '…' and '…'"),
        ("can't open what isn't there", "can't open what isn't there"),
        ("values [1, 2, 3] and {'a', 'b'}", "values [#] and {'…'}"),
        ("a  b\n\tc", "a b c"),
        ("std::vector is empty", "std::vector is empty"),
        ("", ""),
    ],
)
def test_what_varies_is_replaced(message: str, seen: str) -> None:
    """Values, ids, addresses and times become placeholders, words stay."""
    assert normalised(message) == seen


@pytest.mark.parametrize(
    ("exception", "message", "seen"),
    [
        ("KeyError", "'customer'", "'customer'"),
        ("KeyError", "'customer-4711'", "'…'"),
        ("AttributeError", "'NoneType' object has no attribute 'price'", "'NoneType' object has no attribute 'price'"),
        ("django.core.exceptions.FieldError", "Cannot resolve 'colour'", "Cannot resolve 'colour'"),
        ("ValueError", "'customer' is no customer", "'…' is no customer"),
    ],
)
def test_names_of_the_program_stay(exception: str, message: str, seen: str) -> None:
    """Some exceptions quote names of the code, which tell one bug from another."""
    assert normalised(message, exception) == seen


@given(st.text(max_size=3_000), st.text(max_size=20))
def test_any_text_is_normalised_within_bounds(message: str, exception: str) -> None:
    """It never raises, is bounded, and has no line break."""
    found = normalised(message, exception)
    assert len(found) <= LONGEST
    assert "\n" not in found


@pytest.mark.parametrize("part", ["1:", "a.", "a.1", "'", "-1", "@a", "F", "1,", "a-", "0-", "://", "1 Jan "])
def test_no_text_makes_the_patterns_explode(part: str) -> None:
    """Hostile repetition ends like any other text."""
    assert len(normalised(part * 2_000)) <= LONGEST


BUGS = {
    ("shop.charge", "requests.exceptions.ConnectionError"): lambda r: (
        f"HTTPSConnectionPool(host='{ip(r)}', port={r.randrange(1, 65_535)}): Max retries exceeded with url: "
        f"/v1/charges/ch_{token(r)} (Caused by "
        f"NewConnectionError('<urllib3.connection object at {hex(r.getrandbits(47))}>'))"
    ),
    ("shop.charge", "ValueError"): lambda r: (
        f"order {r.randrange(10**9)} has no customer {uuid.UUID(int=r.getrandbits(128))}"
    ),
    ("shop.ship", "ValueError"): lambda r: f"parcel {token(r)} left {ip(r)} at {moment(r)}",
    ("shop.ship", "django.db.utils.OperationalError"): lambda r: (
        f'connection to server at "{ip(r)}", port {r.randrange(1, 65_535)} failed: '
        f"timeout expired after {r.random() * 30:.3f} s"
    ),
    ("mail.send", "smtplib.SMTPRecipientsRefused"): lambda r: (
        f"{{'{token(r)}@{token(r)}.com': ({r.randrange(400, 599)}, b'no')}}"
    ),
    ("mail.send", "KeyError"): lambda r: "'subject'",
    ("mail.send", "KeyError "): lambda r: "'recipient'",
}  # fmt: skip


def token(r: random.Random) -> str:
    return f"{r.getrandbits(64):x}"


def ip(r: random.Random) -> str:
    return ".".join(str(r.randrange(256)) for _ in range(4))


def moment(r: random.Random) -> str:
    clock = f"{r.randrange(24):02}:{r.randrange(60):02}:{r.randrange(60):02}"
    return f"2026-{r.randrange(1, 13):02}-{r.randrange(1, 29):02}T{clock}.{r.randrange(10**6):06}+00:00"


def failed(r: random.Random, number: int, task: str, exception: str, message: str) -> Letter:
    entries = (
        amqp.entry(b"task", amqp.string(task)), amqp.entry(b"id", amqp.string(f"{r.getrandbits(128):032x}")),
        amqp.entry(b"dlxctl-origin", amqp.string("orders")), amqp.entry(b"dlxctl-reason", amqp.string("failed")),
        amqp.entry(b"dlxctl-exception", amqp.string(exception)), amqp.entry(b"dlxctl-message", amqp.string(message)),
        amqp.entry(b"dlxctl-died-at", amqp.integer(1_700_000_000 + number)),
    )  # fmt: skip
    return Letter(delivery(*entries))


def test_fifty_thousand_failures_of_seven_bugs_are_seven_groups() -> None:
    """Ids, times and addresses differ in every message; the groups are exactly the bugs, with their counts."""
    chance = random.Random(7)
    book, shapes, expected = GroupBook(), shape_book(), dict.fromkeys(BUGS, 0)
    messages = set()
    for number in range(50_000):
        bug = chance.choice(list(BUGS))
        task, exception, message = *bug, BUGS[bug](chance)
        expected[bug] += 1
        messages.add(message)
        letter = failed(chance, number, task, exception.strip(), message)
        letter.shape = shapes.shape_of(letter.delivery.header)
        book.add(row_of(letter, OriginRules()))
    assert len(messages) > 30_000
    groups = book.groups()
    assert sorted(group.count for group in groups) == sorted(expected.values()), [g.message for g in groups]
    assert {(group.task, group.exception) for group in groups} == {(t, e.strip()) for t, e in BUGS}


def test_a_group_knows_its_first_its_last_and_a_sample() -> None:
    """Times are the earliest and the latest death, the sample is the id of the first that was seen."""
    chance = random.Random(1)
    letters = [failed(chance, n, "t", "E", f"number {n}") for n in (5, 2, 9)]
    (group,) = grouped(row_of(letter, OriginRules()) for letter in letters)
    assert (group.count, group.first, group.last) == (3, 1_700_000_002, 1_700_000_009)
    assert group.sample == letters[0].id


def test_a_group_is_chosen_by_its_key_or_the_start_of_it() -> None:
    """`--group` takes what inspect shows; another cause has another key."""
    chance = random.Random(2)
    one, same, other = (failed(chance, 1, "t", "E", text) for text in ("number 1", "number 2", "letter x"))
    key = row_of(one, OriginRules()).group
    for criterion in (key, key[:6]):
        selection = Selection(groups=(criterion,))
        assert [selection.matches(letter, OriginRules()) for letter in (one, same, other)] == [True, True, False]


def test_groups_are_bounded() -> None:
    """Whoever makes up a task name for every message fills the group of others and not the memory."""
    book = GroupBook()
    template = row_of(failed(random.Random(3), 1, "t", "E", "m"), OriginRules())
    values = {name: getattr(template, name) for name in Row.__dataclass_fields__}
    for number in range(MOST_GROUPS + 50):
        book.add(Row(**(values | {"group": f"{number:x}"})))
    groups = book.groups()
    assert len(groups) == MOST_GROUPS + 1
    assert (groups[0].group, groups[0].count) == (OTHERS, 50)


def test_celerys_first_protocol_is_read_from_the_body() -> None:
    """Its headers say nothing; task and id are in the JSON body."""
    body = b'{"task": "old.task", "id": "id-7", "args": [1], "kwargs": {}, "retries": 0}'
    properties = {"content_type": amqp.short(b"application/json"), "content_encoding": amqp.short(b"utf-8")}
    row = row_of(Letter(delivery(x_death(amqp.death("orders")), body=body, **properties)), OriginRules())
    assert (row.task, row.id, row.origin) == ("old.task", "id-7", "orders")
    assert Selection(task=("old.*",), ids=frozenset({"id-7"})).matches(
        Letter(delivery(body=body, **properties)), OriginRules()
    )
