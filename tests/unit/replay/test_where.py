"""dlxctl.replay.where: expressions over a letter choose, their mistakes are placed, and no message breaks them."""

import gzip
import json
import pickle
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlxctl.errors import ExitCode, UsageError
from dlxctl.replay import document, expression
from dlxctl.replay.letter import Letter
from dlxctl.replay.origin import OriginRules
from dlxctl.replay.where import Where
from tests import amqp_values as amqp
from tests.letters import CELERY, delivery, x_death

JSON = {"content_type": amqp.short(b"application/json"), "content_encoding": amqp.short(b"utf-8")}
BODY = [[7, "blue"], {"tenant": "acme", "big": {"deep": [1, 2]}}, {"chord": None}]


def task(*entries: bytes, body: Any = BODY, **properties: bytes) -> Letter:
    """A Celery message as the broker hands it over after its death; a body that is no bytes is written as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    dead = x_death(amqp.death("orders", "expired", 1_700_000_000))
    return Letter(delivery(*CELERY, *entries, dead, body=data, **(JSON | properties)))


def holds(text: str, one: Letter | None = None) -> bool:
    where = Where(text)
    found = where.matches(task() if one is None else one, OriginRules())
    assert where.failed == 0, where.remark
    return found


TENANT = amqp.entry(b"x-tenant", amqp.string("acme"))


@pytest.mark.parametrize(
    "text",
    [
        "headers.\"x-tenant\" == 'acme'", "headers.retries == `3`", "headers.retries > `2` && headers.lang == 'py'",
        "headers.absent == `null`", "!(headers.absent)", "contains(keys(headers), 'lang')", "headers.*",
        "headers.\"x-death\"[0].count == `1`", "headers.\"x-death\"[?reason == 'expired'] | [0].queue == 'orders'",
        "headers.{a: lang}.a == 'py'", "headers.[lang, task][0] == 'py'",
        "properties.message_id == 'm'", "properties.priority == `7`", "contains(values(properties), 'm')",
        "task == 'shop.charge'", "starts_with(task, 'shop.')", "id == 'id-1'", "origin == 'orders'",
        "reason == 'expired'", "exception == ''", "died_at == `1700000000`", "replays == `0`", "attempts == `null`",
        "args[0] == `7`", "args[?@ == 'blue']", "kwargs.tenant == 'acme'", "kwargs.big.deep[-1] == `2`",
        "length(body) == `3`", "body[2].chord == `null`", "body[0][1] == 'blue'",
        "{t: task, b: body}.b[0][0] == `7`", "[task, id] | [1] == 'id-1'", "@ | task == 'shop.charge'",
        "sort(keys(@)) | [0] == 'args'", "map(&length(@), [task])[0] == `11`",
    ],
)  # fmt: skip
def test_what_can_be_asked(text: str) -> None:
    """Headers, properties, facts, arguments and body are all there for an expression that names them."""
    assert holds(text, task(TENANT, message_id=amqp.short(b"m"), priority=b"\x07"))


@pytest.mark.parametrize("result", ["false", "null", '""', "[]", "{}"])
def test_empty_results_do_not_choose(result: str) -> None:
    """JMESPath's rule of truth: these are false, zero is true."""
    assert not holds(f"`{result}`")
    assert holds("`0`")


def test_only_what_is_named_is_decoded() -> None:
    """A single header is looked up, and neither body nor other headers are touched."""
    needs = expression.needs("", expression.parsed("headers.a == 'x' || properties.type && task"))
    assert needs == document.Needs(facts=("task",), headers=frozenset({b"a"}), properties=frozenset({"type"}))
    assert expression.needs("", expression.parsed("kwargs.headers")) == document.Needs(body=True)
    assert expression.needs("", expression.parsed("headers")).headers is None
    assert expression.needs("", expression.parsed("headers.a.b[0].c")).headers == frozenset({b"a"})
    assert expression.needs("", expression.parsed("[@][0].task")).body


@pytest.mark.parametrize(
    ("text", "column", "says"),
    [
        ("headers.x-tenant == 'a'", 10, "Unknown token '-'"),
        ("task = 'a'", 6, "Unknown token '='"),
        ("replays == 3", 12, "'3' cannot stand here"),
        ("task ==", 8, "ends too early"),
        ("task == 'a", 9, "Unclosed"),
        ("", 1, "empty"),
        ("  ", 3, "ends too early"),
        ("header.x == 'a'", 1, "has no 'header'"),
        ('task == "shop.charge"', 9, "has no 'shop.charge'"),
        ("kwargs.flag == true", 16, "has no 'true'"),
        ("task.foo || foo", 13, "has no 'foo'"),
        ("task && like(task, 'a')", 9, "no function like()"),
        ("contains(task)", 1, "takes 2, not 1"),
        ("not_null()", 1, "takes at least 1, not 0"),
        ("task && !headers.absent", 9, "write !(headers.name)"),
        ("args[?like(@)]", 7, "no function like()"),
        ("(" * 2_000 + "task" + ")" * 2_000, 1, "nested too deeply"),
        ("||".join(["task"] * 500), 1, "nested too deeply"),
        ("a" * 5_000, 1, "more than 4,096"),
    ],
)  # fmt: skip
def test_a_mistake_is_placed(text: str, column: int, says: str) -> None:
    """Exit 2, the column, what is wrong, and an example that works."""
    with pytest.raises(UsageError) as refused:
        Where(text)
    assert refused.value.exit_code == ExitCode.USAGE
    assert f"at column {column}" in refused.value.what
    assert says in refused.value.why
    assert "x-tenant" in refused.value.remedy
    assert len(str(refused.value)) < 6_000


def test_the_example_is_sound() -> None:
    """What the error recommends can be used."""
    assert holds(expression.EXAMPLE, task(TENANT, body=[[101], {}, {}]))


@given(st.text(alphabet=st.sampled_from("headers.body[]*?@&|!=<>'\"`(){}:,0- \\"), max_size=30) | st.text(max_size=30))
def test_any_text_is_an_expression_or_a_usage_error(text: str) -> None:
    """No text makes compiling raise anything else, and what compiles can be evaluated."""
    try:
        where = Where(text)
    except UsageError:
        return
    where.matches(task(), OriginRules())


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("starts_with(headers.retries, 'a')", "starts_with() was given number"),
        ("headers.retries < headers.task", "different types"),
        ("body[::0]", "ValueError"),
        ("contains(headers.absent, 'a')", "contains() was given null"),
    ],
)
def test_a_message_that_does_not_fit_is_counted_and_not_chosen(text: str, why: str) -> None:
    """The run goes on; the remark says how many and why, and no value of the message."""
    where = Where(text)
    assert where.remark == ""
    assert not where.matches(task(), OriginRules())
    assert where.remark.startswith("--where failed on 1 message, which")
    assert not where.matches(task(), OriginRules())
    assert where.remark.startswith("--where failed on 2 messages, which")
    assert why in where.remark


HOSTILE_BODIES = {
    "deep": b"[" * 100_000 + b"]" * 100_000,
    "deep-objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "digits": b"1" * 1_000_000,
    "digits-inside": b'{"a": ' + b"9" * 1_000_000 + b"}",
    "not-utf-8": b'"\xff"',
    "cut": b'{"a": 1',
    "empty": b"",
    "pickle": pickle.dumps({"a": 1}),
    "gzip": gzip.compress(b'{"a": 1}'),
    "large": b'"' + b"a" * document.LARGEST_BODY + b'"',
}


@pytest.mark.parametrize("name", HOSTILE_BODIES)
def test_a_body_that_is_no_short_json_is_null(name: str) -> None:
    """Too deep, too long a number, too large, pickled, cut: null, within a moment, never a crash."""
    assert holds("body == `null` && args == `null` && kwargs == `null`", task(body=HOSTILE_BODIES[name]))


def test_the_largest_body_is_read() -> None:
    """A body at the bound is decoded, in as many frames as it came."""
    assert holds("length(body) > `1000000`", task(body=b'"' + b"a" * (document.LARGEST_BODY - 2) + b'"'))


@pytest.mark.parametrize(
    ("entries", "properties"),
    [
        ((), {"content_type": amqp.short(b"application/x-python-serialize")}),
        ((), {"content_type": amqp.short(b"")}),
        ((), {"content_encoding": amqp.short(b"binary")}),
        ((), {"content_encoding": amqp.short(b"gzip")}),
        ((amqp.entry(b"compression", amqp.string("application/x-gzip")),), {}),
    ],
)
def test_only_uncompressed_json_is_decoded(entries: tuple[bytes, ...], properties: dict[str, bytes]) -> None:
    """Other types of content, and compressed ones, are null even when the octets look like JSON."""
    assert holds("body == `null`", task(*entries, **properties))


def test_a_type_with_parameters_is_json_too() -> None:
    """Case and parameters of the content type do not count, nor does a missing encoding."""
    plain = task(content_type=amqp.short(b"Application/JSON; charset=utf-8"), content_encoding=amqp.short(b""))
    assert holds("kwargs.tenant == 'acme'", plain)


@pytest.mark.parametrize("body", [[], [1], {"args": 1}, 7, "text", [[1]]])
def test_a_body_of_another_shape_has_no_arguments(body: Any) -> None:
    """`args` and `kwargs` are null, `body` is there."""
    assert holds("args == `null` && kwargs == `null`", task(body=body))
    assert holds("to_string(body)", task(body=body))


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_no_message_makes_it_raise(header: bytes, body: bytes) -> None:
    """Any header bytes and any body are true or not for an expression that looks at everything."""
    everything = Where("length(to_string(@)) > `1`")
    assert everything.matches(task(header, body=body), OriginRules()) in (True, False)


def test_header_values_are_plain() -> None:
    """Bytes are text with escapes, decimals are numbers, also within arrays."""
    odd = task(amqp.entry(b"odd", amqp.array(b"x" + amqp.long(b"\xff"), b"D\x02" + (314).to_bytes(4, "big"))))
    assert holds("headers.odd[1] == `3.14` && headers.odd[0] == '\\xff'", odd)


PAGE = (Path(__file__).parents[3] / "docs/selecting.md").read_text()


def test_the_expressions_of_the_page_can_be_used() -> None:
    """Every example of docs/selecting.md compiles, and its table names all that an expression may name."""
    (block,) = re.findall(r"^```jmespath\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    for text in block.splitlines():
        Where(text).matches(task(TENANT), OriginRules())
    rows = PAGE.split("| name | is |")[1].split("\n\n")[0]
    assert set(re.findall(r"`(\w+)`", "".join(row.split("|")[1] for row in rows.splitlines()[2:]))) == set(
        document.NAMES
    )
    for name in document.PROPERTIES:
        assert f"`{name}`" in rows
