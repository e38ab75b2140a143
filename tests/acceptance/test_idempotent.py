"""The guard on real workers, with a real Redis and a real SQLite: worker killed, message replayed, two at once.

`make faults` runs each test with each store; `make test` each with one, since the stores pass the same tests.
"""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.celery_shop import Shop, open_shop
from tests.brokers import RunningBroker
from tests.redis_server import redis_url
from tests.workers import start_worker, wait_until

pytestmark = pytest.mark.one_version

APP = """
import os, signal, time
from datetime import timedelta
from pathlib import Path
from celery import Celery
from celery.signals import task_postrun
from dlxctl.celery import RetryTask
from dlxctl.celery.idempotency import RedisStore, SqlStore
from dlxctl.celery.worker.idempotent import idempotent

app = Celery("shop", broker=os.environ["SHOP_BROKER"], backend="file://" + os.environ["SHOP_RESULTS"],
             task_cls=RetryTask)
app.config_from_object("celery_topology")
url = os.environ["ONCE_STORE"]
if url.startswith("unix://"):
    store = RedisStore(url)
else:
    store = SqlStore(url)
    store.create_table()

def note(what):
    with open("effects", "a") as effects:
        effects.write(f"{time.time()} {what}\\n")

@app.task
@idempotent(key=lambda order: f"charge {order}", store=store, lease=timedelta(seconds=LEASE))
def charge(order):
    note(f"began {order}")
    if order.startswith("slow"):
        time.sleep(2)
    if order.startswith("deadly") and not Path("died").exists():
        Path("died").touch()
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(60)
    note(f"charged {order}")
    return {"charged": order}

@app.task
def fulfil(order):
    charge(order)
    if not Path("fixed").exists():
        raise ValueError("a bug, after the charge")
    note(f"fulfilled {order}")

@task_postrun.connect
def die_before_the_acknowledgement(task=None, args=(), **_):
    if task.name == charge.name and args[0] == "unlucky" and not Path("died").exists():
        Path("died").touch()
        os.killpg(0, signal.SIGKILL)
"""
LEASE_S = 3
FULL = os.environ.get("DLXCTL_FAULTS") == "full"


def on(store: str) -> pytest.MarkDecorator:
    """Run the test with both stores in `make faults`, else with `store`."""
    return pytest.mark.parametrize("shop", ["sql", "redis"] if FULL else [store], indirect=True)


@pytest.fixture
def shop(
    request: pytest.FixtureRequest, broker: RunningBroker, vhost: str, url: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Shop]:  # fmt: skip
    """The shop with `once.py`, whose store is one of the two; its environment is the worker's and the producer's."""
    shop = open_shop(broker, vhost, url, tmp_path)
    (tmp_path / "once.py").write_text(APP.replace("LEASE", str(LEASE_S)))
    if request.param == "sql":
        monkeypatch.setenv("ONCE_STORE", f"sqlite:///{tmp_path / 'once.db'}")
        yield shop
        return
    with redis_url(tmp_path) as redis:
        monkeypatch.setenv("ONCE_STORE", redis)
        yield shop


def noted(shop: Shop) -> list[tuple[float, str]]:
    """When the tasks did what, in order."""
    path = shop.directory / "effects"
    lines = path.read_text().splitlines() if path.exists() else []
    return [(float(at), what) for at, _, what in (line.partition(" ") for line in lines)]


def effects(shop: Shop) -> list[str]:
    """What the tasks did, in order."""
    return [what for _, what in noted(shop)]


def result(shop: Shop, identity: str) -> str:
    """Wait for the result of a task."""
    return shop.python(f"import once; print(once.app.AsyncResult({identity!r}).get(timeout=30))").strip()


def send(shop: Shop, *orders: str, task: str = "charge") -> list[str]:
    """Queue one task an order; returns their ids."""
    return shop.python(f"import once; print(*[once.{task}.delay(o).id for o in {list(orders)!r}])").split()


@on("redis")
def test_a_worker_killed_between_work_and_acknowledgement_does_it_once(shop: Shop) -> None:
    """The message comes back, is answered from the store, and its result is that of the work."""
    [identity] = send(shop, "unlucky")
    with start_worker(shop.directory, "once", environment=shop.environment) as worker:
        assert worker.process.wait(30) == -signal.SIGKILL
    assert effects(shop) == ["began unlucky", "charged unlucky"]
    with start_worker(shop.directory, "once", environment=shop.environment):
        wait_until(lambda: shop.depth("default") == 0)
        (shop.directory / "results").mkdir(exist_ok=True)
        [again] = send(shop, "unlucky")
        assert result(shop, again) == result(shop, identity) == "{'charged': 'unlucky'}"
    assert effects(shop) == ["began unlucky", "charged unlucky"]
    assert shop.depth("dead_letter") == 0


@on("sql")
def test_a_worker_killed_during_the_work_does_it_again_after_the_lease(shop: Shop) -> None:
    """Whether half of it took effect nobody knows: it is done again, and only when the lease is over."""
    send(shop, "deadly")
    with start_worker(shop.directory, "once", environment=shop.environment) as worker:
        wait_until(lambda: worker.process.poll() is not None)
    with start_worker(shop.directory, "once", environment=shop.environment):
        wait_until(lambda: "charged deadly" in effects(shop), 40)
    assert effects(shop) == ["began deadly", "began deadly", "charged deadly"]
    (first, _), (second, _), _ = noted(shop)
    assert second - first >= LEASE_S
    assert shop.depth("dead_letter") == 0


@on("sql")
def test_a_replayed_message_does_the_guarded_part_once(shop: Shop) -> None:
    """A task that charged and then failed is retried, dies, is replayed after the fix, and has charged once."""
    send(shop, "7", task="fulfil")
    with start_worker(shop.directory, "once", environment=shop.environment):
        wait_until(lambda: shop.depth("dead_letter") == 1, 40)
        (shop.directory / "fixed").touch()
        shop.dlxctl("replay", "--queue", "dead_letter", "--yes")
        wait_until(lambda: "fulfilled 7" in effects(shop))
    assert effects(shop) == ["began 7", "charged 7", "fulfilled 7"]


@on("redis")
def test_two_workers_at_once_do_it_once(shop: Shop) -> None:
    """The second finds the first at work, comes back later, and both messages end with the same result."""
    environment = shop.environment
    with (
        start_worker(shop.directory, "once", environment=environment) as one,
        start_worker(shop.directory, "once", environment=environment) as two,
    ):
        identities = send(shop, *["slow"] * 4)
        results = {result(shop, identity) for identity in identities}
        assert results == {"{'charged': 'slow'}"}
        assert "Retry in" in one.log + two.log
    assert effects(shop) == ["began slow", "charged slow"]
    assert shop.depth("dead_letter") == 0
