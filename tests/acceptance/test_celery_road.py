"""A failing task takes the file's road: real workers, real tiers, the dead-letter queue, on a real broker."""

import json
import signal
from contextlib import suppress
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import quote

import pytest

from dlxctl.model import headers as names
from tests.acceptance.celery_shop import Shop, open_shop
from tests.brokers import RunningBroker
from tests.workers import start_worker, wait_until


@pytest.fixture(params=["quorum", "classic"])
def shop(request: pytest.FixtureRequest, broker: RunningBroker, vhost: str, url: str, tmp_path: Path) -> Shop:
    """The shop on queues of each type, its settings in policies."""
    return open_shop(broker, vhost, url, tmp_path, type_=request.param)


@pytest.fixture
def quorum_shop(broker: RunningBroker, vhost: str, url: str, tmp_path: Path) -> Shop:
    """The shop on quorum queues, for what no queue type can change."""
    return open_shop(broker, vhost, url, tmp_path)


def test_a_failing_task_travels_through_the_tiers_into_the_dlq_once(shop: Shop) -> None:
    """It runs at 0, 1, 3 and 5 s, fires the signals that Celery users expect, and is one dead letter that says why."""
    before = shop.objects()
    with start_worker(shop.directory, environment=shop.environment) as worker:
        shop.python(
            "import app; app.fail.apply_async(('x',), {'n': 1}, expires=600, link_error=app.on_error.si(),"
            " headers={'tenant': 'acme'})"
        )
        [(properties, body)] = shop.take("dead_letter", 1)
        wait_until(lambda: len(shop.runs("errback")) == 1)
        runs = shop.runs()
        assert worker.stop() == 0, worker.log
    offsets = [run["at"] - runs[0]["at"] for run in runs]
    assert offsets == pytest.approx([0, 1, 3, 5], abs=0.7)
    assert [run["retries"] for run in runs] == [0, 1, 2, 3]
    assert (len(shop.runs("task_retry")), len(shop.runs("task_failure"))) == (3, 1)
    headers = properties.headers
    assert headers[names.ORIGIN] == "orders"
    assert headers[names.EXCEPTION] == "ValueError"
    assert headers[names.MESSAGE] == "no stock for ☃"
    assert headers[names.TRACEBACK].rstrip().endswith("ValueError: no stock for ☃")
    assert (headers[names.ATTEMPTS], headers[names.REASON]) == (4, "retries-spent")
    assert (headers["tenant"], headers["retries"], headers["expires"]) == ("acme", 3, None)
    assert headers[names.EXPIRES].startswith("20")
    assert properties.expiration is None
    assert properties.correlation_id == headers["id"] == runs[0]["id"]
    assert json.loads(body)[:2] == [["x"], {"n": 1}]
    assert shop.objects() == before
    assert [shop.depth(queue) for queue in ("orders", "retry.1s", "retry.2s", "dead_letter")] == [0, 0, 0, 0]


def test_when_the_bug_is_fixed_replay_brings_every_task_back(quorum_shop: Shop) -> None:
    """The whole job: applied, configured, failed, retried, dead-lettered; fixed, replayed, succeeded."""
    printed = quorum_shop.python("import app; print(*[app.bug.delay().id for _ in range(5)])")
    with start_worker(quorum_shop.directory, environment=quorum_shop.environment):
        wait_until(lambda: quorum_shop.depth("dead_letter") == 5)
        (quorum_shop.directory / "deployed").touch()
        quorum_shop.dlxctl("replay", "--queue", "dead_letter", "--yes")
        ids = printed.split()
        results = quorum_shop.python(f"import app; print([app.app.AsyncResult(i).get(timeout=20) for i in {ids!r}])")
    assert results == "[None, None, None, None, None]\n"
    replayed = [run for run in quorum_shop.runs() if run["retries"] == 0]
    assert sorted(run["id"] for run in replayed) == sorted(2 * ids)
    assert quorum_shop.depth("dead_letter") == 0


def test_each_outcome_of_a_task_ends_where_it_should(shop: Shop) -> None:
    """Success and Ignore leave nothing; what is not retried, rejected, or kills its process is one dead letter each."""
    with start_worker(shop.directory, environment=shop.environment):
        printed = shop.python(
            "import app\n"
            "print(app.add.delay(1, 2).get(timeout=20), app.fix.delay().get(timeout=20))\n"
            "for task in (app.ignore, app.never, app.reject, app.ask): task.delay()\n"
            "app.fail.apply_async(queue='once')\n"
        )
        found = {properties.headers["task"]: properties.headers for properties, _ in shop.take("dead_letter", 4)}
        shop.python("import app; app.crash.delay()")
        [(crashed, _)] = shop.take("dead_letter", 1)
    assert printed.split() == ["3", "fixed"]
    reasons = {task: (headers[names.REASON], headers[names.ATTEMPTS]) for task, headers in found.items()}
    assert reasons == {
        "shop.orders.never": ("failed", 1),
        "shop.orders.reject": ("rejected", 1),
        "shop.orders.ask": ("retries-spent", 2),
        "shop.orders.fail": ("failed", 1),
    }
    assert found["shop.orders.fail"][names.ORIGIN] == "once"
    assert found["shop.orders.reject"][names.MESSAGE] == "poison"
    assert crashed.headers[names.REASON] == "worker-lost"
    first, second = (run["at"] for run in shop.runs() if run["task"] == "shop.orders.ask")
    assert second - first == pytest.approx(2, abs=0.7), "countdown=1.5 takes the nearest tier that is not shorter"


def test_a_hard_time_limit_ends_as_one_dead_letter(shop: Shop) -> None:
    """Celery alone requeues it, and on a classic queue would run it for ever; no setting changes that."""
    with start_worker(shop.directory, environment=shop.environment):
        shop.python("import app; app.hang.delay()")
        [(letter, _)] = shop.take("dead_letter", 1)
        wait_until(lambda: len(shop.runs("task_failure")) == 1)
        assert shop.depth("orders") == 0
    assert letter.headers[names.REASON] == "time-limit"
    assert len(shop.runs()) == 1


def test_connections_that_the_broker_closed_cost_nothing(
    broker: RunningBroker, vhost: str, url: str, tmp_path: Path
) -> None:
    """Brokers close idle connections; the next retry and the next dead letter are published all the same."""
    shop = open_shop(broker, vhost, url, tmp_path)
    with start_worker(shop.directory, environment=shop.environment, concurrency=1) as worker:
        shop.python("import app; app.ask.delay()")
        shop.take("dead_letter", 1)
        # One to consume, one in the pool's process, one in the main process.
        wait_until(lambda: len(broker.api("GET", f"vhosts/{vhost}/connections")) >= 3)
        for connection in broker.api("GET", f"vhosts/{vhost}/connections"):
            with suppress(HTTPError):  # it closed itself meanwhile; the list is a little behind
                broker.api("DELETE", f"connections/{quote(connection['name'])}")
        wait_until(lambda: worker.log.count("Connected to") > 1)
        shop.python("import app; app.ask.delay()")
        [(letter, _)] = shop.take("dead_letter", 1)
    assert letter.headers[names.REASON] == "retries-spent"


def test_a_dead_letter_has_the_body_and_the_properties_of_its_task(quorum_shop: Shop) -> None:
    """The same bytes and the same properties go back when it is replayed."""
    headers = {"task": "shop.orders.never", "id": "twin", "lang": "py", "x-death": [{"queue": "forged"}]}
    properties = {"message_id": "m1", "timestamp": 1_700_000_000, "app_id": "shop", "type": "order", "priority": 3}
    with start_worker(quorum_shop.directory, environment=quorum_shop.environment):
        quorum_shop.publish(
            "shop.events", "order.created", headers, b'[[], {}, {"callbacks": null, "odd":  1}]', **properties
        )
        letters = quorum_shop.take("dead_letter", 2)
    for letter, body in letters:
        assert body == b'[[], {}, {"callbacks": null, "odd":  1}]'
        assert {name: getattr(letter, name) for name in properties} == properties


def test_a_retry_returns_to_its_own_queue_and_to_no_other(quorum_shop: Shop) -> None:
    """Two queues bound with one key get a copy each; each copy is retried and buried under its own queue's name."""
    headers = {"task": "shop.orders.fail", "id": "twin", "lang": "py", "retries": 2, "x-death": [{"queue": "forged"}]}
    with start_worker(quorum_shop.directory, environment=quorum_shop.environment):
        quorum_shop.publish("shop.events", "order.created", headers, b'[[], {}, {"callbacks": null}]')
        letters = [properties for properties, _ in quorum_shop.take("dead_letter", 2)]
    assert sorted(letter.headers[names.ORIGIN] for letter in letters) == ["audit", "orders"]
    assert [run["retries"] for run in quorum_shop.runs()] == [2, 2, 3, 3]
    for letter in letters:
        assert "x-death" not in letter.headers


def test_nothing_is_lost_while_the_topology_is_broken(shop: Shop) -> None:
    """Without its tier, and then also without the DLX, a failing task still reaches the DLQ, with the reason."""
    shop.delete("exchanges", "retry.1s")
    with start_worker(shop.directory, environment=shop.environment):
        shop.python("import app; app.fail.delay()")
        [(first, _)] = shop.take("dead_letter", 1)
        shop.delete("exchanges", "dlx")
        shop.python("import app; app.fail.delay(); app.never.delay()")
        rest = [properties.headers for properties, _ in shop.take("dead_letter", 2)]
    assert first.headers[names.REASON] == "retry-unroutable"
    assert "retry.1s" in first.headers[names.MESSAGE]
    assert "no stock" in first.headers[names.MESSAGE]
    assert sorted(headers[names.REASON] for headers in rest) == ["failed", "retry-unroutable"]


def test_a_message_whose_copy_has_no_place_stays_on_the_broker(
    broker: RunningBroker, vhost: str, url: str, tmp_path: Path
) -> None:
    """DLX and DLQ gone, quorum: the original is rejected, and at-least-once dead-lettering keeps it."""
    shop = open_shop(broker, vhost, url, tmp_path)
    with start_worker(shop.directory, environment=shop.environment) as worker:
        shop.delete("exchanges", "dlx")
        shop.delete("queues", "dead_letter")
        shop.python("import app; app.never.delay()")
        wait_until(lambda: "the original is rejected" in worker.log)
        wait_until(lambda: (broker.api("GET", f"queues/{vhost}/orders").get("messages_dlx") or 0) == 1, 40)
        assert worker.stop() == 0


def test_a_producer_that_knows_nothing_of_dlxctl_reaches_the_queues(quorum_shop: Shop) -> None:
    """A default Celery app that names an undeclared queue sends tasks which fail along the same road."""
    plain = (
        "import os; from celery import Celery; from kombu import Queue\n"
        "app = Celery(broker=os.environ['SHOP_BROKER'])\n"
        "app.send_task('shop.orders.never', queue=Queue('orders', no_declare=True))\n"
    )
    before = quorum_shop.objects()
    quorum_shop.python(plain)
    with start_worker(quorum_shop.directory, environment=quorum_shop.environment):
        [(letter, _)] = quorum_shop.take("dead_letter", 1)
    assert letter.headers[names.ORIGIN] == "orders"
    assert quorum_shop.objects() == before


@pytest.mark.parametrize("pool", ["threads", "solo"])
def test_the_road_is_the_same_in_every_pool(pool: str, quorum_shop: Shop) -> None:
    """Threads and solo retry and bury as prefork does."""
    with start_worker(quorum_shop.directory, environment=quorum_shop.environment, pool=pool):
        quorum_shop.python("import app; app.ask.delay(); app.never.delay()")
        letters = [properties.headers for properties, _ in quorum_shop.take("dead_letter", 2)]
    assert sorted(headers[names.REASON] for headers in letters) == ["failed", "retries-spent"]
    assert len(quorum_shop.runs()) == 3


def test_no_failing_task_is_lost_when_the_worker_is_killed(shop: Shop) -> None:
    """`kill -9` in the middle of many failures: after a restart each task lies in the DLQ, at worst a few twice."""
    printed = shop.python("import app; print(*[app.fail.apply_async(queue='once').id for _ in range(300)])")
    with start_worker(shop.directory, environment=shop.environment) as worker:
        wait_until(lambda: shop.depth("dead_letter") >= 50)
        worker.kill()
    with start_worker(shop.directory, environment=shop.environment):
        wait_until(lambda: shop.depth("once") == 0 and len({run["id"] for run in shop.runs()}) == 300)
        wait_until(lambda: shop.depth("dead_letter") >= 300)
        assert worker.process.returncode == -signal.SIGKILL
    ids = [properties.headers["id"] for properties, _ in shop.take("dead_letter", 300)]
    assert set(ids) == set(printed.split())
    assert len(ids) - 300 <= 4, "twice the pool's size: what ran, and what was prefetched"


def test_an_error_that_cannot_be_written_down_dies_all_the_same(quorum_shop: Shop) -> None:
    """An error whose own __str__ raises is named by its class, and the worker goes on."""
    with start_worker(quorum_shop.directory, environment=quorum_shop.environment):
        quorum_shop.python("import app; app.mute.delay()")
        [(letter, _)] = quorum_shop.take("dead_letter", 1)
        assert quorum_shop.python("import app; print(app.add.delay(1, 2).get(timeout=20))") == "3\n"
    assert (letter.headers[names.ORIGIN], letter.headers[names.REASON]) == ("orders", "failed")
    assert letter.headers[names.MESSAGE] == "<Mute without words: RuntimeError('no words')>"
