"""`apply --prune` and `destroy` as processes against real RabbitMQ, with publishers that do not stop.

What waits for the broker's statistics twice runs with `DLXCTL_FAULTS=full` only.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pika
import pytest
from pika.exceptions import AMQPError, NackError, UnroutableError

from tests.acceptance.test_apply import put_queue, until, write
from tests.brokers import RunningBroker
from tests.conftest import Dlxctl
from tests.faults.conftest import FULL

LESS = {
    '  "a b/c%2F#*é😀.^$": {delivery_limit: 20}\n': "",
    "  thumbnails: {type: classic, priority: 10}\n": "",
}
QUORUM, CLASSIC = "a b/c%2F#*é😀.^$", "thumbnails"


def names(broker: RunningBroker, vhost: str) -> set[str]:
    return {queue["name"] for queue in broker.api("GET", f"queues/{vhost}")}


@contextmanager
def publishers(url: str, queues: list[str]) -> Iterator[Callable[[], dict[str, int]]]:
    """One for each queue, by its name, mandatory and confirmed; yields how many each has had confirmed so far."""
    stop, confirmed = threading.Event(), dict.fromkeys(queues, 0)

    def publish(queue: str) -> None:
        while not stop.is_set():
            try:
                connection = pika.BlockingConnection(pika.URLParameters(url))
                channel = connection.channel()
                channel.confirm_delivery()
                while not stop.wait(0.002):
                    try:
                        channel.basic_publish("", queue, b"x", mandatory=True)
                        confirmed[queue] += 1
                    except (NackError, UnroutableError):
                        pass
                connection.close()
            except AMQPError:  # 3.10 and 4.0 close it when a quorum queue goes
                continue

    threads = [threading.Thread(target=publish, args=(queue,)) for queue in queues]
    for thread in threads:
        thread.start()
    try:
        yield lambda: dict(confirmed)
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_what_is_in_use_is_refused_and_then_pruned(
    dlxctl: Dlxctl, broker: RunningBroker, vhost: str, url: str, tmp_path: Path
) -> None:
    """Messages and consumers refuse (5) before the first change, what is not in the file goes once it is empty (0),
    objects of others stay, and a second run has nothing to do."""
    write(tmp_path)
    dlxctl("apply")
    put_queue(broker, vhost, "celery@host.celery.pidbox")
    write(tmp_path, **LESS)
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    channel.confirm_delivery()
    channel.basic_publish("", QUORUM, b"unread")
    channel.basic_consume(CLASSIC, lambda *_: None)
    refused = dlxctl("apply", "--prune", "--yes")
    assert refused.returncode == 5
    assert f'queue "{QUORUM}" has messages: 1 ready [messages]' in refused.stderr
    assert 'queue "thumbnails" has a consumer [consumers]' in refused.stderr
    assert "--allow consumers" in refused.stderr
    assert dlxctl("apply", "--prune", "--allow", "messages").returncode == 2
    assert channel.basic_get(QUORUM, auto_ack=True)[2] == b"unread"
    connection.close()
    if not FULL:  # half a minute; test_apply_gaps prunes on a real broker, too
        return
    until(lambda: dlxctl("apply", "--prune").returncode == 0, 60)
    assert names(broker, vhost) == {
        "orders", "retry.10s", "retry.1m", "dead_letter", "dead_letter.parked", "celery@host.celery.pidbox",
    }  # fmt: skip
    assert dlxctl("plan", "--prune", "--exit-code").returncode == 0


def test_a_racing_publisher_is_refused_and_loses_nothing(
    dlxctl: Dlxctl, broker: RunningBroker, vhost: str, url: str, tmp_path: Path
) -> None:
    """Somebody publishes by name all the while: exit 5, queues and bindings are as before, every confirmed message is
    still there."""
    write(tmp_path)
    dlxctl("apply")
    write(tmp_path, **LESS)
    drained: dict[str, int] = {QUORUM: 0, CLASSIC: 0}
    with publishers(url, list(drained)) as confirmed, consumed(url, drained):
        until(lambda: min(confirmed().values()) > 5)
        run = dlxctl("apply", "--prune", "--allow", "consumers")
        assert run.returncode == 5, run.stdout + run.stderr
        total = confirmed
    assert {QUORUM, CLASSIC} <= names(broker, vhost)
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    for queue in drained:
        while channel.basic_get(queue, auto_ack=True)[0]:
            drained[queue] += 1
    connection.close()
    assert drained == total()
    write(tmp_path)
    assert dlxctl("plan", "--exit-code").returncode == 0


@contextmanager
def consumed(url: str, counts: dict[str, int]) -> Iterator[None]:
    """Consume both queues as fast as it goes, so that they look empty now and then."""
    stop = threading.Event()

    def consume() -> None:
        connection = pika.BlockingConnection(pika.URLParameters(url))
        channel = connection.channel()
        for queue in counts:
            channel.basic_consume(queue, lambda c, method, _p, _b, queue=queue: taken(c, method, queue))
        while not stop.is_set():
            connection.process_data_events(0.05)
        connection.close()

    def taken(channel: Any, method: Any, queue: str) -> None:
        channel.basic_ack(method.delivery_tag)
        counts[queue] += 1

    thread = threading.Thread(target=consume)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_destroy_asks_and_leaves_nothing_of_ours(
    dlxctl: Dlxctl, broker: RunningBroker, vhost: str, tmp_path: Path
) -> None:
    """Without a terminal it needs --yes (5); afterwards the vhost is as it was before the first apply."""
    exchanges = len(broker.api("GET", f"exchanges/{vhost}"))
    write(tmp_path)
    dlxctl("apply")
    refused = dlxctl("destroy")
    assert (refused.returncode, "--yes" in refused.stderr) == (5, True)
    assert "- queue orders (quorum)" in dlxctl("plan", "--destroy").stdout
    if not FULL:
        return
    until(lambda: dlxctl("destroy", "--yes").returncode == 0, 60)
    assert names(broker, vhost) == set()
    assert not broker.api("GET", f"policies/{vhost}")
    assert len(broker.api("GET", f"exchanges/{vhost}")) == exchanges


@pytest.mark.parametrize("text", ["version: 1\ntopology: shop\n", "version: 1\ntopology: shop\nqueues:\n"])
def test_an_empty_or_truncated_file_is_refused(
    dlxctl: Dlxctl, broker: RunningBroker, vhost: str, tmp_path: Path, text: str
) -> None:
    """So are another cluster and another vhost; nothing is deleted."""
    path = write(tmp_path)
    dlxctl("apply")
    before = names(broker, vhost)
    path.write_text(f"{text}vhost: {vhost}\n")
    emptied = dlxctl("apply", "--prune", "--yes")
    assert (emptied.returncode, "--allow empty" in emptied.stderr) == (5, True)
    write(tmp_path, **{"settings: policy": "settings: policy\ncluster_name: rabbit@elsewhere"})
    assert dlxctl("apply", "--prune").returncode == 5
    assert dlxctl("apply", "--prune", DLXCTL_VHOST="another").returncode == 2
    assert names(broker, vhost) == before
