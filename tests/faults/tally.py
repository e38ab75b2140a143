"""The measured table: counts of each fault by version and queue type, in a file first, then in docs/safety.md."""

import json
import os
import sys
from collections import defaultdict
from pathlib import Path

from tests.conftest import ROOT
from tests.oracle import Counts

PAGE = ROOT / "docs" / "safety.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
COLUMNS = ("runs", "kills", "attempted", "confirmed", "moved", "lost", "duplicated", "unflagged", "altered")


def results() -> Path | None:
    """Where to collect, None when nobody asked."""
    return Path(name) if (name := os.environ.get("DLXCTL_FAULTS_RESULTS")) else None


def note(fault: str, version: str, kind: str, counts: Counts, kills: int, path: Path | None = None) -> None:
    """Add one run of a fault to `path`, or where the environment says. Every seeded message was confirmed by the
    broker, else seeding fails."""
    path = path or results()
    if path is None:
        return
    row = {
        "fault": fault, "version": version, "kind": kind, "runs": 1, "kills": kills, "attempted": counts.attempted,
        "confirmed": counts.attempted, "moved": counts.moved, "lost": counts.lost, "duplicated": counts.duplicated,
        "unflagged": counts.unflagged, "altered": counts.altered,
    }  # fmt: skip
    with path.open("a") as lines:
        print(json.dumps(row), file=lines)


def table(rows: list[dict[str, object]]) -> str:
    """Markdown: a row for each fault, version and queue type, and one for all."""
    sums: dict[tuple[str, str, str], list[int]] = defaultdict(lambda: [0] * len(COLUMNS))
    for row in rows:
        for key in ((str(row["fault"]), str(row["version"]), str(row["kind"])), ("all", "", "")):
            sums[key] = [old + int(str(row[name])) for old, name in zip(sums[key], COLUMNS, strict=True)]
    lines = ["| fault | RabbitMQ | queues | " + " | ".join(COLUMNS) + " |"]
    lines.append("| --- | --- | --- |" + " --: |" * len(COLUMNS))
    for key in sorted(sums, key=lambda key: (key[0] == "all", key[0][:1] != "R", _number(key[0]), key)):
        lines.append(f"| {' | '.join(key)} | " + " | ".join(f"{number:,}" for number in sums[key]) + " |")
    return "\n".join(lines)


def write(page: Path, collected: Path, seed: str) -> None:
    """Put the table between the marks of the page."""
    rows = [json.loads(line) for line in collected.read_text().splitlines()]
    text = page.read_text()
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    command = f"`make faults DLXCTL_FAULT_SEED={seed}`"
    page.write_text(f"{before}{BEGIN}\nMeasured with {command}.\n\n{table(rows)}\n{END}{after}")


def _number(fault: str) -> int:
    return int("".join(filter(str.isdigit, fault)) or 0)


if __name__ == "__main__":
    write(PAGE, Path(sys.argv[1]), sys.argv[2])
