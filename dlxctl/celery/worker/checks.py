"""Before a worker takes its first message: would its failures vanish? Then it does not start.

Looks at the tasks, and by passive declares at the queues and exchanges on the roads of the queues to consume. Whether
their arguments, policies and bindings are those of the file, `dlxctl doctor` and `dlxctl plan` tell.
"""

import logging
from collections.abc import Iterator
from typing import Any

from amqp.exceptions import AccessRefused, NotFound

from dlxctl.celery.road import SETTING
from dlxctl.celery.worker.roads import road_from
from dlxctl.errors import WorkerMisconfigured

logger = logging.getLogger(__name__)

OURS = {
    "Request": ("celery.worker.request:Request", "dlxctl.celery.worker.request:Request"),
    "Strategy": ("celery.worker.strategy:default", "dlxctl.celery.worker.strategy:strategy"),
}
"""Attribute of a task: Celery's default, and what stands in its place."""

ACKNOWLEDGES = ("acks_on_failure_or_timeout", "acks_on_failure", "acks_on_timeout")
"""Options of a task by which its failure is acknowledged, and gone; the last two since Celery 5.7."""

REMEDY = "Run dlxctl apply, or mend the app; `dlxctl doctor` tells more."


def protect(app: Any) -> None:
    """Give every task our request and strategy, also one with a base class of its own that is no RetryTask.

    It has no ladder then, and its failures are dead letters with their reason all the same.
    """
    for task in app.tasks.values():
        for name, (default, ours) in OURS.items():
            if getattr(task, name) == default:
                setattr(task, name, ours)


def refuse_to_lose(app: Any, connection: Any) -> None:
    """Raises WorkerMisconfigured with every problem at once. A missing tier loses nothing, and is only logged."""
    found = [*_tasks(app), *_queues(app, connection)]
    if found:
        raise WorkerMisconfigured(
            "the worker does not start, because failures would be lost", why="".join(f"\n  - {text}" for text in found),
            remedy=REMEDY,
        )  # fmt: skip


def _tasks(app: Any) -> Iterator[str]:
    for name, task in sorted(app.tasks.items()):
        if name.startswith("celery."):
            continue
        if not task.acks_late:
            yield f"task {name} has acks_late=False: what fails is acknowledged already. Take the option off"
        for option in ACKNOWLEDGES:
            if getattr(task, option, None):
                yield f"task {name} has {option}=True: what fails is acknowledged. Take the option off"


def _queues(app: Any, connection: Any) -> Iterator[str]:
    queues, dlxs, tiers = set[str](), set[str](), set[str]()
    for name in app.amqp.queues.consume_from:
        road = road_from(app, name)
        if road is None:
            yield f"queue {name} is to be consumed, and {SETTING} does not know it. Add it to queues: of the file"
            continue
        queues |= {name} | ({road.dead_letter} if road.dead_letter else set())
        dlxs |= {road.dlx} if road.dlx else set()
        tiers |= {tier.exchange for tier in road.tiers}
    for kind, names in (("queue", queues), ("exchange", dlxs)):
        for name in sorted(names):
            if _is_missing(connection, kind, name) and not _declares(app, kind, name):
                yield f"{kind} {name} does not exist on the broker. Run dlxctl apply"
    for name in sorted(tiers):
        if _is_missing(connection, "exchange", name):
            logger.error("dlxctl: exchange %s is missing: failures go to the DLQ unretried; run dlxctl apply", name)


def _declares(app: Any, kind: str, name: str) -> bool:
    """Whether the worker itself is about to declare it (`celery: {declare: true}`)."""
    return kind == "queue" and name in app.amqp.queues and not app.amqp.queues[name].no_declare


def _is_missing(connection: Any, kind: str, name: str) -> bool:
    """A passive declare, on a channel of its own: the broker closes it with its refusal."""
    channel = connection.channel()
    try:
        if kind == "queue":
            channel.queue_declare(name, passive=True)
        else:
            channel.exchange_declare(name, "direct", passive=True)
    except NotFound:
        return True
    except AccessRefused as error:
        logger.warning("dlxctl: cannot see whether %s %s exists: %s", kind, name, error)
        return False
    channel.close()
    return False
