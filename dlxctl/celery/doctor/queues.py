"""Checks of the app's queues against the broker's: what would be refused, missing, made up, or eaten.

Rules: a declaration with other arguments is refused (facts 5.1), a missing queue with `no_declare` ends the worker
(facts of Celery 5.3), and which arguments a broker compares stands in `dlxctl.model.attributes`.
"""

from collections.abc import Iterator
from typing import Any

from dlxctl.celery.doctor import rules
from dlxctl.celery.doctor.fates import REST
from dlxctl.celery.doctor.rules import Finding, found
from dlxctl.celery.doctor.scene import Scene, prospective
from dlxctl.celery.doctor.values import AppQueue
from dlxctl.model.attributes import BY_ARGUMENT
from dlxctl.model.diagnostics import quoted
from dlxctl.model.topology import Queue, QueueType

GENERATE = "dlxctl celery -o celery_topology.py, and load it"


def queue_findings(scene: Scene) -> Iterator[Finding]:
    """Everything about queues, each queue in turn."""
    for queue in scene.app.queues:
        there = scene.there(queue.name)
        if queue.listed:
            yield from _eaten(scene, queue)
        if there is None:
            yield from _absent(scene, queue)
            continue
        if queue.declares:
            yield from _refused(queue, there)
        elif there.type is QueueType.QUORUM and "x-queue-type" not in queue.arguments:
            cause = "it is quorum, and its entry in task_queues has no x-queue-type"
            remedy = f'Queue({queue.name!r}, queue_arguments={{"x-queue-type": "quorum"}}, no_declare=True)'
            yield found(rules.UNTYPED, f"queue {quoted(queue.name)}", cause, remedy)
        yield from _road(scene, queue)


def _road(scene: Scene, queue: AppQueue) -> Iterator[Finding]:
    rest = scene.rest(queue.name)
    if rest.back_by:
        circle = f"what is rejected comes back from queue {quoted(rest.back_by)}: no dead-letter queue ends that"
        yield found(rules.NO_ROAD, f"queue {quoted(queue.name)}", circle, REST)
    elif not rest.dead_letters and not rest.dropping:
        yield found(rules.NO_ROAD, f"queue {quoted(queue.name)}", rest.trouble, REST)


def _absent(scene: Scene, queue: AppQueue) -> Iterator[Finding]:
    """Not on the broker (nor in the file): the worker ends over it, or Celery makes it."""
    about, where = f"queue {quoted(queue.name)}", "on the broker" if scene.online else "in the topology file"
    if not queue.declares:
        if scene.online:
            yield found(rules.MISSING, about, f"it is not {where}, and Celery may not declare it", "dlxctl apply")
    elif not scene.rest(queue.name).dead_letters and (scene.online or scene.layout or not queue.listed):
        why = "it stands in task_queues" if queue.listed else "it is not in task_queues"
        cause = f"{why}, is not {where}, and Celery would declare it without a dead-letter exchange"
        remedy = f"put it into topology.yaml; then {GENERATE}"
        yield found(
            rules.CREATED, about, cause, remedy if queue.listed else f"{remedy}: task_create_missing_queues = False"
        )


def _refused(queue: AppQueue, there: Queue) -> Iterator[Finding]:
    """The first difference is what the broker's refusal names; all of them are told."""
    differences = [*_properties(queue, there), *_arguments(queue, there)]
    for setting, declared, has in differences:
        if setting == "x-max-priority" and has is None:
            remedy = "take task_queue_max_priority out of the settings"
        else:
            remedy = f"Queue({queue.name!r}, no_declare=True) with the broker's arguments: {GENERATE}"
        cause = f"the worker declares {setting}={_shown(declared)}, the broker has {_shown(has)}"
        yield found(rules.REFUSED, f"queue {quoted(queue.name)}", cause, remedy)


def _properties(queue: AppQueue, there: Queue) -> Iterator[tuple[str, Any, Any]]:
    wanted = prospective(queue)
    for name in ("durable", "exclusive", "auto_delete"):
        declared, has = getattr(queue if name == "durable" else wanted, name), getattr(there, name)
        if declared != has:
            yield name, declared, has


def _arguments(queue: AppQueue, there: Queue) -> Iterator[tuple[str, Any, Any]]:
    declared = {"x-queue-type": str(QueueType.CLASSIC), **queue.arguments}
    for name in sorted({*declared, *there.arguments}):
        attribute = BY_ARGUMENT.get(name)
        wants, has = declared.get(name), there.arguments.get(name)
        if attribute is not None and attribute.checked and not _equal(wants, has):
            yield name, wants, has


def _equal(one: Any, other: Any) -> bool:
    """As the broker compares: integers of any width are equal, 1.0 and "1" are not 1, and true is not 1."""
    return bool(one == other) and type(one) is type(other)


def _shown(value: Any) -> str:
    return "nothing" if value is None else repr(value)


def _eaten(scene: Scene, queue: AppQueue) -> Iterator[Finding]:
    tiers = scene.layout.tier_names if scene.layout else frozenset[str]()
    if queue.name in tiers:
        cause = "it is a retry tier: a worker would run its tasks before their delay is over"
    elif queue.name in _dead_letter_queues(scene, queue):
        cause = "it holds dead letters: a worker would run them again"
    else:
        return
    remedy = "take it out of task_queues; who wants to consume it starts a worker with -Q"
    yield found(rules.EATS, f"queue {quoted(queue.name)}", cause, remedy)


def _dead_letter_queues(scene: Scene, besides: AppQueue) -> set[str]:
    """Those of the file, and those that the app's other queues dead-letter into."""
    declared = scene.layout.dead_letter_queues.values() if scene.layout else ()
    named = {each.name for each in declared} | {each.parking for each in declared if each.parking}
    others = (queue.name for queue in scene.app.queues if queue.listed and queue.name != besides.name)
    return named.union(*(scene.rest(name).dead_letters for name in others))
