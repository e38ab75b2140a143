"""The generated settings at work, with and without RetryTask: who declares what, and where failures end."""

from pathlib import Path

import pytest
from amqp.exceptions import ChannelError
from celery import Celery

from dlxctl.celery.worker.publishing import producer_of
from tests.acceptance.celery_shop import TOPOLOGY, open_shop
from tests.brokers import RunningBroker
from tests.workers import start_worker, wait_until


def test_without_retry_task_a_failure_still_reaches_the_dlq(
    broker: RunningBroker, vhost: str, url: str, tmp_path: Path
) -> None:
    """The settings alone make Celery reject what fails, and the broker dead-letters the original."""
    shop = open_shop(broker, vhost, url, tmp_path, settings="arguments")
    app = (shop.directory / "app.py").read_text()
    (shop.directory / "app.py").write_text(app.replace(", task_cls=RetryTask)", ")"))
    with (shop.directory / "celery_topology.py").open("a") as module:
        module.write("del worker_consumer\n")
    with start_worker(shop.directory, environment=shop.environment):
        shop.python("import app; app.fail.delay()")
        [(letter, _)] = shop.take("dead_letter", 1)
    assert letter.headers["x-death"][0]["queue"] == "orders"
    assert len(shop.runs()) == 1


def test_declare_true_declares_the_queues_as_the_broker_has_them(
    broker: RunningBroker, vhost: str, url: str, tmp_path: Path
) -> None:
    """Worker and producer declare the work queues, with equal arguments, and nothing besides."""
    shop = open_shop(broker, vhost, url, tmp_path, settings="arguments")
    text = TOPOLOGY.format(type="quorum", settings="arguments").replace("celery: {", "celery: {declare: true, ")
    shop.configure(text)
    before = shop.objects()
    with start_worker(shop.directory, environment=shop.environment):
        assert shop.python("import app; print(app.add.delay(1, 2).get(timeout=20))") == "3\n"
        assert shop.objects() == before
    shop.delete("queues", "once")
    with start_worker(shop.directory, environment=shop.environment):
        wait_until(lambda: ("queues", "once") in shop.objects())


def test_native_delay_true_leaves_celerys_delay_queues_in(
    broker: RunningBroker, vhost: str, url: str, tmp_path: Path
) -> None:
    """Whoever needs long ETAs keeps them; the other tests show that they are absent otherwise."""
    shop = open_shop(broker, vhost, url, tmp_path)
    text = TOPOLOGY.format(type="quorum", settings="policy").replace("celery: {", "celery: {native_delay: true, ")
    shop.configure(text)
    with start_worker(shop.directory, environment=shop.environment):
        wait_until(lambda: ("queues", "celery_delayed_27") in shop.objects())


def test_a_returned_publish_does_not_confirm_the_next_one(url: str) -> None:
    """After each unroutable publish the connection is left behind, with the acknowledgement that is still due on it."""
    app = Celery(broker=url, set_as_current=False)
    app.conf.broker_transport_options = {"confirm_publish": True}
    seen = set()

    def publish() -> None:
        with producer_of(app) as producer:
            seen.add(producer.channel)
            producer.publish("x", exchange="", routing_key="nowhere", mandatory=True)

    for _ in range(3):
        with pytest.raises(ChannelError, match="NO_ROUTE"):
            publish()
    assert len(seen) == 3
    app.close()


def test_a_task_that_kills_its_process_is_tried_up_to_the_delivery_limit(
    broker: RunningBroker, vhost: str, url: str, tmp_path: Path
) -> None:
    """Where every queue is quorum with a limit, a lost process is redelivered, and then dead-lettered by the broker."""
    shop = open_shop(broker, vhost, url, tmp_path, type_="quorum, delivery_limit: 2")
    assert "task_reject_on_worker_lost = True" in (shop.directory / "celery_topology.py").read_text()
    with start_worker(shop.directory, environment=shop.environment):
        shop.python("import app; app.crash.delay()")
        [(letter, _)] = shop.take("dead_letter", 1)
    assert (letter.headers["x-death"][0]["queue"], letter.headers["x-death"][0]["reason"]) == (
        "orders", "delivery_limit",
    )  # fmt: skip
    assert len(shop.runs()) == 3
