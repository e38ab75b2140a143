"""The generated module: its text, what Celery reads from it, and the rules behind single settings."""

import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from celery import Celery
from kombu import Queue

from dlxctl.celery.module import module_text
from dlxctl.celery.settings import CONSUMER, DELAYING_CONSUMER, celery_settings
from dlxctl.errors import UsageError
from dlxctl.model.layout import Layout
from dlxctl.spec import load
from dlxctl.spec.expand import expand

GOLDEN = Path(__file__).parents[2] / "golden" / "celery_topology.txt"

SHOP = """
version: 1
topology: shop
retry:
  standard: {delays: [10s, 1m], attempts: 5}
dead_letter: {dead_letter: {}}
queues:
  default: {delivery_limit: 20}
  orders: {delivery_limit: 5, tasks: ["shop.orders.*", "shop.pay"], retry: null}
  thumbnails: {type: classic, priority: 10, dead_letter: null, tasks: ["shop.pay"]}
celery: {default_queue: default, extra: {task_time_limit: 60}}
defaults: {retry: standard, dead_letter: dead_letter}
"""


def layout(text: str = SHOP) -> Layout:
    return load(text, source="deploy/topology.yaml", environment={})


def values(of: Layout) -> dict[str, Any]:
    return {setting.name: setting.value for setting in celery_settings(of, expand(of))}


def imported(text: str) -> ModuleType:
    module = ModuleType("celery_topology")
    exec(text, module.__dict__)
    return module


def test_the_module_is_the_golden_one() -> None:
    """The text of the module changes only knowingly: it is what users review."""
    assert module_text(layout(), expand(layout())) == GOLDEN.read_text(encoding="utf-8")


@pytest.mark.filterwarnings("ignore::celery.exceptions.CPendingDeprecationWarning")  # older Celery needs that one
@pytest.mark.parametrize("namespace", [None, "CELERY"])
def test_celery_reads_every_setting(namespace: str | None) -> None:
    """Plain or under Django's prefix, Celery has the queues, the routes and what RetryTask needs."""
    app = Celery("shop", set_as_current=False)
    app.config_from_object(imported(module_text(layout(), expand(layout()), namespace=namespace)), namespace=namespace)
    assert list(app.amqp.queues) == ["default", "orders", "thumbnails"]
    assert all(isinstance(queue, Queue) and queue.no_declare for queue in app.amqp.queues.values())
    assert app.conf.dlxctl_queues["default"]["tiers"] == [["retry.10s", 10_000], ["retry.1m", 60_000]]
    assert app.conf.task_acks_late is True
    assert app.conf.task_acks_on_failure_or_timeout is False
    assert app.conf.task_default_queue == "default"
    assert app.conf.broker_transport_options == {"confirm_publish": True}
    assert app.conf.task_time_limit == 60
    routed = app.amqp.router.route({}, "shop.orders.new")
    assert routed["queue"].name == "orders"


def test_a_task_named_for_two_queues_goes_to_the_first() -> None:
    """The order of the file decides, as it does in Celery's routes."""
    assert values(layout())["task_routes"]["shop.pay"] == {"queue": "orders"}


def test_queue_arguments_are_those_of_the_broker() -> None:
    """In argument mode the queues carry everything, so that `declare: true` declares exactly what stands there."""
    text = SHOP.replace("defaults:", "settings: arguments\ndefaults:")
    queues = {queue.name: queue.queue_arguments for queue in imported(_text(layout(text))).task_queues}
    assert queues["orders"] == dict(expand(layout(text)).queue("orders").arguments)  # type: ignore[union-attr]
    assert queues["orders"]["x-dead-letter-exchange"] == "dlx"
    assert queues["thumbnails"] == {"x-max-priority": 10, "x-queue-type": "classic"}


def test_declare_true_lets_celery_declare() -> None:
    """Without it no Queue is ever declared by Celery."""
    text = SHOP.replace("default_queue: default,", "default_queue: default, declare: true,")
    assert not any(queue.no_declare for queue in imported(_text(layout(text))).task_queues)


def test_worker_lost_is_retried_only_where_the_broker_ends_it() -> None:
    """One queue that is classic, or has no delivery limit, keeps the setting off for all."""
    limited = SHOP.replace("type: classic, priority: 10,", "delivery_limit: 3,")
    assert values(layout())["task_reject_on_worker_lost"] is False
    assert values(layout(limited))["task_reject_on_worker_lost"] is True
    assert values(layout(limited.replace("delivery_limit: 3,", "")))["task_reject_on_worker_lost"] is False


def test_the_delay_queues_are_left_out_only_with_tiers_in_their_place() -> None:
    """The consumer without them needs dlxctl in the worker, which a file without retries does not."""
    assert values(layout())["worker_consumer"] == CONSUMER
    kept = SHOP.replace("default_queue: default,", "default_queue: default, native_delay: true,")
    assert values(layout(kept))["worker_consumer"] == DELAYING_CONSUMER
    bare = "version: 1\ntopology: shop\nqueues: {default: {dead_letter: null}}\n"
    assert "worker_consumer" not in values(layout(bare))


def test_extra_settings_win_but_not_over_the_queues() -> None:
    """A tunable setting is the user's; confirms stay on beside other options; the queues are the file's."""
    extra = "extra: {worker_prefetch_multiplier: 4, broker_transport_options: {client_properties: {a: b}}}"
    own = values(layout(SHOP.replace("extra: {task_time_limit: 60}", extra)))
    assert own["worker_prefetch_multiplier"] == 4
    assert own["broker_transport_options"] == {"confirm_publish": True, "client_properties": {"a": "b"}}
    with pytest.raises(UsageError, match=r"deploy/topology.yaml:11:\d+: task_routes"):
        values(layout(SHOP.replace("extra: {task_time_limit: 60}", "extra: {task_routes: {a: b}}")))


def test_the_module_is_the_same_from_every_directory() -> None:
    """Only the file's own name is in the text, so that --check agrees wherever it runs."""
    elsewhere = load(SHOP, source="/srv/shop/topology.yaml", environment={})
    assert module_text(elsewhere, expand(elsewhere)) == _text(layout())


def test_the_module_needs_kombu_and_nothing_of_dlxctl(tmp_path: Path) -> None:
    """A web process that only publishes does not install dlxctl."""
    (tmp_path / "celery_topology.py").write_text(_text(layout()))
    code = "import sys, celery_topology; sys.exit(any(name.split('.')[0] == 'dlxctl' for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path).returncode == 0


def test_the_pure_part_imports_no_celery() -> None:
    """`dlxctl celery` works where Celery is not installed; RetryTask is imported when asked for."""
    code = (
        "import sys, dlxctl.celery, dlxctl.celery.module\n"
        "assert not {'celery', 'kombu'} & set(sys.modules)\n"
        "from dlxctl.celery import RetryTask\n"
        "assert RetryTask.__module__ == 'dlxctl.celery.worker.task'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def _text(of: Layout) -> str:
    return module_text(of, expand(of))
