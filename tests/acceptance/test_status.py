"""`dlxctl status` as a process against a real broker: roles, exact depths, rates, ages, alarms and thresholds."""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pika
import pytest

from dlxctl.broker.address import Access, access
from dlxctl.broker.management import Management
from dlxctl.errors import BrokerUnavailable
from dlxctl.ops.apply import apply
from dlxctl.ops.health import read_health
from dlxctl.spec import load
from tests.acceptance.test_health import TOPOLOGY, publish
from tests.brokers import RunningBroker
from tests.conftest import Dlxctl
from tests.faults.proxy import DOWN, Proxy
from tests.hostile.terminal import DLXCTL, on_terminal
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


class _Alarmed(BaseHTTPRequestHandler):
    """The management API of `broker`, whose health check says what RabbitMQ says under a memory alarm (measured)."""

    broker: RunningBroker
    ALARM = b'{"reason":"There are alarms in effect in the cluster","status":"failed",' \
            b'"alarms":[{"node":"rabbit@one","resource":"memory"}]}'  # fmt: skip

    def do_GET(self) -> None:
        """Everything else is as it is."""
        path = self.path.removeprefix("/api/")
        alarmed = path == "health/checks/alarms"
        content = self.ALARM if alarmed else json.dumps(self.broker.api("GET", path)).encode()
        self.send_response(503 if alarmed else 200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nothing on the tests' stderr."""


@pytest.fixture
def alarmed(broker: RunningBroker) -> Iterator[str]:
    """The URL of a management API that tells of an alarm. tests/faults/test_node.py raises a real one."""
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Api", (_Alarmed,), {"broker": broker})) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://guest:guest@127.0.0.1:{server.server_port}"
        server.shutdown()


def test_an_alarm_is_a_line_of_its_own(dlxctl: Dlxctl, file: str, alarmed: str) -> None:
    """It says which resource of which node, and what that means; without one there is no such line."""
    shown = dlxctl("status", file, "--management-url", alarmed)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.endswith("ALARM: memory on rabbit@one. The broker takes no messages.\n")
    assert told(dlxctl, file, "--management-url", alarmed)["alarms"] == ["memory on rabbit@one"]
    assert "ALARM" not in dlxctl("status", file).stdout
    assert told(dlxctl, file)["alarms"] == []


@pytest.fixture
def environment(url: str, broker: RunningBroker, tmp_path: Path) -> dict[str, str]:
    """What `dlxctl` finds around it."""
    return {
        "DLXCTL_URL": url, "DLXCTL_MANAGEMENT_URL": broker.management_url, "DLXCTL_STATE_DIR": str(tmp_path / "state"),
    }  # fmt: skip


@pytest.fixture
def proxy(broker: RunningBroker) -> Iterator[Proxy]:
    """A way to the broker that can be cut."""
    address = urlsplit(broker.amqp_url)
    assert address.hostname is not None
    with Proxy((address.hostname, address.port or 5672)) as proxy:
        yield proxy


@contextmanager
def watching(directory: Path, environment: dict[str, str], file: str) -> "Iterator[subprocess.Popen[str]]":
    """`dlxctl status --watch` in a pipe, as JSON lines; what it says is in `stderr.txt`."""
    command = [str(DLXCTL), "status", file, "--watch", "--format", "json"]
    with (directory / "stderr.txt").open("w") as talk:
        process = subprocess.Popen(
            command, cwd=directory, env=os.environ | environment, stdout=subprocess.PIPE, stderr=talk, text=True
        )
    with process:
        try:
            yield process
        finally:
            process.kill()


def test_a_watch_goes_on_until_it_is_ended(file: str, environment: dict[str, str], tmp_path: Path) -> None:
    """JSON line after JSON line in a pipe, a table on a terminal; Ctrl-C ends it, exit 130."""
    with watching(tmp_path, environment, file) as piped:
        assert piped.stdout is not None
        lines = [json.loads(piped.stdout.readline()) for _ in range(2)]
        piped.send_signal(signal.SIGINT)
        assert piped.wait(20) == 130
    assert [len(line["queues"]) for line in lines] == [6, 6]
    with on_terminal(tmp_path, environment, "status", file, "--watch") as shown:
        shown.until("dead-letter")
        assert shown.interrupted() == 130
    assert b"Traceback" not in shown.seen


@pytest.mark.one_version
def test_a_watch_outlives_a_broker_that_is_away(
    file: str, environment: dict[str, str], proxy: Proxy, url: str, tmp_path: Path
) -> None:
    """It says so once, writes no number meanwhile, and goes on by itself when the broker is back."""
    host, port = proxy.target
    environment |= {"DLXCTL_URL": url.replace(f"{host}:{port}", f"127.0.0.1:{proxy.port}")}
    said = tmp_path / "stderr.txt"
    with watching(tmp_path, environment, file) as piped:
        assert piped.stdout is not None
        assert json.loads(piped.stdout.readline())
        tried = proxy.connections
        wait_until(lambda: proxy.connections > tried, 20)
        proxy.refusing = True
        proxy.reset()
        wait_until(lambda: "Trying again" in said.read_text(), 30)
        refused = proxy.refused
        wait_until(lambda: proxy.refused >= refused + 2, 30)
        assert said.read_text().count("Trying again") == 1
        proxy.refusing = False
        wait_until(lambda: "it answers again" in said.read_text(), 30)
        piped.send_signal(signal.SIGINT)
        rest = piped.stdout.read()
        assert piped.wait(20) == 130
    assert all(len(json.loads(line)["queues"]) == 6 for line in rest.splitlines())
    assert "Traceback" not in said.read_text()


@pytest.mark.one_version
@pytest.mark.usefixtures("file")
def test_a_line_that_breaks_anywhere_is_a_lost_connection(proxy: Proxy, reach: Access, broker: RunningBroker) -> None:
    """At whatever octet of the login or of the reading: never a refused login, never an error of pika's."""
    login = f"{broker.user}:{broker.password}"
    through = access(f"amqp://{login}@127.0.0.1:{proxy.port}/{reach.vhost}", broker.management_url)
    layout, broken = load(TOPOLOGY.format(vhost=reach.vhost)), 0
    for octets in range(10, 1_000, 20):
        proxy.cut_at(DOWN, octets)
        try:
            read_health(through, layout)
        except BrokerUnavailable:
            broken += 1
    assert broken > 20
    proxy.cut = None
    assert read_health(through, layout).missing == ()


def test_a_watch_waits_for_a_vhost_that_was_deleted(
    file: str, environment: dict[str, str], vhost: str, broker: RunningBroker, tmp_path: Path
) -> None:
    """On a terminal the last table stays, under a line that calls it old; what comes back is shown, empty as it is."""
    with on_terminal(tmp_path, environment, "status", file, "--watch") as shown:
        shown.until("dead-letter")
        broker.api("DELETE", f"vhosts/{vhost}")
        shown.until("NO ANSWER for")
        broker.api("PUT", f"vhosts/{vhost}", {})
        broker.api("PUT", f"permissions/{vhost}/{broker.user}", {"configure": ".*", "write": ".*", "read": ".*"})
        shown.until("not there")
        assert shown.interrupted() == 130
    assert b"Traceback" not in shown.seen


@pytest.mark.one_version
def test_what_never_answered_is_not_watched(dlxctl: Dlxctl, file: str, vhost: str) -> None:
    """A wrong address ends the watch at once, exit 6, as it ends a plain status."""
    done = dlxctl("status", file, "--watch", "--url", f"amqp://guest:guest@127.0.0.1:9/{vhost}", timeout=30)
    assert (done.returncode, done.stdout) == (6, "")
    assert "cannot connect" in done.stderr
