"""Values for variables, from a file and from the command line."""

import pytest

from dlxctl.errors import UsageError
from dlxctl.spec.values import settings_of, values_of


def test_a_file_has_text_numbers_and_booleans_as_they_are_written() -> None:
    """What YAML takes for something else stays the text that it was."""
    text = "REGION: eu-1\nLIMIT: 500000\nON: true\nZEROS: 010\nQUOTED: '1.50'\nEMPTY: ''\n"
    assert values_of(text, "eu.yaml") == {
        "REGION": "eu-1", "LIMIT": "500000", "ON": "true", "ZEROS": "010", "QUOTED": "1.50", "EMPTY": "",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("A: [1]\n", r"eu\.yaml:1:1: A has no plain value"),
        ("A: 1.5\n", "in quotes"),
        ("A:\n", "no plain value"),
        ("a-b: 1\n", "cannot name a variable"),
        ("A: 1\nA: 2\n", "eu.yaml:2:1"),
        ("- A\n", "eu.yaml"),
        ("A: ${B}\n", "B is not set"),
    ],
)
def test_what_cannot_be_a_value_is_told_with_its_place(text: str, says: str) -> None:
    """No value is guessed."""
    with pytest.raises(UsageError, match=says):
        values_of(text, "eu.yaml")


def test_a_setting_is_a_name_and_the_rest() -> None:
    """The value may hold =, and the last of two for one name holds."""
    assert settings_of(["A=1", "B=x=y", "C=", "A=2"]) == {"A": "2", "B": "x=y", "C": ""}


@pytest.mark.parametrize("setting", ["A", "=1", "a b=1", "1A=2"])
def test_a_setting_without_a_name_or_value_is_refused(setting: str) -> None:
    """Exit 2, saying how it is written."""
    with pytest.raises(UsageError, match=r"--set"):
        settings_of([setting])
