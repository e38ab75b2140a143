"""Fates -> findings: what is alike in cause and remedy is said once, with the tasks and the outcomes that it hits."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from dlxctl.celery.doctor.fates import outcomes
from dlxctl.celery.doctor.outcomes import End, Fate, Outcome
from dlxctl.celery.doctor.rules import ENDLESS, KILLS, LOOPS, LOSES, STICKS, Finding, found
from dlxctl.celery.doctor.scene import Scene
from dlxctl.model.diagnostics import Rule, quoted
from dlxctl.model.topology import QueueType

RULE_OF: dict[End, Rule] = {End.LOST: LOSES, End.LOOPS: LOOPS, End.STUCK: STICKS, End.DLQ: KILLS}
"""What a fate that is not sound breaks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskReport:
    """One task, the queue that its route leads to, and what becomes of each of its failures there."""

    name: str
    queue: str
    fates: Mapping[Outcome, Fate]

    @property
    def loses(self) -> bool:
        """Whether any failure is lost."""
        return any(fate.end is End.LOST for fate in self.fates.values())


def reports(scene: Scene) -> Iterator[TaskReport]:
    """Each task whose route can be followed."""
    for task in scene.app.tasks:
        if task.queue is not None:
            fates = outcomes(scene.app, task, scene.rest(task.queue), copies=scene.copies(task.queue))
            yield TaskReport(name=task.name, queue=task.queue, fates=fates)


def asked_for(outcome: Outcome, fate: Fate) -> bool:
    """Whether it loops because the code says so: told, and no finding."""
    return outcome is Outcome.REJECT_REQUEUE and fate.end is End.LOOPS


def judged(tasks: Iterable[TaskReport]) -> Iterator[Finding]:
    """One finding for each cause and remedy."""
    groups: dict[tuple[str, str, str], tuple[dict[str, None], dict[Outcome, None]]] = {}
    for task in tasks:
        for outcome, fate in task.fates.items():
            if fate.sound or asked_for(outcome, fate):
                continue
            names, hit = groups.setdefault((RULE_OF[fate.end].code, fate.cause, fate.remedy), ({}, {}))
            names[task.name] = hit[outcome] = None
    for (code, cause, remedy), (names, hit) in sorted(groups.items(), key=lambda group: group[0][0]):
        about = f"task {quoted(next(iter(names)))}" if len(names) == 1 else f"{len(names)} tasks"
        yield Finding(
            code=code, about=about, cause=cause, remedy=remedy, tasks=tuple(names),
            outcomes=tuple(outcome for outcome in Outcome if outcome in hit),
        )  # fmt: skip


def endless(scene: Scene) -> Iterator[Finding]:
    """Quorum queues of tasks that a task which kills its worker would not leave."""
    for name in sorted({task.queue for task in scene.app.tasks if task.queue and task.acks_late}):
        rest = scene.rest(name)
        if rest.type is QueueType.QUORUM and rest.limit is None:
            yield found(
                ENDLESS, f"queue {quoted(name)}", "it has no delivery limit: a task that kills its worker comes back"
                " to kill the next one, for ever", "in topology.yaml: delivery_limit: 20; then dlxctl apply",
            )  # fmt: skip
