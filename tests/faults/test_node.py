"""R5 and R7 on a node that may be harmed: the broker is restarted under a run, and has a real memory alarm.

Only in `make faults`, since each version needs a node of its own. What `make test` runs in their place is in
test_r05_line.py and test_r07_alarm.py.
"""

import os
import subprocess
import time
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dlxctl.broker.address import access
from tests.brokers import RunningBroker
from tests.faults import tally
from tests.faults.conftest import FULL
from tests.faults.proxy import Proxy
from tests.faults.scene import DEAD, DLXCTL, Scene
from tests.faults.spare import Spare, spare_node

LETTERS = 1_500
MIDDLE = 500_000

if FULL:

    @pytest.fixture(scope="session")
    def spare(broker: RunningBroker) -> Iterator[tuple[Spare, RunningBroker]]:
        """A node of the same version that only these tests use."""
        with spare_node(".".join(map(str, broker.release))) as node:
            yield node

    @pytest.fixture
    def harmed(spare: tuple[Spare, RunningBroker], kind: str, tmp_path: Path) -> Iterator[Scene]:
        """A scene on the spare node, in its vhost `/`, emptied afterwards."""
        _, broker = spare
        url = f"{broker.amqp_url}/%2F"
        scene = Scene(broker, access(url, broker.management_url), url, kind, tmp_path)
        scene.declare()
        scene.fill(LETTERS)
        yield scene
        scene.close()
        for queue in ("orders", "default", DEAD, f"dlxctl.run.{DEAD}"):
            scene.delete(queue)

    def alarm_is_on(broker: RunningBroker) -> bool:
        """By the broker's own health check, which answers 503 then."""
        try:
            broker.api("GET", "health/checks/alarms")
        except urllib.error.HTTPError as error:
            return error.code == 503
        return False

    @contextmanager
    def memory_alarm(scene: Scene, node: Spare) -> Iterator[None]:
        """Within the block the node has no memory left, as it believes."""
        node.ctl("set_vm_memory_high_watermark", "0.0000001")
        try:
            scene.until(lambda: alarm_is_on(scene.broker), "the node looked at its memory")
            yield
        finally:
            node.ctl("set_vm_memory_high_watermark", "0.4")

    def judged(scene: Scene, fault: str, breaks: int) -> None:
        """The counts, noted, and what must hold."""
        counts = scene.counts()
        tally.note(fault, scene.broker.version, scene.kind, counts, breaks)
        assert (counts.lost, counts.altered, counts.unflagged) == (0, 0, 0), counts
        assert counts.duplicated <= 1_000 * breaks, counts
        assert breaks or counts.flagged == 0, counts

    def test_a_run_outlives_a_restart_of_the_broker(harmed: Scene, spare: tuple[Spare, RunningBroker]) -> None:
        """It connects again when the broker is back, and does the rest; nothing is lost."""
        node, _ = spare
        with Proxy(("127.0.0.1", node.port)) as proxy:
            process = harmed.frozen(proxy, "--reconnect-timeout", 120, after=MIDDLE)
            proxy.silent = False
            node.restart()
            done = harmed.ended(process)
        # the run may have ended before the broker did
        assert done.code == 0, done
        harmed.resume()
        judged(harmed, "R5", 1)

    def test_a_real_alarm_is_told_and_waited_out(harmed: Scene, spare: tuple[Spare, RunningBroker]) -> None:
        """Told within a second of the first publish; the run goes on by itself; no duplicate, no flag."""
        with memory_alarm(harmed, spare[0]):
            process = harmed.start()
            harmed.until(lambda: "blocks publishers" in harmed.said(), "the run says so", 3)
            time.sleep(5)  # the alarm lasts
            assert process.poll() is None
        done = harmed.ended(process)
        assert (done.code, done.report["moved"]) == (0, LETTERS), done
        judged(harmed, "R7", 0)

    def test_status_tells_a_real_alarm(harmed: Scene, spare: tuple[Spare, RunningBroker]) -> None:
        """As long as it is on, with the depths; and no longer."""
        known = {"DLXCTL_URL": harmed.url, "DLXCTL_MANAGEMENT_URL": harmed.broker.management_url}

        def status() -> str:
            command = [str(DLXCTL), "status", "--max-depth", "0", "--format", "json"]
            done = subprocess.run(command, env=os.environ | known, capture_output=True, text=True, timeout=60)
            assert done.returncode == 8, done
            return done.stdout

        with memory_alarm(harmed, spare[0]):
            assert '"alarms": ["memory on ' in status()
        harmed.until(lambda: '"alarms": []' in status(), "the alarm is over")

    def test_a_real_alarm_without_end_ends_the_run(harmed: Scene, spare: tuple[Spare, RunningBroker]) -> None:
        """Exit 6 after `--blocked-timeout`; the next run does the rest."""
        with memory_alarm(harmed, spare[0]):
            assert harmed.replay("--blocked-timeout", 2).code == 6
        harmed.resume()
        judged(harmed, "R7", 1)
