"""dlxctl.ops.archive: a file that messages are discarded for outlives a crash of the machine."""

import os
import stat
from pathlib import Path

import pytest

from dlxctl.ops.archive import writing
from dlxctl.replay.archived import Head
from dlxctl.replay.origin import OriginRules
from dlxctl.replay.summary import row_of
from tests.letters import letter

HEAD = Head(queue="dead", vhost="/", exported="2026-11-21T12:00:00Z", run="r1")


def test_file_and_name_are_on_the_disk_when_the_block_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """First the octets, all of them, then the directory: without it a crash of the machine leaves no file."""
    path, synced = tmp_path / "dead.jsonl", list[tuple[bool, int]]()

    def note(handle: int) -> None:
        synced.append((stat.S_ISDIR(os.fstat(handle).st_mode), path.stat().st_size))

    monkeypatch.setattr(os, "fsync", note)
    with writing(path, HEAD) as archive:
        archive.add(letter(), row_of(letter(), OriginRules()))
        archive.complete()
    size = path.stat().st_size
    assert synced == [(False, size), (True, size)]
