"""`dlxctl runs` as a process: what past runs did, from the journal."""

import json
from pathlib import Path

import pytest

from dlxctl.broker.address import Access
from dlxctl.ops.journal import Journal
from dlxctl.ops.run_identity import holder
from dlxctl.render.replay import report_json
from dlxctl.replay.report import RunReport
from tests.acceptance.test_replay import declare, every_type
from tests.conftest import Dlxctl
from tests.deaths import let_die, wait_for

pytestmark = pytest.mark.one_version


def noted(journal: Journal, run: str, *, ended: bool = True) -> None:
    journal.started(holder(run), queue="dead", vhost="/", broker="amqp://u@host:5672", found=1, options={})
    if ended:
        journal.ended(run, report_json(RunReport(run_id=run, queue="dead", found=1)))


def test_before_the_first_run_there_is_none(dlxctl: Dlxctl) -> None:
    """An empty list is exit 0 and says so on stderr; a run that is not there is exit 1 with the next command."""
    listed = dlxctl("runs", "list")
    assert (listed.returncode, listed.stdout) == (0, ""), listed.stderr
    assert "no run" in listed.stderr
    shown = dlxctl("runs", "show", "nothing")
    assert (shown.returncode, shown.stdout) == (1, "")
    assert "'nothing'" in shown.stderr
    assert "dlxctl runs list" in shown.stderr


def test_runs_are_listed_the_latest_first(dlxctl: Dlxctl, tmp_path: Path) -> None:
    """As many as asked for; one that did not end says so; a broken line is a remark and hides nothing."""
    journal = Journal(tmp_path / "state" / "runs.jsonl")
    for number in range(5):
        noted(journal, f"run-{number}", ended=number != 4)
    with (tmp_path / "state" / "runs.jsonl").open("a") as file:
        file.write("broken\n")
    listed = dlxctl("runs", "list", "--limit", "2")
    assert listed.returncode == 0, listed.stderr
    lines = [line for line in listed.stdout.splitlines() if "run-" in line]
    assert ["run-4" in lines[0], "did not end" in lines[0], "run-3" in lines[1], len(lines)] == [True, True, True, 2]
    assert "1 line of the journal could not be read" in listed.stderr
    objects = [json.loads(line) for line in dlxctl("runs", "list", "--format", "json").stdout.splitlines()]
    assert [one["run"] for one in objects] == [f"run-{number}" for number in (4, 3, 2, 1, 0)]
    assert "still runs" in dlxctl("runs", "show", "run-4").stdout
    assert json.loads(dlxctl("runs", "show", "run-3", "--format", "json").stdout)["outcome"] == "complete"


def test_a_replay_is_in_the_journal(reach: Access, dlxctl: Dlxctl, tmp_path: Path) -> None:
    """A run and its report are there afterwards, without any octet of a message and without the password."""
    declare(reach, "classic", "orders")
    let_die(reach, "orders", [every_type(number) for number in range(1, 4)])
    wait_for(reach, "dead", 3)
    done = dlxctl("replay", "--queue", "dead", "--yes", "--format", "json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    shown = json.loads(dlxctl("runs", "show", report["run"], "--format", "json").stdout)
    assert shown["report"] == report
    assert (shown["queue"], shown["vhost"], shown["found"], shown["outcome"]) == ("dead", reach.vhost, 3, "complete")
    written = (tmp_path / "state" / "runs.jsonl").read_text()
    assert "guest:guest" not in written
    assert "schl" not in written


def test_a_journal_that_cannot_be_written_does_not_stop_a_replay(reach: Access, dlxctl: Dlxctl, tmp_path: Path) -> None:
    """The messages are moved, exit 0, and stderr says that the run is not in the journal."""
    declare(reach, "classic", "orders")
    let_die(reach, "orders", [every_type(1)])
    wait_for(reach, "dead", 1)
    (tmp_path / "file").write_text("")
    done = dlxctl("replay", "--queue", "dead", "--yes", DLXCTL_STATE_DIR=str(tmp_path / "file"))
    assert done.returncode == 0, done.stderr
    assert "not in the journal" in done.stderr
    assert "moved 1 message" in done.stdout
