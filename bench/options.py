"""What is asked of the benchmark, from the variables of `make bench NAME=VALUE ...`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.process import BenchError
from bench.ways import BY_NAME
from tests.conftest import ROOT

TYPES = ("classic", "quorum")
PARTS = ("speed", "startup", "memory", "look", "plan", "task")
PAGE = ROOT / "docs" / "benchmarks.md"
VARIABLES = ("N", "RUNS", "SIZES", "TYPES", "WAYS", "WHAT", "DLXCTL_TEST_BROKERS")
"""Those that belong to the command which the page shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """`messages`: how many the fast ways move, the most that memory moves, the queues of plan.

    `sizes`: octets of a body.
    """

    messages: int | None
    runs: int
    sizes: tuple[int, ...]
    types: tuple[str, ...]
    ways: tuple[str, ...]
    parts: tuple[str, ...]
    page: Path
    command: str


def from_environment(given: Mapping[str, str]) -> Options:
    """Read them. Raises BenchError naming the variable that is wrong."""
    shown = " ".join(f"{name}={given[name]}" for name in VARIABLES if given.get(name))
    return Options(
        messages=_number(given, "N", None),
        runs=_number(given, "RUNS", 5) or 1,
        sizes=tuple(map(int, _list(given, "SIZES", ("1024",), None))),
        types=_list(given, "TYPES", TYPES, TYPES),
        ways=_list(given, "WAYS", tuple(BY_NAME), tuple(BY_NAME)),
        parts=_list(given, "WHAT", ("speed", "startup"), PARTS),
        page=_page(given),
        command=f"make bench {shown}".strip(),
    )


def _page(given: Mapping[str, str]) -> Path:
    page = Path(given.get("PAGE") or PAGE)
    if not page.is_file():
        raise BenchError(f"PAGE={page} is no file; copy {PAGE.name} there, the results are written into it")
    return page


def _number(given: Mapping[str, str], name: str, default: int | None) -> int | None:
    text = given.get(name, "")
    if not text:
        return default
    if not text.isdecimal() or int(text) < 1:
        raise BenchError(f"{name}={text} is no number of at least 1")
    return int(text)


def _list(
    given: Mapping[str, str], name: str, default: tuple[str, ...], allowed: tuple[str, ...] | None
) -> tuple[str, ...]:
    words = tuple(word for word in given.get(name, "").split(",") if word) or default
    wrong = [word for word in words if not (word.isdecimal() if allowed is None else word in allowed)]
    if wrong:
        raise BenchError(f"{name}: {', '.join(wrong)} is none of {', '.join(allowed or ('a list of octets',))}")
    return words
