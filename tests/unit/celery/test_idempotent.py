"""The guard by itself, on a real SQLite: what it returns, what it raises, and when it lets go."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import SQLAlchemyError

from dlxctl.celery.idempotency import Busy, Finished, Granted, SqlStore
from dlxctl.celery.module import module_text
from dlxctl.celery.worker.idempotent import StillRunning, idempotent
from dlxctl.spec import load
from dlxctl.spec.expand import expand


@pytest.fixture
def store(tmp_path: Path) -> SqlStore:
    """An empty store."""
    made = SqlStore(f"sqlite:///{tmp_path / 'once.db'}")
    made.create_table()
    return made


def test_a_second_call_returns_the_result_and_does_nothing(store: SqlStore) -> None:
    """The key decides, not the arguments; name and docstring stay those of the function."""
    runs: list[str] = []

    @idempotent(key=lambda order, note="": f"charge {order}", store=store)
    def charge(order: int, note: str = "") -> dict[str, Any]:
        """Charge it."""
        runs.append(note)
        return {"order": order, "note": note}

    assert charge(1, "first") == charge(1, note="second") == {"order": 1, "note": "first"}
    assert charge(2, "other") == {"order": 2, "note": "other"}
    assert runs == ["first", "other"]
    assert (charge.__name__, charge.__doc__) == ("charge", "Charge it.")


def test_an_error_frees_the_key_for_the_next_attempt(store: SqlStore) -> None:
    """The guard stands in the way of repetitions, not of retries; the error passes unchanged."""
    outcomes: list[Any] = [ValueError("not yet"), KeyboardInterrupt(), 3, 4]

    @idempotent(key=lambda: "once", store=store)
    def work() -> Any:
        outcome = outcomes.pop(0)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    with pytest.raises(ValueError, match="not yet"):
        work()
    with pytest.raises(KeyboardInterrupt):
        work()
    assert (work(), work(), outcomes) == (3, 3, [4])


def test_outside_of_a_task_a_busy_key_is_an_error(store: SqlStore) -> None:
    """There is nobody who could try again later, so the caller is told."""

    @idempotent(key=lambda: "once", store=store, lease=timedelta(seconds=90))
    def work() -> None:
        work()

    with pytest.raises(StillRunning, match="its lease ends in 90 s"):
        work()
    assert store.claim("once", "next", 1) == Granted()


def test_a_result_that_is_not_json_is_remembered_as_none(store: SqlStore, caplog: pytest.LogCaptureFixture) -> None:
    """The work counts as done; only its result is not there the second time, which the log says."""

    @idempotent(key=lambda: "once", store=store)
    def work() -> Any:
        return {1, 2}

    assert (work(), work()) == ({1, 2}, None)
    assert "cannot be written as JSON" in caplog.text


def test_work_that_outlives_its_lease_is_noticed(store: SqlStore, caplog: pytest.LogCaptureFixture) -> None:
    """When another attempt took the key over meanwhile, the log says that the work was done twice."""

    @idempotent(key=lambda: "once", store=store, lease=timedelta(0))
    def work() -> str:
        assert store.claim("once", "the next worker", 60) == Granted()
        return "late"

    assert work() == "late"
    assert "done twice" in caplog.text


def test_a_store_that_is_down_stops_the_work_before_it_begins(tmp_path: Path) -> None:
    """Without the store nobody knows whether the work was done, so it is not; the error is the store's own."""
    store, runs = SqlStore(f"sqlite:///{tmp_path / 'no table.db'}"), []

    @idempotent(key=lambda: "once", store=store)
    def work() -> None:
        runs.append(1)

    with pytest.raises(SQLAlchemyError):
        work()
    assert runs == []


def test_a_failure_to_free_the_key_does_not_hide_the_error(store: SqlStore, caplog: pytest.LogCaptureFixture) -> None:
    """The task's own error is raised; the key is free when its lease is over."""

    @idempotent(key=lambda: "once", store=store)
    def work() -> None:
        store.table.drop(store._engine)
        raise ValueError("the bug")

    with pytest.raises(ValueError, match="the bug"):
        work()
    assert "could not be freed" in caplog.text


def test_the_mark_is_kept_as_long_as_it_was_asked_to(tmp_path: Path) -> None:
    """After `keep` the work may be done again, and not before."""
    now = [0.0]
    store = SqlStore(f"sqlite:///{tmp_path / 'once.db'}", clock=lambda: now[0])
    store.create_table()
    runs: list[int] = []

    @idempotent(key=lambda: "once", store=store, keep=timedelta(days=1))
    def work() -> None:
        runs.append(1)

    for now[0] in (0.0, 86_399.0, 86_400.0):
        work()
    assert len(runs) == 2
    assert not isinstance(store.claim("other", "one", 1), Busy)


def test_the_page_of_idempotency_is_true(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its example runs as it is written, and its task does the work once."""
    page = (Path(__file__).parents[3] / "docs" / "idempotency.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    layout = load("version: 1\ntopology: t\ndead_letter: {dead: }\nqueues: {a: {dead_letter: dead, delivery_limit: 5}}")
    (tmp_path / "celery_topology.py").write_text(module_text(layout, expand(layout)))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    names: dict[str, Any] = {"__name__": "shop"}
    exec(code, names)
    assert names["charge"](7) == names["charge"](7) == {"charged": 7}
    assert names["store"].claim("charge:7", "another", 1) == Finished(result='{"charged": 7}')
