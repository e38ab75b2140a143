"""P1: apply killed at every step, many queues on their way to the broker at once: the next run makes the rest."""

import os
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dlxctl import spec
from dlxctl.broker.address import Access
from dlxctl.errors import ExitCode
from dlxctl.ops.batches import LONG
from dlxctl.ops.plan import make_plan
from dlxctl.plan.value import Intent
from tests.acceptance.machine_stage import Exact, owned
from tests.acceptance.test_apply_gaps import drained, made, traffic
from tests.brokers import RunningBroker
from tests.conftest import ROOT
from tests.faults import tally
from tests.faults.conftest import FULL
from tests.oracle import Counts

FAULT = "P1"
KILLED = -9
BEFORE = """\
version: 1
topology: shop
dead_letter: {dead_letter: }
defaults: {dead_letter: dead_letter}
exchanges: {shop.events: {type: topic}}
queues:
  orders: {max_length: 900000, bindings: [{exchange: shop.events, routing_key: "order.#"}]}
"""
MANY = [f"work.{number}" for number in range(LONG // 2 + 1)]
"""With their marks so many that they go through the pipeline."""
NEW = "".join(f"  {name}: {{type: classic, bindings: [{{exchange: shop.more, routing_key: '#'}}]}}\n" for name in MANY)
AFTER = f"""\
version: 1
topology: shop
retry: {{standard: {{delays: [1h], attempts: 2}}}}
dead_letter: {{dead_letter: }}
defaults: {{dead_letter: dead_letter}}
exchanges: {{shop.events: {{type: topic}}, shop.more: {{type: topic}}}}
queues:
  orders: {{max_length: 800000, retry: standard, bindings: [{{exchange: shop.events, routing_key: "order.#"}}]}}
{NEW}"""


@pytest.mark.timeout(3_600)
def test_killed_at_any_step(
    reach: Access, url: str, broker: RunningBroker, tmp_path: Path, chance: random.Random
) -> None:
    """With a publisher and a consumer that rejects at work: each kill is followed by one more run, after which the plan
    is empty and every queue is marked as ours; lost 0. Of 240 steps `make faults` takes every fourth, by chance."""
    admin, kills = Exact(reach), 0
    before, after = (replace(spec.load(text), vhost=reach.vhost) for text in (BEFORE, AFTER))
    apply = applying(broker, url, reach.vhost, tmp_path)
    made(admin, before)
    with traffic(reach, url) as seen:
        assert apply(0) == ExitCode.OK
        every = range(1, int((tmp_path / "steps").read_text()) + 1)
        for step in every[chance.randrange(4) :: 4] if FULL else sorted(chance.sample(every, 1)):
            made(admin, before)
            assert apply(step) == KILLED, step
            kills += 1
            assert apply(0) == ExitCode.OK
            assert make_plan(admin, after, Intent.PRUNE).clean, step
            assert owned(admin.latest, "dlxctl.shop") >= {*MANY, "orders", "dead_letter", "retry.1h"}
    dead, left = drained(url, "dead_letter"), drained(url, "orders")
    admin.connection.close()
    lost = seen.ledger.confirmed - seen.consumed - dead - left
    print(
        f"{broker.version}: {len(seen.ledger.confirmed)} messages, {kills} kills, {len(every)} steps, {len(lost)} lost"
    )
    sent = len(seen.ledger.confirmed)
    counts = Counts(attempted=sent, moved=sent - len(lost), lost=len(lost))
    tally.note(FAULT, broker.version, "both", counts, kills)
    assert not lost
    assert seen.rejected <= dead
    assert seen.ledger.returned == 0


def applying(broker: RunningBroker, url: str, vhost: str, directory: Path) -> Callable[[int], int]:
    """Apply of AFTER as a process, killed at a step; its exit code, -9 when it came to the kill."""
    environment = os.environ | {
        "DLXCTL_URL": url, "DLXCTL_MANAGEMENT_URL": broker.management_url, "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    (directory / "after.yaml").write_text(f"{AFTER}vhost: {vhost}\n")

    def run(crash_at: int) -> int:
        words = [sys.executable, "-m", "tests.faults.crash_in_apply", str(crash_at), "steps", "after.yaml", "keep"]
        done = subprocess.run(words, cwd=directory, env=environment, capture_output=True, text=True, timeout=180)
        assert done.returncode in (ExitCode.OK, KILLED), done.stderr
        return done.returncode

    return run
