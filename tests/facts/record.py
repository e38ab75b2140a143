"""What was found, by test and release, in `results.json`; the page is made of it and of the tests' docstrings."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.facts.lab import RELEASES

RESULTS = Path(__file__).parent / "results.json"
CELERY = "Celery"
"""The column of what needs no broker."""


def recorded() -> dict[str, dict[str, str]]:
    """Test -> release (or CELERY) -> what was found."""
    found: dict[str, dict[str, str]] = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    return found


def record(test: str, column: str, found: str) -> None:
    """Keep what a test found."""
    results = recorded()
    results.setdefault(test, {})[column] = found
    RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def page(modules: dict[str, Any]) -> str:
    """docs/broker-facts.md: a table for each module, by its docstring's first line."""
    return HEAD + "\n".join(line for module in modules.values() for line in _table(module)) + "\n"


HEAD = """\
# Facts about RabbitMQ and Celery

Rules that dlxctl relies on, each of them a test in `tests/facts/` that runs with `make test`. The results are those
of RabbitMQ 3.10.8, 4.0.5 and 4.3.6 (single nodes, default configuration, November 2026) and Celery 5.7. "Nowhere"
means that the message was dropped without a word. Numbers such as 406 are AMQP's or HTTP's reply codes. This page is
made from the tests and what they found: `make facts`.
"""


def facts_of(module: Any) -> Iterator[tuple[str, str]]:
    """(name, docstring on one line) of each test of a module, in its order."""
    for name, value in vars(module).items():
        if name.startswith("test_"):
            yield name, " ".join(value.__doc__.split())


def _table(module: Any) -> Iterator[str]:
    results = recorded()
    facts = list(facts_of(module))
    columns = RELEASES if RELEASES[0] in results[facts[0][0]] else (CELERY,)
    yield f"\n## {module.__doc__.splitlines()[0].rstrip('.')}\n"
    yield f"| fact | {' | '.join(columns)} |"
    yield f"| --- |{' --- |' * len(columns)}"
    for name, text in facts:
        found = [results[name][column] for column in columns]
        yield f"| {text.replace('|', '&#124;')} | {' | '.join(found)} |"
