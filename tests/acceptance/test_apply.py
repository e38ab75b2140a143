"""`dlxctl plan` and `dlxctl apply` as processes against real RabbitMQ."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pika
import pytest

from tests.brokers import RunningBroker
from tests.conftest import Dlxctl

TOPOLOGY = """\
version: 1
topology: shop
vhost: ${DLXCTL_VHOST:-/}
settings: MODE
retry:
  standard: {delays: [10s, 1m], attempts: 5}
dead_letter:
  dead_letter: {retention: 14d, parking: dead_letter.parked}
exchanges:
  shop.events: {type: topic}
defaults: {retry: standard, dead_letter: dead_letter}
queues:
  orders:
    delivery_limit: 5
    max_length: 1000
    bindings: [{exchange: shop.events, routing_key: "order.#"}]
  "a b/c%2F#*é😀.^$": {delivery_limit: 20}
  thumbnails: {type: classic, priority: 10}
celery: {default_queue: orders}
"""
QUEUES = ["orders", "a b/c%2F#*é😀.^$", "thumbnails"]
ALL = len(QUEUES) + 4
"""Queues in all: two tiers, the DLQ and the parking queue come with them."""
CANARY = "c4n4ry-s3cret"


@pytest.fixture(params=["policy", "arguments"])
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def topology(tmp_path: Path) -> Path:
    """topology.yaml in policy mode; `dlxctl` runs in the same directory."""
    return write(tmp_path, "policy")


def write(folder: Path, mode: str = "policy", **replaced: str) -> Path:
    text = TOPOLOGY.replace("MODE", mode)
    for old, new in replaced.items():
        assert old in text
        text = text.replace(old, new)
    path = folder / "topology.yaml"
    path.write_text(text)
    return path


def ours(broker: RunningBroker, vhost: str) -> list[dict[str, Any]]:
    return [p for p in broker.api("GET", f"policies/{vhost}") if p["name"].startswith("dlxctl.shop.")]


def put_policy(broker: RunningBroker, vhost: str, policy: dict[str, Any]) -> None:
    body = {key: policy[key] for key in ("pattern", "apply-to", "priority", "definition")}
    broker.api("PUT", f"policies/{vhost}/{policy['name']}", body)


def put_queue(broker: RunningBroker, vhost: str, name: str, **arguments: Any) -> None:
    body = {"durable": True, "auto_delete": False, "arguments": arguments}
    broker.api("PUT", f"queues/{vhost}/{quote(name, safe='')}", body)


def until(condition: Callable[[], Any], seconds: float = 20) -> Any:
    """The first true value of `condition`. Fails after `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError("did not come about in time")


@pytest.fixture
def channel(url: str) -> Iterator[Any]:
    connection = pika.BlockingConnection(pika.URLParameters(url))
    yield connection.channel()
    connection.close()


def test_a_second_apply_has_nothing_to_do(mode: str, dlxctl: Dlxctl, tmp_path: Path) -> None:
    """Both modes, each version: exit 0 twice, and a clean plan."""
    write(tmp_path, mode)
    assert dlxctl("plan", "--exit-code").returncode == 3
    first = dlxctl("apply")
    assert (first.returncode, first.stderr) == (0, "")
    assert "Applied: " in first.stdout
    second = dlxctl("apply")
    assert second.returncode == 0
    assert second.stdout.endswith("Nothing to do.\n")
    assert dlxctl("plan", "--exit-code").returncode == 0


def test_a_rejected_message_reaches_the_dead_letter_queue(
    mode: str, dlxctl: Dlxctl, channel: Any, tmp_path: Path
) -> None:
    """From each work queue, whatever its name and type; so policies and arguments are in effect."""
    write(tmp_path, mode)
    assert dlxctl("apply").returncode == 0
    for name in QUEUES:
        channel.basic_publish("", name, name.encode())
        reject_one(channel, name)
    dead = {body.decode() for body in drained(channel, "dead_letter", len(QUEUES))}
    assert dead == set(QUEUES)


def reject_one(channel: Any, queue: str) -> None:
    method = until(lambda: channel.basic_get(queue)[0])
    channel.basic_reject(method.delivery_tag, requeue=False)


def drained(channel: Any, queue: str, count: int) -> list[bytes]:
    bodies: list[bytes] = []

    def one() -> bool:
        method, _, body = channel.basic_get(queue, auto_ack=True)
        if method:
            bodies.append(body)
        return len(bodies) == count

    until(one)
    return bodies


def test_a_message_in_a_tier_comes_back_to_its_queue_by_name(dlxctl: Dlxctl, channel: Any, tmp_path: Path) -> None:
    """Hostile names included, and nobody else gets a copy."""
    write(tmp_path, **{"[10s, 1m]": "[200ms, 1m]"})
    assert dlxctl("apply").returncode == 0
    for name in QUEUES:
        channel.basic_publish("retry.200ms", name, name.encode())
    for name in QUEUES:
        assert drained(channel, name, 1) == [name.encode()]


def test_a_policy_changed_by_hand_is_drift_until_applied(
    dlxctl: Dlxctl, broker: RunningBroker, vhost: str, topology: Path
) -> None:
    """plan --exit-code: 3 after the change, 0 after apply; the plan shows from and to."""
    dlxctl("apply")
    before = ours(broker, vhost)
    policy = next(p for p in before if "delivery-limit" in p["definition"])
    put_policy(broker, vhost, policy | {"definition": policy["definition"] | {"delivery-limit": 77}})
    plan = dlxctl("plan", "--exit-code")
    assert plan.returncode == 3
    assert f"~ policy {policy['name']}" in plan.stdout
    assert "delivery-limit: 77 -> 5" in plan.stdout
    assert "Plan: 0 to create, 1 to change, 0 to delete." in plan.stdout
    assert dlxctl("apply", "--yes").returncode == 0
    assert dlxctl("plan", "--exit-code").returncode == 0
    assert ours(broker, vhost) == before


def test_a_changed_file_changes_policies_in_place(
    dlxctl: Dlxctl, broker: RunningBroker, vhost: str, tmp_path: Path
) -> None:
    """A limit is tuned while messages lie in the queue, and none is lost."""
    write(tmp_path)
    dlxctl("apply")
    broker.api(
        "POST", f"exchanges/{vhost}/amq.default/publish",
        {"routing_key": "orders", "payload": "x", "payload_encoding": "string", "properties": {}},
    )  # fmt: skip
    write(tmp_path, **{"max_length: 1000": "max_length: 2000"})
    changed = dlxctl("apply")
    assert changed.returncode == 0
    assert [p["definition"]["max-length"] for p in ours(broker, vhost) if "max-length" in p["definition"]] == [2000]
    got = broker.api(
        "POST", f"queues/{vhost}/orders/get", {"count": 1, "ackmode": "ack_requeue_true", "encoding": "auto"}
    )
    assert [message["payload"] for message in got] == ["x"]


def test_nothing_of_others_is_touched(dlxctl: Dlxctl, broker: RunningBroker, vhost: str, topology: Path) -> None:
    """Queues, exchanges, bindings and policies that are not in the file stay as they were."""
    put_queue(broker, vhost, "celery@host.celery.pidbox")
    put_queue(broker, vhost, "theirs", **{"x-max-length": 3})
    broker.api("PUT", f"exchanges/{vhost}/celery_delayed_1", {"type": "topic", "durable": True})
    broker.api("POST", f"bindings/{vhost}/e/celery_delayed_1/q/theirs", {"routing_key": "a", "arguments": {}})
    put_policy(
        broker, vhost,
        {"name": "p", "pattern": "^theirs$", "apply-to": "queues", "priority": 1, "definition": {"max-length": 9}},
    )  # fmt: skip

    def theirs() -> Any:
        bindings = broker.api("GET", f"exchanges/{vhost}/celery_delayed_1/bindings/source")
        queues = [
            broker.api("GET", f"queues/{vhost}/{q}")["arguments"] for q in ("theirs", "celery%40host.celery.pidbox")
        ]
        return bindings, queues, broker.api("GET", f"policies/{vhost}/p")

    before = theirs()
    assert dlxctl("apply").returncode == 0
    assert theirs() == before


def test_what_cannot_change_in_place_is_refused(
    dlxctl: Dlxctl, broker: RunningBroker, vhost: str, topology: Path
) -> None:
    """Exit 5 before anything is created, naming the queue, the setting and the line."""
    put_queue(broker, vhost, "orders")
    run = dlxctl("apply")
    assert run.returncode == 5
    assert 'queue "orders"' in run.stderr
    assert "Nothing was changed" in run.stderr
    assert "! queue orders (quorum) cannot change in place    # topology.yaml:13" in run.stdout
    assert 'type: "classic" -> "quorum"' in run.stdout
    assert [queue["name"] for queue in broker.api("GET", f"queues/{vhost}")] == ["orders"]
    assert dlxctl("plan").returncode == 0


def test_an_equal_queue_is_adopted(dlxctl: Dlxctl, broker: RunningBroker, vhost: str, topology: Path) -> None:
    """It is shown, and then it is ours."""
    put_queue(broker, vhost, "orders", **{"x-queue-type": "quorum"})
    run = dlxctl("apply")
    assert run.returncode == 0
    assert "= queue orders (exists already" in run.stdout
    assert "1 adopted" in run.stdout


def test_a_policy_of_others_that_wins_is_named(
    dlxctl: Dlxctl, broker: RunningBroker, vhost: str, topology: Path
) -> None:
    """With ours, and the broker agrees that it wins."""
    theirs = {"name": "wide", "pattern": "ord", "apply-to": "all", "priority": 10**6, "definition": {"max-length": 9}}
    put_policy(broker, vhost, theirs)
    run = dlxctl("apply")
    assert run.returncode == 0
    (line,) = [line for line in run.stdout.splitlines() if "DLX801" in line]
    assert '"wide"' in line
    assert '"dlxctl.shop.' in line
    assert until(lambda: broker.api("GET", f"queues/{vhost}/orders").get("policy")) == "wide"


def test_json_has_the_plan_and_what_became_of_it(dlxctl: Dlxctl, topology: Path) -> None:
    """stdout is one JSON document and nothing else."""
    plan = json.loads(dlxctl("plan", "--format", "json").stdout)
    assert plan["clean"] is False
    run = dlxctl("apply", "--format", "json")
    report = json.loads(run.stdout)
    assert (run.returncode, report["applied"], report["failed"]) == (0, True, None)
    assert report["fingerprint"] == plan["fingerprint"]
    assert len(report["made"]) == len(plan["changes"])
    assert json.loads(dlxctl("plan", "--format", "json").stdout)["clean"] is True


def test_a_setting_unknown_to_the_version_is_left_out_with_a_warning(
    dlxctl: Dlxctl, broker: RunningBroker, vhost: str, tmp_path: Path
) -> None:
    """consumer-timeout is a policy key from 4.0 on; 3.10 would refuse the policy."""
    write(tmp_path, **{"delivery_limit: 5": "delivery_limit: 5\n    consumer_timeout: 2h"})
    run = dlxctl("apply")
    assert run.returncode == 0
    known = any("consumer-timeout" in policy["definition"] for policy in ours(broker, vhost))
    assert known == (broker.release >= (4, 0))
    assert ("DLX807" in run.stdout) != known
    assert dlxctl("plan", "--exit-code").returncode == 0


def test_a_second_run_at_the_same_time_is_told_who_holds_the_lock(
    dlxctl: Dlxctl, broker: RunningBroker, vhost: str, url: str, topology: Path
) -> None:
    """Exit 7 with user and host of the holder; nothing is changed."""
    parameters = pika.URLParameters(url)
    parameters.client_properties = {"connection_name": "dlxctl apply shop (ann@build-7, pid 11)"}
    with pika.BlockingConnection(parameters) as holder:
        holder.channel().queue_declare("dlxctl.lock.shop", exclusive=True)
        until(lambda: any(row.get("client_properties") for row in broker.api("GET", f"vhosts/{vhost}/connections")))
        run = dlxctl("apply")
        assert run.returncode == 7
        assert "ann@build-7, pid 11" in run.stderr
        assert not ours(broker, vhost)
    assert dlxctl("apply").returncode == 0


def test_two_applies_at_once_never_mix(
    url: str, broker: RunningBroker, vhost: str, dlxctl: Dlxctl, topology: Path
) -> None:
    """One wins; the other is refused with 7, or comes after it and finds nothing to do."""
    runs = [start(topology, url, broker, vhost) for _ in range(3)]
    codes = sorted(run.wait(60) for run in runs)
    assert codes[0] == 0
    assert set(codes) <= {0, 7}
    assert dlxctl("plan", "--exit-code").returncode == 0


def start(topology: Path, url: str, broker: RunningBroker, vhost: str, **options: Any) -> subprocess.Popen[bytes]:
    variables = {"DLXCTL_URL": url, "DLXCTL_MANAGEMENT_URL": broker.management_url, "DLXCTL_VHOST": vhost}
    command = [str(Path(sys.executable).parent / "dlxctl"), "apply"]
    streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL} | options
    return subprocess.Popen(command, cwd=topology.parent, env=os.environ | variables, **streams)


@pytest.mark.parametrize("queues", range(0, ALL, 2))
def test_a_killed_run_is_finished_by_the_next(
    queues: int, url: str, broker: RunningBroker, vhost: str, dlxctl: Dlxctl, topology: Path
) -> None:
    """SIGKILL once so many queues exist: the lock is gone with the process, and apply converges."""
    run = start(topology, url, broker, vhost)
    wanted = queues + 1
    until(lambda: len([q for q in broker.api("GET", f"queues/{vhost}") if not q["exclusive"]]) >= wanted)
    run.send_signal(signal.SIGKILL)
    run.wait()
    again = until(lambda: (found := dlxctl("apply")).returncode != 7 and found)
    assert again.returncode == 0, again.stderr
    assert dlxctl("plan", "--exit-code").returncode == 0


@pytest.mark.parametrize(("answer", "applied"), [("n", False), ("y", True)])
def test_a_terminal_is_asked(
    answer: str, applied: bool, url: str, broker: RunningBroker, vhost: str, topology: Path
) -> None:
    """Only a yes changes anything; both end with exit 0."""
    ours_end, theirs_end = pty.openpty()
    run = start(topology, url, broker, vhost, stdin=theirs_end)
    os.close(theirs_end)
    os.write(ours_end, f"{answer}\n".encode())
    assert run.wait(60) == 0
    os.close(ours_end)
    assert bool(ours(broker, vhost)) == applied


@pytest.fixture
def user(broker: RunningBroker, vhost: str) -> Iterator[Callable[..., dict[str, str]]]:
    """Makes a user with a password that must never be shown; gives the environment to run dlxctl as that user."""
    name = f"u-{uuid.uuid4().hex[:8]}"

    def make(tags: str, permissions: tuple[str, str, str] | None = (".*", ".*", ".*")) -> dict[str, str]:
        broker.api("PUT", f"users/{name}", {"password": CANARY, "tags": tags})
        if permissions:
            body = dict(zip(("configure", "write", "read"), permissions, strict=True))
            broker.api("PUT", f"permissions/{vhost}/{name}", body)
        host = broker.amqp_url.rsplit("@", 1)[1]
        return {"DLXCTL_URL": f"amqp://{name}:{CANARY}@{host}/{vhost}"}

    yield make
    broker.api("DELETE", f"users/{name}")


def refused(run: subprocess.CompletedProcess[str], code: int, *said: str) -> None:
    """One message on stderr with the remedy; no traceback, no secret."""
    assert run.returncode == code, run.stderr
    assert run.stderr.startswith("dlxctl: ")
    assert run.stderr.count("dlxctl: ") == 1
    for part in said:
        assert part in run.stderr
    for text in (run.stdout, run.stderr):
        assert "Traceback" not in text
        assert CANARY not in text


def test_the_least_user_is_enough(user: Callable[..., dict[str, str]], dlxctl: Dlxctl, topology: Path) -> None:
    """Tag policymaker and permissions in the vhost, as docs/plan-and-apply.md says; its secret is never shown."""
    environment = user("policymaker")
    run = dlxctl("apply", **environment)
    assert (run.returncode, run.stderr) == (0, "")
    assert CANARY not in run.stdout


def test_without_the_tag_policymaker_nothing_is_changed(
    user: Callable[..., dict[str, str]], dlxctl: Dlxctl, broker: RunningBroker, vhost: str, tmp_path: Path
) -> None:
    """The tag is named; in arguments mode the tag management is enough."""
    environment = user("management")
    write(tmp_path)
    refused(dlxctl("apply", **environment), 1, "policymaker", "settings: arguments")
    assert not broker.api("GET", f"queues/{vhost}")
    write(tmp_path, "arguments")
    assert dlxctl("apply", **environment).returncode == 0


def test_without_any_tag_the_missing_one_is_named(
    user: Callable[..., dict[str, str]], dlxctl: Dlxctl, topology: Path
) -> None:
    """Not `wrong password`."""
    refused(dlxctl("plan", **user("")), 1, "lacks the tag `management`", "rabbitmqctl set_user_tags")


def test_without_permissions_in_the_vhost_they_are_named(
    user: Callable[..., dict[str, str]], dlxctl: Dlxctl, topology: Path
) -> None:
    """4.3 says `not found`, older versions `not authorised`; we say the same for both."""
    refused(dlxctl("plan", **user("policymaker", None)), 1, "may not enter vhost", "rabbitmqctl set_permissions")


def test_a_missing_permission_is_named_with_what_was_made(
    user: Callable[..., dict[str, str]], dlxctl: Dlxctl, topology: Path
) -> None:
    """Exit 4: what was made, what failed, what was not tried; with the permission the next run finishes."""
    environment = user("policymaker", ("^(dlx|dlxctl|shop|retry).*", ".*", ".*"))
    run = dlxctl("apply", **environment)
    refused(run, 4, "may not declare queue", "configure on the queue", "rabbitmqctl set_permissions")
    assert "failed: create queue dead_letter.parked" in run.stdout
    assert "not tried: create queue orders" in run.stdout
    user("policymaker")
    assert dlxctl("apply", **environment).returncode == 0


def test_a_wrong_password_is_named_and_not_shown(
    dlxctl: Dlxctl, broker: RunningBroker, vhost: str, topology: Path
) -> None:
    """By plan and apply alike, without showing it."""
    url = broker.amqp_url.replace("guest:guest@", f"guest:{CANARY}@") + f"/{vhost}"
    for command in ("plan", "apply"):
        refused(dlxctl(command, DLXCTL_URL=url), 1, "refused the login of user 'guest'")


def test_a_missing_vhost_is_told_with_the_remedy(dlxctl: Dlxctl, broker: RunningBroker, topology: Path) -> None:
    """By plan and apply alike."""
    for command in ("plan", "apply"):
        run = dlxctl(command, DLXCTL_URL=broker.amqp_url, DLXCTL_VHOST="no-such-vhost")
        refused(run, 1, "no-such-vhost", "rabbitmqctl add_vhost")


def test_a_url_with_another_vhost_than_the_file_is_refused(dlxctl: Dlxctl, topology: Path) -> None:
    """Exit 2: applying to the wrong vhost is the worst of slips."""
    refused(dlxctl("apply", DLXCTL_VHOST="other"), 2, "'other'")


def test_a_management_api_that_is_off_is_told(dlxctl: Dlxctl, topology: Path) -> None:
    """Exit 6, the plugin and the option."""
    run = dlxctl("plan", "--management-url", "http://127.0.0.1:9")
    refused(run, 6, "rabbitmq-plugins enable rabbitmq_management", "--management-url")


def test_a_broker_that_is_down_is_told(dlxctl: Dlxctl, topology: Path) -> None:
    """Exit 6 for apply and plan."""
    for command in ("plan", "apply"):
        run = dlxctl(command, DLXCTL_URL="amqp://127.0.0.1:9", DLXCTL_MANAGEMENT_URL="http://127.0.0.1:9")
        refused(run, 6, "127.0.0.1:9")
