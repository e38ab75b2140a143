"""A user with just the patterns that `dlxctl permissions` prints does its job on a real RabbitMQ, and nothing more."""

import json
import shlex
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pika
import pytest
from pika.exceptions import ChannelClosedByBroker

from tests.acceptance.test_apply import QUEUES, until, write
from tests.brokers import RunningBroker
from tests.conftest import Dlxctl
from tests.workers import start_worker

SECRET = "s3cret"
APP = """\
from celery import Celery
from dlxctl.celery import RetryTask
app = Celery("shop", broker={url!r}, task_cls=RetryTask)
app.config_from_object("celery_topology")
@app.task(name="charge", max_retries=1)
def charge():
    raise ValueError("no")
"""


class Users:
    """Users that `permissions` describes; they are gone after the test."""

    def __init__(self, broker: RunningBroker, vhost: str) -> None:
        self._broker, self._vhost, self._names = broker, vhost, list[str]()

    def add(self, granted: dict[str, Any]) -> str:
        """Make the user; returns its AMQP URL, without the vhost."""
        name = f"u-{uuid.uuid4().hex[:8]}"
        self._names.append(name)
        self._broker.api("PUT", f"users/{name}", {"password": SECRET, "tags": granted["tag"] or ""})
        patterns = {word: granted[word] for word in ("configure", "write", "read")}
        self._broker.api("PUT", f"permissions/{self._vhost}/{name}", patterns)
        return self._broker.amqp_url.replace("guest:guest", f"{name}:{SECRET}")

    def close(self) -> None:
        for name in self._names:
            self._broker.api("DELETE", f"users/{name}")


@pytest.fixture
def users(broker: RunningBroker, vhost: str) -> Iterator[Users]:
    found = Users(broker, vhost)
    yield found
    found.close()


def granted(dlxctl: Dlxctl) -> dict[str, dict[str, Any]]:
    """What is printed, by role."""
    return {user["role"]: user for user in json.loads(dlxctl("permissions", "--format", "json").stdout)["users"]}


def refused(url: str, what: str, *arguments: Any, **options: Any) -> bool:
    """Whether the channel is closed with 403 over the AMQP method `what`."""
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    channel.confirm_delivery()
    try:
        getattr(channel, what)(*arguments, **options)
    except ChannelClosedByBroker as error:
        return bool(error.reply_code == 403)
    finally:
        connection.close()
    return False


@pytest.mark.parametrize("mode", ["policy", "arguments"])
def test_dlxctl_applies_looks_and_replays_with_its_own(
    mode: str, dlxctl: Dlxctl, broker: RunningBroker, vhost: str, url: str, users: Users, tmp_path: Path
) -> None:
    """It makes the whole topology, empties the DLQ, and touches nothing that is not in the file."""
    write(tmp_path, mode)
    mine = {"DLXCTL_URL": users.add(granted(dlxctl)["dlxctl"]), "DLXCTL_VHOST": vhost}
    applied = dlxctl("apply", **mine)
    assert applied.returncode == 0, applied.stderr
    assert dlxctl("plan", "--exit-code", **mine).returncode == 0
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    channel.basic_publish("", "orders", b"x")
    method = until(lambda: channel.basic_get("orders")[0])
    channel.basic_reject(method.delivery_tag, requeue=False)
    until(lambda: channel.queue_declare("dead_letter", passive=True).method.message_count == 1)
    connection.close()
    queue = ("--queue", "dead_letter", "--url", f"{mine['DLXCTL_URL']}/{vhost}")
    looked = dlxctl("inspect", *queue)
    assert looked.returncode == 0, looked.stderr
    replayed = dlxctl("replay", *queue, "--yes")
    assert replayed.returncode == 0, replayed.stderr
    own = f"{mine['DLXCTL_URL']}/{vhost}"
    assert refused(own, "queue_declare", "other")
    assert refused(own, "exchange_declare", "other")


def test_a_producer_publishes_and_does_nothing_else(dlxctl: Dlxctl, vhost: str, users: Users, tmp_path: Path) -> None:
    """To queues by name and to public exchanges; not to the DLX or a tier, and it reads and declares nothing."""
    write(tmp_path)
    dlxctl("apply")
    own = f"{users.add(granted(dlxctl)['producer'])}/{vhost}"
    for name in QUEUES:
        assert not refused(own, "basic_publish", "", name, b"x", mandatory=True)
    assert not refused(own, "basic_publish", "shop.events", "order.1", b"x", mandatory=True)
    assert refused(own, "basic_publish", "dlx", "dead_letter", b"x", mandatory=True)
    assert refused(own, "basic_publish", "retry.10s", "orders", b"x", mandatory=True)
    assert refused(own, "basic_get", "orders")
    assert refused(own, "queue_declare", "other")
    assert refused(own, "queue_delete", "orders")


@pytest.mark.slow
def test_a_worker_runs_retries_and_buries_with_its_own(
    dlxctl: Dlxctl, broker: RunningBroker, vhost: str, url: str, users: Users, tmp_path: Path
) -> None:
    """A task fails, goes through a tier, fails again and lies in the DLQ; the DLQ itself it may not read."""
    write(tmp_path, **{"[10s, 1m], attempts: 5": "[100ms, 1m], attempts: 1"})
    assert dlxctl("apply").returncode == 0
    assert dlxctl("celery", "-o", "celery_topology.py").returncode == 0
    own = f"{users.add(granted(dlxctl)['worker'])}/{vhost}"
    (tmp_path / "app.py").write_text(APP.format(url=own))
    send = f"{users.add(granted(dlxctl)['producer'])}/{vhost}"
    (tmp_path / "sender.py").write_text(APP.format(url=send))
    with start_worker(tmp_path, "app", "-Q", "orders", "--without-gossip") as worker:
        sending = [sys.executable, "-c", "import sender; sender.charge.apply_async()"]
        sent = subprocess.run(sending, cwd=tmp_path, capture_output=True, text=True)
        assert sent.returncode == 0, sent.stderr
        connection = pika.BlockingConnection(pika.URLParameters(url))
        channel = connection.channel()
        until(lambda: channel.queue_declare("dead_letter", passive=True).method.message_count == 1, 60)
        connection.close()
        assert "unknown-task" not in worker.log
        assert "Retry" in worker.log
    assert refused(own, "basic_get", "dead_letter")
    assert refused(own, "queue_declare", "other")
    assert refused(own, "queue_delete", "orders")


def test_the_lines_for_a_shell_are_the_same_patterns(dlxctl: Dlxctl, vhost: str, tmp_path: Path) -> None:
    """Quoted so that a shell gives back each pattern; hostile queue names too."""
    write(tmp_path)
    by_role = granted(dlxctl)
    lines = [shlex.split(line) for line in dlxctl("permissions", "--format", "rabbitmqctl").stdout.splitlines()]
    set_by = {line[4].removeprefix("shop-"): line[5:] for line in lines if line[1] == "set_permissions"}
    assert set_by == {role: [user["configure"], user["write"], user["read"]] for role, user in by_role.items()}
    assert [line[2:] for line in lines if line[1] == "set_user_tags"] == [["shop-dlxctl", "policymaker"]]
    text = dlxctl("permissions").stdout
    assert "producer: no tag\n  configure ^$\n" in text
