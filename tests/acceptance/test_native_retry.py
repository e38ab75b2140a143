"""A ladder with `backend: native`: made on RabbitMQ 4.3 and worked there by real workers, refused by older brokers."""

import itertools
import json
import signal
from pathlib import Path

import pytest

from dlxctl.model import headers as names
from tests.acceptance.celery_shop import APP, Shop
from tests.brokers import RunningBroker
from tests.workers import start_worker, wait_until

TOPOLOGY = """
version: 1
topology: shop
vhost: ${DLXCTL_VHOST:-/}
retry:
  standard: {backend: native, delays: [1s, 2s], attempts: 2}
dead_letter: {dead_letter: }
defaults: {retry: standard, dead_letter: dead_letter}
queues: {default: , orders: {tasks: ["shop.orders.*"]}}
"""
MORE_TASKS = """
@app.task(name="shop.orders.twice", bind=True, max_retries=1)
def twice(self):
    note(self)
    raise ValueError("twice is enough")

@app.task(name="shop.orders.other", bind=True)
def other(self, what="first"):
    note(self, what)
    if what == "first":
        self.retry(args=["second"], countdown=0.5)

@app.task(name="shop.orders.lethal", bind=True)
def lethal(self):
    note(self)
    if not os.path.exists("harmless"):
        os.kill(os.getppid(), 9)
        time.sleep(60)
"""


@pytest.fixture
def shop(broker: RunningBroker, vhost: str, url: str, tmp_path: Path) -> Shop:
    """The shop's tasks and the file with a native ladder; not applied yet."""
    (tmp_path / "results").mkdir()
    (tmp_path / "app.py").write_text(APP + MORE_TASKS)
    shop = Shop(broker, vhost, url, tmp_path)
    shop.configure(TOPOLOGY)
    return shop


def opened(shop: Shop) -> bool:
    """Apply. False where the broker is too old, once it is sure that plan and apply said so and made nothing."""
    if shop.broker.release >= (4, 3):
        shop.dlxctl("apply", "--yes")
        return True
    before = shop.objects()
    for command in ("plan", "apply"):
        with pytest.raises(AssertionError, match=r"topology.yaml:6:14: DLX820 ladder .*standard.* RabbitMQ"):
            shop.dlxctl(command)
    assert shop.objects() == before
    return False


def offsets(shop: Shop, identity: str) -> list[float]:
    """Seconds between the first run of a task and each run."""
    at = [run["at"] for run in shop.runs() if run["id"] == identity]
    return [each - at[0] for each in at]


def send(shop: Shop, task: str) -> str:
    """Queue the task; its id."""
    return shop.python(f"import app; print(app.{task}.delay().id)").strip()


def test_a_failing_task_waits_in_its_own_queue_and_then_lies_in_the_dlq_once(shop: Shop) -> None:
    """It runs at 0, 1 and 3 s without any tier, with the states and signals of every retry; replay starts it anew.

    A broker before 4.3 is refused with the line, the version and the way out.
    """
    if not opened(shop):
        return
    assert not [entry for entry in shop.objects() if "retry." in "".join(entry)]
    before = shop.objects()
    with start_worker(shop.directory, environment=shop.environment) as worker:
        bug = send(shop, "bug")
        [(properties, body)] = shop.take("dead_letter", 1)
        assert offsets(shop, bug) == pytest.approx([0, 1, 3], abs=0.7)
        assert (len(shop.runs("task_retry")), len(shop.runs("task_failure"))) == (2, 1)
        headers = properties.headers
        assert headers[names.ORIGIN] == "orders"
        assert (headers[names.EXCEPTION], headers[names.MESSAGE]) == ("ValueError", "a bug")
        assert (headers[names.ATTEMPTS], headers[names.REASON]) == (3, "retries-spent")
        assert "x-delivery-count" not in headers
        assert json.loads(body)[:2] == [[], {}]
        assert "attempt 1; again in 1.0s through native" in worker.log
        assert "attempt 2; again in 2.0s through native" in worker.log
        shop.publish("dlx", "dead_letter", headers, body, correlation_id=properties.correlation_id, delivery_mode=2)
        wait_until(lambda: shop.depth("dead_letter") == 1)
        shop.dlxctl("replay", "--queue", "dead_letter", "--yes")
        wait_until(lambda: len(offsets(shop, bug)) == 5)
        (shop.directory / "deployed").touch()
        wait_until(lambda: len(offsets(shop, bug)) == 6)
        result = shop.python(f"import app; print(app.app.AsyncResult({bug!r}).get(timeout=20))")
        assert worker.stop() == 0, worker.log
    assert (result, shop.depth("dead_letter"), shop.depth("orders")) == ("None\n", 0, 0)
    assert shop.objects() == before


def test_what_a_task_says_about_its_retries_holds_natively_too(shop: Shop) -> None:
    """Fewer `max_retries`, final errors, its own count of retries, other arguments: each ends as it does with tiers."""
    if not opened(shop):
        return
    with start_worker(shop.directory, environment=shop.environment):
        twice, never, other, fix = (send(shop, task) for task in ("twice", "never", "other", "fix"))
        letters = shop.take("dead_letter", 2)
        wait_until(lambda: len(shop.runs("second")) == 1 and len(offsets(shop, fix)) == 2)
        assert shop.python(f"import app; print(app.app.AsyncResult({fix!r}).get(timeout=20))") == "fixed\n"
    ends = {properties.correlation_id: properties.headers for properties, _ in letters}
    assert {key: (ends[key][names.REASON], ends[key][names.ATTEMPTS]) for key in ends} == {
        twice: ("retries-spent", 2), never: ("failed", 1),
    }  # fmt: skip
    assert offsets(shop, twice) == pytest.approx([0, 1], abs=0.7)
    assert [(run["id"], run["retries"]) for run in shop.runs("second")] == [(other, 1)]
    assert shop.depth("dead_letter") == 0


def test_a_worker_that_is_killed_costs_a_delay_and_an_attempt(shop: Shop) -> None:
    """The broker counts it like a failure, waits, and after the attempts dead-letters the message by itself."""
    if not opened(shop):
        return
    lethal = send(shop, "lethal")
    for deaths in (1, 2, 3):
        with start_worker(shop.directory, environment=shop.environment, concurrency=1) as worker:
            wait_until(lambda died=deaths: len(offsets(shop, lethal)) == died)
            assert worker.process.wait(30) == -signal.SIGKILL
    [(properties, _)] = shop.take("dead_letter", 1)
    assert properties.headers["x-death"][0]["reason"] == "delivery_limit"
    assert properties.correlation_id == lethal
    waits = offsets(shop, lethal)
    assert len(waits) == 3
    assert all(later - earlier > 0.9 for earlier, later in itertools.pairwise(waits))
