"""apply of hundreds of queues at once, on a real RabbitMQ: killed in the middle, refused in the middle."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dlxctl.broker.address import Access
from dlxctl.broker.management import Management
from dlxctl.broker.pipeline import CHANNELS
from dlxctl.model.topology import Queue
from tests.brokers import RunningBroker
from tests.conftest import Dlxctl

QUEUES = 250
HEAD = """\
version: 1
topology: shop
vhost: ${DLXCTL_VHOST}
retry: {standard: {delays: [10s], attempts: 2}}
dead_letter: {dead: }
defaults: {type: classic, retry: standard, dead_letter: dead}
exchanges: {shop.events: {type: topic}}
queues:
"""


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """A topology file with QUEUES work queues, each bound by two keys."""
    keys = "[{exchange: shop.events, routing_key: a.b}, {exchange: shop.events, routing_key: 'c.#'}]"
    path = tmp_path / "topology.yaml"
    path.write_text(HEAD + "".join(f"  q{n:03d}: {{bindings: {keys}}}\n" for n in range(QUEUES)))
    return path


@pytest.mark.parametrize("seen", [10, 150])
def test_a_run_killed_among_hundreds_is_finished_by_the_next(
    seen: int, url: str, broker: RunningBroker, vhost: str, reach: Access, dlxctl: Dlxctl, many: Path
) -> None:
    """SIGKILL once so many queues exist: a queue a channel may lack its mark, and apply converges."""
    admin = Management(reach)
    variables = {"DLXCTL_URL": url, "DLXCTL_MANAGEMENT_URL": broker.management_url, "DLXCTL_VHOST": vhost}
    run = subprocess.Popen(
        [str(Path(sys.executable).parent / "dlxctl"), "apply", "--yes"], cwd=many.parent,
        env=os.environ | variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while len(admin.read().queues) < seen:
        assert time.monotonic() < deadline
    run.send_signal(signal.SIGKILL)
    run.wait()
    again = dlxctl("apply", "--yes")
    while again.returncode == 7:  # the broker has not noticed yet
        assert time.monotonic() < deadline
        again = dlxctl("apply", "--yes")
    assert again.returncode == 0, again.stderr
    adopted = [line for line in again.stdout.splitlines() if line.lstrip().startswith("= queue")]
    assert len(adopted) <= CHANNELS
    assert dlxctl("plan", "--exit-code").returncode == 0


def test_a_refusal_among_hundreds_names_the_queue(reach: Access, dlxctl: Dlxctl, many: Path) -> None:
    """It came after the plan was made; exit 4, the queue and the reason; without it the next run finishes."""
    admin = Management(reach)
    text = many.read_text()
    many.write_text(text + "  bad: {arguments: {x-message-ttl: 5, x-queue-leader-locator: nowhere}}\n")
    run = dlxctl("apply", "--yes")
    assert run.returncode == 4, run.stderr
    assert "failed: create queue bad" in run.stdout
    assert "the broker refused to declare queue" in run.stderr
    assert admin.read().queue("q249") == Queue(name="q249")
    many.write_text(text)
    assert dlxctl("apply", "--yes").returncode == 0
    assert dlxctl("plan", "--exit-code").returncode == 0
