"""`python -m dlxctl.celery.worker.examine APP`: a Celery app, read into plain values, for `dlxctl doctor`.

To import an app runs its code, so this is a process of its own: it may print, patch, start threads or end. What it
prints goes to stderr; stdout gets one JSON object, {"app": ...} as `AppFacts` writes it, or {"error", "traceback"}.
Nothing here connects to a broker. `read_app` is the part that takes an app; `find` gets one.
"""

import json
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import celery
from celery.app.utils import find_app
from celery.utils.imports import symbol_by_name
from kombu.transport.base import to_rabbitmq_queue_arguments

from dlxctl.celery.doctor.values import AppFacts, AppQueue, Hook, TaskFacts, Version
from dlxctl.celery.road import SETTING
from dlxctl.celery.worker.checks import protect
from dlxctl.celery.worker.request import Request
from dlxctl.celery.worker.task import RetryTask

TRACEBACK_LINES = 12
SETTINGS = (
    "task_acks_late", "task_acks_on_failure_or_timeout", "task_acks_on_failure", "task_acks_on_timeout",
    "task_reject_on_worker_lost", "task_retry_on_worker_lost",
)  # fmt: skip
CONSUMER = "celery.worker.consumer:Consumer"
DELAYS_SINCE: Version = (5, 5)
_OPTIONS = ("queue", "exchange", "routing_key")


def main(name: str, pool: str | None) -> None:
    """Find the app called `name` as `celery -A` does, and print what it is."""
    apart(lambda: {"app": read_app(find(name), pool).as_data()})


def apart(work: Callable[[], dict[str, Any]]) -> None:
    """Print what `work` returns, or its error, as JSON; whatever else is printed meanwhile goes to stderr."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    warnings.simplefilter("ignore")  # reading a setting that Celery has renamed warns
    try:
        answer = work()
    except BaseException as error:  # an app may raise SystemExit, and its own errors derive from anything
        lines = traceback.format_exc().splitlines()
        answer = {"error": f"{type(error).__name__}: {error}", "traceback": lines[-TRACEBACK_LINES:]}
    json.dump(answer, answers, default=str)
    answers.close()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # whatever the app has started, such as threads, is not waited for


def find(name: str) -> Any:
    """The app called `name`, with its tasks. Raises what importing it raises, and TypeError for what is no app."""
    app = find_app(name)
    if not isinstance(app, celery.Celery):
        raise TypeError(f"{name} is {type(app).__name__}, no Celery app")
    app.set_current()
    app.loader.import_default_modules()
    app.finalize(auto=True)
    return app


def read_app(app: Any, pool: str | None = None) -> AppFacts:
    """`app`, finalised, as values. `pool` None is the one of its settings."""
    conf = app.conf
    consumer = symbol_by_name(conf.worker_consumer or CONSUMER)
    hooks = _hooks_of_consumer(consumer)
    if hooks:
        protect(app)  # as this consumer does when it starts
    listed = set(app.amqp.queues) if conf.task_queues else set()
    tasks = tuple(_task(app, task) for name, task in sorted(app.tasks.items()) if not name.startswith("celery."))
    default = str(conf.task_default_queue)
    if conf.task_create_missing_queues:
        app.amqp.queues[default]  # so that Celery makes up what it would make up for a task without a route
    connection = app.connection_for_write()
    return AppFacts(
        name=str(app.main or "?"),
        celery=version(celery.__version__),
        transport=str(connection.transport.driver_type),
        vhost=connection.virtual_host or "/",
        pool=pool_name(pool or conf.worker_pool),
        tasks=tasks,
        queues=tuple(_queue(queue, queue.name in listed) for queue in dict(app.amqp.queues).values()),
        default_queue=default,
        creates_missing=bool(conf.task_create_missing_queues),
        confirms=bool((conf.broker_transport_options or {}).get("confirm_publish")),
        max_priority=conf.task_queue_max_priority,
        delays=version(celery.__version__) >= DELAYS_SINCE and _delays(consumer),
        exclusive_control=bool(conf.get("control_queue_exclusive") and conf.get("event_queue_exclusive")),
        settings={setting: conf[setting] for setting in SETTINGS if setting in conf},
        roads=conf.get(SETTING),
        hooks=hooks,
    )


def version(text: str) -> Version:
    """`5.7.0`, `5.6.0rc1` -> (5, 7, 0), (5, 6, 0)."""
    return tuple(int("".join(c for c in part if c.isdigit())[:3] or 0) for part in text.split(".")[:3])


def pool_name(pool: Any) -> str:
    """`prefork` also for `celery.concurrency.prefork:TaskPool` and for the class."""
    text = pool if isinstance(pool, str) else f"{pool.__module__}:{pool.__qualname__}"
    return text.split(":")[0].rsplit(".", 1)[-1] if ":" in text else text


def _task(app: Any, task: Any) -> TaskFacts:
    queue, trouble = _route(app, task)
    both = task.acks_on_failure_or_timeout
    return TaskFacts(
        name=task.name,
        queue=queue,
        trouble=trouble,
        acks_late=bool(task.acks_late),
        acks_on_failure=bool(getattr(task, "acks_on_failure", both)),  # since 5.7; resolved when the task is bound
        acks_on_timeout=bool(getattr(task, "acks_on_timeout", both)),
        reject_on_worker_lost=bool(task.reject_on_worker_lost),
        retry_on_worker_lost=bool(getattr(task, "retry_on_worker_lost", False)),
        time_limit=task.time_limit or app.conf.task_time_limit,
        retry_delay=float(task.default_retry_delay or 0),
        hooks=_hooks_of_task(task),
    )


def _route(app: Any, task: Any) -> tuple[str | None, str]:
    """The queue that a call without options goes to; else why there is none."""
    options = {name: getattr(task, name) for name in _OPTIONS if getattr(task, name, None) is not None}
    try:
        routed: Mapping[str, Any] = app.amqp.router.route(options, task.name, (), {}, task_type=task)
    except Exception as error:  # QueueNotFound, or whatever a router of the user's raises without arguments
        return None, str(error) or type(error).__name__
    queue = routed.get("queue")
    return (getattr(queue, "name", queue), "") if queue else (None, "its route names no queue")


def _queue(queue: Any, listed: bool) -> AppQueue:
    arguments = to_rabbitmq_queue_arguments(
        dict(queue.queue_arguments or {}), expires=queue.expires, message_ttl=queue.message_ttl,
        max_length=queue.max_length, max_length_bytes=queue.max_length_bytes, max_priority=queue.max_priority,
    )  # fmt: skip
    return AppQueue(
        name=queue.name,
        arguments=dict(arguments),
        durable=bool(queue.durable),
        exclusive=bool(queue.exclusive),
        auto_delete=bool(queue.auto_delete),
        declares=not queue.no_declare,
        listed=listed,
        exchange=queue.exchange.name if queue.exchange else "",
        exchange_type=str(queue.exchange.type) if queue.exchange else "direct",
    )


def _delays(consumer: Any) -> bool:
    """Whether the worker's consumer declares the queues of native delayed delivery."""
    return any("DelayedDelivery" in str(step) for step in consumer.Blueprint.default_steps)


def _hooks_of_consumer(consumer: Any) -> frozenset[Hook]:
    """Whether a class of ours takes what Celery cannot decode."""
    ours = any(kind.__module__.startswith("dlxctl.") and "on_decode_error" in vars(kind) for kind in consumer.__mro__)
    return frozenset({Hook.CONSUMER}) if ours else frozenset()


def _hooks_of_task(task: Any) -> frozenset[Hook]:
    found = {Hook.RETRY} if isinstance(task, RetryTask) else set()
    request = symbol_by_name(task.Request)
    if isinstance(request, type) and issubclass(request, Request):
        found.add(Hook.REQUEST)
    return frozenset(found)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None)
