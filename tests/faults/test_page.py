"""docs/safety.md says what each fault is, and its table is made of what was noted."""

import ast
from pathlib import Path

from tests.faults import tally
from tests.oracle import Counts

HERE = Path(__file__).parent


def faults() -> set[str]:
    """The FAULT of each module of the suite."""
    found = set()
    for path in HERE.glob("test_*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "FAULT":
                found.add(ast.literal_eval(node.value))
    return found


def test_the_page_explains_every_fault() -> None:
    """Each has its row in the table of faults."""
    page = tally.PAGE.read_text()
    assert len(faults()) >= 12
    for fault in faults():
        assert f"\n| {fault} | " in page


def test_the_measured_table_adds_up(tmp_path: Path) -> None:
    """Runs of one fault, version and queue type are one row, and the last row is the sum of all."""
    page, results = tmp_path / "safety.md", tmp_path / "results"
    page.write_text(f"before\n{tally.BEGIN}\nold\n{tally.END}\nafter\n")
    for fault, kind in (("R2", "quorum"), ("R10", "classic"), ("R2", "quorum")):
        tally.note(fault, "4.3.6", kind, Counts(attempted=10, moved=11, duplicated=1), 1, results)
    tally.write(page, results, "77")
    text = page.read_text()
    assert "| R2 | 4.3.6 | quorum | 2 | 2 | 20 | 20 | 22 | 0 | 2 | 0 | 0 |\n| R10 | 4.3.6 | classic | 1 |" in text
    assert "| all |  |  | 3 | 3 | 30 | 30 | 33 | 0 | 3 | 0 | 0 |" in text
    assert (text.startswith("before\n"), text.endswith("after\n"), "old" in text) == (True, True, False)
