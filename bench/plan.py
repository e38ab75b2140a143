"""Part `plan`: a topology of many queues. First apply, against an import of equal definitions; then a second plan."""

import json
import urllib.request
import uuid
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any

from bench.node import cpu_seconds, process_of, rest
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
class Made:
    """What it took to make the objects: seconds by the clock, and the broker's CPU seconds where they can be seen."""

    seconds: float
    broker_cpu_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What `queues` work queues took on one version, run by run. `imported`: the same objects by one POST."""

    version: str
    queues: int
    applied: tuple[Made, ...]
    imported: tuple[Made, ...]
    again: tuple[Took, ...]


def planned(broker: RunningBroker, queues: int, runs: int) -> Planned:
    """`runs` times in turn: apply to an empty vhost, plan again; import what stood there into another empty vhost."""
    applied, imported, again = [], [], []
    process = process_of(broker.amqp_url)
    for _ in range(runs):
        with vhost(broker, process) as first:
            made, plan = apply_and_plan(broker, process, first, queues)
            applied.append(made)
            again.append(plan)
            definitions = call(broker, "GET", f"definitions/{first}")
        with vhost(broker, process) as other:
            cpu, seconds = cpu_seconds(process), import_all(broker, definitions, other)
            imported.append(Made(seconds=seconds, broker_cpu_s=since(cpu, process)))
    return Planned(
        version=broker.version, queues=queues, applied=tuple(applied), imported=tuple(imported), again=tuple(again)
    )


def apply_and_plan(broker: RunningBroker, process: int | None, vhost: str, queues: int) -> tuple[Made, Took]:
    """The installed command as a process, twice. Raises BenchError when the plan is not empty."""
    with TemporaryDirectory(prefix="dlxctl-bench-") as directory:
        (Path(directory) / "topology.yaml").write_text(HEAD + "".join(f"  q{n:05d}:\n" for n in range(queues)))
        environment = {
            "DLXCTL_URL": broker.amqp_url, "DLXCTL_MANAGEMENT_URL": broker.management_url, "DLXCTL_VHOST": vhost,
            "DLXCTL_STATE_DIR": directory, "NO_COLOR": "1",
        }  # fmt: skip
        cpu = cpu_seconds(process)
        applied = measured([DLXCTL, "apply", "--format", "json"], environment=environment, directory=directory)
        made = Made(seconds=applied.seconds, broker_cpu_s=since(cpu, process))
        rest(process)
        again = measured([DLXCTL, "plan"], environment=environment, directory=directory)
    if "Nothing to do." not in again.stdout:
        raise BenchError(f"a second plan found something to do:\n{again.stdout[:500]}")
    return made, again


def since(before: float | None, process: int | None) -> float | None:
    """CPU seconds of the broker since `before`."""
    now = cpu_seconds(process)
    return None if now is None or before is None else now - before


def import_all(broker: RunningBroker, definitions: dict[str, Any], vhost: str) -> float:
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
def vhost(broker: RunningBroker, process: int | None) -> Iterator[str]:
    """One on a broker at rest; it is gone afterwards."""
    rest(process)
    name = f"bench-{uuid.uuid4().hex[:12]}"
    broker.api("PUT", f"vhosts/{name}", {})
    broker.api("PUT", f"permissions/{name}/{broker.user}", {"configure": ".*", "write": ".*", "read": ".*"})
    try:
        yield name
    finally:
        delete(broker, name)


def delete(broker: RunningBroker, vhost: str) -> None:
    """The broker hangs up after a minute and goes on deleting. Raises BenchError when it does not come to an end."""
    deadline = monotonic() + TIMEOUT_S
    while monotonic() < deadline:
        with suppress(OSError, HTTPException):
            call(broker, "DELETE", f"vhosts/{vhost}")
        if vhost not in (each["name"] for each in call(broker, "GET", "vhosts?columns=name")):
            return
    raise BenchError(f"vhost {vhost} is still there")
