"""Errors say what to do next."""

import ast
from collections.abc import Iterator
from pathlib import Path

from dlxctl import errors

PACKAGE = Path(errors.__file__).parent
TREE = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, errors.DlxctlError)}
SILENT = {"memory_admin.py", "memory_link.py"}
"""The doubles of a broker say what a broker says, and tests alone read it."""


def made() -> Iterator[tuple[str, ast.Call]]:
    """Every place where an error is made, with its file and line."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            is_made = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in TREE
            if is_made and path.name not in SILENT:
                yield f"{path.relative_to(PACKAGE)}:{node.lineno}", node


def test_every_error_names_the_next_step() -> None:
    """All but those of the doubles are made with a remedy."""
    found = dict(made())
    assert len(found) > 100
    assert [place for place, call in found.items() if "remedy" not in {word.arg for word in call.keywords}] == []
