"""dlxctl.render.taken: what is said of a run that was interrupted does no harm when it is followed."""

from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from dlxctl.broker.address import access
from dlxctl.cli import restore as command
from dlxctl.cli.taking import Task
from dlxctl.errors import BrokerUnavailable
from dlxctl.ops.archive import Contents
from dlxctl.ops.situation import Situation
from dlxctl.render.taken import taken_text
from dlxctl.replay.archived import Head
from dlxctl.replay.selection import Selection
from dlxctl.replay.surroundings import Surroundings
from dlxctl.replay.taken import TakenReport, Taking

REPORT = TakenReport(command=Taking.RESTORE, run_id="r1", queue="dead letters", file="my dead.jsonl")
FIRST = "dlxctl discard --queue 'dead letters' --archived 'my dead.jsonl'"


@pytest.mark.parametrize(
    ("taking", "says"), [(Taking.RESTORE, FIRST), (Taking.EXPORT, "another file"), (Taking.PARK, "the same command")]
)
def test_an_interrupted_run_can_be_gone_on_with(taking: Taking, says: str) -> None:
    """A restore run again would restore twice, and an archive is never written over."""
    report = TakenReport(command=taking, run_id="r1", queue=REPORT.queue, file=REPORT.file, interrupted=True)
    assert says in taken_text(report)


def test_a_restore_whose_broker_went_away_can_be_gone_on_with(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is its advice to run it again as it is."""

    def away(*_: object) -> None:
        raise BrokerUnavailable("the broker went away", remedy="Run the same command again.")

    link = SimpleNamespace(depth=lambda _: 0)
    monkeypatch.setenv("DLXCTL_STATE_DIR", "/nonexistent")
    monkeypatch.setattr(command, "linked", lambda *_: nullcontext(link))
    monkeypatch.setattr(command, "survey", lambda *_: Situation(around=Surroundings()))
    monkeypatch.setattr(command, "restore", away)
    task = Task(
        command=Taking.RESTORE, queue=REPORT.queue, access=access("amqp://localhost/", None), selection=Selection(),
        run_id="r1", options={}, file=REPORT.file,
    )  # fmt: skip
    contents = Contents(head=Head(queue="dead", vhost="/", exported="", run=""), messages=iter(()))
    with pytest.raises(BrokerUnavailable, match=FIRST):
        command._restored(task, contents, REPORT, None)
