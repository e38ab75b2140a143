"""Part `plan`: a topology of many queues. First apply, against an import of equal definitions; then a second plan."""

import json
import urllib.request
import uuid
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any

from bench.process import TIMEOUT_S, BenchError, Took, measured
from bench.ways import DLXCTL
from tests.brokers import RunningBroker

QUEUES = 5_000
HEAD = """\
version: 1
topology: bench
vhost: ${DLXCTL_VHOST}
retry: {standard: {delays: [10s, 1m], attempts: 5}}
dead_letter: {dead_letter: }
defaults: {type: classic, retry: standard, dead_letter: dead_letter}
queues:
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What `queues` work queues took on one version. `imported_s`: the same objects by one POST of definitions."""

    version: str
    queues: int
    applied: Took
    imported_s: float
    planned: tuple[Took, ...]


def planned(broker: RunningBroker, queues: int, runs: int) -> Planned:
    """Apply to an empty vhost, plan again `runs` times, then import what stands there into another vhost."""
    with TemporaryDirectory(prefix="dlxctl-bench-") as directory, vhost(broker) as first, vhost(broker) as second:
        (Path(directory) / "topology.yaml").write_text(HEAD + "".join(f"  q{n:05d}:\n" for n in range(queues)))
        environment = {
            "DLXCTL_URL": broker.amqp_url, "DLXCTL_MANAGEMENT_URL": broker.management_url, "DLXCTL_VHOST": first,
            "DLXCTL_STATE_DIR": directory, "NO_COLOR": "1",
        }  # fmt: skip
        applied = measured([DLXCTL, "apply", "--format", "json"], environment=environment, directory=directory)
        again = tuple(measured([DLXCTL, "plan"], environment=environment, directory=directory) for _ in range(runs))
        if "Nothing to do." not in again[0].stdout:
            raise BenchError(f"a second plan found something to do:\n{again[0].stdout[:500]}")
        imported_s = imported(broker, call(broker, "GET", f"definitions/{first}"), second)
        return Planned(version=broker.version, queues=queues, applied=applied, imported_s=imported_s, planned=again)


def imported(broker: RunningBroker, definitions: dict[str, Any], vhost: str) -> float:
    """Seconds that one POST of `definitions` takes; an export leaves internal exchanges out, so ours is put in."""
    owner = {"name": "dlxctl.bench", "type": "headers", "durable": True, "auto_delete": False, "internal": True}
    definitions["exchanges"].append(owner | {"arguments": {}})
    began = monotonic()
    call(broker, "POST", f"definitions/{vhost}", definitions)
    return monotonic() - began


def call(broker: RunningBroker, method: str, path: str, body: Any = None) -> Any:
    """The management API, with the patience that thousands of queues need."""
    request = urllib.request.Request(
        f"{broker.management_url}/api/{path}", None if body is None else json.dumps(body).encode(), method=method,
        headers={"Authorization": f"Basic {b64encode(b'guest:guest').decode()}", "Content-Type": "application/json"},
    )  # fmt: skip
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
        content = answer.read()
    return json.loads(content) if content else None


@contextmanager
def vhost(broker: RunningBroker) -> Iterator[str]:
    """One that is gone afterwards."""
    name = f"bench-{uuid.uuid4().hex[:12]}"
    broker.api("PUT", f"vhosts/{name}", {})
    broker.api("PUT", f"permissions/{name}/{broker.user}", {"configure": ".*", "write": ".*", "read": ".*"})
    try:
        yield name
    finally:
        call(broker, "DELETE", f"vhosts/{name}")
