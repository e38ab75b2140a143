"""The JSON Schema: it accepts what `load` accepts, and refuses what editors should underline."""

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from dlxctl.spec.json_schema import json_schema
from dlxctl.spec.starter import STARTER

ROOT = Path(__file__).parent.parent.parent.parent
VALIDATOR = jsonschema.Draft7Validator(json_schema())
HEAD = {"version": 1, "topology": "t"}


def complaints(tree: Any) -> list[str]:
    return [error.message for error in VALIDATOR.iter_errors(tree)]


def test_the_schema_is_draft_7() -> None:
    """yaml-language-server and most editors read draft 7."""
    schema = json_schema()
    jsonschema.Draft7Validator.check_schema(schema)
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert "$defs" not in str(schema)


@pytest.mark.parametrize("text", [(ROOT / "topology.yaml").read_text(encoding="utf-8"), STARTER])
def test_the_examples_fit(text: str) -> None:
    """The example and the starter have no complaint."""
    assert complaints(yaml.safe_load(text)) == []


@pytest.mark.parametrize(
    "part",
    [
        {"queues": None, "defaults": None, "naming": None, "celery": None},
        {"queues": {"a": None}}, {"dead_letter": {"d": None}}, {"version": "${V}"},
        {"settings": "${S:-policy}"}, {"queues": {"a": {"max_length": "${MAX:-10}", "type": "${T}"}}},
        {"retry": {"a": {"delays": ["${D:-1s}"], "attempts": "${N}"}}}, {"naming": {"retry": "${P:-a}"}},
    ],
)  # fmt: skip
def test_variables_and_empty_entries_fit(part: dict[str, Any]) -> None:
    """Every scalar may be a variable, and an entry with nothing after its colon takes the defaults."""
    assert complaints(HEAD | part) == []


@pytest.mark.parametrize(
    "part",
    [
        {"queus": {}}, {"version": 2}, {"topology": "a b"}, {"settings": "both"}, {"queues": {"a": {"priority": 0}}},
        {"queues": {"a": {"type": "stream"}}}, {"retry": {"a": {"delays": ["10"], "attempts": 1}}},
        {"retry": {"a": {"delays": [], "attempts": 1}}}, {"naming": {"retry": "retry"}}, {"queues": {"": {}}},
        {"celery": {"declare": "yes"}}, {"exchanges": {"e": {}}}, {"exchanges": {"e": {"type": "topik"}}},
    ],
)  # fmt: skip
def test_mistakes_do_not_fit(part: dict[str, Any]) -> None:
    """Unknown keys, wrong types, choices, times and names are underlined."""
    assert complaints(HEAD | part)


def test_every_key_is_explained() -> None:
    """Editors show a description for each key of each section."""
    schema = json_schema()
    sections = [schema, *schema["definitions"].values()]
    for section in sections:
        for key, value in section.get("properties", {}).items():
            assert value.get("description"), key
