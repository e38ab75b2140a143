"""Outcome -> fate: what the worker does (`steps`), and what the broker makes of that (`rest`); with whom to blame."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

from dlxctl.celery.doctor.outcomes import End, Fate, Outcome
from dlxctl.celery.doctor.rest import Rest
from dlxctl.celery.doctor.steps import CELERY, NEVER, REQUEUES_HARD_LIMIT, Step, occurs, row, step, uncontained
from dlxctl.celery.doctor.values import AppFacts, Hook, TaskFacts
from dlxctl.model.topology import QueueType

SETUP = 'from dlxctl.celery import setup; setup(app, "topology.yaml")'
"""The line that brings every hook."""
REST = "give the queue a dead_letter in topology.yaml; then dlxctl apply"
CONFIRMS = 'broker_transport_options = {"confirm_publish": True}'
SPLIT: tuple[int, ...] = (5, 7)
"""The first Celery with `task_acks_on_failure` and `task_acks_on_timeout`; before, one setting stood for both."""


def outcomes(app: AppFacts, task: TaskFacts, rest: Rest, *, copies: bool = True) -> Mapping[Outcome, Fate]:
    """What becomes of each failure of `task` on the queue of `rest`; outcomes that the pool does not have are left out.

    `copies`: the DLX or the DLQ that dlxctl publishes its copies to is there.
    """
    made = _Case(app=app, task=task, rest=rest, copies=copies)
    return {outcome: made.fate(outcome) for outcome in Outcome if occurs(outcome, app.pool)}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """One task on one queue."""

    app: AppFacts
    task: TaskFacts
    rest: Rest
    copies: bool

    def fate(self, outcome: Outcome) -> Fate:
        done = step(outcome, self.app, self.task)
        match done:
            case Step.ACKED:
                cause, remedy = self._why_acked(outcome)
                return Fate(
                    end=End.LOST, cause=cause, remedy=remedy, kills_worker=self._late(outcome) is Step.WORKER_ENDS
                )
            case Step.DROPPED:
                return Fate(end=End.DROPPED)
            case Step.GIVEN_BACK:
                return Fate(end=End.REDELIVERED)
            case Step.COPIED:
                road = (self.app.roads or {}).get(self.rest.queue) or {}
                return Fate(end=End.DLQ) if road.get("dlx") and self.copies else self._rejected()
            case Step.REJECTED:
                return self._rejected()
            case Step.REQUEUED | Step.WORKER_ENDS | Step.HELD:
                return self._returned(outcome, done)
            case _:
                assert_never(done)

    def _rejected(self) -> Fate:
        if self.rest.back_by:
            cause = f'what queue "{self.rest.queue}" rejects comes back from queue "{self.rest.back_by}", uncounted'
            return Fate(end=End.LOOPS, cause=cause, remedy=REST)
        if self.rest.dead_letters:
            return Fate(end=End.DLQ)
        if self.rest.dropping:
            return Fate(end=End.DROPPED, cause="the topology file gives the queue no dead_letter")
        end = End.STUCK if self.rest.keeps else End.LOST
        cause = f'what queue "{self.rest.queue}" rejects goes nowhere: {self.rest.trouble}'
        return Fate(end=end, cause=cause, remedy=REST)

    def _returned(self, outcome: Outcome, done: Step) -> Fate:
        """Back in its queue: for ever, or until the delivery limit sends it where rejected messages go."""
        kills = done is Step.WORKER_ENDS
        cause, remedy = _UNCAUGHT if uncontained(outcome, self.app) else _RETURNS[outcome]
        if outcome is Outcome.CHILD_KILLED and self.task.acks_on_failure:
            remedy = f"{self._when_late().removeprefix(', ')}, {remedy}"
        if self.rest.limit is None:
            endless = f"{cause}; nothing ends that, for the queue is {_no_limit(self.rest.type)}"
            return Fate(end=End.LOOPS, cause=endless, remedy=remedy, kills_worker=kills)
        limited = self._rejected()
        if limited.end is End.LOOPS:
            dropped = f"{cause}; the delivery limit ends that in a circle of queues, where the broker drops it (cycle)"
            return Fate(end=End.LOST, cause=dropped, remedy=REST, kills_worker=kills)
        if limited.end is not End.DLQ:
            return Fate(end=limited.end, cause=limited.cause, remedy=limited.remedy, kills_worker=kills)
        runs = self.rest.limit + 1
        told = f"{cause}, {runs} times; then the delivery limit sends it to the dead-letter queue"
        return Fate(end=End.DLQ, cause=told, remedy=remedy if kills else "", kills_worker=kills, runs=runs)

    def _why_acked(self, outcome: Outcome) -> tuple[str, str]:
        if outcome is Outcome.RETRY_UNROUTABLE and Hook.RETRY not in self.task.hooks and not self.app.confirms:
            late = "" if self.task.acks_late else ", task_acks_late = True"
            return "publisher confirms are off, so a publish to nowhere is no error", CONFIRMS + late
        if CELERY.get(outcome) == NEVER and outcome is not Outcome.RETRY_UNROUTABLE:
            return "Celery acknowledges such a message, and no setting changes that", SETUP
        timed_out = outcome is Outcome.HARD_TIME_LIMIT
        if not self.task.acks_late:
            cause, remedy = self._blame("acks_late", "task_acks_late", "it is acknowledged before it runs", True)
            more = self._when_late() if self.task.acks_on_failure else ""
            return cause, SETUP if self._needs_hook(outcome) else remedy + more
        option = "acks_on_timeout" if timed_out else "acks_on_failure"
        shown = option if self.app.celery >= SPLIT else "acks_on_failure_or_timeout"
        cause, remedy = self._blame(shown, f"task_{shown}", "it is acknowledged when it fails", False)
        return cause, SETUP if self._needs_hook(outcome) else remedy

    def _when_late(self) -> str:
        return f", task_{'acks_on_failure' if self.app.celery >= SPLIT else 'acks_on_failure_or_timeout'} = False"

    def _needs_hook(self, outcome: Outcome) -> bool:
        """Whether it would loop, where it is now acknowledged, if a setting were mended alone."""
        return self._late(outcome) in (Step.WORKER_ENDS, Step.HELD, Step.REQUEUED) and outcome in SETUP_ALONE

    def _late(self, outcome: Outcome) -> Step:
        """What would become of it if failures were rejected late."""
        if outcome is Outcome.HARD_TIME_LIMIT:
            ends = self.app.celery < REQUEUES_HARD_LIMIT or Hook.REQUEST in self.task.hooks
            return Step.REJECTED if ends else Step.REQUEUED
        return row(outcome, self.app, self.task)[-1]

    def _blame(self, option: str, setting: str, effect: str, wanted: bool) -> tuple[str, str]:
        """The setting, or where that is right the task that departs from it."""
        by_setting = self.app.settings.get(setting)
        if by_setting is None and setting != "task_acks_late":
            by_setting = self.app.settings.get("task_acks_on_failure_or_timeout")
        if by_setting is wanted:
            return f"the task sets {option}={not wanted}: {effect}", f"take {option}={not wanted} off the task"
        return f"{setting} is {not wanted}: {effect}", f"{setting} = {wanted}"


def _no_limit(kind: QueueType) -> str:
    return "quorum and has no delivery limit" if kind is QueueType.QUORUM else str(kind)


LIMIT = "in topology.yaml: type: quorum, delivery_limit: 20"
SETUP_ALONE = frozenset(Outcome) - {Outcome.REJECT_REQUEUE, Outcome.CHILD_KILLED}
"""Where only dlxctl's code in the worker ends what comes back; of the others a setting decides."""
_UNCAUGHT = ("the error is not the task's own, and in this pool nobody catches it", SETUP)
_RETURNS: dict[Outcome, tuple[str, str]] = {
    Outcome.REJECT_REQUEUE: ("the task asks for it again", LIMIT),
    Outcome.HARD_TIME_LIMIT: ("Celery requeues a task that hits its hard time limit", SETUP),
    Outcome.CHILD_KILLED: (
        "task_reject_on_worker_lost requeues a task that kills its process",
        f"task_reject_on_worker_lost = False, or {LIMIT}",
    ),
    Outcome.REJECT_BADLY: ("unpickling the reason ends the worker's main process", SETUP),
    Outcome.MEMORY_ERROR: ("Celery raises the MemoryError again in the worker's main process, which ends", SETUP),
    Outcome.BACKEND_DOWN_REJECT: (
        "Celery stores the failure before it rejects; that fails, and the message is held until the connection ends",
        SETUP,
    ),
    Outcome.MISSING_ID: ("Celery's request cannot be built, and the worker's main process ends", SETUP),
    Outcome.NOT_A_TRIPLE: ("Celery's request cannot be built, and the worker's main process ends", SETUP),
}
"""Why the message comes back, and the line that mends it."""
