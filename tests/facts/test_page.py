"""docs/broker-facts.md cannot go stale."""

import importlib
from pathlib import Path

from tests.facts.page import MODULES, PAGE, written
from tests.facts.record import facts_of, recorded


def test_the_page_is_the_tests_and_what_they_found() -> None:
    """Its rows are the docstrings of the tests, its cells what the last full run recorded."""
    assert PAGE.read_text(encoding="utf-8") == written()


def test_every_fact_is_on_the_page_and_has_results() -> None:
    """No module of facts is left out, and no result is kept of a test that is gone."""
    files = {path.stem.removeprefix("test_") for path in Path(__file__).parent.glob("test_*.py")} - {"page"}
    assert files == set(MODULES)
    names = [name for module in MODULES for name, _ in facts_of(importlib.import_module(f"tests.facts.test_{module}"))]
    assert sorted(names) == sorted(recorded())
