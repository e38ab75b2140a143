"""The reader: what plain YAML means here, where things stand, and what is refused at once."""

import time

import pytest

from dlxctl.model.diagnostics import Place
from dlxctl.spec import reader
from dlxctl.spec.reader import Document, read


def codes(document: Document) -> list[str]:
    return [problem.code for problem in document.problems]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("NO", "NO"), ("yes", "yes"), ("on", "on"), ("True", "True"), ("true", True), ("false", False),
        ("010", "010"), ("0x1F", "0x1F"), ("1_000", "1_000"), ("12:30", "12:30"), ("2026-01-01", "2026-01-01"),
        ("10", 10), ("-1", -1), ("0", 0), ("1.50", 1.5), (".5", ".5"), ("1e3", "1e3"), (".inf", ".inf"),
        ("null", None), ("~", None), ("", None), ("Null", "Null"), ('"10"', "10"), ("'null'", "null"), ("=", "="),
        ("9" * 30, "9" * 30),
    ],
)  # fmt: skip
def test_plain_scalars_mean_what_yaml_1_2_says(written: str, meant: object) -> None:
    """Only decimal digits are numbers and only true and false booleans; a country code stays text."""
    value = read(f"key: {written}", {}).tree["key"]
    assert value == meant
    assert type(value) is type(meant)


def test_keys_are_text_even_when_they_look_like_something_else() -> None:
    """A queue may be called NO, 010, null or 1."""
    assert read("{NO: 1, 010: 2, null: 3, 1: 4}", {}).tree == {"NO": 1, "010": 2, "null": 3, "1": 4}


def test_every_path_has_its_place() -> None:
    """An entry stands where its key is, an item where it begins; lines and columns count from 1."""
    places = read("a:\n  b: [x, {c: 1}]\n", {}).places
    assert places == {
        (): Place(1, 1),
        ("a",): Place(1, 1),
        ("a", "b"): Place(2, 3),
        ("a", "b", 0): Place(2, 7),
        ("a", "b", 1): Place(2, 10),
        ("a", "b", 1, "c"): Place(2, 11),
    }


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    """A BOM at the beginning changes neither keys nor columns."""
    document = read("\ufeffa: 1", {})
    assert document.tree == {"a": 1}
    assert document.places["a",] == Place(1, 1)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${A}", "one"), ("${A}-${B}", "one-2"), ("${B}", 2), ("'${B}'", "2"), ("${NONE:-x}", "x"),
        ("${EMPTY:-x}", "x"),
        ("${EMPTY}", None), ("${NONE:-}", None), ("$${A}", "${A}"), ("$A $ {A}", "$A $ {A}"), ("${B}s", "2s"),
        ("${LOOP}", "${A}"),
    ],
)  # fmt: skip
def test_variables_are_resolved_once_in_values(text: str, value: object) -> None:
    """${NAME} takes the environment's value, ${NAME:-default} a default when it is unset or empty; values are final."""
    environment = {"A": "one", "B": "2", "EMPTY": "", "LOOP": "${A}"}
    document = read(f"key: {text}", environment)
    assert (document.tree["key"], document.problems) == (value, [])


@pytest.mark.parametrize("text", ["${NONE}", "${", "${1A}", "${A-x}", "${A:-${B}}", "${A b}"])
def test_a_variable_that_cannot_be_resolved_is_a_problem_with_its_place(text: str) -> None:
    """An unset or malformed variable names the line and column of its value."""
    problems = read(f'list:\n  - "{text}"\n', {"A": "", "B": ""}).problems
    assert [(problem.code, problem.place) for problem in problems] == [("DLX105", Place(2, 5))]


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("", "DLX102", Place(1, 1)),
        ("# only a comment\n", "DLX102", Place(1, 1)),
        ("- a\n- b\n", "DLX102", Place(1, 1)),
        ("just words", "DLX102", Place(1, 1)),
        ("a: 1\n\tb: 2\n", "DLX101", Place(2, 1)),
        ("a: [1, 2", "DLX101", Place(1, 9)),
        ("a: 'open", "DLX101", Place(1, 9)),
        ("a: b: c", "DLX101", Place(1, 5)),
        ("a: *nowhere", "DLX101", Place(1, 4)),
        ("a: 1\nb: 2\na: 3\n", "DLX103", Place(3, 1)),
        ("a: !!python/object:os.system {}", "DLX104", Place(1, 4)),
        ("a: !!int 5", "DLX104", Place(1, 4)),
        ("a: !mine 5", "DLX104", Place(1, 4)),
        ("a: 1\n---\nb: 2\n", "DLX104", Place(2, 1)),
        ("a: &x {b: 1}\nc: {<<: *x}\n", "DLX104", Place(2, 5)),
        ("? [a, b]\n: 1\n", "DLX104", Place(1, 3)),
        ("a: &x [*x]", "DLX104", Place(1, 4)),
        ("a: 1\nb: \x00\n", "DLX100", Place(2, 4)),
        ("a: \ud800", "DLX100", Place(1, 4)),
    ],
)
def test_what_topology_files_do_not_have_is_refused_with_its_place(text: str, code: str, place: Place) -> None:
    """Each kind of unreadable text is one problem with a code, a line and a column."""
    found = [(problem.code, problem.place) for problem in read(text, {}).problems]
    assert found == [(code, place)]


def test_all_problems_of_the_text_are_reported_at_once() -> None:
    """Duplicates, tags and variables do not hide each other, and the first of two equal keys is kept."""
    document = read("a: 1\na: 2\nb: !!int 3\nc: ${NONE}\n", {})
    assert sorted(codes(document)) == ["DLX103", "DLX104", "DLX105"]
    assert document.tree["a"] == 1


def test_a_plain_alias_is_the_value_of_its_anchor() -> None:
    """Anchors and aliases are read as long as they stay small."""
    assert read("a: &x [1, 2]\nb: *x\n", {}).tree == {"a": [1, 2], "b": [1, 2]}


BILLION_LAUGHS = 'a0: &a0 ["lol", "lol"]\n' + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n" for level in range(1, 15)
)
QUADRATIC = "a: &a [" + "x," * 5_000 + "]\nb: [" + "*a," * 5_000 + "]\n"


@pytest.mark.parametrize(
    "text",
    [
        BILLION_LAUGHS, QUADRATIC, "[" * 1_000_000, "{a: " * 200_000, "- " * 300_000, "a: " + "[" * 500,
        "a: [" + "1," * 500_000 + "]", "\n".join(f"k{i}: {{}}" for i in range(60_000)), "x" * (reader.MAX_BYTES + 1),
        "a: " + "&a " * 1_000, "? " * 100_000, "a: 'x" + "\n" * 900_000, "%" * 900_000, "a: |\n" + " x\n" * 300_000,
    ],
    ids=[
        "laughs", "quadratic", "deep-flow", "deep-maps", "deep-block", "deep", "long-list", "many-keys", "too-big",
        "anchors", "question-marks", "newlines", "percent", "block-scalar",
    ],
)  # fmt: skip
def test_a_hostile_file_is_answered_within_a_second(text: str) -> None:
    """Bombs of nesting, aliases, nodes and bytes cost less than a second and never an exception."""
    began = time.process_time()
    read(text, {})
    assert time.process_time() - began < 1.0


@pytest.mark.parametrize("text", [BILLION_LAUGHS, QUADRATIC, "[" * 100_000, "x" * (reader.MAX_BYTES + 1)])
def test_a_bomb_is_refused_and_not_read(text: str) -> None:
    """What would grow beyond the bounds is DLX100."""
    assert codes(read(text, {})) == ["DLX100"]
