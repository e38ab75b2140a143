"""Checks of the app's settings: what Celery and RabbitMQ do with them that few expect (facts of Celery 3, 4, 5)."""

from collections.abc import Iterator

from dlxctl.celery.doctor import rules
from dlxctl.celery.doctor.fates import CONFIRMS, SETUP
from dlxctl.celery.doctor.rules import Finding, found
from dlxctl.celery.doctor.scene import Scene
from dlxctl.celery.doctor.values import PROCESS_POOLS, Hook, TaskFacts, Version
from dlxctl.celery.road import SETTING, road_of
from dlxctl.model.diagnostics import quoted
from dlxctl.model.effective import setting
from dlxctl.model.topology import QueueType

CONSUMER_TIMEOUT_MS = 30 * 60 * 1000
"""RabbitMQ's default; rabbitmq.conf may say otherwise, which no API tells."""
PER_QUEUE_TIMEOUT: Version = (4, 0)
"""The first RabbitMQ on which a queue can have a timeout of its own."""
DENIES_TRANSIENT: Version = (4, 3)
EXCLUSIVE_BY_DEFAULT: Version = (5, 7)
EXCLUSIVE_SETTINGS: Version = (5, 6)
NATIVE_DELAY: Version = (5, 5)
DELAY_EXCHANGE = "celery_delayed_27"
AMQP = "amqp"
"""kombu's name of the transport that is RabbitMQ's."""
GENERATE = "dlxctl celery -o celery_topology.py"


def trap_findings(scene: Scene) -> Iterator[Finding]:
    """Everything about settings."""
    yield from elsewhere(scene)
    yield from _default_queue(scene)
    yield from _routes(scene)
    yield from _confirms(scene)
    yield from _timeouts(scene)
    yield from _unenforced(scene)
    yield from _transient(scene)
    yield from _delays(scene)
    yield from _stale(scene)
    yield from _roadless(scene)


def elsewhere(scene: Scene) -> Iterator[Finding]:
    """Whether the app talks to the broker that was examined, as far as its vhost tells, or to RabbitMQ at all."""
    app = scene.app
    if app.transport != AMQP:
        yield found(
            rules.ELSEWHERE, "broker_url", f"its transport is {app.transport}, not AMQP", "broker_url = amqp://..."
        )
    elif scene.online and app.vhost != scene.topology.vhost:
        cause = f"the app uses vhost {quoted(app.vhost)}; {quoted(scene.topology.vhost)} was examined"
        yield found(rules.ELSEWHERE, "broker_url", cause, "point both at the same vhost (DLXCTL_VHOST, broker_url)")


def _default_queue(scene: Scene) -> Iterator[Finding]:
    app, name = scene.app, scene.app.default_queue
    listed = [queue.name for queue in app.queues if queue.listed]
    if not listed or name in listed:
        return
    does = "Celery would make it up, and no worker consumes it" if app.creates_missing else "such a task cannot be sent"
    remedy = f"task_default_queue = {listed[0]!r}"
    yield found(rules.DEFAULT, f"queue {quoted(name)}", f"it is the default, and not in task_queues: {does}", remedy)


def _routes(scene: Scene) -> Iterator[Finding]:
    listed = {queue.name for queue in scene.app.queues if queue.listed}
    for task in scene.app.tasks:
        about = f"task {quoted(task.name)}"
        if task.queue is None:
            yield found(rules.ROUTE, about, task.trouble, "route it to a queue of task_queues")
        elif listed and task.queue not in listed and task.queue != scene.app.default_queue:
            cause = f"it is sent to queue {quoted(task.queue)}, which is not in task_queues: no worker consumes it"
            yield found(rules.ROUTE, about, cause, f"put the queue into topology.yaml; then {GENERATE}")


def _confirms(scene: Scene) -> Iterator[Finding]:
    if not scene.app.confirms:
        cause = "whatever the broker does not take is lost without an error"
        yield found(rules.CONFIRMS, "broker_transport_options", cause, CONFIRMS)


def _timeouts(scene: Scene) -> Iterator[Finding]:
    for task in scene.app.tasks:
        allowed = _allowed_ms(scene, task)
        if allowed is None:
            continue
        limit = (task.time_limit or 0) * 1000 if task.acks_late else 0
        # Where RetryTask does not take over, a retry waits as an ETA, unacknowledged in a worker.
        waits = 0 if Hook.RETRY in task.hooks else task.retry_delay * 1000
        for what, ms in (("its time limit", limit), ("its retry, which a worker holds,", waits)):
            if ms >= allowed:
                cause = f"{what} takes {ms / 1000:g} s, and queue {quoted(task.queue)} waits {allowed / 1000:g} s"
                remedy = f"in topology.yaml, queue {task.queue}: consumer_timeout: {int(ms / 1000) + 600}s"
                yield found(rules.TIMEOUT, f"task {quoted(task.name)}", cause, remedy)


def _allowed_ms(scene: Scene, task: TaskFacts) -> int | None:
    """How long the broker lets a consumer hold a message of the task's queue; None where no queue setting decides."""
    queue = scene.there(task.queue) if task.queue else None
    if queue is None or scene.version < PER_QUEUE_TIMEOUT:
        return None
    if queue.type is QueueType.CLASSIC and scene.version >= DENIES_TRANSIENT:  # 4.3 times out quorum queues only
        return None
    value = setting(scene.topology, queue, "x-consumer-timeout")
    return int(value) if value else CONSUMER_TIMEOUT_MS


def _unenforced(scene: Scene) -> Iterator[Finding]:
    if scene.app.pool in PROCESS_POOLS:
        return
    for task in scene.app.tasks:
        if task.time_limit:
            cause = f"its time limit of {task.time_limit:g} s has no effect in pool {scene.app.pool}"
            yield found(rules.UNENFORCED, f"task {quoted(task.name)}", cause, "celery worker --pool prefork")


def _transient(scene: Scene) -> Iterator[Finding]:
    app = scene.app
    if not scene.online or scene.version < DENIES_TRANSIENT:
        return
    if app.celery < EXCLUSIVE_BY_DEFAULT and not app.exclusive_control:
        settings = "control_queue_exclusive = True and event_queue_exclusive = True"
        remedy = settings if app.celery >= EXCLUSIVE_SETTINGS else "Celery 5.7"
        cause = f"Celery {_text(app.celery)} declares its control and event queues transient and not exclusive"
        yield found(rules.TRANSIENT, "the worker", cause, remedy)


def _delays(scene: Scene) -> Iterator[Finding]:
    app = scene.app
    quorum = any(queue.arguments.get("x-queue-type") == QueueType.QUORUM for queue in app.queues)
    if not quorum or app.celery < NATIVE_DELAY or not scene.online or scene.topology.exchange(DELAY_EXCHANGE):
        return
    for queue in app.queues:
        if queue.exchange_type != "direct":
            cause = (
                f"its exchange {quoted(queue.exchange)} is {queue.exchange_type}, and {DELAY_EXCHANGE} does not exist"
            )
            remedy = f"a direct exchange: Queue({queue.name!r}, ...) without one, as {GENERATE} writes it"
            yield found(rules.DELAY, f"queue {quoted(queue.name)}", cause, remedy)


def _stale(scene: Scene) -> Iterator[Finding]:
    if scene.layout is None or scene.app.roads is None:
        return
    wanted = {name: road_of(scene.layout, queue).as_data() for name, queue in scene.layout.work_queues.items()}
    for name in sorted({*wanted, *scene.app.roads}):
        if wanted.get(name) != scene.app.roads.get(name):
            cause = "its tiers, attempts or dead-letter queue are others in the settings than in the file"
            remedy = f"{GENERATE}, and start producers and workers anew"
            yield found(rules.STALE, f"queue {quoted(name)}", cause, remedy)


def _roadless(scene: Scene) -> Iterator[Finding]:
    """What the worker side checks at its start: `dlxctl.celery.worker.strategy` and `checks`."""
    app = scene.app
    if not app.hooks.union(*(task.hooks for task in app.tasks)):
        return
    if app.roads is None:
        yield found(rules.ROADLESS, "the app", f"its settings have no {SETTING}", SETUP)
        return
    for queue in app.queues:
        if queue.listed and queue.name not in app.roads and Hook.CONSUMER in app.hooks:
            cause = f"it stands in task_queues, and {SETTING} does not know it"
            yield found(rules.ROADLESS, f"queue {quoted(queue.name)}", cause, "add it to queues: of topology.yaml")


def _text(version: Version) -> str:
    return ".".join(map(str, version))
