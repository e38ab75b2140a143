"""M1: a queue made anew while it is in use, killed at every step: nothing lost, and never without a bound queue."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from dlxctl.broker.address import Access
from tests.brokers import RunningBroker
from tests.conftest import ROOT, Dlxctl
from tests.faults import tally
from tests.faults.conftest import FULL
from tests.faults.shop import Shop
from tests.oracle import Counts

FAULT = "M1"
KILLED = -9
WINDOW = 500
TYPES = ("classic", "quorum")
FILE = """\
version: 1
topology: shop
vhost: ${{DLXCTL_VHOST:-/}}
retry: {{standard: {{delays: [10s], attempts: 2}}}}
dead_letter: {{dead_letter: {{}}}}
exchanges: {{shop.events: {{type: topic}}}}
queues:
  orders:
    type: {kind}
    retry: standard
    dead_letter: dead_letter
    bindings: [{{exchange: shop.events, routing_key: "order.#"}}]
"""


@dataclass
class Site:
    """A vhost with the topology, and apply as a process that can be killed at a step."""

    directory: Path
    environment: dict[str, str]
    plan: Callable[[], str]

    def ask_for(self, kind: str) -> None:
        """Write the file so that the queue is of this type."""
        (self.directory / "topology.yaml").write_text(FILE.format(kind=kind))

    def apply(self, crash_at: int = 0) -> int:
        """Exit code; -9 when it came to the kill."""
        words = [sys.executable, "-m", "tests.faults.crash_in_migration", crash_at, "steps", "topology.yaml"]
        done = subprocess.run(
            list(map(str, words)), cwd=self.directory, env=self.environment, capture_output=True, text=True, timeout=180
        )
        assert done.returncode in (0, KILLED), done.stderr
        return done.returncode

    @property
    def steps(self) -> int:
        """How many the last run had."""
        return int((self.directory / "steps").read_text())


@pytest.fixture
def site(broker: RunningBroker, url: str, vhost: str, tmp_path: Path, dlxctl: Dlxctl) -> Site:
    """The topology with a classic queue."""
    environment = os.environ | {
        "DLXCTL_URL": url, "DLXCTL_MANAGEMENT_URL": broker.management_url, "DLXCTL_VHOST": vhost,
        "PYTHONPATH": str(ROOT), "DLXCTL_STATE_DIR": str(tmp_path / "state"),
    }  # fmt: skip
    site = Site(tmp_path, environment, lambda: dlxctl("plan", "--format", "json").stdout)
    site.ask_for("classic")
    assert site.apply() == 0
    return site


def is_made_so(site: Site) -> bool:
    """Whether plan has nothing left to do."""
    return bool(json.loads(site.plan())["clean"])


@pytest.mark.timeout(3_600)
def test_killed_at_every_step(site: Site, reach: Access, broker: RunningBroker, chance: random.Random) -> None:
    """Open for business all the time, the shop loses no message, and no publish finds the exchange without a queue."""
    kills = 0
    with Shop(reach, rate=1_000) as shop:
        site.ask_for("quorum")
        assert site.apply() == 0
        every = range(1, site.steps + 1)
        for step in every if FULL else sorted(chance.sample(every, 1)):
            site.ask_for(TYPES[kills % 2])
            killed = site.apply(crash_at=step) == KILLED
            kills += killed
            assert site.apply() == 0
            assert is_made_so(site), step
            if not killed:  # the last steps move with the messages that are there
                assert step > site.steps / 2, step
        counts = shop.until_worked()
    note(broker, counts, kills)
    assert kills
    assert (counts.lost, shop.ledger.returned) == (0, 0), counts
    assert counts.duplicated <= WINDOW * kills, counts


def note(broker: RunningBroker, counts: Counts, kills: int) -> None:
    """Into the tally; the queue changed between both types."""
    print(f"{broker.version}: {counts}, {kills} kills")
    tally.note(FAULT, broker.version, "both", counts, kills)
