"""`dlxctl edit` as a process against a real broker, with a program as the editor."""

import json
from pathlib import Path

import pytest

from dlxctl.broker.address import Access
from tests import amqp_values as amqp
from tests.acceptance.test_archive import plain
from tests.acceptance.test_inspect import contents, failed, put
from tests.acceptance.test_replay import declare
from tests.conftest import Dlxctl
from tests.oracle import entries_of

FIX = "sed -i s/2,/4711,/;s/2$/4711/"


@pytest.mark.parametrize("kind", ["classic", "quorum"])
def test_the_edited_copy_is_replayed_and_the_original_kept(
    reach: Access, dlxctl: Dlxctl, tmp_path: Path, kind: str
) -> None:
    """One message goes back with its new body, the others stay, and restore brings the original back to the byte."""
    declare(reach, kind, "orders")
    sent = [failed(n, "no such order") for n in range(4)]
    put(reach, *sent)
    done = dlxctl("edit", "--queue", "dead", "--id", "id-2", "--archive", "kept.jsonl", "--yes", EDITOR=FIX, VISUAL=FIX)
    assert done.returncode == 0, done.stderr
    assert "-    2" in done.stderr
    assert "+    4711" in done.stderr
    ((header, body),) = contents(reach, "orders")
    assert json.loads(body[7:-1]) == [[4711], {}, {"callbacks": None}]
    assert entries_of(header)[b"id"] == amqp.entry(b"id", amqp.string("id-2"))
    assert b"dlxctl-exception" not in entries_of(header)
    assert dlxctl("restore", "kept.jsonl", "--yes").returncode == 0
    assert sorted(body for _, body in contents(reach)) == sorted(body for _, body in sent)


def test_an_editor_that_changes_nothing_changes_nothing(reach: Access, dlxctl: Dlxctl, tmp_path: Path) -> None:
    """No copy, no archive, exit 0."""
    declare(reach, "quorum", "orders")
    put(reach, failed(1, "x"))
    done = dlxctl("edit", "--queue", "dead", "--id", "id-1", "--yes", EDITOR="touch", VISUAL="touch")
    assert (done.returncode, "nothing was changed" in done.stderr) == (0, True)
    assert (len(contents(reach)), contents(reach, "orders"), list(tmp_path.glob("edited-*"))) == (1, [], [])


def test_what_cannot_be_edited_is_said_and_stays(reach: Access, dlxctl: Dlxctl) -> None:
    """Pickle, broken JSON from the editor, an unknown id and one that names two: exit 1 or 2, all still there."""
    declare(reach, "quorum", "orders")
    pickled = failed(3, "x", content_type=amqp.short(b"application/x-python-serialize"))
    sent = [failed(1, "x"), failed(2, "x"), failed(2, "x"), pickled]
    put(reach, *sent)
    said = {}
    for identifier, editor in (("id-1", "sed -i s/1/,/"), ("id-2", FIX), ("id-3", FIX), ("id-9", FIX)):
        done = dlxctl("edit", "-q", "dead", "--id", identifier, "--yes", EDITOR=editor, VISUAL=editor)
        said[identifier] = (done.returncode, done.stderr)
    assert [code for code, _ in said.values()] == [2, 2, 2, 1]
    for identifier, text in {"id-1": "not JSON", "id-2": "several", "id-3": "pickle", "id-9": "no message"}.items():
        assert text in said[identifier][1]
    assert plain(contents(reach)) == plain(sent)
