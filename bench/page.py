"""docs/benchmarks.md: people write its text, the benchmark what is between the marks of a part."""

import re
import time
from pathlib import Path

from bench.machine import described
from bench.process import BenchError


def write(page: Path, part: str, tables: str, command: str) -> None:
    """Replace the part's tables. Raises BenchError when the page has no such marks."""
    text, marks = page.read_text(), (f"<!-- {part} -->", f"<!-- end of {part} -->")
    pattern = re.compile(f"{re.escape(marks[0])}.*?{re.escape(marks[1])}", re.DOTALL)
    if not pattern.search(text):
        raise BenchError(f"{page.name} has no marks {marks[0]} and {marks[1]} to write between")
    day = time.strftime("%Y-%m-%d", time.gmtime())
    told = f"Made by `{command}` on {day}: {described()}."
    page.write_text(pattern.sub(lambda _: f"{marks[0]}\n{told}\n\n{tables}\n{marks[1]}", text))
