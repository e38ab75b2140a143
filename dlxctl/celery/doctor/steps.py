"""What a Celery worker does with the message of a task that failed, as tables.

Measured with Celery 5.7.0 in the pools prefork, threads and solo (tests/celery_failures/matrix.py holds the same, row
by row, and tests/acceptance/test_doctor_matrix.py compares both with real workers); 5.4 to 5.6 differ in the hard time
limit. Where Celery decides: celery/worker/request.py, on_failure and on_timeout; celery/worker/consumer/consumer.py.
"""

from enum import StrEnum

from dlxctl.celery.doctor.outcomes import Outcome
from dlxctl.celery.doctor.values import PROCESS_POOLS, AppFacts, Hook, TaskFacts


class Step(StrEnum):
    """What becomes of the message in the worker's hands."""

    ACKED = "acknowledged"
    DROPPED = "acknowledged, as asked"
    REJECTED = "rejected to the dead-letter exchange"
    COPIED = "a copy with the failure published to the dead-letter exchange, then acknowledged"
    REQUEUED = "requeued"
    WORKER_ENDS = "neither: the worker's main process ends"
    HELD = "neither: it comes back when the connection ends"
    GIVEN_BACK = "neither: the connection ends, and the broker gives it to another worker"


Row = tuple[Step, Step, Step]
"""By how the task acknowledges: early; late, also failures; late, failures rejected."""

_A, _R, _C = Step.ACKED, Step.REJECTED, Step.COPIED
FAILING: Row = (_A, _A, _R)
REJECTING: Row = (_A, _R, _R)
ALWAYS: Row = (_R, _R, _R)
NEVER: Row = (_A, _A, _A)
ASKED: Row = (Step.DROPPED,) * 3
ENDING: Row = (_A, Step.WORKER_ENDS, Step.WORKER_ENDS)
POISON: Row = (Step.WORKER_ENDS,) * 3
COPYING: Row = (_C, _C, _C)

CELERY: dict[Outcome, Row] = {
    Outcome.RAISES: FAILING,
    Outcome.REJECT: REJECTING,
    Outcome.REJECT_BADLY: ENDING,
    Outcome.REJECT_REQUEUE: (_A, Step.REQUEUED, Step.REQUEUED),
    Outcome.RETRIES_SPENT: FAILING,
    Outcome.RETRY_UNROUTABLE: NEVER,
    Outcome.SOFT_TIME_LIMIT: FAILING,
    Outcome.CHILD_KILLED: FAILING,
    Outcome.WORKER_KILLED: (_A, Step.GIVEN_BACK, Step.GIVEN_BACK),
    Outcome.MEMORY_ERROR: ENDING,
    Outcome.WRONG_ARGUMENTS: FAILING,
    Outcome.RESULT_UNSERIALISABLE: FAILING,
    Outcome.ON_FAILURE_RAISES: FAILING,
    Outcome.BACKEND_DOWN: FAILING,
    Outcome.BACKEND_DOWN_REJECT: (_A, Step.HELD, Step.HELD),
    Outcome.BACKEND_DOWN_SUCCESS: FAILING,
    Outcome.UNREGISTERED: ALWAYS,
    Outcome.CONTENT_NOT_ACCEPTED: ALWAYS,
    Outcome.NOT_CELERY: ALWAYS,
    Outcome.BAD_ETA: ALWAYS,
    Outcome.UNDECODABLE: NEVER,
    Outcome.BROKEN_COMPRESSION: NEVER,
    Outcome.MISSING_ID: POISON,
    Outcome.NOT_A_TRIPLE: POISON,
    Outcome.EXPIRED: NEVER,
    Outcome.IGNORE: ASKED,
    Outcome.REVOKED: ASKED,
}
"""Without dlxctl; the hard time limit is `_hard_limit`'s."""

HOOKED: dict[Outcome, tuple[Hook, Row]] = {
    Outcome.REJECT_BADLY: (Hook.RETRY, REJECTING),
    Outcome.MEMORY_ERROR: (Hook.REQUEST, FAILING),
    Outcome.BACKEND_DOWN_REJECT: (Hook.REQUEST, REJECTING),
    Outcome.EXPIRED: (Hook.REQUEST, COPYING),
    Outcome.RETRY_UNROUTABLE: (Hook.RETRY, REJECTING),
    Outcome.BAD_ETA: (Hook.CONSUMER, COPYING),
    Outcome.MISSING_ID: (Hook.REQUEST, COPYING),
    Outcome.NOT_A_TRIPLE: (Hook.REQUEST, COPYING),
    Outcome.UNREGISTERED: (Hook.CONSUMER, COPYING),
    Outcome.CONTENT_NOT_ACCEPTED: (Hook.CONSUMER, COPYING),
    Outcome.NOT_CELERY: (Hook.CONSUMER, COPYING),
    Outcome.UNDECODABLE: (Hook.CONSUMER, COPYING),
    Outcome.BROKEN_COMPRESSION: (Hook.CONSUMER, COPYING),
}
"""What a hook of dlxctl changes, and which."""

PROCESS_ONLY = frozenset({Outcome.REJECT_BADLY, Outcome.SOFT_TIME_LIMIT, Outcome.HARD_TIME_LIMIT, Outcome.CHILD_KILLED})
"""Outcomes that other pools do not have: no child process, no enforced limit, nothing to unpickle."""

UNCONTAINED = frozenset(
    {
        Outcome.ON_FAILURE_RAISES,
        Outcome.BACKEND_DOWN,
        Outcome.BACKEND_DOWN_SUCCESS,
        Outcome.BACKEND_DOWN_REJECT,
        Outcome.MEMORY_ERROR,
    }
)
"""Errors outside a task's own code. Pools of processes report them; in others only dlxctl's consumer does."""
SOLO = "solo"
ENDS_SOLO = frozenset({Outcome.ON_FAILURE_RAISES, Outcome.BACKEND_DOWN, Outcome.MEMORY_ERROR})
"""Those that end a worker with the pool solo. Of the others, and in threads, the message is held."""
HELD: Row = (_A, Step.HELD, Step.HELD)

REQUEUES_HARD_LIMIT: tuple[int, ...] = (5, 5)
"""The first Celery that requeues a task after its hard limit; earlier ones reject it (celery#9596, #9626)."""


def occurs(outcome: Outcome, pool: str) -> bool:
    """Whether a worker with `pool` has the outcome at all."""
    return outcome not in PROCESS_ONLY or pool in PROCESS_POOLS


def uncontained(outcome: Outcome, app: AppFacts) -> bool:
    """Whether nobody catches the error in this pool."""
    return outcome in UNCONTAINED and app.pool not in PROCESS_POOLS and Hook.CONSUMER not in app.hooks


def step(outcome: Outcome, app: AppFacts, task: TaskFacts) -> Step:
    """What the worker does with the message."""
    found = _hard_limit(app, task) if outcome is Outcome.HARD_TIME_LIMIT else row(outcome, app, task)[_column(task)]
    if outcome is Outcome.CHILD_KILLED and task.acks_late and _comes_back(task):
        return Step.REQUEUED
    return Step.COPIED if found is Step.REJECTED and Hook.REQUEST in task.hooks else found


def row(outcome: Outcome, app: AppFacts, task: TaskFacts) -> Row:
    """The row of the tables that holds; not for the hard time limit."""
    if uncontained(outcome, app):
        return ENDING if app.pool == SOLO and outcome in ENDS_SOLO else HELD
    hook, hooked = HOOKED.get(outcome, (None, CELERY[outcome]))
    if hook is not None and hook in app.hooks | task.hooks:
        return hooked
    if outcome is Outcome.RETRY_UNROUTABLE and app.confirms:
        return REJECTING
    return CELERY[outcome]


def _column(task: TaskFacts) -> int:
    if not task.acks_late:
        return 0
    return 1 if task.acks_on_failure else 2


def _comes_back(task: TaskFacts) -> bool:
    """Whether Celery requeues the message of a lost child; `task_retry_on_worker_lost` goes before."""
    return task.reject_on_worker_lost and not task.retry_on_worker_lost


def _hard_limit(app: AppFacts, task: TaskFacts) -> Step:
    if not task.acks_late or task.acks_on_timeout:
        return Step.ACKED
    ends = app.celery < REQUEUES_HARD_LIMIT or Hook.REQUEST in task.hooks
    return Step.REJECTED if ends else Step.REQUEUED
