"""docs/topology-file.md: its examples are sound, and it explains every key."""

import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from dlxctl import lint
from dlxctl.model.diagnostics import Severity
from dlxctl.spec import load
from dlxctl.spec.expand import expand
from dlxctl.spec.form import SECTIONS
from dlxctl.spec.json_schema import json_schema

PAGE = (Path(__file__).parent.parent.parent / "docs" / "topology-file.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_the_examples_of_the_page_are_sound(example: str) -> None:
    """Each loads, fits the schema, and has no lint error; fragments get version and owner name."""
    text = example if example.startswith("version:") else f"version: 1\ntopology: page\n{example}"
    layout = load(text)
    assert not [d for d in lint.run(layout, expand(layout)) if d.severity is Severity.ERROR]
    jsonschema.Draft7Validator(json_schema()).validate(yaml.safe_load(text))


def test_the_page_explains_every_key() -> None:
    """A key that the form knows stands on the page."""
    keys = {name for model in SECTIONS.values() for name in model.model_fields}
    headings = set(re.findall(r"^### ([a-z_, ]+)", PAGE, re.MULTILINE))
    explained = set(re.findall(r"`([a-z_]+)`", PAGE)) | {word for h in headings for word in re.split(r"[, ]+", h)}
    assert keys - explained == set()
