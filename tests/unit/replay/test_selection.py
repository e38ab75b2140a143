"""dlxctl.replay.selection: which dead letters a command is about."""

from typing import Any

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from dlxctl.cli.selection import selection_of, selection_options
from dlxctl.errors import UsageError
from dlxctl.replay.letter import Letter, shape_book
from dlxctl.replay.origin import OriginRules
from dlxctl.replay.selection import Selection, header_criterion, moment
from dlxctl.replay.where import Where
from tests import amqp_values as amqp
from tests.letters import CELERY, delivery, letter, x_death

AT = 1_700_000_000
DEAD = x_death(amqp.death("orders", "expired", AT))


def dead(*entries: bytes) -> Letter:
    return letter(*CELERY, *entries, DEAD, message_id=amqp.short(b"m-1"))


def selects(one: Letter, rules: OriginRules | None = None, **criteria: Any) -> bool:
    return Selection(**criteria).matches(one, rules or OriginRules())


@pytest.mark.parametrize(
    ("criteria", "chosen"),
    [
        ({}, True),
        ({"task": ("shop.charge",)}, True),
        ({"task": ("shop.*",)}, True),
        ({"task": ("shop",)}, False),
        ({"task": ("Shop.charge",)}, False),
        ({"task": ("nothing", "*.charge")}, True),
        ({"task": ("shop.[!c]*",)}, False),
        ({"origin": ("orders",)}, True),
        ({"origin": ("order",)}, False),
        ({"reason": ("expired",)}, True),
        ({"reason": ("rejected", "max*")}, False),
        ({"exception": ("",)}, True),
        ({"exception": ("ValueError",)}, False),
        ({"ids": frozenset({"id-1", "id-2"})}, True),
        ({"ids": frozenset({"id-*"})}, False),
        ({"task": ("shop.*",), "reason": ("expired",)}, True),
        ({"task": ("shop.*",), "reason": ("rejected",)}, False),
        ({"since": AT}, True),
        ({"since": AT + 1}, False),
        ({"until": AT}, False),
        ({"until": AT + 1}, True),
        ({"since": AT - 1, "until": AT + 1}, True),
        ({"until": 0}, False),
        ({"headers": (("lang", "py"),)}, True),
        ({"headers": (("lang", "rb"),)}, False),
        ({"headers": (("lang", "rb"), ("lang", "py"))}, True),
        ({"headers": (("lang", "py"), ("task", "other"))}, False),
        ({"headers": (("retries", "3"),)}, True),
        ({"headers": (("absent", ""),)}, False),
        ({"where": Where("origin == 'orders' && headers.retries == `3`")}, True),
        ({"where": Where("headers.retries == `4`")}, False),
    ],
    ids=str,
)
def test_each_criterion_chooses(criteria: dict[str, Any], chosen: bool) -> None:
    """Values of one criterion are alternatives, criteria all hold, patterns mean the whole name."""
    assert selects(dead(), **criteria) is chosen


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        (b"t\x01", "true"), (b"V", "null"), (b"d?\xf8\0\0\0\0\0\0", "1.5"), (amqp.string("héllo"), "héllo"),
        (b"x" + amqp.long(b"\xff"), "\\xff"), (amqp.array(amqp.integer(1), amqp.string("a")), '[1, "a"]'),
        (amqp.string(b"\xff"), "\\xff"), (b"D\x02" + (314).to_bytes(4, "big"), "3.14"),
    ],
)  # fmt: skip
def test_a_header_of_any_type_is_compared_as_text(typed: bytes, written: str) -> None:
    """Text as it is, all else as JSON; octets that are not UTF-8 as escapes."""
    assert selects(dead(amqp.entry(b"x-any", typed)), headers=(("x-any", written),))


def test_a_death_of_unknown_time_is_not_within_any_times() -> None:
    """Without a time neither --since nor --until selects a letter, however wide."""
    unknown = letter(*CELERY)
    assert not selects(unknown, since=0)
    assert not selects(unknown, since=-1)
    assert not selects(unknown, until=10**12)


def test_an_origin_that_is_not_believed_is_none() -> None:
    """A forged origin is not selected by its name."""
    rules = OriginRules(feeders=frozenset({"payments"}))
    assert not selects(dead(), rules, origin=("orders",))
    assert selects(dead(), rules, origin=("",))


def test_no_criterion_is_everything() -> None:
    """Only a selection without any criterion may take the fast road."""
    assert Selection().everything
    for criteria in ({"task": ("*",)}, {"since": 0.0}, {"until": 0.0}, {"where": Where("`true`")}, {"ids": {"a"}}):
        assert not Selection(**criteria).everything  # type: ignore[arg-type]


@given(st.binary(max_size=200), st.text(max_size=20))
def test_no_letter_makes_it_raise(raw: bytes, pattern: str) -> None:
    """Any header bytes are selected or not."""
    hostile = letter(DEAD, raw)
    selection = Selection(
        task=(pattern, "*"), origin=("*",), reason=("*",), exception=("*",), since=1.0, headers=((pattern, ""),)
    )
    assert selection.matches(hostile, OriginRules()) in (True, False)


NOW = 1_763_726_400.0  # 2025-11-21T12:00:00Z


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2025-11-21", NOW - 43_200), ("2025-11-21T12:00", NOW), ("2025-11-21 12:00:00", NOW),
        ("2025-11-21T12:00:00Z", NOW), ("2025-11-21T13:00+01:00", NOW), ("20251121T120000", NOW),
        ("2h", NOW - 7_200), ("3d", NOW - 259_200), ("90s", NOW - 90), ("500ms", NOW - 0.5),
    ],
)  # fmt: skip
def test_times_are_iso_or_a_span_ago(text: str, seconds: float) -> None:
    """ISO 8601 with or without a zone (then UTC), or a span before now."""
    assert moment(text, NOW) == seconds


@pytest.mark.parametrize("text", ["", "yesterday", "2", "2 h", "-2h", "2025-13-01", "0h", "1700000000", "99999d"])
def test_what_is_no_time_is_refused(text: str) -> None:
    """The refusal quotes the text and shows the forms."""
    with pytest.raises(UsageError, match="is no time") as refused:
        moment(text, NOW)
    assert "2026-11-21T14:30+01:00" in refused.value.remedy


def test_a_header_criterion_has_a_name_and_a_value() -> None:
    """The value may hold further equals signs, and may be empty; the name may not."""
    assert header_criterion("x=a=b") == ("x", "a=b")
    assert header_criterion("x=") == ("x", "")
    for text in ("x", "=a", ""):
        with pytest.raises(UsageError):
            header_criterion(text)


@click.command()
@selection_options
@click.pass_context
def probe(context: click.Context, **choices: Any) -> None:
    """A command with the options."""
    context.obj.append(selection_of(choices))


def test_the_options_make_the_selection() -> None:
    """Every option reaches its criterion, and criteria tell what was asked for."""
    line = (
        "--origin orders --origin pay* --task shop.* --reason expired --exception *Error --id a --id b"
        " --since 2025-11-21 --until 2025-11-22 --header x=1 --where task"
    )
    made: list[Selection] = []
    done = CliRunner().invoke(probe, line.split(), obj=made)
    assert done.exit_code == 0, done.output
    assert made[0].criteria == {
        "origin": ["orders", "pay*"], "task": ["shop.*"], "reason": ["expired"], "exception": ["*Error"],
        "id": ["a", "b"], "since": 1_763_683_200.0, "until": 1_763_769_600.0, "header": ["x=1"], "where": "task",
    }  # fmt: skip
    done = CliRunner().invoke(probe, [], obj=made)
    assert (made[1].everything, made[1].criteria) == (True, {})


def test_letters_that_look_alike_are_told_apart() -> None:
    """Letters that share a shape are selected by their own values, and others in between by theirs."""
    book = shape_book()
    values = [b"S" + amqp.long(b"%04d" % number) for number in range(20)]
    values[7] = b"I" + amqp.long(b"")
    letters = []
    for value in values:
        one = delivery(*CELERY, amqp.entry(b"x-n", value), DEAD)
        letters.append(Letter(one, book.shape_of(one.header)))
    for number in (3, 12, 19):
        by_header = Selection(headers=(("x-n", f"{number:04}"),))
        by_where = Selection(where=Where(f"headers.\"x-n\" == '{number:04}'"))
        for selection in (by_header, by_where):
            assert [n for n, one in enumerate(letters) if selection.matches(one, OriginRules())] == [number]
