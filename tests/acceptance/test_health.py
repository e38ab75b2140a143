"""The library call behind health endpoints and `status`, on a real broker: exact counts, ages, and no harm done."""

import time
from pathlib import Path

import pika
import pytest

from dlxctl.broker.address import Access, parse_management
from dlxctl.broker.management import Management
from dlxctl.model.headers import DIED_AT
from dlxctl.model.layout import Layout
from dlxctl.ops.apply import apply
from dlxctl.ops.health import LOOKED_AT, Ages, Health, QueueHealth, Role, read_health
from dlxctl.spec import load
from tests.workers import wait_until

TOPOLOGY = """
version: 1
topology: health
vhost: {vhost}
retry: {{standard: {{delays: [1s], attempts: 1}}}}
dead_letter: {{dead: {{retention: 14d, parking: parked}}, other: }}
defaults: {{retry: standard, dead_letter: dead}}
queues: {{orders: , slow: {{type: classic, dead_letter: other}}}}
"""
AGED_S = 3_600


@pytest.fixture
def layout(reach: Access, vhost: str) -> Layout:
    """A topology of two work queues and two dead-letter queues, applied."""
    layout = load(TOPOLOGY.format(vhost=vhost))
    assert apply(Management(reach), layout).error is None
    return layout


def publish(url: str, queue: str, *bodies: bytes, died_at: int | None = None) -> None:
    """Put messages into `queue`, confirmed."""
    headers = None if died_at is None else {DIED_AT: died_at}
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        for body in bodies:
            channel.basic_publish("", queue, body, pika.BasicProperties(headers=headers, delivery_mode=2))


def bodies(url: str, queue: str) -> list[bytes]:
    """Take everything out of `queue`, in order."""
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel, found = connection.channel(), []
        while (message := channel.basic_get(queue, auto_ack=True))[0] is not None:
            found.append(message[2])
    return found


def of(health: Health, name: str) -> QueueHealth:
    """The queue of that name."""
    return next(queue for queue in health.queues if queue.name == name)


def test_every_queue_of_the_file_is_counted_exactly(reach: Access, layout: Layout, url: str) -> None:
    """Counts are those of this moment, in the file's order, and a queue that is not there is named."""
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        publish(url, "orders", b"1", b"2", b"3")
        channel.basic_qos(prefetch_count=1)
        channel.basic_consume("orders", lambda *_: None)
        wait_until(lambda: of(read_health(reach, layout), "orders").ready == 2)
        channel.queue_delete("retry.1s")
        health = read_health(reach, layout)
        assert [(q.name, q.role, q.ready, q.consumers) for q in health.queues] == [
            ("orders", Role.WORK, 2, 1), ("slow", Role.WORK, 0, 0), ("retry.1s", Role.TIER, None, None),
            ("dead", Role.DEAD_LETTER, 0, 0), ("other", Role.DEAD_LETTER, 0, 0), ("parked", Role.PARKING, 0, 0),
        ]  # fmt: skip
        assert (health.missing, health.dead_letters, health.oldest_dead_letter_s) == (("retry.1s",), 0, None)
        wait_until(lambda: of(read_health(reach, layout), "orders").unacked == 1, 40, pause=1)


def test_what_cannot_get_into_its_dead_letter_queue_is_seen(reach: Access, layout: Layout, url: str) -> None:
    """A quorum queue keeps such messages, which no count of ready ones shows."""
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        for exchange in ("dlx", "dlx.unrouted"):
            channel.exchange_delete(exchange)
        publish(url, "orders", b"1")
        wait_until(lambda: of(read_health(reach, layout), "orders").ready == 1)
        method, _, _ = channel.basic_get("orders")
        channel.basic_reject(method.delivery_tag, requeue=False)
        wait_until(lambda: of(read_health(reach, layout), "orders").elsewhere == 1, 40, pause=1)
        assert of(read_health(reach, layout), "orders").ready == 0


def test_the_age_is_that_of_the_oldest_dead_letter(reach: Access, layout: Layout, url: str) -> None:
    """The oldest death counts, wherever in the queue it lies; a message that tells no time has none."""
    now = int(time.time())
    publish(url, "dead", b"young", died_at=now)
    publish(url, "dead", b"old", died_at=now - AGED_S)
    publish(url, "other", b"nobody knows")
    wait_until(lambda: of(read_health(reach, layout), "dead").ready == 2)
    health = read_health(reach, layout)
    assert of(health, "dead").oldest_s == pytest.approx(AGED_S, abs=60)
    assert of(health, "other").oldest_s is None
    assert health.oldest_dead_letter_s == of(health, "dead").oldest_s
    assert (health.dead_letters, health.remarks) == (3, ())


def test_looking_again_and_again_leaves_the_order(reach: Access, layout: Layout, url: str) -> None:
    """Five readings later the dead letters lie there as they did."""
    wanted = [b"%d" % number for number in range(20)]
    publish(url, "dead", *wanted, died_at=int(time.time()))
    wait_until(lambda: of(read_health(reach, layout), "dead").ready == 20)
    for _ in range(5):
        read_health(reach, layout)
    wait_until(lambda: of(read_health(reach, layout), "dead").ready == 20)
    assert bodies(url, "dead") == wanted


def test_a_process_that_asks_often_looks_once_a_minute(reach: Access, layout: Layout, url: str) -> None:
    """Between looks the age grows by the clock; counts are read anew each time; an emptied queue has no age."""
    times = [time.time()]
    ages = Ages(clock=lambda: times[0])
    publish(url, "dead", b"first", died_at=int(times[0]) - 100)
    wait_until(lambda: of(read_health(reach, layout, ages=ages), "dead").oldest_s is not None)
    publish(url, "dead", b"older", died_at=int(times[0]) - 500)
    wait_until(lambda: of(read_health(reach, layout, ages=ages), "dead").ready == 2)
    times[0] += 30
    assert of(read_health(reach, layout, ages=ages), "dead").oldest_s == pytest.approx(130, abs=1)
    times[0] += 30
    assert of(read_health(reach, layout, ages=ages), "dead").oldest_s == pytest.approx(560, abs=1)
    assert len(bodies(url, "dead")) == 2
    assert of(read_health(reach, layout, ages=ages), "dead").oldest_s is None


def test_a_queue_that_a_look_could_empty_is_not_looked_into(reach: Access, layout: Layout, url: str) -> None:
    """With a small delivery limit the age stays unknown, and a remark says why."""
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        channel.queue_delete("dead")
        channel.queue_declare("dead", durable=True, arguments={"x-queue-type": "quorum", "x-delivery-limit": 5})
    publish(url, "dead", b"precious", died_at=int(time.time()))
    wait_until(lambda: of(read_health(reach, layout), "dead").ready == 1)
    health = read_health(reach, layout)
    assert of(health, "dead").oldest_s is None
    assert ["delivery limit" in remark for remark in health.remarks] == [True]
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        method, properties, _ = connection.channel().basic_get("dead", auto_ack=True)
    assert (method.redelivered, (properties.headers or {}).get("x-delivery-count", 0)) == (False, 0)


def test_without_the_management_api_there_are_counts_all_the_same(
    reach: Access, layout: Layout, url: str, tmp_path: Path
) -> None:
    """What workers hold is then unknown, and said to be; the file vouches for the dead-letter queues."""
    publish(url, "dead", b"x", died_at=int(time.time()) - AGED_S)
    deaf = Access(amqp=reach.amqp, management=parse_management("http://guest:guest@127.0.0.1:9"), vhost=reach.vhost)
    wait_until(lambda: of(read_health(reach, layout), "dead").ready == 1)
    health = read_health(deaf, layout)
    assert (of(health, "dead").ready, of(health, "orders").unacked) == (1, None)
    assert of(health, "dead").oldest_s == pytest.approx(AGED_S, abs=60)
    assert len(health.remarks) == 2
    assert "management API did not help" in health.remarks[0]


def test_more_than_are_looked_at_stay_in_order_too(reach: Access, layout: Layout, url: str) -> None:
    """A look takes the first hundred; on RabbitMQ 3.10 those go to the back, elsewhere nothing moves."""
    wanted = [b"%d" % number for number in range(LOOKED_AT + 50)]
    publish(url, "dead", *wanted, died_at=int(time.time()))
    wait_until(lambda: of(read_health(reach, layout), "dead").ready == len(wanted))
    server = Management(reach).server()
    found = bodies(url, "dead")
    if server.version >= (4, 0):
        assert found == wanted
    assert sorted(found, key=int) == wanted
