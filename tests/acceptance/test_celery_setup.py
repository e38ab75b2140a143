"""`setup(app, "topology.yaml")` at work: Celery's canvas and retries as users know them, and refusals at the start."""

from pathlib import Path

import pytest

from dlxctl.model import headers as names
from tests.acceptance.celery_shop import Shop, open_shop
from tests.brokers import RunningBroker
from tests.workers import start_worker

APP = """
import json, os, time
from celery import Celery, chain, chord, group, shared_task
from dlxctl.celery import setup

app = Celery("shop", broker=os.environ["SHOP_BROKER"], backend="file://" + os.environ["SHOP_RESULTS"])
app.config_from_object({"CELERY_TASK_TRACK_STARTED": True, "CELERY_RESULT_CHORD_JOIN_TIMEOUT": 20}, namespace="CELERY")
setup(app, "topology.yaml")

def note(task):
    with open("runs.jsonl", "a") as runs:
        entry = {"what": "ran", "task": task.name, "id": task.request.id, "at": time.time(),
                 "retries": task.request.retries}
        runs.write(json.dumps(entry) + "\\n")

class Away(Exception): pass

@app.task(bind=True)
def flaky(self, value):
    note(self)
    if not self.request.retries:
        raise Away("not yet")
    return value + 1

@shared_task(bind=True, autoretry_for=(Away,), retry_backoff=1, retry_jitter=True, retry_kwargs={"max_retries": 2})
def backoff(self):
    note(self)
    raise Away("never")

@app.task
def total(values): return sum(values)
"""


@pytest.fixture
def shop(broker: RunningBroker, vhost: str, url: str, tmp_path: Path) -> Shop:
    """The shop, with an app that has no more of dlxctl in it than the call."""
    shop = open_shop(broker, vhost, url, tmp_path)
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "celery_topology.py").unlink()
    return shop


def test_canvas_goes_on_after_retries(shop: Shop) -> None:
    """A chain, a group and a chord whose members each fail once come to their results; no delay queue is made."""
    before = shop.objects()
    with start_worker(shop.directory, environment=shop.environment):
        printed = shop.python(
            "from app import *\n"
            "results = [chain(flaky.s(1), flaky.s())(), group(flaky.s(1), flaky.s(2))(),"
            " chord([flaky.s(1), flaky.s(2)])(total.s())]\n"
            "print(*[result.get(timeout=40) for result in results])\n"
        )
    assert printed == "3 [2, 3] 5\n"
    assert shop.objects() == before


def test_a_shared_task_with_backoff_of_its_own_dies_after_its_own_retries(shop: Shop) -> None:
    """`autoretry_for`, `retry_backoff`, `retry_jitter` and `max_retries` are Celery's; the waiting is done in tiers."""
    with start_worker(shop.directory, environment=shop.environment):
        shop.python("import app; app.backoff.delay()")
        [(letter, _)] = shop.take("dead_letter", 1)
    assert (letter.headers[names.REASON], letter.headers[names.ATTEMPTS]) == ("retries-spent", 3)
    assert letter.headers[names.EXCEPTION] == "app.Away"
    assert [run["retries"] for run in shop.runs()] == [0, 1, 2]


def test_a_worker_that_would_lose_failures_does_not_start(shop: Shop) -> None:
    """It ends with 1 before it takes a message, and its log names what is wrong, where, and what to do."""
    shop.python("import app; app.flaky.delay(1)")
    shop.delete("exchanges", "dlx")
    with (shop.directory / "app.py").open("a") as module:
        module.write("\n@app.task(acks_late=False)\ndef careless(): pass\n")
    with (
        pytest.raises(AssertionError, match="ended with 1") as ended,
        start_worker(shop.directory, environment=shop.environment),
    ):
        raise RuntimeError("it started")
    assert "exchange dlx does not exist on the broker. Run dlxctl apply" in str(ended.value)
    assert "task app.careless has acks_late=False" in str(ended.value)
    assert shop.depth("default") == 1


def test_a_configuration_that_replaces_the_setup_is_noticed(shop: Shop) -> None:
    """`config_from_object` after `setup` throws its settings away, and the worker says so instead of starting."""
    with (shop.directory / "app.py").open("a") as module:
        module.write("\napp.config_from_object({'broker_url': os.environ['SHOP_BROKER']})\n")
    with (
        pytest.raises(AssertionError, match="ended with 1") as ended,
        start_worker(shop.directory, environment=shop.environment),
    ):
        raise RuntimeError("it started")
    assert "Call dlxctl.celery.setup(app, ...) after every app.config_from_object(...)" in str(ended.value)
