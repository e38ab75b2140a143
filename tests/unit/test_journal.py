"""dlxctl.ops.journal: every run is noted, whatever else writes, and what cannot be noted stops nobody."""

import json
import multiprocessing
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlxctl.errors import DlxctlError
from dlxctl.ops.journal import Journal, state_file
from dlxctl.ops.run_identity import holder
from dlxctl.render.replay import report_json
from dlxctl.render.runs import run_json, run_text, runs_text
from dlxctl.replay.origin import Held, Hold
from dlxctl.replay.past import NOT_ENDED, past
from dlxctl.replay.report import RunReport


def begin(journal: Journal, run: str, **options: Any) -> str:
    return journal.started(
        holder(run), queue="dead", vhost="shop", broker="amqp://u@host:5672/shop", found=3, options=options
    )


def report(run: str) -> RunReport:
    made = RunReport(run_id=run, queue="dead", found=3, examined=3, seconds=1.5)
    made.moved["orders"] = 2
    made.hold(Held(why=Hold.NO_QUEUE, detail="gone"), "id-7")
    return made


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "state" / "dlxctl" / "runs.jsonl")


def test_a_run_is_read_as_it_was_written(journal: Journal) -> None:
    """Who, where, what was asked for and the whole report come back."""
    assert begin(journal, "r1", task=["shop.*"], limit=5) == ""
    assert journal.ended("r1", report_json(report("r1"))) == ""
    (run,) = journal.read().runs
    assert (run.run, run.queue, run.vhost, run.found, run.pid) == ("r1", "dead", "shop", 3, os.getpid())
    assert run.options == {"task": ["shop.*"], "limit": 5}
    assert run.report == report_json(report("r1"))
    assert (run.outcome, run.started.endswith("Z"), run.ended.endswith("Z")) == ("complete", True, True)


def test_only_the_user_may_read_it(journal: Journal) -> None:
    """The file has mode 0600, its directory 0700."""
    begin(journal, "r1")
    assert journal.path is not None
    assert stat.S_IMODE(journal.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(journal.path.parent.stat().st_mode) == 0o700


def test_a_run_without_an_end_did_not_end(journal: Journal) -> None:
    """A killed run stays in the journal as one that did not end, also between others."""
    for run in ("r1", "r2", "r3"):
        begin(journal, run)
    journal.ended("r3", report_json(report("r3")))
    journal.ended("r1", report_json(report("r1")))
    assert [(run.run, run.outcome) for run in journal.read().runs] == [
        ("r1", "complete"), ("r2", NOT_ENDED), ("r3", "complete"),
    ]  # fmt: skip


def _write_many(path: Path, name: str, times: int) -> None:
    for number in range(times):
        run = f"{name}-{number}"
        begin(Journal(path), run, padding="x" * 5_000)
        Journal(path).ended(run, report_json(report(run)))


def test_processes_do_not_tear_each_others_lines(journal: Journal) -> None:
    """Four processes that write at once leave every line whole."""
    assert journal.path is not None
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_write_many, args=(journal.path, f"w{n}", 50)) for n in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    found = journal.read()
    assert (len(found.runs), found.passed_over) == (200, 0)
    assert {run.outcome for run in found.runs} == {"complete"}


@pytest.mark.parametrize(
    "line",
    [
        b"{", b"[]", b"null", b'"text"', b"\xff\xfe", b"[" * 100_000, b'{"kind": "started"}', b"9" * 10_000,
        b'{"kind": "ended", "run": "r1", "ended": 5, "report": {}}', b'{"kind": "else"}',
        b'{"kind": "ended", "run": "unknown", "ended": "2026", "report": {}}', b'{"kind": ["started"]}',
    ],
)  # fmt: skip
def test_a_broken_line_is_counted_and_hides_nothing(journal: Journal, line: bytes) -> None:
    """Runs before and after a line that cannot be read are still there."""
    begin(journal, "r1")
    assert journal.path is not None
    with journal.path.open("ab") as file:
        file.write(line + b"\n\n")
    begin(journal, "r2")
    found = journal.read()
    assert [run.run for run in found.runs] == ["r1", "r2"]
    assert found.passed_over == 1


def test_a_torn_line_does_not_swallow_the_next(journal: Journal) -> None:
    """After a write that a full disk cut short, the next run begins a line of its own."""
    begin(journal, "r1")
    assert journal.path is not None
    with journal.path.open("ab") as file:
        file.write(b'{"kind": "star')
    assert begin(journal, "r2") == ""
    assert [run.run for run in journal.read().runs] == ["r1", "r2"]


@given(st.lists(st.binary(max_size=100)))
def test_no_lines_make_reading_raise(lines: list[bytes]) -> None:
    """Any bytes are runs or passed over."""
    found = past(lines)
    assert found.passed_over + len(found.runs) <= len(lines)


def test_what_cannot_be_written_is_a_remark(tmp_path: Path) -> None:
    """A file in the place of the directory, a full device, no home: a sentence that names the file, and no error."""
    (tmp_path / "file").write_text("")
    inside_a_file = Journal(tmp_path / "file" / "runs.jsonl")
    assert str(tmp_path) in begin(inside_a_file, "r1")
    assert "File exists" in inside_a_file.ended("r1", {})
    assert "No space left" in begin(Journal(Path("/dev/full")), "r1")
    assert "DLXCTL_STATE_DIR" in begin(Journal(None), "r1")


def test_what_cannot_be_read_is_an_error_and_what_is_not_there_is_not(tmp_path: Path) -> None:
    """Before the first run there are none; a directory in the file's place is named."""
    assert Journal(tmp_path / "none" / "runs.jsonl").read().runs == ()
    with pytest.raises(DlxctlError, match="cannot be read"):
        Journal(tmp_path).read()
    with pytest.raises(DlxctlError, match="no journal"):
        Journal(None).read()


@pytest.mark.parametrize(
    ("environment", "path"),
    [
        ({"DLXCTL_STATE_DIR": "/s", "XDG_STATE_HOME": "/x", "HOME": "/h"}, "/s/runs.jsonl"),
        ({"DLXCTL_STATE_DIR": "", "XDG_STATE_HOME": "/x", "HOME": "/h"}, "/x/dlxctl/runs.jsonl"),
        ({"XDG_STATE_HOME": "relative", "HOME": "/h"}, "/h/.local/state/dlxctl/runs.jsonl"),
        ({"HOME": "/h"}, "/h/.local/state/dlxctl/runs.jsonl"),
    ],
)
def test_where_the_journal_is(environment: dict[str, str], path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """DLXCTL_STATE_DIR, else XDG_STATE_HOME when it is absolute, else ~/.local/state."""
    monkeypatch.setenv("HOME", environment["HOME"])
    assert state_file(environment) == Path(path)


def test_a_run_is_shown_with_its_reasons(journal: Journal) -> None:
    """Text names queues, reasons and their meaning; JSON is the value."""
    begin(journal, "r1", task=["a", "b"], to=None, keep_retries=False)
    journal.ended("r1", report_json(report("r1")))
    begin(journal, "r2")
    ended, killed = journal.read().runs
    text = run_text(ended)
    for part in ("-> orders", "no-queue (gone): the queue that it came from", "task=a or b", "(1.5 s)", "vhost shop"):
        assert part in text
    assert "keep_retries" not in text
    assert "It was killed, or still runs." in run_text(killed)
    assert NOT_ENDED in runs_text([ended, killed], 200)
    assert (run_json(killed)["outcome"], run_json(killed)["ended"], run_json(killed)["report"]) == (None, None, None)
    assert json.loads(json.dumps(run_json(ended)))["report"]["moved_to"] == {"orders": 2}


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
KEYS = st.sampled_from(["moved", "held", "moved_to", "held_because", "seconds", "notes", "trouble", "outcome"])


@given(st.dictionaries(KEYS, JSON_VALUES))
def test_a_report_of_any_shape_can_be_shown(odd: dict[str, Any]) -> None:
    """A journal of another version, or an edited one, does not break the command, nor steer the terminal."""
    texts = dict.fromkeys(("run", "user", "host", "started", "queue", "vhost", "broker"), "x\x1b[31m")
    lines = [
        {"kind": "started", **texts, "pid": 1, "found": 1, "options": odd},
        {"kind": "ended", "run": texts["run"], "ended": "x", "report": odd},
    ]
    (run,) = past(json.dumps(line).encode() for line in lines).runs
    assert "\x1b" not in run_text(run) + runs_text([run], 200)
    assert run_json(run)["run"] == texts["run"]
