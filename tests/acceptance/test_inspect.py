"""`dlxctl inspect` as a process against a real broker: groups, choices, bodies, long queues, and what it refuses."""

import json
import zlib
from typing import Any

import pytest

from dlxctl.broker.address import Access
from dlxctl.broker.amqp import open_connection
from dlxctl.broker.raw_link import RawLink
from tests import amqp_values as amqp
from tests.acceptance.test_replay import declare
from tests.brokers import RunningBroker
from tests.conftest import Dlxctl
from tests.links import Message, drained, seed

JSON = {"content_type": amqp.short(b"application/json"), "content_encoding": amqp.short(b"utf-8")}


def failed(number: int, message: str, *entries: bytes, task: str = "shop.charge", **properties: bytes) -> Message:
    """A dead letter as `RetryTask` writes it."""
    table = (
        amqp.entry(b"task", amqp.string(task)), amqp.entry(b"id", amqp.string(f"id-{number}")),
        amqp.entry(b"dlxctl-origin", amqp.string("orders")), amqp.entry(b"dlxctl-reason", amqp.string("failed")),
        amqp.entry(b"dlxctl-exception", amqp.string("ValueError")),
        amqp.entry(b"dlxctl-message", amqp.string(message)),
        amqp.entry(b"dlxctl-died-at", amqp.integer(1_700_000_000 + number)), *entries,
    )  # fmt: skip
    body = json.dumps([[number], {}, {"callbacks": None}]).encode()
    header = amqp.Header(body, table, JSON | {"delivery_mode": b"\x02"} | properties)
    return header.payload(), amqp.body_frame(body)


def put(reach: Access, *messages: Message, queue: str = "dead") -> None:
    link = RawLink(reach, purpose="test")
    seed(link, queue, list(messages))
    link.close()


def contents(reach: Access, queue: str = "dead") -> list[Message]:
    link = RawLink(reach, purpose="test")
    found = [(delivery.header, delivery.body) for delivery in drained(link, queue)]
    link.close()
    return found


def objects(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


@pytest.mark.parametrize("kind", ["classic", "quorum"])
def test_a_bug_is_one_group_and_the_group_can_be_listed_and_replayed(reach: Access, dlxctl: Dlxctl, kind: str) -> None:
    """Groups by cause with count and key; `--group` lists exactly its messages, and replays exactly them."""
    declare(reach, kind, "orders")
    put(reach, *[failed(n, f"order {n} not found") for n in range(30)], *[failed(n, "no price") for n in range(30, 40)])
    groups = objects(dlxctl("inspect", "--queue", "dead", "--format", "json").stdout)
    assert [(g["message"], g["count"]) for g in groups] == [("order # not found", 30), ("no price", 10)]
    assert (groups[0]["first"], groups[0]["last"]) == (1_700_000_000, 1_700_000_029)
    text = dlxctl("inspect", "--queue", "dead").stdout
    assert groups[0]["group"] in text
    assert "ValueError: order # not found" in text
    rows = objects(dlxctl("inspect", "-q", "dead", "--group", groups[1]["group"], "--list", "--format", "json").stdout)
    assert [row["id"] for row in rows] == [f"id-{n}" for n in range(30, 40)]
    done = dlxctl("replay", "-q", "dead", "--group", groups[1]["group"], "--yes", "--format", "json")
    assert json.loads(done.stdout)["moved"] == 10, done.stderr


def test_everything_of_a_message_is_shown_with_its_body(reach: Access, dlxctl: Dlxctl) -> None:
    """`--id --show-body`: headers, properties, the decoded body and a traceback in lines, as text and as JSON."""
    declare(reach, "quorum", "orders")
    trace = amqp.entry(b"dlxctl-traceback", amqp.string('Traceback:\n  File "a.py", line 3\nValueError: x'))
    other = amqp.entry(b"x-tenant", amqp.string("acme\x1b[2J"))
    put(reach, failed(1, "x", trace, other), failed(2, "y"))
    done = dlxctl("inspect", "-q", "dead", "--id", "id-1", "--show-body")
    assert '  File "a.py", line 3\nValueError: x' in done.stdout
    assert "x-tenant = acme\\x1b[2J" in done.stdout
    assert "content_type = application/json" in done.stdout
    assert '"callbacks": null' in done.stdout
    assert "\x1b" not in done.stdout
    (row,) = objects(dlxctl("inspect", "-q", "dead", "--id", "id-1", "--show-body", "--format", "json").stdout)
    assert row["body"]["value"] == [[1], {}, {"callbacks": None}]
    assert (row["headers"]["x-tenant"], row["properties"]["delivery_mode"]) == ("acme\x1b[2J", 2)


def test_compressed_bodies_and_other_frameworks_are_shown(reach: Access, dlxctl: Dlxctl) -> None:
    """What kombu calls gzip is decompressed; a message that no Celery sent is shown as it is."""
    declare(reach, "classic", "orders")
    packed = zlib.compress(b'{"price": 1}')
    gzip = amqp.Header(packed, (amqp.entry(b"compression", amqp.string("application/x-gzip")),), JSON)
    fault = amqp.entry(b"MT-Fault-Message", amqp.string("late"))
    other = amqp.Header(b"<order/>", (fault,), {"content_type": amqp.short(b"application/xml"),
                                                "message_id": amqp.short(b"m-1")})  # fmt: skip
    put(reach, (gzip.payload(), amqp.body_frame(packed)), (other.payload(), amqp.body_frame(b"<order/>")))
    rows = objects(dlxctl("inspect", "-q", "dead", "--show-body", "--format", "json").stdout)
    assert [row["body"]["value"] for row in rows] == [{"price": 1}, "<order/>"]
    assert (rows[1]["id"], rows[1]["task"], rows[1]["headers"]["MT-Fault-Message"]) == ("m-1", "", "late")


def test_more_than_a_thousand_are_looked_at_by_copies_and_all_stay(reach: Access, dlxctl: Dlxctl) -> None:
    """By default the first thousand are looked at; `--all` sees every message once, and says what that costs."""
    declare(reach, "quorum", "orders")
    sent = [failed(n, f"number {n}") for n in range(2_500)]
    put(reach, *sent)
    done = dlxctl("inspect", "-q", "dead", "--format", "json")
    assert sum(group["count"] for group in objects(done.stdout)) == 1_000
    assert "--all" in done.stderr
    done = dlxctl("inspect", "-q", "dead", "--all", "--list", "--format", "json")
    ids = [row["id"] for row in objects(done.stdout)]
    assert sorted(ids) == sorted(f"id-{n}" for n in range(2_500)), done.stderr
    assert "go to the tail" in done.stderr
    done = dlxctl("inspect", "-q", "dead", "--all")
    assert "so far, of the first 1,000" in done.stderr
    assert "2,500" in done.stdout
    done = dlxctl("inspect", "-q", "dead", "--all", "--id", "id-2400")
    assert "number 2400" in done.stdout, done.stderr
    assert sorted(body for _, body in contents(reach)) == sorted(body for _, body in sent)


def test_a_bounded_queue_is_not_looked_at_by_copies(reach: Access, dlxctl: Dlxctl) -> None:
    """Copies could push messages out: exit 5, with the way that goes."""
    connection = open_connection(reach, purpose="test")
    connection.channel().queue_declare("dead", durable=True, arguments={"x-max-length": 5_000})
    connection.close()
    put(reach, *[failed(n, "x") for n in range(1_100)])
    done = dlxctl("inspect", "-q", "dead", "--all")
    assert (done.returncode, "--limit 1000" in done.stderr) == (5, True), done.stderr
    assert dlxctl("inspect", "-q", "dead").returncode == 0
    assert len(contents(reach)) == 1_100


def test_a_policy_makes_a_queue_safe_to_look_at(reach: Access, dlxctl: Dlxctl, broker: RunningBroker) -> None:
    """`--make-safe` raises the limit above what the present policy says, and keeps the rest of it."""
    connection = open_connection(reach, purpose="test")
    connection.channel().queue_declare("dead", durable=True, arguments={"x-queue-type": "quorum"})
    connection.close()
    definition = {"delivery-limit": 3, "max-length-bytes": 1_000_000}
    broker.api("PUT", f"policies/{reach.vhost}/small",
               {"pattern": "dead", "definition": definition, "priority": 7, "apply-to": "queues"})  # fmt: skip
    put(reach, *[failed(n, "x") for n in range(5)])
    refused = dlxctl("inspect", "-q", "dead")
    assert (refused.returncode, "--make-safe" in refused.stderr) == (5, True), refused.stderr
    done = dlxctl("inspect", "-q", "dead", "--make-safe")
    assert done.returncode == 0, done.stderr
    policy = broker.api("GET", f"policies/{reach.vhost}/dlxctl.safe.dead")
    assert policy["definition"] == definition | {"delivery-limit": 1_000_000}
    for _ in range(5):
        assert dlxctl("inspect", "-q", "dead", "--make-safe").returncode == 0
    assert len(contents(reach)) == 5


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--group", "xyz"), 2, "is no group"),
        (("--where", "nonsense =="), 2, "--where"),
        (("--id", "nobody"), 1, "--list"),
        (("--limit", "0"), 2, "--limit"),
    ],
)
def test_wrong_choices_are_named(
    reach: Access, dlxctl: Dlxctl, arguments: tuple[str, ...], code: int, says: str
) -> None:
    """Each mistake has its exit code and one clear line."""
    declare(reach, "classic", "orders")
    put(reach, failed(1, "x"))
    done = dlxctl("inspect", "-q", "dead", *arguments)
    assert (done.returncode, says in done.stderr, "Traceback" in done.stderr) == (code, True, False), done.stderr


NAMES = ("-a b/c%2Fd#*", "ä🐇", "a.*(b|c)[d]$", "x" * 255)


def test_any_queue_name_is_looked_into_made_safe_and_exported(
    broker: RunningBroker, reach: Access, dlxctl: Dlxctl
) -> None:
    """Names with slashes, wildcards, regular expressions, emoji and 255 octets are right on the wire, in URLs and in
    policies, which match this queue and no other."""
    connection = open_connection(reach, purpose="test")
    for name in (*NAMES, "bystander"):
        connection.channel().queue_declare(
            name, durable=True, arguments={"x-queue-type": "quorum", "x-delivery-limit": 50_000}
        )
    connection.close()
    small = {"pattern": ".*", "definition": {"delivery-limit": 5}, "apply-to": "queues"}
    broker.api("PUT", f"policies/{reach.vhost}/all", small)
    for number, name in enumerate(NAMES):
        put(reach, failed(1, "x"), queue=name)
        done = dlxctl("export", f"--queue={name}", "-o", f"{number}.jsonl")
        assert done.returncode == 5, done.stderr
        done = dlxctl("inspect", f"--queue={name}", "--make-safe", "--list")
        assert (done.returncode, "id-1" in done.stdout) == (0, True), (name, done.stderr)
        assert dlxctl("export", f"--queue={name}", "-o", f"{number}.jsonl").returncode == 0
    assert dlxctl("inspect", "--queue", "bystander").returncode == 5
