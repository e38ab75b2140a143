"""`dlxctl import` on real brokers: what is imported and applied to an empty vhost is equal; --adopt touches nothing."""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from dlxctl import spec
from dlxctl.broker.address import access
from dlxctl.broker.management import Management
from dlxctl.ops.apply import apply
from dlxctl.ops.importing import import_topology, on_broker
from tests.acceptance.test_readme import blocks
from tests.brokers import RunningBroker
from tests.conftest import ROOT, Dlxctl

Json = dict[str, Any]
CORPUS = ROOT / "tests" / "corpus" / "definitions"
EXAMPLES = 150 if os.environ.get("DLXCTL_FAULTS") == "full" else 25
SECRETS = ("password", "s3cr3t", "sha256", "guest")

NAMES = st.sampled_from(
    ["orders", "orders.dlq", "a b", "a/b%2F", "#", "é😀", "${HOME}", "no", "010", "x" * 200, '"q".^$(|)[]{}', "a: b"]
)
SHORT = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=12)
KEYED = SHORT.map(lambda text: text.replace("~", "-"))
"""Routing keys. With a tilde in one, and arguments, RabbitMQ's API answers 500 for all bindings of a vhost."""
VALUES = st.recursive(
    st.booleans() | st.integers(-(2**31), 2**31 - 1) | st.sampled_from([1.5, -0.25, 1e20]) | SHORT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(SHORT.filter(bool), inner, max_size=2),
    max_leaves=4,
)
CUSTOM = st.dictionaries(st.sampled_from(["x-custom", "note", "owner team"]), VALUES, max_size=2)
COMMON: Json = {
    "x-message-ttl": st.integers(0, 10**9), "x-max-length": st.integers(1, 10**6),
    "x-dead-letter-exchange": st.sampled_from(["", "orders", "amq.fanout", "nowhere"]),
    "x-expires": st.integers(10**7, 10**9),
}  # fmt: skip
CLASSIC: Json = {
    "x-max-priority": st.integers(1, 9),
    "x-queue-mode": st.just("lazy"),
    "x-overflow": st.just("drop-head"),
}
QUORUM: Json = {"x-delivery-limit": st.integers(0, 9), "x-single-active-consumer": st.booleans()}
POLICIES: Json = {
    "queues": {"max-length": st.integers(1, 9), "dead-letter-exchange": SHORT},
    "all": {"message-ttl": st.integers(0, 9)},
    "exchanges": {"alternate-exchange": SHORT.filter(bool)},
}  # fmt: skip


@st.composite
def queues(draw: st.DrawFn, name: str) -> Json:
    """A queue that RabbitMQ takes on every version."""
    kind = draw(st.sampled_from(["classic", "classic", "quorum", "stream"]))
    known = {"classic": {**COMMON, **CLASSIC}, "quorum": {**COMMON, **QUORUM}, "stream": {}}[kind]
    arguments = draw(st.fixed_dictionaries({}, optional=known)) | draw(CUSTOM)
    durable = draw(st.booleans()) if kind == "classic" else True
    passing = kind == "classic" and draw(st.booleans())
    return {"name": name, "durable": durable, "auto_delete": passing, "arguments": {"x-queue-type": kind, **arguments}}


@st.composite
def vhosts(draw: st.DrawFn) -> Json:
    """Definitions of one vhost that dlxctl has not made."""
    exchanges = [
        {
            "name": name, "type": draw(st.sampled_from(["direct", "fanout", "topic", "headers"])),
            "durable": draw(st.booleans()), "auto_delete": draw(st.booleans()), "internal": draw(st.booleans()),
            "arguments": draw(CUSTOM | st.just({"alternate-exchange": "amq.fanout"})),
        }
        for name in draw(st.lists(NAMES, max_size=3, unique=True))
    ]  # fmt: skip
    made = [draw(queues(name)) for name in draw(st.lists(NAMES, max_size=4, unique=True))]
    sources = [e["name"] for e in exchanges] + ["amq.topic", "amq.headers", "amq.direct"]
    ends = [("queue", q["name"]) for q in made] + [("exchange", name) for name in sources]
    bindings = [
        {
            "source": draw(st.sampled_from(sources)), "destination_type": end[0], "destination": end[1],
            "routing_key": draw(KEYED), "arguments": draw(CUSTOM | st.just({"x-match": "any", "a": 1, "b": "x"})),
        }
        for end in draw(st.lists(st.sampled_from(ends), max_size=5))
    ]  # fmt: skip
    policies = []
    for name in draw(st.lists(NAMES, max_size=2, unique=True)):
        scope = draw(st.sampled_from(sorted(POLICIES)))
        definition = draw(st.fixed_dictionaries({}, optional=POLICIES[scope]).filter(bool))
        pattern, priority = draw(st.sampled_from(["", ".*", "^orders", r"\.dlq$"])), draw(st.integers(-3, 9))
        policies.append(
            {"name": name, "pattern": pattern, "apply-to": scope, "priority": priority, "definition": definition}
        )
    return {"exchanges": exchanges, "queues": made, "bindings": bindings, "policies": policies}


@pytest.fixture
def fresh(broker: RunningBroker) -> Iterator[Callable[[], str]]:
    """Makes empty vhosts, which are gone after the test."""
    made: list[str] = []

    def vhost() -> str:
        name = f"t-import-{uuid.uuid4().hex[:10]}"
        broker.api("PUT", f"vhosts/{name}", {})
        made.append(name)
        broker.api("PUT", f"permissions/{name}/{broker.user}", {"configure": ".*", "write": ".*", "read": ".*"})
        return name

    yield vhost
    there = {row["name"] for row in broker.api("GET", "vhosts")}
    for name in there.intersection(made):
        broker.api("DELETE", f"vhosts/{name}")


KEYS = {
    "exchanges": ("name", "type", "durable", "auto_delete", "internal", "arguments"),
    "queues": ("name", "durable", "auto_delete", "arguments"),
    "bindings": ("source", "destination", "destination_type", "routing_key", "arguments"),
    "policies": ("name", "pattern", "apply-to", "priority", "definition"),
}


def standing(broker: RunningBroker, vhost: str, owner: str = "dlxctl.test") -> dict[str, list[str]]:
    """What is in a vhost, in an order of its own: without marks, with the type that RabbitMQ 3.10 does not write."""
    found: dict[str, list[str]] = {}
    for kind, keys in KEYS.items():
        rows = [
            row for row in broker.api("GET", f"{kind}/{vhost}") if owner not in (row.get("name"), row.get("source"))
        ]
        for row in rows:
            row["arguments"] = dict(row.get("arguments") or {})
            if kind == "queues":
                row["arguments"].setdefault("x-queue-type", "classic")
        found[kind] = sorted(json.dumps({key: row[key] for key in keys}, sort_keys=True) for row in rows)
    return found


def fill(broker: RunningBroker, vhost: str, definitions: Json) -> None:
    """Make what `definitions` says, one by one; what is missing is what the import of RabbitMQ 4.3 takes."""
    for kind in ("exchanges", "queues", "policies"):
        for row in definitions.get(kind, ()):
            missing = {"durable": True} if kind != "policies" else {}
            body = missing | {key: value for key, value in row.items() if key not in ("name", "vhost")}
            broker.api("PUT", f"{kind}/{vhost}/{quote(row['name'], safe='')}", body)
    for row in definitions.get("bindings", ()):
        ends = (row["source"], row.get("destination_type", "queue")[0], row["destination"])
        path = "/".join(quote(end, safe="") for end in ends)
        body = {"routing_key": row.get("routing_key", ""), "arguments": row.get("arguments", {})}
        broker.api("POST", f"bindings/{vhost}/e/{path}", body)


def management(broker: RunningBroker, vhost: str) -> Management:
    return Management(access(f"{broker.amqp_url}/{vhost}", broker.management_url))


def transferred(broker: RunningBroker, text: str, vhost: str) -> None:
    """Apply the file `text` to `vhost`, whatever vhost it names."""
    body = "\n".join(line for line in text.splitlines() if not line.startswith("vhost: "))
    report = apply(management(broker, vhost), spec.load(f"{body}\nvhost: {vhost}\n"))
    assert report.error is None
    assert report.remaining is not None
    assert report.remaining.clean


def test_foreign_definitions_come_back_equal(broker: RunningBroker, fresh: Callable[[], str]) -> None:
    """Whatever stands in a vhost, the imported file makes it again in an empty one, and reports nothing lost."""

    @given(vhosts())
    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )  # fmt: skip
    def holds(definitions: Json) -> None:
        old, new = fresh(), fresh()
        fill(broker, old, definitions)
        before = standing(broker, old)
        assert len(before["queues"]) == len(definitions["queues"])
        got = import_topology(on_broker(management(broker, old), old), "test")
        assert got.notes == ()
        transferred(broker, got.text, new)
        assert standing(broker, new) == before
        assert standing(broker, old) == before
        for vhost in (old, new):  # a broker with hundreds of vhosts answers 500
            broker.api("DELETE", f"vhosts/{vhost}")

    holds()


@pytest.mark.parametrize("file", sorted(CORPUS.glob("*.json")), ids=lambda path: path.stem)
def test_definitions_as_people_publish_them(
    broker: RunningBroker, dlxctl: Dlxctl, fresh: Callable[[], str], file: Path
) -> None:
    """Each is imported and applied, and makes on this broker what RabbitMQ's own import makes; no secret gets out."""
    definitions = json.loads(file.read_text())
    vhost = "shop" if file.stem == "v36_two_vhosts" else None
    done = dlxctl("import", file, "--topology", "test", *(("--vhost", vhost) if vhost else ()))
    assert done.returncode == (4 if file.stem == "broken_ends" else 0)
    assert not [secret for secret in SECRETS if secret in done.stdout + done.stderr]
    new, theirs = fresh(), fresh()
    transferred(broker, done.stdout, new)
    rows = {kind: [r for r in definitions.get(kind, ()) if not vhost or r["vhost"] == vhost] for kind in KEYS}
    fill(broker, theirs, {kind: [row for row in found if _held(row)] for kind, found in rows.items()})
    assert standing(broker, new) == standing(broker, theirs)


def _held(row: Json) -> bool:
    """Whether import does not say that it leaves the row out."""
    out = ("celery_delayed", "celeryev", "pidbox", "amq.gen", "mqtt-", "null", '"deleted"', '"definition": {}')
    return not any(word in json.dumps(row) for word in out)


def test_what_dlxctl_applied_is_imported_as_the_same_topology(
    broker: RunningBroker, dlxctl: Dlxctl, vhost: str, tmp_path: Path
) -> None:
    """From the broker and from its definitions alike; applying the import has nothing to do."""
    assert dlxctl("init").returncode == 0
    assert dlxctl("apply", "--yes").returncode == 0
    live = dlxctl("import", "-o", "again.yaml", "--format", "json")
    assert live.returncode == 0, live.stderr
    report = json.loads(live.stderr)
    assert report["own"]["tiers"]
    assert report["notes"] == []
    assert dlxctl("plan", "again.yaml", "--exit-code").returncode == 0
    assert "verbatim" not in (tmp_path / "again.yaml").read_text()
    (tmp_path / "definitions.json").write_text(json.dumps(broker.api("GET", f"definitions/{vhost}")))
    exported_too = dlxctl("import", "definitions.json", "--vhost", vhost)
    assert exported_too.returncode == 0, exported_too.stderr
    sides = [{**yaml_of(text), "x": 0} for text in ((tmp_path / "again.yaml").read_text(), exported_too.stdout)]
    assert sides[0] == sides[1]


def yaml_of(text: str) -> Json:
    """The file without the order of its mappings."""
    from dlxctl.spec.dump import tree_of

    return tree_of(spec.load(text))


def test_adopting_leaves_queues_as_they_are(broker: RunningBroker, dlxctl: Dlxctl, vhost: str) -> None:
    """Arguments, bindings and messages stay; plan is empty; a second time there is nothing to mark."""
    definitions = json.loads((CORPUS / "v310_one_vhost.json").read_text())
    fill(broker, vhost, definitions)
    body = {"properties": {}, "routing_key": "jobs.low", "payload": "1", "payload_encoding": "string"}
    assert broker.api("POST", f"exchanges/{vhost}/amq.default/publish", body)["routed"]
    before = standing(broker, vhost, f"dlxctl.{vhost}")
    done = dlxctl("import", "-o", "topology.yaml", "--adopt")
    assert done.returncode == 0, done.stderr
    assert "adopted: 6 exchanges and queues" in done.stderr
    assert standing(broker, vhost, f"dlxctl.{vhost}") == before
    plan = dlxctl("plan", "--exit-code")
    assert plan.returncode == 0, plan.stdout
    got = broker.api(
        "POST", f"queues/{vhost}/jobs.low/get", {"count": 1, "ackmode": "ack_requeue_true", "encoding": "auto"}
    )
    assert [message["payload"] for message in got] == ["1"]
    assert "adopted: 0 " in dlxctl("import", "-o", "topology.yaml", "--force", "--adopt").stderr


def test_the_commands_of_the_page_run(dlxctl: Dlxctl) -> None:
    """Those of the first block of docs/import.md, in their order."""
    (block,) = blocks((ROOT / "docs" / "import.md").read_text(), "sh")
    for line in block.splitlines():
        done = dlxctl(*line.split("#")[0].split()[1:])
        assert done.returncode == 0, f"{line}\n{done.stderr}"


def dlxctl_here(*arguments: object, text: bytes = b"", cwd: Path) -> subprocess.CompletedProcess[bytes]:
    """The command without a broker."""
    command = [str(Path(sys.executable).parent / "dlxctl"), *map(str, arguments)]
    return subprocess.run(command, input=text, cwd=cwd, capture_output=True, timeout=120)


def test_definitions_come_from_a_pipe_too(tmp_path: Path) -> None:
    """`-` reads stdin; the file goes to stdout alone, so that it can be piped on."""
    text = (CORPUS / "handwritten.json").read_bytes()
    done = dlxctl_here("import", "-", text=text, cwd=tmp_path)
    assert done.returncode == 0
    assert set(spec.load(done.stdout.decode()).work_queues) == {"orders.queue"}
    assert b"plain-text-password" not in done.stdout + done.stderr


def test_a_file_that_exists_is_not_overwritten(tmp_path: Path) -> None:
    """Without --force; and the definitions have to be a file."""
    source = CORPUS / "handwritten.json"
    assert dlxctl_here("import", source, "-o", "topology.yaml", cwd=tmp_path).returncode == 0
    assert dlxctl_here("import", source, "-o", "topology.yaml", cwd=tmp_path).returncode == 2
    assert dlxctl_here("import", source, "-o", "topology.yaml", "--force", cwd=tmp_path).returncode == 0
    assert dlxctl_here("import", tmp_path, cwd=tmp_path).returncode == 2
    assert dlxctl_here("import", "missing.json", cwd=tmp_path).returncode == 2
    assert dlxctl_here("import", source, "--adopt", cwd=tmp_path).returncode == 2


def test_what_is_no_json_is_refused_with_its_place(tmp_path: Path) -> None:
    """Exit 2, file:line:column."""
    (tmp_path / "broken.json").write_text('{"queues": [\n  {"name": "a",}\n]}')
    done = dlxctl_here("import", "broken.json", cwd=tmp_path)
    assert done.returncode == 2
    assert b"broken.json:2:16: this is not JSON" in done.stderr


def test_fifty_megabytes_are_read_and_a_gigabyte_is_refused(tmp_path: Path) -> None:
    """Of a big cluster's definitions one vhost is taken; the gigabyte is a sparse file, refused before it is parsed."""
    row = '{"name":"%d","vhost":"big","durable":true,"auto_delete":false,"arguments":{"x-note":"%s"}}'
    many = ",".join(row % (index, "x" * 400) for index in range(110_000))
    small = '{"name":"work","vhost":"small","durable":true,"auto_delete":false,"arguments":{}}'
    text = f'{{"vhosts":[{{"name":"big"}},{{"name":"small"}}],"queues":[{many},{small}]}}'
    assert len(text) > 50_000_000
    (tmp_path / "big.json").write_text(text)
    done = dlxctl_here("import", "big.json", "--vhost", "small", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert set(spec.load(done.stdout.decode()).work_queues) == {"work"}
    with (tmp_path / "huge.json").open("wb") as file:
        file.truncate(1 << 30)
    done = dlxctl_here("import", "huge.json", cwd=tmp_path)
    assert done.returncode == 2
    assert b"has more than 268435456 bytes" in done.stderr


def test_the_page_has_the_table_of_codes() -> None:
    """docs/import.md explains each code in the program's words."""
    from dlxctl.plan.import_rules import RULES

    page = (ROOT / "docs" / "import.md").read_text()
    for rule in RULES:
        assert f"| {rule.title} | {rule.explanation} |" in page
        assert f"| {rule.code} |" in page
