"""The README is true: its commands run, its promises have tests, its tables are the code's."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from dlxctl.errors import EXIT_MEANINGS
from dlxctl.replay.origin import HOLD_MEANINGS
from tests.conftest import ROOT, Dlxctl

README = (ROOT / "README.md").read_text()
TESTS = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
DOCS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def test_the_commands_of_the_tour_run(dlxctl: Dlxctl) -> None:
    """Every shell line of the README succeeds in its order, on an empty vhost."""
    lines = [line for block in blocks(README, "sh") for line in block.splitlines() if line]
    assert len(lines) >= 9
    for line in lines:
        words = line.split("#")[0].split()
        assert words[0] == "dlxctl"
        done = dlxctl(*words[1:])
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"


def test_the_python_of_the_tour_imports(dlxctl: Dlxctl, tmp_path: Path) -> None:
    """The app of the README starts from the generated module."""
    assert dlxctl("init").returncode == 0
    assert dlxctl("celery", "-o", "celery_topology.py").returncode == 0
    (code,) = blocks(README, "python")
    (tmp_path / "shop.py").write_text(code)
    check = "import shop; assert shop.app.conf.task_default_queue == 'default'; print(shop.charge.name)"
    done = subprocess.run([sys.executable, "-c", check], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "shop.charge", done.stderr


def test_every_promise_has_its_test() -> None:
    """Each row of the table of promises names tests that exist."""
    table = README.split("## What is promised")[1].split("## What is not")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ") and "| ---" not in line][1:]
    assert len(rows) >= 10
    for row in rows:
        names = re.findall(r"`(test_\w+)`", row)
        assert names, row
        for name in names:
            assert f"def {name}(" in TESTS, f"{name} does not exist"


def test_the_table_of_exit_codes_is_the_codes() -> None:
    """The README's table says what the program does."""
    for code, meaning in EXIT_MEANINGS.items():
        assert f"| {int(code)} | {meaning} |" in README


def test_the_table_of_held_reasons_is_the_codes() -> None:
    """docs/replay.md explains each reason in the program's words."""
    page = (ROOT / "docs/replay.md").read_text()
    for why, meaning in HOLD_MEANINGS.items():
        assert f"| `{why}` | {meaning} |" in page


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    """A relative link of a page names a file that is there."""
    for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} -> {target}"
