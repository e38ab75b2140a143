"""All of it for one app: what becomes of its tasks' failures, and everything else that is wrong with it."""

from collections.abc import Iterator
from dataclasses import dataclass

from dlxctl.celery.doctor.judgement import TaskReport, asked_for, endless, judged, reports
from dlxctl.celery.doctor.queues import queue_findings
from dlxctl.celery.doctor.rules import Finding
from dlxctl.celery.doctor.scene import Scene
from dlxctl.celery.doctor.traps import AMQP, elsewhere, trap_findings
from dlxctl.celery.doctor.values import AppFacts, Hook, Version
from dlxctl.model.topology import QueueType


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What doctor says. `server` is None when the broker was not asked; `remarks` are true and no findings."""

    app: AppFacts
    vhost: str
    server: Version | None
    tasks: tuple[TaskReport, ...]
    findings: tuple[Finding, ...]
    remarks: tuple[str, ...]


def examine(scene: Scene) -> Examination:
    """Judge `scene`; findings come in the order of their codes. Of an app not on RabbitMQ only that is said."""
    if scene.app.transport != AMQP:
        return _result(scene, (), tuple(elsewhere(scene)), ())
    tasks = tuple(reports(scene))
    findings = (*judged(tasks), *endless(scene), *queue_findings(scene), *trap_findings(scene))
    return _result(scene, tasks, findings, tuple(_remarks(scene, tasks)))


def _result(
    scene: Scene, tasks: tuple[TaskReport, ...], findings: tuple[Finding, ...], remarks: tuple[str, ...]
) -> Examination:
    return Examination(
        app=scene.app,
        vhost=scene.topology.vhost,
        server=scene.version if scene.online else None,
        tasks=tasks,
        findings=tuple(sorted(findings, key=lambda finding: finding.code)),
        remarks=remarks,
    )


def _remarks(scene: Scene, tasks: tuple[TaskReport, ...]) -> Iterator[str]:
    if any(asked_for(outcome, fate) for task in tasks for outcome, fate in task.fates.items()):
        yield "A task that raises Reject(requeue=True) comes back for ever where no delivery limit ends that."
    classic = sorted({task.queue for task in tasks if scene.rest(task.queue).type is QueueType.CLASSIC})
    if classic:
        yield f"No delivery limit ends a task that kills its whole worker on a classic queue: {', '.join(classic)}."
    dropping = sorted({task.queue for task in tasks if scene.rest(task.queue).dropping})
    if dropping:
        yield f"Failures are dropped, as the topology file says (no dead_letter), on: {', '.join(dropping)}."
    limited = {o for task in tasks for o, fate in task.fates.items() if fate.runs and fate.sound}
    if limited:
        yield f"The delivery limit alone ends some failures, after as many runs: {', '.join(sorted(limited))}."
    if Hook.CONSUMER in scene.app.hooks and any(task.loses for task in tasks):
        yield "With dlxctl's consumer a worker does not start while failures of its tasks would be lost."
    for queue in scene.app.queues:
        if queue.declares and scene.online and queue.exchange and not scene.topology.exchange(queue.exchange):
            yield f"Celery declares exchange {queue.exchange} and binds queue {queue.name} to it, beside the topology."
    if not scene.online and scene.desired is None:
        yield "Neither a broker nor a topology file was asked: every queue is trusted to lead to a dead-letter queue."
    if not tasks:
        yield "The app has no tasks of its own: is -A the module that the worker is started with?"
