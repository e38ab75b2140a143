"""`dlxctl replay` as a process against a real broker, with messages that really died there."""

import json
import struct
import threading
from pathlib import Path
from typing import Any

import pytest

from dlxctl.broker.address import Access
from dlxctl.broker.amqp import open_connection
from dlxctl.broker.raw_link import RawLink
from dlxctl.wire.intake import Delivery
from tests import amqp_values as amqp
from tests.brokers import RunningBroker
from tests.conftest import Dlxctl
from tests.deaths import let_die, wait_for
from tests.links import Message, drained, seed
from tests.oracle import judged, marked

SAFE = {"x-delivery-limit": 1_000_000}
DEATHS = 20_000


def declare(reach: Access, kind: str, *works: str) -> None:
    """Work queues that dead-letter into `dead`, all of one type."""
    connection = open_connection(reach, purpose="test")
    channel = connection.channel()
    limit = SAFE if kind == "quorum" else {}
    channel.queue_declare("dead", durable=True, arguments={"x-queue-type": kind, **limit})
    leads: dict[str, Any] = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}
    for work in works:
        channel.queue_declare(work, durable=True, arguments={"x-queue-type": kind, **leads, **limit})
    connection.close()


def every_type(number: int) -> Message:
    """A message with each header type, all properties, and bodies of many sizes."""
    body = bytes((number % 256,)) * (number % 2_000)
    entries = (*amqp.EVERY_TYPE, marked(number))
    return amqp.Header(body, entries, amqp.ALL_PROPERTIES).payload(), amqp.body_frame(body)


@pytest.mark.parametrize("kind", ["classic", "quorum"])
def test_twenty_thousand_of_every_type_go_back_unaltered(reach: Access, dlxctl: Dlxctl, kind: str) -> None:
    """0 lost, 0 doubled, 0 altered by raw bytes, none flagged."""
    declare(reach, kind, "orders", "default")
    sent = [every_type(number) for number in range(DEATHS)]
    let_die(reach, "orders", sent[::2])
    let_die(reach, "default", sent[1::2])
    wait_for(reach, "dead", DEATHS)
    done = dlxctl("replay", "--queue", "dead", "--yes", "--format", "json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["moved"], report["remaining"], report["maybe_duplicates"]) == (DEATHS, 0, 0)
    link = RawLink(reach, purpose="test")
    back = [*drained(link, "orders")]
    link.close()
    link = RawLink(reach, purpose="test")
    back += drained(link, "default")
    link.close()
    counts = judged(sent, back, [])
    assert (counts.moved, counts.lost, counts.duplicated, counts.altered, counts.flagged) == (DEATHS, 0, 0, 0, 0)
    assert report["moved_to"] == {"orders": DEATHS // 2, "default": DEATHS // 2}


def test_the_topology_file_alone_tells_who_feeds_the_queue(reach: Access, dlxctl: Dlxctl, tmp_path: Path) -> None:
    """Without a management API the file says which origins to believe."""
    declare(reach, "classic", "orders", "payments")
    let_die(reach, "orders", [every_type(1)])
    let_die(reach, "payments", [every_type(2)])
    wait_for(reach, "dead", 2)
    (tmp_path / "topology.yaml").write_text(
        f"version: 1\ntopology: t\nvhost: {reach.vhost}\ndead_letter: {{dead: {{}}}}\n"
        "queues:\n  orders: {type: classic, dead_letter: dead}\n"
    )
    done = dlxctl("replay", "--queue", "dead", "--format", "json", "--management-url", "http://127.0.0.1:9")
    assert done.returncode == 4, done.stderr
    report = json.loads(done.stdout)
    assert report["moved_to"] == {"orders": 1}
    assert [(held["why"], held["detail"]) for held in report["held_because"]] == [("foreign-origin", "payments")]


@pytest.mark.parametrize(
    ("arguments", "environment", "code", "says"),
    [
        (("--queue", "nowhere"), {}, 1, "nowhere"),
        (("--queue", "dead", "--file", "missing.yaml"), {}, 2, "missing.yaml"),
        (("--queue", "dead"), {"DLXCTL_URL": "amqp://guest:guest@127.0.0.1:1/"}, 6, "cannot connect"),
        (("--queue", "dead"), {"DLXCTL_URL": "nonsense"}, 2, "URL"),
        (("--queue", "dead", "--limit", "0"), {}, 2, "--limit"),
        ((), {}, 2, "--queue"),
    ],
)
@pytest.mark.parametrize("command", ["replay", "inspect"])
def test_bad_input_is_one_clear_line(
    dlxctl: Dlxctl, command: str, arguments: tuple[str, ...], environment: dict[str, str], code: int, says: str
) -> None:
    """Each mistake ends with its exit code, names its object, and shows no traceback."""
    done = dlxctl(command, *arguments, **environment)
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("command", ["replay", "inspect"])
def test_a_wrong_password_is_named_and_not_shown(broker: RunningBroker, dlxctl: Dlxctl, command: str) -> None:
    """The refusal names the user; no password reaches the output."""
    address = broker.amqp_url.split("@")[-1]
    wrong = {"DLXCTL_URL": f"amqp://guest:canary-secret@{address}/", "DLXCTL_MANAGEMENT_URL": broker.management_url}
    done = dlxctl(command, "--queue", "dead", "--allow", "delivery-limit", **wrong)
    assert done.returncode == 1, done.stderr
    assert "guest" in done.stderr
    assert "canary-secret" not in done.stderr + done.stdout


@pytest.mark.parametrize("command", ["replay", "inspect"])
def test_an_empty_queue_is_no_error(reach: Access, dlxctl: Dlxctl, command: str) -> None:
    """Nothing to do is exit 0."""
    declare(reach, "quorum")
    done = dlxctl(command, "--queue", "dead")
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr


@pytest.mark.parametrize("command", [("replay", "--dry-run"), ("inspect",)])
def test_a_queue_that_looking_would_harm_is_refused(
    broker: RunningBroker, reach: Access, dlxctl: Dlxctl, command: tuple[str, ...]
) -> None:
    """A quorum queue with a small delivery limit: exit 5, and the message names the policy and the flag."""
    connection = open_connection(reach, purpose="test")
    connection.channel().queue_declare(
        "dead", durable=True, arguments={"x-queue-type": "quorum", "x-delivery-limit": 3}
    )
    connection.close()
    done = dlxctl(command[0], "--queue", "dead", *command[1:])
    assert done.returncode == 5, done.stderr
    assert "delivery-limit 1000000" in done.stderr
    assert "--allow delivery-limit" in done.stderr
    assert dlxctl(command[0], "--queue", "dead", "--allow", "delivery-limit", *command[1:]).returncode == 0


def test_without_any_word_on_the_queue_looking_is_refused(reach: Access, dlxctl: Dlxctl) -> None:
    """No file, no management API: its type is not known, so it is not touched."""
    declare(reach, "classic")
    done = dlxctl("inspect", "--queue", "dead", "--management-url", "http://127.0.0.1:9")
    assert done.returncode == 5, done.stderr
    assert "--management-url" in done.stderr


def test_inspect_groups_lists_and_shows_one(reach: Access, dlxctl: Dlxctl) -> None:
    """Groups by task, origin and reason; lists ids; shows one; JSON has an object each; nothing is lost."""
    declare(reach, "quorum", "orders")
    entries = (amqp.entry(b"id", amqp.string("id-1")), amqp.entry(b"task", amqp.string("shop.charge")))
    let_die(reach, "orders", [(amqp.Header(b"{}", entries).payload(), amqp.body_frame(b"{}"))] * 3)
    wait_for(reach, "dead", 3)
    groups = dlxctl("inspect", "--queue", "dead", "--format", "json")
    assert groups.returncode == 0, groups.stderr
    (group,) = map(json.loads, groups.stdout.splitlines())
    assert (group["task"], group["origin"], group["reason"], group["count"]) == ("shop.charge", "orders", "rejected", 3)
    listed = dlxctl("inspect", "--queue", "dead", "--list")
    assert listed.stdout.count("id-1") == 3
    assert "dlxctl replay --queue dead" in listed.stderr
    assert "shop.charge" in dlxctl("inspect", "--queue", "dead", "--id", "id-1").stdout
    assert dlxctl("inspect", "--queue", "dead", "--id", "nobody").returncode == 1
    wait_for(reach, "dead", 3)


def declare_with_exchange(reach: Access, *works: str) -> None:
    """Work queues that dead-letter through the exchange `dlx`, and are bound to the topic exchange `events`."""
    connection = open_connection(reach, purpose="test")
    channel = connection.channel()
    channel.exchange_declare("dlx", "direct", durable=True)
    channel.exchange_declare("events", "topic", durable=True)
    channel.queue_declare("dead", durable=True, arguments={"x-queue-type": "quorum", **SAFE})
    channel.queue_bind("dead", "dlx", "dead")
    leads = {"x-dead-letter-exchange": "dlx", "x-dead-letter-routing-key": "dead"}
    for work in works:
        channel.queue_declare(work, durable=True, arguments={"x-queue-type": "classic", **leads})
        channel.queue_bind(work, "events", "order.#")
    connection.close()


def test_a_canary_sees_what_dies_again(reach: Access, dlxctl: Dlxctl) -> None:
    """A consumer that still rejects everything: ten move, ten come back, the rest is not touched."""
    declare_with_exchange(reach, "orders")
    let_die(reach, "orders", [every_type(number) for number in range(40)])
    wait_for(reach, "dead", 40)
    stop = threading.Event()

    def reject_all() -> None:
        link = RawLink(reach, purpose="test")
        link.consume("orders", 10)
        while not stop.is_set():
            for event in link.pump(0.1):
                if isinstance(event, Delivery):
                    link._raw.write(struct.pack(">BHIHHQBB", 1, link._from, 13, 60, 120, event.tag, 0, 0xCE))
        link.close()

    worker = threading.Thread(target=reject_all)
    worker.start()
    try:
        done = dlxctl("replay", "-q", "dead", "--canary", "10", "--canary-wait", "20", "--format", "json")
    finally:
        stop.set()
        worker.join()
    report = json.loads(done.stdout)
    assert (done.returncode, report["outcome"], report["moved"]) == (4, "canary-failed", 10), done.stderr
    assert "canary: 10 of 10 died again" in done.stderr
    wait_for(reach, "dead", 40)


def test_a_chosen_few_move_and_the_rest_stays(reach: Access, dlxctl: Dlxctl) -> None:
    """--task, --where and --limit together; the message without a body that is JSON is not chosen by its body."""
    declare(reach, "classic", "orders")
    tasks = [
        (amqp.Header(body, entries, {"content_type": amqp.short(b"application/json")}).payload(), amqp.body_frame(body))
        for n in range(20)
        for body in [json.dumps([[n], {}, {}]).encode()]
        for entries in [(amqp.entry(b"id", amqp.string(f"id-{n}")), amqp.entry(b"task", amqp.string("shop.charge")))]
    ]
    let_die(reach, "orders", [*tasks, every_type(1)])
    wait_for(reach, "dead", 21)
    done = dlxctl("replay", "-q", "dead", "--task", "shop.*", "--where", "args[0] > `9`", "--format", "json")
    report = json.loads(done.stdout)
    assert (done.returncode, report["moved"], report["not_selected"]) == (0, 10, 11), done.stderr
    wait_for(reach, "orders", 10)


def test_via_exchange_goes_by_the_first_publish(reach: Access, dlxctl: Dlxctl) -> None:
    """The copy goes through the exchange and key of the history, so both bound queues get it."""
    declare_with_exchange(reach, "orders", "audit")
    connection = open_connection(reach, purpose="test")
    channel = connection.channel()
    channel.queue_purge("audit")
    channel.basic_publish("events", "order.created", b"{}")
    connection.close()
    wait_for(reach, "orders", 1)
    link = RawLink(reach, purpose="test")
    link.consume("orders", 1)
    (delivery,) = [event for event in link.pump(10) if isinstance(event, Delivery)]
    link._raw.write(struct.pack(">BHIHHQBB", 1, link._from, 13, 60, 120, delivery.tag, 0, 0xCE))
    link.settle()
    link.close()
    wait_for(reach, "dead", 1)
    done = dlxctl("replay", "-q", "dead", "--via", "exchange", "--format", "json")
    assert json.loads(done.stdout)["moved_to"] == {"events:order.created": 1}, done.stderr
    wait_for(reach, "orders", 1)
    wait_for(reach, "audit", 2)


def test_an_exchange_that_is_gone_is_held_and_the_rest_moves(reach: Access, dlxctl: Dlxctl) -> None:
    """An exchange that is gone closes the channel (404): the run goes on, and what needs it is held."""
    declare_with_exchange(reach, "orders")
    forged = amqp.array(
        amqp.table(
            amqp.entry(b"queue", amqp.string("orders")), amqp.entry(b"reason", amqp.string("rejected")),
            amqp.entry(b"exchange", amqp.string("gone")), amqp.entry(b"routing-keys", amqp.array(amqp.string("k"))),
        )
    )  # fmt: skip
    link = RawLink(reach, purpose="test")
    header = amqp.Header(b"{}", (amqp.entry(b"x-death", forged),)).payload()
    seed(link, "dead", [(header, amqp.body_frame(b"{}"))] * 2)
    link.close()
    let_die(reach, "orders", [every_type(number) for number in range(5)])
    wait_for(reach, "dead", 7)
    done = dlxctl("replay", "-q", "dead", "--via", "exchange", "--to", "orders", "--limit", "1", "--format", "json")
    assert done.returncode == 0, done.stderr
    done = dlxctl("replay", "-q", "dead", "--via", "exchange", "--format", "json")
    report = json.loads(done.stdout)
    assert done.returncode == 4, done.stderr
    assert [held["detail"] for held in report["held_because"] if held["why"] == "no-queue"] == ["exchange gone"]
    assert report["reconnects"] >= 1
