"""Native retries without a broker: delays, the broker's count, the road in the settings, what can be given back."""

from typing import Any

import pytest
from celery import Celery
from celery.exceptions import Retry

from dlxctl.celery.module import module_text
from dlxctl.celery.native import NativeDelay, returned
from dlxctl.celery.road import SETTING, Road, road_of
from dlxctl.celery.settings import celery_settings
from dlxctl.celery.worker.native import NativeRetry, count_returns
from dlxctl.celery.worker.task import RetryTask
from dlxctl.spec import load
from dlxctl.spec.expand import expand

LAYOUT = load("""
version: 1
topology: shop
retry:
  native: {backend: native, delays: [10s, 25s], attempts: 3}
  tiers: {delays: [1m], attempts: 2}
dead_letter: {dead: }
defaults: {dead_letter: dead}
queues: {orders: {retry: native}, emails: {retry: tiers, delivery_limit: 20}}
""")
ORDERS = road_of(LAYOUT, LAYOUT.work_queues["orders"])
EMAILS = road_of(LAYOUT, LAYOUT.work_queues["emails"])


def request(count: Any, *, redelivered: bool = True, **more: Any) -> dict[str, Any]:
    """What Celery knows of a message that carries the broker's count."""
    return {"x-delivery-count": count, "delivery_info": {"redelivered": redelivered}, **more}


def test_the_delay_grows_linearly_up_to_the_longest() -> None:
    """As RabbitMQ 4.3.6 was measured to do it; the ladder of the file says the same."""
    assert ORDERS.native == NativeDelay(shortest_ms=10_000, longest_ms=25_000)
    assert [ORDERS.native.delay_ms(n) for n in range(4)] == [10_000, 20_000, 25_000, 25_000]
    assert [LAYOUT.ladders["native"].delay_ms(n) for n in range(4)] == [10_000, 20_000, 25_000, 25_000]


def test_the_road_survives_the_settings_module() -> None:
    """A native road has no tiers, and comes back from plain data as it was; the other roads are written as before."""
    assert (ORDERS.tiers, ORDERS.retries, ORDERS.attempts) == ((), True, 3)
    assert Road.from_data(ORDERS.as_data()) == ORDERS
    assert "native" not in EMAILS.as_data()
    namespace: dict[str, Any] = {}
    exec(module_text(LAYOUT, expand(LAYOUT)), namespace)
    assert namespace[SETTING]["orders"]["native"] == [10_000, 25_000]


def test_attempts_are_a_delivery_limit_so_lost_workers_may_be_tried_again() -> None:
    """`task_reject_on_worker_lost` is on, though no queue says delivery_limit: the broker ends it."""
    settings = {setting.name: setting.value for setting in celery_settings(LAYOUT, expand(LAYOUT))}
    assert settings["task_reject_on_worker_lost"] is True


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (request(2), 2), (request(2, redelivered=False), 0), (request("2"), 0), (request(-1), 0), (request(None), 0),
        ({"delivery_info": None, "x-delivery-count": 3}, 0), ({}, 0),
    ],
)  # fmt: skip
def test_the_count_of_the_broker_is_believed_on_a_redelivery_only(headers: dict[str, Any], expected: int) -> None:
    """On a first delivery the header is somebody else's, and no header is believed to have its type."""
    assert returned(headers) == expected


def work(a: int = 0) -> None:
    """A task's body; never called."""


def app_with(attempts_of: str, **options: Any) -> tuple[Celery, Any]:
    """An app with the settings of the file, and a task whose current message came from a queue."""
    app = Celery("shop", task_cls=RetryTask, set_as_current=False, broker="memory://")
    settings = {setting.name: setting.value for setting in celery_settings(LAYOUT, expand(LAYOUT))}
    app.conf.update({name: settings[name] for name in (SETTING, "task_acks_late")})
    task = app.task(work, name="work", **options)
    task.push_request(called_directly=False, is_eager=False, delivery_info={"queue": attempts_of}, retries=0, id="1")
    return app, task


def test_the_count_becomes_the_retries_that_everybody_reads() -> None:
    """On top of what a retry with other arguments brought along; queues with tiers count their own way."""
    app, _ = app_with("orders")
    for queue, retries, expected in (("orders", 1, 3), ("orders", None, 2), ("emails", 1, 1), (None, 1, 1)):
        message = request(2, retries=retries)
        count_returns(app, message, queue)
        assert message["retries"] == expected


@pytest.mark.parametrize(("done", "when"), [(0, 10), (1, 20), (2, 25)])
def test_a_retry_is_a_return_of_the_message(done: int, when: int) -> None:
    """Celery sees a Retry with the broker's delay; nothing is published, and a countdown changes nothing."""
    _, task = app_with("orders")
    task.request.retries = done
    for countdown in (None, 0.5):
        with pytest.raises(NativeRetry) as given_back:
            task.retry(exc=ValueError("no"), countdown=countdown)
        assert given_back.value.when == when
        assert isinstance(given_back.value.exc, ValueError)


@pytest.mark.parametrize(
    ("options", "limit"), [({}, 3), ({"max_retries": 1}, 1), ({"max_retries": None}, 3), ({"max_retries": 9}, 3)]
)
def test_when_the_attempts_are_spent_the_error_is_final(options: dict[str, Any], limit: int) -> None:
    """At the ladder's attempts at the latest: there the broker would end it, and write no reason on it."""
    _, task = app_with("orders", **options)
    task.request.retries = limit - 1
    with pytest.raises(NativeRetry):
        task.retry(exc=ValueError("no"))
    task.request.retries = limit
    with pytest.raises(ValueError, match="no"):
        task.retry(exc=ValueError("no"))
    assert task.retry_limit(ORDERS) == limit


@pytest.mark.parametrize("given", [{"args": (1,)}, {"kwargs": {"a": 1}}, {"throw": False}, {"priority": 3}])
def test_what_a_return_cannot_express_is_celerys_own_retry(given: dict[str, Any]) -> None:
    """A returned message is the same message, and returning it is the last thing that happens to it."""
    _, task = app_with("orders")
    assert type(outcome_of(task, **given)) is Retry


def test_an_early_acknowledged_message_is_never_given_back() -> None:
    """It is gone already: a return would lose the task."""
    _, task = app_with("orders", acks_late=False)
    assert type(outcome_of(task)) is Retry


def outcome_of(task: Any, *, throw: bool = True, **given: Any) -> Retry:
    """The Retry that a task ends with, thrown or returned; Celery publishes it to its broker in memory."""
    if not throw:
        return task.retry(exc=ValueError("no"), countdown=5, throw=False, **given)
    with pytest.raises(Retry) as raised:
        task.retry(exc=ValueError("no"), countdown=5, **given)
    return raised.value
