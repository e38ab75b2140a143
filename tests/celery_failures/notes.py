"""What the tasks of the matrix note in the directory of their worker, and its reading."""

import json
import os
import time
from pathlib import Path
from typing import Any

FILE = "notes.jsonl"


def note(what: str, **fields: Any) -> None:
    """One line; those of several processes do not mix."""
    with Path(FILE).open("a") as notes:
        notes.write(json.dumps({"what": what, "at": time.time(), "pid": os.getpid(), **fields}) + "\n")


def notes_of(directory: Path, what: str) -> list[dict[str, Any]]:
    """What workers in `directory` noted of `what`, in order."""
    path = directory / FILE
    entries = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [entry for entry in entries if entry["what"] == what]
