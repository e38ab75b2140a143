"""`dlxctl status` as a process against a real broker: roles, exact depths, rates, ages, alarms and thresholds."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pika
import pytest

from dlxctl.broker.address import Access
from dlxctl.broker.management import Management
from dlxctl.ops.apply import apply
from dlxctl.spec import load
from tests.acceptance.test_health import TOPOLOGY, publish
from tests.brokers import RunningBroker
from tests.conftest import Dlxctl
from tests.workers import wait_until

ROLES = {
    "orders": "work", "slow": "work", "retry.1s": "tier", "dead": "dead-letter", "other": "dead-letter",
    "parked": "parking",
}  # fmt: skip
HOUR_S = 3_600


@pytest.fixture
def file(reach: Access, vhost: str, tmp_path: Path) -> str:
    """The name of an applied topology file, which is not called topology.yaml."""
    text = TOPOLOGY.format(vhost=vhost)
    (tmp_path / "shop.yaml").write_text(text)
    assert apply(Management(reach), load(text)).error is None
    return "shop.yaml"


def told(dlxctl: Dlxctl, *arguments: object, code: int = 0) -> dict[str, Any]:
    """What `--format json` says, and the queues by name under `queues`."""
    done = dlxctl("status", *arguments, "--format", "json")
    assert done.returncode == code, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found | {"queues": {queue["name"]: queue for queue in found["queues"]}}


def counted(dlxctl: Dlxctl, file: str, queue: str, ready: int) -> None:
    """Wait until `queue` has so many."""
    wait_until(lambda: told(dlxctl, file)["queues"][queue]["ready"] == ready, 20)


def test_the_roles_are_the_same_with_and_without_a_file(dlxctl: Dlxctl, file: str) -> None:
    """What the file says of each queue is told by the broker alone."""
    for arguments in ((file,), ()):
        queues = told(dlxctl, *arguments)["queues"]
        assert {name: queue["role"] for name, queue in queues.items()} == ROLES
        assert {queue["ready"] for queue in queues.values()} == {0}


def test_a_vhost_of_somebody_else_has_roles_too(dlxctl: Dlxctl, url: str) -> None:
    """A queue that others dead-letter into is a dead-letter queue; a queue that goes with its worker is not shown."""
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        channel.queue_declare("failures", durable=True)
        dead = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "failures"}
        channel.queue_declare("mail", durable=True, arguments=dead)
        channel.queue_declare("mailbox", exclusive=True)
        queues = told(dlxctl)["queues"]
    assert {name: queue["role"] for name, queue in queues.items()} == {"mail": "work", "failures": "dead-letter"}


def test_each_threshold_that_is_exceeded_is_named(dlxctl: Dlxctl, file: str, url: str) -> None:
    """Exit 8, and a sentence each; the same limits hold (exit 0) where nothing is above them."""
    publish(url, "orders", b"1", b"2", b"3")
    publish(url, "dead", b"x", died_at=int(time.time()) - 3 * HOUR_S)
    counted(dlxctl, file, "orders", 3)
    counted(dlxctl, file, "dead", 1)
    limits = ("--max-depth", "1", "--max-depth", "orders=3", "--max-age", "4h")
    assert told(dlxctl, file, *limits)["exceeded"] == []
    done = dlxctl("status", file, "--max-depth", "0", "--max-depth", "orders=2", "--max-age", "2h")
    assert done.returncode == 8
    told_lines = [line for line in done.stderr.splitlines() if line.startswith("dlxctl: ")]
    assert len(told_lines) == 3
    for name, words in (("orders", "3 messages ready, more than 2"), ("dead", "1 messages ready"), ("dead", "died")):
        assert any(f'"{name}"' in line and words in line for line in told_lines), (name, words, told_lines)


def test_a_limit_on_a_queue_that_is_not_there_does_not_pass(dlxctl: Dlxctl, file: str, url: str) -> None:
    """One that the file names is exceeded (8); one that nobody knows is wrong usage (2); so is what is no number."""
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        connection.channel().queue_delete("dead")
    assert "is not on the broker" in dlxctl("status", file, "--max-depth", "5").stderr
    assert dlxctl("status", file, "--max-depth", "5").returncode == 8
    for wrong in (("--max-depth", "nobody=5"), ("--max-depth", "=5"), ("--max-depth", "-1"), ("--max-age", "soon")):
        done = dlxctl("status", file, *wrong)
        assert (done.returncode, done.stdout) == (2, ""), wrong


def test_what_the_api_does_not_tell_is_unknown(dlxctl: Dlxctl, file: str, url: str) -> None:
    """Without the management API depths are exact all the same, and nothing else is taken for 0."""
    publish(url, "orders", b"1")
    counted(dlxctl, file, "orders", 1)
    away = ("--management-url", "http://guest:guest@127.0.0.1:9")
    found = told(dlxctl, file, *away)
    orders = found["queues"]["orders"]
    assert (orders["ready"], orders["unacked"], orders["in_per_s"], found["alarms"]) == (1, None, None, None)
    assert "unknown" in dlxctl("status", file, *away).stdout


def test_rates_and_what_workers_hold_are_told(dlxctl: Dlxctl, file: str, url: str) -> None:
    """What the broker itself moves counts too: out of a tier by expiring, and into the work queue."""
    seen: dict[str, float] = {}
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        channel.basic_qos(prefetch_count=1)
        channel.basic_consume("orders", lambda *_: None)

        def flowing() -> bool:
            for _ in range(50):
                channel.basic_publish("retry.1s", "orders", b"x")
            connection.process_data_events(1)
            queues = told(dlxctl, file)["queues"]
            for name, key in (("retry.1s", "in_per_s"), ("retry.1s", "out_per_s"), ("orders", "in_per_s")):
                seen[f"{name} {key}"] = max(seen.get(f"{name} {key}", 0), queues[name][key] or 0)
            seen["held"] = max(seen.get("held", 0), queues["orders"]["unacked"] or 0)
            return all(seen.values())

        wait_until(flowing, 60)
    assert seen["held"] == 1


def test_a_watch_goes_on_until_it_is_ended(
    dlxctl: Dlxctl, file: str, url: str, broker: RunningBroker, tmp_path: Path
) -> None:
    """JSON line after JSON line in a pipe, a table on a terminal; Ctrl-C is its ordinary end, exit 0."""
    environment = os.environ | {"DLXCTL_URL": url, "DLXCTL_MANAGEMENT_URL": broker.management_url, "TERM": "xterm"}
    command = [str(Path(sys.executable).parent / "dlxctl"), "status", file, "--watch"]
    with subprocess.Popen(
        [*command, "--format", "json"], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
    ) as piped:
        assert piped.stdout is not None
        lines = [json.loads(piped.stdout.readline()) for _ in range(2)]
        piped.send_signal(signal.SIGINT)
        assert piped.wait(20) == 0
    assert [len(line["queues"]) for line in lines] == [6, 6]
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=theirs) as shown:
        seen = b""
        while b"dead-letter" not in seen:
            seen += os.read(ours, 65_536)
        shown.send_signal(signal.SIGINT)
        assert shown.wait(20) == 0
    os.close(ours)
    os.close(theirs)
