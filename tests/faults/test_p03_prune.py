"""P1 and P3: prune killed at every step, with messages that come in between: it ends, or refuses, and loses none."""

import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from pika.exceptions import NackError, UnroutableError

from dlxctl import spec
from dlxctl.broker.address import Access
from dlxctl.broker.plug import HEADER
from dlxctl.errors import ExitCode
from dlxctl.ops.apply import apply
from dlxctl.ops.plan import make_plan
from dlxctl.plan.value import Intent
from tests.acceptance.machine_stage import AT_ONCE, Exact, connection_to
from tests.brokers import RunningBroker
from tests.conftest import ROOT
from tests.deaths import let_die, wait_for
from tests.faults import tally
from tests.faults.conftest import FULL, full_or_short
from tests.faults.shop import Shop
from tests.links import message
from tests.oracle import Counts

FAULT = "P3"
KILLED = -9
BEFORE = """\
version: 1
topology: shop
vhost: ${DLXCTL_VHOST}
retry: {standard: {delays: [1h], attempts: 2}}
dead_letter: {dead_letter: }
defaults: {dead_letter: dead_letter}
exchanges: {shop.events: {type: topic}}
queues:
  orders: {bindings: [{exchange: shop.events, routing_key: "order.#"}]}
  invoices: {retry: standard, bindings: [{exchange: shop.events, routing_key: "bill.#"}]}
  emails: {type: classic, bindings: [{exchange: shop.events, routing_key: "mail.#"}]}
"""
AFTER = "\n".join(line for line in BEFORE.splitlines() if not line.lstrip().startswith(("retry", "invoices", "emails")))
DOOMED = ("invoices", "emails", "retry.1h")
ROADS = (("shop.events", "bill.new"), ("shop.events", "mail.new"), *(("", name) for name in DOOMED))


@dataclass
class Site:
    """The topology on a broker, and prune as a process that can be killed at a step."""

    directory: Path
    environment: dict[str, str]
    admin: Exact

    def begin(self) -> None:
        """All queues stand, open and empty."""
        self._made(BEFORE, Intent.PRUNE)

    def change_of_mind(self) -> None:
        """The queues are in the file again."""
        self._made(BEFORE, Intent.KEEP)

    def prune(self, crash_at: int = 0) -> int:
        """Exit code; -9 when it came to the kill."""
        (self.directory / "after.yaml").write_text(AFTER)
        words = [sys.executable, "-m", "tests.faults.crash_in_apply", str(crash_at), "steps", "after.yaml", "prune"]
        done = subprocess.run(
            words, cwd=self.directory, env=self.environment, capture_output=True, text=True, timeout=180
        )
        assert done.returncode in (ExitCode.OK, ExitCode.REFUSED, KILLED), done.stderr
        return done.returncode

    @property
    def steps(self) -> int:
        """How many the last run had."""
        return int((self.directory / "steps").read_text())

    @property
    def standing(self) -> set[str]:
        return {name for _, name in self.admin.read().queues}

    def clean(self) -> bool:
        """Whether prune has nothing left to do."""
        return make_plan(self.admin, spec.load(AFTER, environment=self.environment), Intent.PRUNE).clean

    def _made(self, text: str, intent: Intent) -> None:
        report = apply(self.admin, spec.load(text, environment=self.environment), intent=intent, patience=AT_ONCE)
        assert report.exit_code is ExitCode.OK, report.error


@pytest.fixture
def site(broker: RunningBroker, url: str, vhost: str, reach: Access, tmp_path: Path) -> Iterator[Site]:
    environment = os.environ | {
        "DLXCTL_URL": url, "DLXCTL_MANAGEMENT_URL": broker.management_url, "DLXCTL_VHOST": vhost,
        "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    admin = Exact(reach)
    yield Site(tmp_path, environment, admin)
    admin.connection.close()


def offered(reach: Access, number: int) -> Counter[str]:
    """One message over every road; those that a queue took: confirmed, and not returned."""
    taken: Counter[str] = Counter()
    for exchange, key in ROADS:
        body = f"{number} {exchange} {key}"
        with closing(connection_to(reach)) as connection:  # 3.10 and 4.0 close it when a quorum queue goes
            channel = connection.channel()
            channel.confirm_delivery()
            try:
                channel.basic_publish(exchange, key, body.encode(), mandatory=True)
                taken[body] += 1
            except (NackError, UnroutableError):
                pass
    return taken


def drained(reach: Access, queues: set[str]) -> Counter[str]:
    """Every message of them but plugs."""
    found: Counter[str] = Counter()
    with closing(connection_to(reach)) as connection:
        channel = connection.channel()
        for queue in queues:
            while (got := channel.basic_get(queue, auto_ack=True))[0]:
                found.update([got[2].decode()] if HEADER not in (got[1].headers or {}) else [])
    return found


@dataclass
class Sums:
    """Over all kills."""

    kills: int = 0
    accepted: int = 0
    refused: int = 0
    found: int = 0


def ended_after(site: Site, reach: Access, sums: Sums) -> None:
    """Messages come, as many as are taken; then prune refuses while one is there, and ends when they are read."""
    taken = offered(reach, sums.kills)
    code = site.prune()
    assert code == (ExitCode.REFUSED if taken else ExitCode.OK), taken
    left = drained(reach, site.standing & set(DOOMED))
    assert left == taken
    sums.accepted, sums.found = sums.accepted + taken.total(), sums.found + left.total()
    sums.refused += bool(taken)
    assert site.prune() == ExitCode.OK


def reopened(site: Site, reach: Access, sums: Sums) -> None:
    """The file has the queues again: they take messages, and have lost none."""
    taken = offered(reach, sums.kills)
    site.change_of_mind()
    later = offered(reach, -sums.kills)
    assert later.total() == len(ROADS)
    left = drained(reach, set(DOOMED))
    assert left == taken + later
    sums.accepted, sums.found = sums.accepted + (taken + later).total(), sums.found + left.total()
    assert site.prune() == ExitCode.OK


def finished(site: Site, reach: Access, sums: Sums) -> None:
    """Nothing came: the next run ends it."""
    assert site.prune() == ExitCode.OK


ENDS: tuple[Callable[[Site, Access, Sums], None], ...] = (ended_after, reopened, finished)


@pytest.mark.timeout(3_600)
def test_killed_at_every_step(site: Site, reach: Access, broker: RunningBroker, chance: random.Random) -> None:
    """Whatever comes next, a message, the queue's return to the file, or the same run: no message that a queue took is
    lost, dead letters stay, and the shop, open all the while, has every message and its queue."""
    sums = Sums()
    site.begin()
    with Shop(reach, rate=full_or_short(1_000, 200)) as shop:
        assert site.prune() == ExitCode.OK
        every, turn = range(1, site.steps + 1), chance.randrange(len(ENDS))
        for step in every if FULL else sorted(chance.sample(every, 2)):
            end = ENDS[(sums.kills + turn) % len(ENDS)]
            site.begin()
            let_die(reach, "invoices", [message(f"dead {sums.kills}")])
            wait_for(reach, "dead_letter", sums.kills + 1)
            assert site.prune(crash_at=step) == KILLED, step
            sums.kills += 1
            end(site, reach, sums)
            assert site.clean(), (step, end)
            assert not site.standing & set(DOOMED)
        counts = shop.until_worked()
    assert (counts.lost, counts.duplicated, shop.ledger.returned) == (0, 0, 0), counts
    assert drained(reach, {"dead_letter"}) == Counter(f"dead {number}" for number in range(sums.kills))
    note(broker, counts, sums)


def note(broker: RunningBroker, shop: Counts, sums: Sums) -> None:
    """Into the tally: the shop's messages and those that came to queues that were to go."""
    print(f"{broker.version}: {shop}, {sums}")
    counts = Counts(attempted=shop.attempted + sums.accepted, moved=shop.moved + sums.found)
    tally.note(FAULT, broker.version, "both", counts, sums.kills)
