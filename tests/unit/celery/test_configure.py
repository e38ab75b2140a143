"""`dlxctl.celery.setup`: what it sets, from which sources, and what it refuses."""

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from celery import Celery, Task, shared_task
from kombu import Queue

from dlxctl.celery import RetryTask, setup
from dlxctl.celery.module import module_text
from dlxctl.celery.settings import CONSUMER
from dlxctl.celery.worker.checks import protect, refuse_to_lose
from dlxctl.errors import UsageError, WorkerMisconfigured
from dlxctl.model.diagnostics import InvalidTopology
from dlxctl.spec import load
from dlxctl.spec.expand import expand

TOPOLOGY = """
version: 1
topology: shop
retry: {standard: {delays: [10s, 1m], attempts: 5}}
dead_letter: {dead_letter: {}}
queues: {default: {delivery_limit: 20}, orders: {type: classic, tasks: ["shop.*"]}}
celery: {default_queue: default, extra: {task_time_limit: 60}}
defaults: {retry: standard, dead_letter: dead_letter}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A topology.yaml."""
    path = tmp_path / "topology.yaml"
    path.write_text(TOPOLOGY)
    return path


def new_app(**options: Any) -> Celery:
    return Celery("shop", broker="memory://", set_as_current=False, **options)


def nothing() -> None:
    """The body of a task."""


def generated(namespace: str | None = None) -> ModuleType:
    """The module that `dlxctl celery` writes for the file."""
    layout = load(TOPOLOGY, source="topology.yaml", environment={})
    module = ModuleType("celery_topology")
    exec(module_text(layout, expand(layout), namespace=namespace), module.__dict__)
    return module


def test_two_lines_configure_an_app(file: Path) -> None:
    """Queues, routes, acknowledgement, confirms, consumer and task class are set; a second call changes nothing."""
    app = new_app()
    setup(app, file)
    setup(app, str(file))
    assert list(app.amqp.queues) == ["default", "orders"]
    assert app.amqp.router.route({}, "shop.pay")["queue"].name == "orders"
    assert (app.conf.task_acks_late, app.conf.task_acks_on_failure_or_timeout) == (True, False)
    assert app.conf.broker_transport_options == {"confirm_publish": True}
    assert (app.conf.worker_consumer, app.conf.task_time_limit) == (CONSUMER, 60)
    assert app.conf.dlxctl_queues["orders"]["tiers"] == [["retry.10s", 10_000], ["retry.1m", 60_000]]

    @app.task(shared=False)
    def pay() -> None: ...

    assert isinstance(app.tasks[pay.name], RetryTask)


@pytest.mark.parametrize("namespace", [None, "CELERY"])
def test_the_generated_module_serves_as_well(
    namespace: str | None, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Itself or by its name, plain or with Django's prefix, it means what the file means."""
    by_file, by_module, by_name = new_app(), new_app(), new_app()
    setup(by_file, file)
    setup(by_module, generated(namespace))
    (file.parent / "celery_topology_by_name.py").write_text(
        module_text(*_layout(), namespace=namespace), encoding="utf-8"
    )
    monkeypatch.syspath_prepend(str(file.parent))
    monkeypatch.delitem(__import__("sys").modules, "celery_topology_by_name", raising=False)
    setup(by_name, "celery_topology_by_name")
    for app in (by_module, by_name):
        assert app.conf.dlxctl_queues == by_file.conf.dlxctl_queues
        assert app.conf.task_queues == by_file.conf.task_queues
        assert app.conf.task_time_limit == 60


def test_djangos_settings_that_say_the_same_are_no_contradiction() -> None:
    """`from celery_topology import *` in the settings, and setup() in celery.py."""
    app = new_app()
    app.config_from_object(generated("CELERY"), namespace="CELERY")
    setup(app, generated("CELERY"))
    assert app.conf.task_acks_late is True
    assert app.task_cls is RetryTask


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"CELERY_TASK_QUEUES": [Queue("other")]}, "task_queues is set to"),
        ({"CELERY_TASK_QUEUE_MAX_PRIORITY": 10}, "task_queue_max_priority is set to 10: it adds x-max-priority"),
        ({"CELERY_TASK_ACKS_ON_FAILURE_OR_TIMEOUT": True, "CELERY_TASK_TIME_LIMIT": 5}, "task_time_limit is set to 5"),
        ({"CELERY_TASK_REJECT_ON_WORKER_LOST": True}, "task_reject_on_worker_lost is set to True"),
        ({"CELERY_TASK_ROUTES": {"a": "b"}}, "task_routes is set to"),
        ({"CELERY_WORKER_CONSUMER": "shop:Consumer"}, "worker_consumer is set to 'shop:Consumer'"),
    ],
)
def test_what_is_set_otherwise_is_refused_by_name(settings: dict[str, Any], says: str, file: Path) -> None:
    """Django's settings under their prefix; the app is left as it was, and the remedy is named."""
    app = new_app()
    app.config_from_object(settings, namespace="CELERY")
    with pytest.raises(WorkerMisconfigured) as raised:
        setup(app, file)
    assert says in str(raised.value)
    assert "Let the file say it" in str(raised.value)
    assert app.task_cls is not RetryTask
    assert not app.conf.task_acks_late


def test_old_names_of_settings_are_seen_too(file: Path) -> None:
    """`CELERY_QUEUES`, the name before Celery 4, contradicts as much as the new one."""
    app = new_app()
    app.config_from_object({"CELERY_QUEUES": [Queue("other")], "CELERYD_PREFETCH_MULTIPLIER": 4})
    with pytest.raises(WorkerMisconfigured, match="task_queues is set to"):
        setup(app, file)


def test_the_apps_own_options_stay_where_they_lose_nothing(file: Path) -> None:
    """Transport options are merged, the prefetch is the app's, and lost workers may always be dead-lettered at once."""
    app = new_app()
    app.conf.update(
        broker_transport_options={"client_properties": {"a": "b"}}, worker_prefetch_multiplier=4,
        task_default_priority=3,
    )  # fmt: skip
    setup(app, file)
    assert app.conf.broker_transport_options == {"client_properties": {"a": "b"}, "confirm_publish": True}
    assert (app.conf.worker_prefetch_multiplier, app.conf.task_default_priority) == (4, 3)


def test_a_task_class_of_ones_own_must_be_a_retry_task(file: Path) -> None:
    """One that inherits from RetryTask is kept; any other is refused."""

    class Own(RetryTask):
        abstract = True

    class Other(Task):
        abstract = True

    app = new_app(task_cls=Own)
    setup(app, file)
    assert app.task_cls is Own
    with pytest.raises(WorkerMisconfigured, match=r"inherit from dlxctl\.celery\.RetryTask"):
        setup(new_app(task_cls=Other), file)


def test_tasks_made_before_are_named(file: Path) -> None:
    """They have Celery's class for good, and would walk no ladder."""
    app = new_app()
    app.task(shared=False, name="shop.early", lazy=False)(nothing)
    with pytest.raises(WorkerMisconfigured, match=r"tasks were made before setup\(\): shop\.early"):
        setup(app, file)


def test_shared_tasks_walk_the_ladder(file: Path) -> None:
    """`@shared_task` in a reusable Django app becomes a RetryTask of the app that is set up."""

    @shared_task(name="shop.shared")
    def shared() -> None: ...

    app = new_app()
    setup(app, file)
    app.finalize()
    assert isinstance(app.tasks["shop.shared"], RetryTask)


def test_a_source_that_is_none_says_what_to_do(tmp_path: Path) -> None:
    """No file, a broken file, a module of something else."""
    with pytest.raises(UsageError, match=r"cannot read the topology file"):
        setup(new_app(), tmp_path / "nope.yaml")
    (tmp_path / "topology.yaml").write_text(TOPOLOGY.replace("dead_letter: dead_letter", "dead_letter: nowhere"))
    with pytest.raises(InvalidTopology):
        setup(new_app(), tmp_path / "topology.yaml")
    with pytest.raises(UsageError, match=r"dlxctl celery -o celery_topology\.py"):
        setup(new_app(), "json")


class Everything:
    """A connection to a broker that has every queue and exchange; the edge of py-amqp."""

    def channel(self) -> "Everything":
        return self

    def queue_declare(self, name: str, passive: bool) -> None: ...

    def exchange_declare(self, name: str, kind: str, passive: bool) -> None: ...

    def close(self) -> None: ...


def test_a_task_that_acknowledges_its_failures_is_named_at_the_start(file: Path) -> None:
    """`acks_late=False` and the like opt out of everything; the worker refuses, naming each."""
    app = new_app()
    setup(app, file)
    app.task(shared=False, name="shop.early", acks_late=False)(nothing)
    app.task(shared=False, name="shop.acks", acks_on_failure_or_timeout=True)(nothing)
    app.task(shared=False, name="shop.fine")(nothing)
    with pytest.raises(WorkerMisconfigured) as raised:
        refuse_to_lose(app, Everything())
    assert "task shop.early has acks_late=False" in str(raised.value)
    assert "task shop.acks has acks_on_failure_or_timeout=True" in str(raised.value)
    assert "shop.fine" not in str(raised.value)


def test_a_task_with_another_base_class_is_protected_too(file: Path) -> None:
    """It has no ladder; its failures are dead letters with their reason. A request class of its own is left."""

    class Own(Task):
        abstract = True
        Request = "shop:Request"

    app = new_app()
    setup(app, file)
    app.task(shared=False, name="shop.plain", base=Task)(nothing)
    app.task(shared=False, name="shop.own", base=Own)(nothing)
    protect(app)
    assert app.tasks["shop.plain"].Request == RetryTask.Request
    assert app.tasks["shop.plain"].Strategy == RetryTask.Strategy
    assert app.tasks["shop.own"].Request == "shop:Request"


def _layout() -> tuple[Any, Any]:
    layout = load(TOPOLOGY, source="topology.yaml", environment={})
    return layout, expand(layout)
