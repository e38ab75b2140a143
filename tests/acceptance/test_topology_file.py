"""dlxctl check, init and schema as a process; and hostile names, policies and marks on real brokers."""

import json
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jsonschema
import pika
import pytest
import yaml

from dlxctl.model.topology import Topology
from dlxctl.spec import load
from dlxctl.spec.expand import OWNER_HEADER, expand
from tests.brokers import RunningBroker

BAD = """\
version: 1
topology: shop
retry:
  fast: {delays: [5s, 1s], attempts: 2}
queues:
  orders: {retry: fsat, dead_letter: dead, priority: 3}
  orders: {}
"""


def run(tmp_path: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The installed command, far from any broker."""
    command = [str(Path(sys.executable).parent / "dlxctl"), *arguments]
    variables = {**os.environ, "NO_COLOR": "1", **environment}
    return subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, timeout=60)


def test_init_writes_a_file_that_check_finds_sound(tmp_path: Path) -> None:
    """A newcomer's first two commands succeed, with nothing on stdout."""
    for command in (["init"], ["check", "--strict"]):
        done = run(tmp_path, *command)
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "topology.yaml is sound" in done.stderr


def test_init_never_overwrites_without_force(tmp_path: Path) -> None:
    """A file that exists is kept, exit 2; --force replaces it."""
    file = tmp_path / "mine.yaml"
    file.write_text("precious")
    refused = run(tmp_path, "init", "mine.yaml")
    assert (refused.returncode, file.read_text()) == (2, "precious")
    assert "mine.yaml exists already" in refused.stderr
    assert "--force" in refused.stderr
    assert run(tmp_path, "init", "mine.yaml", "--force").returncode == 0
    assert file.read_text().startswith("#")


def test_check_reports_every_problem_at_once(tmp_path: Path) -> None:
    """One line a problem on stdout, in the order of the file; the count on stderr; exit 2."""
    (tmp_path / "topology.yaml").write_text(BAD)
    done = run(tmp_path, "check")
    assert done.returncode == 2
    assert [line.split(": ")[1].split(" ")[0] for line in done.stdout.splitlines()] == [
        "DLX340", "DLX208", "DLX312", "DLX201", "DLX203", "DLX310", "DLX103",
    ]  # fmt: skip
    assert 'topology.yaml:6:12: DLX201 queue "orders" retries through ladder "fsat"' in done.stdout
    assert "topology.yaml:4:3: DLX340 warning: " in done.stdout
    assert done.stderr == "topology.yaml: 5 errors, 2 warnings\n"


def test_check_speaks_json(tmp_path: Path) -> None:
    """A list of objects with file, line, column, code, severity, cause and remedy; an empty list for a sound file."""
    (tmp_path / "topology.yaml").write_text(BAD)
    rows = json.loads(run(tmp_path, "check", "--format", "json").stdout)
    assert set(rows[0]) == {"file", "line", "column", "code", "severity", "cause", "remedy"}
    assert [row["severity"] for row in rows].count("warning") == 2
    run(tmp_path, "init", "--force")
    assert json.loads(run(tmp_path, "check", "--format", "json").stdout) == []


def test_warnings_fail_only_when_they_are_asked_to(tmp_path: Path) -> None:
    """Exit 0 with a warning, 2 under --strict."""
    (tmp_path / "topology.yaml").write_text("version: 1\ntopology: t\nqueues: {a: {dead_letter: null}}\n")
    assert run(tmp_path, "check").returncode == 0
    assert run(tmp_path, "check", "--strict").returncode == 2


def test_schema_prints_what_is_committed(tmp_path: Path) -> None:
    """The schema of the repository is the program's, and the file that init writes fits it."""
    printed = json.loads(run(tmp_path, "schema").stdout)
    assert printed == json.loads((Path(__file__).parent.parent.parent / "topology.schema.json").read_text())
    run(tmp_path, "init")
    jsonschema.Draft7Validator(printed).validate(yaml.safe_load((tmp_path / "topology.yaml").read_text()))


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "there is no file topology.yaml"),
        (Path.mkdir, "is not a regular file"),
        (make_fifo, "is not a regular file"),
        (lambda path: path.symlink_to("/dev/zero"), "is not a regular file"),
        (lambda path: path.write_bytes(b"version: 1\ntopology: \xff"), "line 2 has the byte 0xff"),
        (lambda path: path.write_bytes(b"#" * (50 << 20)), "has more than 1048576 bytes"),
        (lambda path: path.write_text(""), "DLX102 the file is empty."),
        (lambda path: path.write_text("- a"), "DLX102 the file holds a list"),
        (lambda path: path.write_text("a: 1\n\tb: 2"), "topology.yaml:2:1: DLX101"),
    ],
    ids=["missing", "directory", "fifo", "device", "latin-1", "50-mib", "empty", "list", "tab"],
)
def test_a_file_that_cannot_be_used_is_one_clear_line(tmp_path: Path, make: Any, words: str) -> None:
    """Exit 2, no traceback, quickly even when the file is a FIFO or a device."""
    make(tmp_path / "topology.yaml")
    began = time.monotonic()
    done = run(tmp_path, "check")
    assert time.monotonic() - began < 5.0
    assert done.returncode == 2
    assert words in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_variables_come_from_the_environment(tmp_path: Path) -> None:
    """A variable that is not set is an error with its place; set, the file is sound."""
    (tmp_path / "topology.yaml").write_text("version: 1\ntopology: ${APP}\nqueues: {a: {dead_letter: null}}\n")
    assert "topology.yaml:2:1: DLX105" in run(tmp_path, "check").stdout
    assert run(tmp_path, "check", APP="shop").returncode == 0


HOSTILE = [
    "a b", "a/b", "%2F", "#", "*", "💥", "^a|b$", "(x", "[0-9]+", "a{2}", "\\d", "a.b", "'", '"', "$", "-", "é",
    "\u202e",
    "(" * 255, "x" * 255, "é" * 127, "a b ", "a?b", "a&b=c", "+", "_",
]  # fmt: skip
NEAR = ["a", "b", "axb", "aa", "4", "x", "d", "a b  ", "xx", "5", "%2f", "/"]


def hostile_topology(vhost: str, settings: str) -> Topology:
    """Work queues with all the hostile names, half of them classic, each pair of types with one set of settings."""
    queues = {name: {"max_length": 77, "type": ("quorum", "classic")[i % 2]} for i, name in enumerate(HOSTILE)}
    tree = {
        "version": 1,
        "topology": "hostile",
        "vhost": vhost,
        "settings": settings,
        "retry": {"r": {"delays": ["1s"], "attempts": 1}},
        "dead_letter": {"dead 💥": {"retention": "1d", "parking": "parked (/)"}},
        "exchanges": {"ex %2F#*💥": {"type": "topic"}},
        "defaults": {"dead_letter": "dead 💥", "retry": "r"},
        "naming": {"dlx": "dlx #/(", "retry": "{delay} ^wait$ |"},
        "queues": queues,
    }
    return expand(load(yaml.safe_dump(tree)))


def put_all(broker: RunningBroker, url: str, topology: Topology) -> None:
    """Put a topology on a broker with pika and the API alone, the way any client would."""
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    for exchange in topology.exchanges.values():
        channel.exchange_declare(
            exchange.name, exchange.type, durable=True, internal=exchange.internal, arguments=dict(exchange.arguments)
        )
    for queue in topology.queues.values():
        channel.queue_declare(queue.name, durable=True, arguments=dict(queue.arguments))
    for b in topology.bindings.values():
        bind = channel.exchange_bind if b.to_exchange else channel.queue_bind
        bind(b.destination, b.source, b.routing_key, dict(b.arguments))
    for policy in topology.policies.values():
        body = {"pattern": policy.pattern, "apply-to": policy.apply_to, "priority": policy.priority}
        path = f"policies/{quote(topology.vhost, safe='')}/{quote(policy.name, safe='')}"
        broker.api("PUT", path, {**body, "definition": policy.definition})
    connection.close()


def eventually(read: Any, wanted: Any, seconds: float = 40) -> Any:
    """What `read` gives once it equals `wanted`, or last when the time is over."""
    deadline = time.monotonic() + seconds
    while (value := read()) != wanted and time.monotonic() < deadline:
        time.sleep(0.3)
    return value


def test_policies_hit_exactly_their_queues_whatever_the_names(broker: RunningBroker, url: str, vhost: str) -> None:
    """On a real broker every hostile name has its policy, and a name that is only near has none."""
    topology = hostile_topology(vhost, "policy")
    put_all(broker, url, topology)
    connection = pika.BlockingConnection(pika.URLParameters(url))
    for name in NEAR:
        connection.channel().queue_declare(name, durable=True, arguments={"x-queue-type": "classic"})
    connection.close()
    wanted: dict[str, bool] = dict.fromkeys(HOSTILE, True) | dict.fromkeys(NEAR, False) | {"parked (/)": False}

    def hits() -> dict[str, bool]:
        rows = {row["name"]: row for row in broker.api("GET", f"queues/{vhost}")}
        return {name: (rows[name].get("effective_policy_definition") or {}).get("max-length") == 77 for name in wanted}

    assert eventually(hits, wanted) == wanted


def test_arguments_are_taken_whatever_the_names(broker: RunningBroker, url: str, vhost: str) -> None:
    """With `settings: arguments` a real broker declares every queue and gives back its name and arguments."""
    topology = hostile_topology(vhost, "arguments")
    put_all(broker, url, topology)
    read = {row["name"]: row["arguments"] for row in broker.api("GET", f"queues/{vhost}")}
    assert read == {queue.name: queue.arguments for queue in topology.queues.values()}


def test_no_message_passes_an_ownership_mark(broker: RunningBroker, url: str, vhost: str) -> None:
    """Nobody can publish to the owner exchange, and even a message led into it reaches no owned queue."""
    topology = expand(load(f"version: 1\ntopology: t\nvhost: {vhost}\nqueues: {{a: {{dead_letter: null}}}}"))
    put_all(broker, url, topology)
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    channel.exchange_declare("in", "fanout")
    channel.exchange_bind("dlxctl.t", "in")
    channel.confirm_delivery()
    for headers in (None, {}, {"x": 1}, {OWNER_HEADER: "other"}, {OWNER_HEADER: None}, {OWNER_HEADER: True}):
        channel.basic_publish("in", "a", b"stray", pika.BasicProperties(headers=headers))
    assert channel.queue_declare("a", passive=True).method.message_count == 0
    with pytest.raises((pika.exceptions.ChannelClosedByBroker, pika.exceptions.NackError)):
        channel.basic_publish("dlxctl.t", "a", b"direct")
    connection.close()


def test_a_dead_letter_moves_to_its_parking_queue_after_the_retention(
    broker: RunningBroker, url: str, vhost: str
) -> None:
    """A rejected message waits in the DLQ, then moves on once, at least once, and the DLQ is empty."""
    text = f"""
version: 1
topology: t
vhost: {vhost}
dead_letter: {{dead: {{retention: 1s, parking: parked}}}}
queues: {{a: {{dead_letter: dead}}, b: {{dead_letter: dead, type: classic}}}}
"""
    put_all(broker, url, expand(load(text)))
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()

    def depth(name: str) -> int:
        return int(channel.queue_declare(name, passive=True).method.message_count)

    def definitions() -> dict[str, bool]:
        rows = broker.api("GET", f"queues/{vhost}")
        return {row["name"]: bool(row.get("effective_policy_definition")) for row in rows}

    with_policy = {"a": True, "b": True, "dead": True, "parked": False}
    assert eventually(definitions, with_policy) == with_policy
    marker = uuid.uuid4().hex.encode()
    for name in ("a", "b"):
        channel.basic_publish("", name, marker)
        assert eventually(lambda name=name: depth(name), 1) == 1
        method, _, _ = channel.basic_get(name)
        channel.basic_nack(method.delivery_tag, requeue=False)
    assert eventually(lambda: depth("parked"), 2) == 2
    assert (depth("dead"), depth("a"), depth("b")) == (0, 0, 0)
    connection.close()


def test_the_example_is_taken_by_every_broker(broker: RunningBroker, url: str, vhost: str) -> None:
    """Each object of topology.yaml, expanded for the broker's version, is declared and read back."""
    text = (Path(__file__).parent.parent.parent / "topology.yaml").read_text(encoding="utf-8")
    topology = expand(load(text, environment={"DLXCTL_VHOST": vhost}), version=broker.release)
    put_all(broker, url, topology)
    assert {row["name"] for row in broker.api("GET", f"queues/{vhost}")} == {q.name for q in topology.queues.values()}
    assert {row["name"] for row in broker.api("GET", f"policies/{vhost}")} == {
        p.name for p in topology.policies.values()
    }
