"""A plan that is kept, values for its variables, and the audit, as processes against real RabbitMQ."""

import json
import stat
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dlxctl.errors import ExitCode
from tests.acceptance.test_apply import CANARY, TOPOLOGY, ours, put_policy, put_queue, write
from tests.brokers import RunningBroker
from tests.conftest import Dlxctl

RENAMED = {
    "shop.events": "mail.events",
    "dead_letter.parked": "mail.parked",
    "  dead_letter:": "  mail.dead:",
    "dead_letter: dead_letter": "dead_letter: mail.dead",
    "orders": "letters",
    "thumbnails": "previews",
    "a b/c": "x y/z",
}
"""What makes of the shop's file a second topology that shares no object with it."""


def audit(folder: Path) -> list[dict[str, Any]]:
    """The lines of the audit."""
    return [json.loads(line) for line in (folder / "state" / "applies.jsonl").read_text().splitlines()]


def test_a_kept_plan_is_applied_elsewhere(dlxctl: Dlxctl, tmp_path: Path) -> None:
    """It needs neither the file nor the variables that it was made with."""
    path = write(tmp_path)
    kept = dlxctl("plan", "--out", "plan.json")
    assert (kept.returncode, "plan.json" in kept.stderr) == (0, True)
    path.unlink()
    applied = dlxctl("apply", "plan.json", DLXCTL_VHOST="elsewhere")
    assert applied.returncode == 0, applied.stderr
    assert "Applied: " in applied.stdout
    write(tmp_path)
    assert dlxctl("plan", "--exit-code").returncode == 0


def test_a_kept_plan_is_refused_when_broker_or_file_moved(
    dlxctl: Dlxctl, broker: RunningBroker, vhost: str, tmp_path: Path
) -> None:
    """Exit 5, and nothing is changed; so also a second time, when it is done already."""
    path = write(tmp_path)
    dlxctl("plan", "--out", "plan.json")
    put_policy(
        broker, vhost,
        {"name": "p", "pattern": "x", "apply-to": "queues", "priority": 1, "definition": {"max-length": 9}},
    )  # fmt: skip
    moved = dlxctl("apply", "plan.json")
    assert (moved.returncode, "no longer as the plan showed it" in moved.stderr) == (5, True)
    dlxctl("plan", "--out", "plan.json")
    path.write_text(path.read_text() + "\n# changed\n")
    changed = dlxctl("apply", "plan.json")
    assert (changed.returncode, "topology.yaml has changed since" in changed.stderr) == (5, True)
    assert not broker.api("GET", f"queues/{vhost}")
    write(tmp_path)
    assert dlxctl("apply", "plan.json").returncode == 0
    assert dlxctl("apply", "plan.json").returncode == 5


@pytest.mark.parametrize(
    ("change", "code"),
    [({"dlxctl_plan": 99}, 5), ({"dlxctl": "0.0.1"}, 5), ({"text": 7}, 2), ({"intent": "burn"}, 2)],
    ids=["another form", "another version", "damaged", "unknown intent"],
)
def test_a_kept_plan_of_another_version_is_refused(
    dlxctl: Dlxctl, tmp_path: Path, change: dict[str, Any], code: int
) -> None:
    """What was reviewed cannot be told from it."""
    write(tmp_path)
    dlxctl("plan", "--out", "plan.json")
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps(json.loads(plan.read_text()) | change))
    refused = dlxctl("apply", "plan.json")
    assert (refused.returncode, "Make" in refused.stderr) == (code, True), refused.stderr


def test_values_come_from_files_and_settings(dlxctl: Dlxctl, broker: RunningBroker, vhost: str, tmp_path: Path) -> None:
    """--set before --values before the environment, in whatever order they stand; plan keeps them."""
    write(tmp_path, **{"max_length: 1000": "max_length: ${LIMIT}", "topology: shop": "topology: ${NAME}"})
    (tmp_path / "eu.yaml").write_text("LIMIT: 7\nNAME: eu\n")
    assert dlxctl("check").returncode == 2
    values = ("--set", "LIMIT=8", "--values", "eu.yaml")
    assert dlxctl("check", *values, LIMIT="9").returncode == 0
    assert dlxctl("plan", "--out", "plan.json", *values).returncode == 0
    assert dlxctl("apply", "plan.json", LIMIT="10").returncode == 0
    policies = broker.api("GET", f"policies/{vhost}")
    assert [p["definition"]["max-length"] for p in policies if "max-length" in p["definition"]] == [8]
    assert all(p["name"].startswith("dlxctl.eu.") for p in policies)
    assert dlxctl("plan", "--exit-code", *values).returncode == 0
    assert dlxctl("plan", "--set", "LIMIT").returncode == 2


@pytest.fixture
def second_vhost(broker: RunningBroker) -> Iterator[str]:
    name = f"t-{uuid.uuid4().hex[:12]}"
    broker.api("PUT", f"vhosts/{name}", {})
    broker.api("PUT", f"permissions/{name}/{broker.user}", {"configure": ".*", "write": ".*", "read": ".*"})
    yield name
    broker.api("DELETE", f"vhosts/{name}")


def test_one_file_serves_several_vhosts(
    dlxctl: Dlxctl, broker: RunningBroker, vhost: str, second_vhost: str, tmp_path: Path
) -> None:
    """Each gets the whole topology, and a change of one is no drift of the other."""
    write(tmp_path)
    for name in (vhost, second_vhost):
        run = dlxctl("apply", "--set", f"DLXCTL_VHOST={name}", DLXCTL_URL=broker.amqp_url)
        assert run.returncode == 0, run.stderr
    mine = ours(broker, vhost)
    assert mine == [policy | {"vhost": vhost} for policy in ours(broker, second_vhost)]
    put_policy(broker, second_vhost, mine[0] | {"priority": 1})
    assert dlxctl("plan", "--exit-code").returncode == 0
    assert dlxctl("plan", "--exit-code", DLXCTL_VHOST=second_vhost, DLXCTL_URL=broker.amqp_url).returncode == 3


def test_several_topologies_live_on_one_vhost(
    dlxctl: Dlxctl, broker: RunningBroker, vhost: str, tmp_path: Path
) -> None:
    """Each has its own names, sees no drift in the other's, and leaves it alone."""
    write(tmp_path)
    other = TOPOLOGY.replace("MODE", "policy").replace("topology: shop", "topology: mail")
    for old, new in RENAMED.items():
        other = other.replace(old, new)
    (tmp_path / "mail.yaml").write_text(other + 'naming: {dlx: mail.dlx, retry: "mail.retry.{delay}"}\n')
    for file in ("topology.yaml", "mail.yaml"):
        assert dlxctl("apply", file).returncode == 0
    for file in ("topology.yaml", "mail.yaml"):
        plan = dlxctl("plan", "--exit-code", "--prune", file)
        assert (plan.returncode, "DLX80" in plan.stdout) == (0, False), plan.stdout


def test_the_audit_tells_who_did_what_when_and_how_it_ended(
    dlxctl: Dlxctl, broker: RunningBroker, vhost: str, tmp_path: Path
) -> None:
    """Two lines a run, appended; refused ones too; no password."""
    write(tmp_path)
    assert dlxctl("apply").returncode == 0
    begun, ended = audit(tmp_path)
    assert (begun["event"], ended["event"]) == ("begun", "ended")
    assert begun["run"] == ended["run"]
    assert {"user", "host", "pid", "when", "fingerprint", "source", "cluster_name"} <= set(begun)
    assert (begun["topology"], begun["vhost"], begun["intent"]) == ("shop", vhost, "keep")
    assert ended["made"] == begun["changes"]
    assert "create queue orders" in ended["made"]
    assert (ended["outcome"], ended["exit"]) == ("applied", 0)
    path = tmp_path / "state" / "applies.jsonl"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    put_queue(broker, vhost, "refused")
    write(tmp_path, **{"  orders:": "  refused: {dead_letter: dead_letter}\n  orders:"})
    assert dlxctl("apply").returncode == 5
    assert [(line["event"], line.get("outcome")) for line in audit(tmp_path)[2:]] == [
        ("begun", None),
        ("ended", "refused"),
    ]
    assert dlxctl("apply", "--audit", "own.jsonl").returncode == 5
    assert len((tmp_path / "own.jsonl").read_text().splitlines()) == 2
    assert len(audit(tmp_path)) == 4


def test_an_audit_that_cannot_be_written_stops_nothing(dlxctl: Dlxctl, tmp_path: Path) -> None:
    """It is told on stderr."""
    write(tmp_path)
    run = dlxctl("apply", "--audit", "topology.yaml/no")
    assert run.returncode == ExitCode.OK
    assert "not in the audit" in run.stderr


def test_the_audit_holds_no_password(dlxctl: Dlxctl, broker: RunningBroker, vhost: str, tmp_path: Path) -> None:
    """Of a user whose password is known."""
    user = f"u-{uuid.uuid4().hex[:8]}"
    broker.api("PUT", f"users/{user}", {"password": CANARY, "tags": "policymaker"})
    broker.api("PUT", f"permissions/{vhost}/{user}", {"configure": ".*", "write": ".*", "read": ".*"})
    try:
        write(tmp_path)
        address = broker.amqp_url.replace("guest:guest", f"{user}:{CANARY}")
        run = dlxctl("apply", DLXCTL_URL=address)
        assert run.returncode == 0, run.stderr
        kept = dlxctl("plan", "--out", "plan.json", DLXCTL_URL=address)
        assert kept.returncode == 0
        assert audit(tmp_path)[0]["broker"].startswith(f"http://{user}@")
        assert CANARY not in (tmp_path / "state" / "applies.jsonl").read_text() + (tmp_path / "plan.json").read_text()
        assert CANARY not in run.stdout + run.stderr + kept.stdout + kept.stderr
    finally:
        broker.api("DELETE", f"users/{user}")
