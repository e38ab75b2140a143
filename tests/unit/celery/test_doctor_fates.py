"""What doctor predicts, row by row, is what was measured (tests/celery_failures/matrix.py)."""

from dataclasses import replace
from typing import Any

import pytest

from dlxctl.celery.doctor.fates import outcomes
from dlxctl.celery.doctor.outcomes import END_MEANINGS, MEANINGS, End, Outcome
from dlxctl.celery.doctor.rest import Rest
from dlxctl.celery.doctor.steps import ENDS_SOLO, UNCONTAINED
from dlxctl.celery.doctor.values import AppFacts, Hook, TaskFacts
from dlxctl.model.topology import QueueType
from tests.celery_failures.matrix import CONFIGURATIONS, PROTECTED, ROWS, Configuration, Fate, Row

CLASSIC = Rest(queue="work", type=QueueType.CLASSIC, dead_letters=("dead_letter",))
LIMITED = Rest(queue="work", type=QueueType.QUORUM, limit=2, dead_letters=("dead_letter",))
SAME_AS = {"raises-badly": Outcome.RAISES}
"""Rows of the matrix that doctor does not tell from others."""
OF_THE_BROKER = {"expired-in-queue"}
"""Rows that no worker takes part in."""
KILLED = "worker-killed"
COMPARED = [row for row in ROWS if row.name not in OF_THE_BROKER]
SPLIT = {"task_acks_on_failure", "task_acks_on_timeout"}


def configured(settings: dict[str, Any], **options: Any) -> tuple[AppFacts, TaskFacts]:
    """An app with `settings`, and a task that follows them as Celery resolves them."""
    both = settings.get("task_acks_on_failure_or_timeout", True)
    task = TaskFacts(
        name="t",
        acks_late=settings.get("task_acks_late", False),
        acks_on_failure=settings.get("task_acks_on_failure", both),
        acks_on_timeout=settings.get("task_acks_on_timeout", both),
        reject_on_worker_lost=settings.get("task_reject_on_worker_lost", False),
        retry_on_worker_lost=settings.get("task_retry_on_worker_lost", False),
    )
    return AppFacts(name="app", celery=(5, 7, 0), settings=settings, **options), task


def protected() -> tuple[AppFacts, TaskFacts]:
    """What `dlxctl.celery.setup` makes of an app."""
    hooks = frozenset(Hook)
    task = TaskFacts(name="t", acks_late=True, acks_on_failure=False, acks_on_timeout=False, hooks=hooks)
    roads = {"work": {"dlx": "dlx", "dead_letter": "dead_letter"}}
    return AppFacts(name="app", celery=(5, 7, 0), confirms=True, roads=roads, hooks=hooks), task


def case(configuration: Configuration) -> tuple[AppFacts, TaskFacts]:
    return protected() if configuration.settings is None else configured(dict(configuration.settings))


def expected(row: Row, configuration: str) -> str:
    """The fate of the row; of a killed worker doctor tells that the task runs again, and not what that run comes to."""
    if row.name == KILLED and configuration == PROTECTED:
        return Fate.REDELIVERED
    return row.fate(configuration)


def outcome_of(row: Row) -> Outcome:
    return SAME_AS.get(row.name) or Outcome(row.name)


@pytest.mark.parametrize("configuration", CONFIGURATIONS.values(), ids=lambda each: each.name)
@pytest.mark.parametrize("row", COMPARED, ids=lambda row: row.name)
def test_every_cell_of_the_matrix_is_predicted(row: Row, configuration: Configuration) -> None:
    """On a classic queue, in each configuration, with dlxctl and without."""
    app, task = case(configuration)
    found = outcomes(app, task, CLASSIC)[outcome_of(row)]
    assert found.end.value == expected(row, configuration.name)
    assert found.kills_worker is (row.kills_worker and configuration.name != PROTECTED and row.name != KILLED)


def test_the_matrix_and_doctor_know_the_same_outcomes() -> None:
    """No row is left unpredicted, and no prediction unmeasured."""
    assert {outcome_of(row) for row in COMPARED} == set(Outcome)
    assert set(MEANINGS) == set(Outcome)
    assert set(END_MEANINGS) == set(End)


@pytest.mark.parametrize("name", [name for name in CONFIGURATIONS if name != PROTECTED])
def test_a_delivery_limit_ends_every_loop(name: str) -> None:
    """On a quorum queue what would loop is delivered limit + 1 times, and then dead-lettered."""
    app, task = case(CONFIGURATIONS[name])
    endless, ended = outcomes(app, task, CLASSIC), outcomes(app, task, LIMITED)
    loops = {outcome for outcome, fate in endless.items() if fate.end is End.LOOPS}
    assert loops
    assert all((ended[outcome].end, ended[outcome].runs) == (End.DLQ, 3) for outcome in loops)
    assert {o: f.end for o, f in ended.items() if o not in loops} == {
        o: f.end for o, f in endless.items() if o not in loops
    }


def test_what_is_not_sound_says_why_and_what_mends_it() -> None:
    """Each fate that loses, loops or ends a worker has a cause and a line."""
    for configuration in CONFIGURATIONS.values():
        app, task = case(configuration)
        for rest in (CLASSIC, LIMITED, NOWHERE):
            for outcome, fate in outcomes(app, task, rest).items():
                assert fate.sound or (fate.cause and fate.remedy), (configuration.name, outcome)


NOWHERE = Rest(queue="work", type=QueueType.CLASSIC, trouble="it has no dead-letter exchange")


def test_a_queue_that_leads_nowhere_loses_what_is_rejected() -> None:
    """The best of settings do not help; only a quorum queue that dead-letters at least once keeps it."""
    app, task = case(CONFIGURATIONS["C"])
    assert outcomes(app, task, NOWHERE)[Outcome.RAISES].end is End.LOST
    kept = Rest(queue="work", type=QueueType.QUORUM, trouble="gone", keeps=True)
    assert outcomes(app, task, kept)[Outcome.RAISES].end is End.STUCK


def test_in_a_circle_of_queues_rejections_go_round_and_limited_returns_are_dropped() -> None:
    """The broker drops a message that comes round without having been rejected, and never one that was."""
    circle = Rest(queue="work", type=QueueType.QUORUM, limit=2, dead_letters=("wait",), back_by="wait")
    found = outcomes(*case(CONFIGURATIONS["C"]), circle)
    assert found[Outcome.RAISES].end is End.LOOPS
    assert found[Outcome.HARD_TIME_LIMIT].end is End.LOST
    assert outcomes(*protected(), circle)[Outcome.RAISES].end is End.DLQ


def test_copies_reach_the_dlq_where_the_broker_drops() -> None:
    """dlxctl publishes its copy by itself, so that a queue without a DLX does not matter while the DLQ is there."""
    app, task = protected()
    assert outcomes(app, task, NOWHERE)[Outcome.RAISES].end is End.DLQ
    assert outcomes(app, task, NOWHERE, copies=False)[Outcome.RAISES].end is End.LOST


def test_the_blame_is_on_the_task_where_the_setting_is_right() -> None:
    """A task with acks_late=False opts out of what the settings do for all others."""
    settings = {"task_acks_late": True, "task_acks_on_failure_or_timeout": False}
    app, _ = configured(settings)
    opted_out = TaskFacts(name="t", acks_late=False, acks_on_failure=False)
    fate = outcomes(app, opted_out, CLASSIC)[Outcome.RAISES]
    assert fate.remedy == "take acks_late=False off the task"
    by_setting = outcomes(*configured({}), CLASSIC)[Outcome.RAISES]
    assert by_setting.remedy == "task_acks_late = True, task_acks_on_failure = False"


@pytest.mark.parametrize("name", [name for name in CONFIGURATIONS if name != PROTECTED])
def test_a_remedy_that_is_a_setting_mends_it(name: str) -> None:
    """With the settings that doctor names the outcome reaches the DLQ, and needs no second visit."""
    app, task = case(CONFIGURATIONS[name])
    mended = 0
    for outcome, fate in outcomes(app, task, CLASSIC).items():
        if fate.sound or not fate.remedy.startswith(("task_", "broker_")):
            continue
        pairs = dict(part.split(" = ") for part in fate.remedy.partition(", or ")[0].split(", "))
        confirms = pairs.pop("broker_transport_options", None) is not None
        better = {setting: value == "True" for setting, value in pairs.items()}
        found = outcomes(*configured({**app.settings, **better}, confirms=confirms), CLASSIC)[outcome]
        assert found.sound or outcome is Outcome.REJECT_REQUEUE, (outcome, fate.remedy)
        mended += 1
    assert mended


def test_celery_before_5_5_rejects_after_a_hard_limit() -> None:
    """5.4 dead-letters it once; later versions requeue it for ever."""
    app, task = configured({"task_acks_late": True, "task_acks_on_failure_or_timeout": False})
    old = AppFacts(name="app", celery=(5, 4, 0), settings=app.settings)
    assert outcomes(old, task, CLASSIC)[Outcome.HARD_TIME_LIMIT].end is End.DLQ


@pytest.mark.parametrize("pool", ["threads", "solo"])
def test_outcomes_that_a_pool_does_not_have_are_left_out(pool: str) -> None:
    """Threads and solo have no children and enforce no limits; the matrix says the same of its rows."""
    app, task = configured({}, pool=pool)
    assert set(outcomes(app, task, CLASSIC)) == {outcome_of(row) for row in COMPARED if pool in row.pools}


@pytest.mark.parametrize(("pool", "ending"), [("threads", frozenset()), ("solo", ENDS_SOLO)])
def test_errors_outside_the_task_are_caught_by_nobody_in_other_pools(pool: str, ending: frozenset[Outcome]) -> None:
    """The message is held until the connection ends, or solo ends; dlxctl's consumer catches them."""
    late, task = case(CONFIGURATIONS["C"])
    for outcome in UNCONTAINED:
        found = outcomes(replace(late, pool=pool), task, CLASSIC)[outcome]
        assert (found.end, found.kills_worker) == (End.LOOPS, outcome in ending)
        ours, hooked = protected()
        assert outcomes(replace(ours, pool=pool), hooked, CLASSIC)[outcome].end is End.DLQ


def test_confirms_turn_an_unroutable_retry_into_a_rejection() -> None:
    """Only a publish whose failure is seen can be rejected to the DLX, and only before it was acknowledged."""
    late, task = configured({"task_acks_late": True}, confirms=True)
    assert outcomes(late, task, CLASSIC)[Outcome.RETRY_UNROUTABLE].end is End.DLQ
    early, task = configured({}, confirms=True)
    assert outcomes(early, task, CLASSIC)[Outcome.RETRY_UNROUTABLE].end is End.LOST


def test_the_fates_of_doctor_are_those_of_the_matrix() -> None:
    """One word for one thing; doctor alone knows a queue that keeps what it cannot dead-letter."""
    assert {end.value for end in End} - {fate.value for fate in Fate} == {"stuck"}
