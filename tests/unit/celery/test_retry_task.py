"""RetryTask where no broker is needed: direct and eager calls, built-in tasks, whose `max_retries` counts."""

from typing import Any

import pytest
from celery import Celery
from celery.exceptions import MaxRetriesExceededError, Reject, Retry

from dlxctl.celery.road import Road, Tier
from dlxctl.celery.worker import RetryTask
from dlxctl.celery.worker.consumer import Consumer
from dlxctl.celery.worker.task import RetryUnroutable

ROAD = Road(tiers=(Tier(exchange="retry.1s", delay_ms=1_000),), attempts=5, dlx="dlx", dead_letter="dead")


@pytest.fixture
def app() -> Celery:
    """An app whose queue `orders` has a ladder of five attempts."""
    made = Celery("shop", broker="memory://", task_cls=RetryTask, set_as_current=False)
    made.conf.dlxctl_queues = {"orders": ROAD.as_data(), "once": Road(dlx="dlx", dead_letter="dead").as_data()}
    return made


def failing(app: Celery, **options: Any) -> tuple[Any, list[int]]:
    """A task that fails every time, and the list of its runs."""
    runs: list[int] = []

    @app.task(bind=True, name="shop.fail", shared=False, **options)
    def fail(self: Any) -> None:
        runs.append(self.request.retries)
        raise ValueError("no stock")

    return fail, runs


def consumed_from(task: Any, queue: str, retries: int) -> None:
    """Put the task into the state of working on a message from `queue`."""
    task.push_request(
        id="1", args=(), kwargs={}, called_directly=False, retries=retries,
        delivery_info={"exchange": "", "routing_key": queue, "queue": queue},
    )  # fmt: skip


def test_a_direct_call_raises_its_error(app: Celery) -> None:
    """A task called as a function is a function."""
    fail, runs = failing(app)
    with pytest.raises(ValueError, match="no stock"):
        fail()
    assert runs == [0]


def test_an_eager_call_runs_once(app: Celery) -> None:
    """`task.apply()` in a test does not walk the ladder; the failure is there at once."""
    fail, runs = failing(app)
    assert isinstance(fail.apply().result, ValueError)
    assert runs == [0]


def test_confirms_are_on_as_soon_as_a_retry_task_is_bound(app: Celery) -> None:
    """Other settings may have replaced the generated ones; an unconfirmed retry could be lost."""
    app.conf.broker_transport_options = {"client_properties": {"a": "b"}}
    failing(app)[0].name  # noqa: B018 - evaluates and so binds the task
    assert app.conf.broker_transport_options == {"client_properties": {"a": "b"}, "confirm_publish": True}


def test_built_in_tasks_are_left_alone(app: Celery) -> None:
    """`celery.*` tasks inherit from task_cls, and chord_unlock retries every second by design."""
    app.finalize()
    unlock = app.tasks["celery.chord_unlock"]
    assert isinstance(unlock, RetryTask)
    assert unlock.autoretry_for == ()
    consumed_from(unlock, "orders", 0)
    assert unlock.road is None


@pytest.mark.parametrize(("options", "limit"), [({}, 5), ({"max_retries": 1}, 1), ({"max_retries": None}, None)])
def test_the_tasks_own_max_retries_goes_before_the_ladders(
    app: Celery, options: dict[str, Any], limit: int | None
) -> None:
    """The file's attempts are the default; None is Celery's word for ever."""
    fail, _ = failing(app, **options)
    assert fail.retry_limit(ROAD) == limit
    consumed_from(fail, "orders", 0)
    assert fail.max_retries == limit


@pytest.mark.parametrize("queue", ["orders", "once", "unknown"])
def test_the_error_passes_when_nothing_is_left_to_try(app: Celery, queue: str) -> None:
    """Spent attempts, no ladder, an unknown queue: the task's own error is what Celery sees."""
    fail, _ = failing(app)
    consumed_from(fail, queue, 5)
    with pytest.raises(ValueError, match="no stock"):
        fail.run()


def test_an_explicit_limit_holds_for_the_automatic_retry_too(app: Celery) -> None:
    """`self.retry(max_retries=1)` that gave up is not overruled by the ladder, and binds no later message."""

    @app.task(bind=True, name="shop.ask", shared=False)
    def ask(self: Any) -> None:
        self.retry(max_retries=1)

    consumed_from(ask, "orders", 1)
    with pytest.raises(MaxRetriesExceededError):
        ask.run()
    assert not hasattr(ask, "override_max_retries")


def test_reject_is_never_retried(app: Celery) -> None:
    """Celery's autoretry would retry a Reject, which is an order to dead-letter."""

    @app.task(bind=True, name="shop.poison", shared=False)
    def poison(self: Any) -> None:
        raise Reject("poison", requeue=False)

    consumed_from(poison, "orders", 0)
    with pytest.raises(Reject):
        poison.run()


def test_autoretry_for_narrows_what_is_retried(app: Celery) -> None:
    """Celery's own option, unchanged: what it does not name is final."""
    fail, _ = failing(app, autoretry_for=(KeyError,))
    consumed_from(fail, "orders", 0)
    with pytest.raises(ValueError, match="no stock"):
        fail.run()


def test_a_retry_is_published_to_the_tier_without_eta(app: Celery) -> None:
    """The tier's exchange, the queue's name as routing key, one retry more; the message says how long it waits."""
    sent: list[dict[str, Any]] = []
    app.send_task = lambda name, *arguments, **options: sent.append(options)  # the edge of Celery, not our code
    fail, _ = failing(app)
    consumed_from(fail, "orders", 2)
    fail.request.headers = {"tenant": "acme", "x-death": [], "x-delivery-count": 3, "CC": ["elsewhere"]}
    with pytest.raises(Retry) as raised:
        fail.run()
    [options] = sent
    assert (options["exchange"], options["routing_key"], options["mandatory"]) == ("retry.1s", "orders", True)
    assert (options["countdown"], options.get("eta"), options["retries"]) == (0, None, 3)
    assert options["headers"] == {"tenant": "acme"}
    assert raised.value.when == 1.0


def test_a_broker_that_is_away_is_no_reason_to_wait_or_to_lose() -> None:
    """The retry gives up after one more try, as a rejection that the main process can carry out later."""
    app = Celery("shop", broker="amqp://guest:guest@127.0.0.1:1//", task_cls=RetryTask, set_as_current=False)
    app.conf.dlxctl_queues = {"orders": ROAD.as_data()}
    fail, _ = failing(app)
    consumed_from(fail, "orders", 0)
    with pytest.raises(RetryUnroutable, match=r"retry\.1s.*no stock") as raised:
        fail.run()
    assert not raised.value.requeue


def test_the_consumer_lacks_only_the_delay_step() -> None:
    """Every other step of Celery's worker is there."""
    from celery.worker.consumer import Consumer as CeleryConsumer

    theirs = list(CeleryConsumer.Blueprint.default_steps)
    delay = "celery.worker.consumer.delayed_delivery:DelayedDelivery"  # not in Celery 5.4
    assert list(Consumer.Blueprint.default_steps) == [step for step in theirs if step != delay]
