"""What every fault needs: its scene on each version and queue type, chance with a seed, a proxy, and the tally."""

import os
import random
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from dlxctl.broker.address import Access
from tests.brokers import RunningBroker
from tests.faults import tally
from tests.faults.proxy import Proxy
from tests.faults.scene import Scene
from tests.oracle import Counts

FULL = os.environ.get("DLXCTL_FAULTS") == "full"
SEED = os.environ.get("DLXCTL_FAULT_SEED") or secrets.token_hex(4)

Judge = Callable[..., Counts]


def full_or_short(full: int, short: int) -> int:
    """A size: the one of `make faults`, or the one of `make test`."""
    return full if FULL else short


@pytest.fixture(params=["classic", "quorum"])
def kind(request: pytest.FixtureRequest) -> str:
    """The queue type."""
    return str(request.param)


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """Random numbers of the test's own; pytest shows the seed with a failure."""
    print(f"DLXCTL_FAULT_SEED={SEED} repeats the random choices of this run")
    return random.Random(f"{SEED} {request.node.nodeid}")


@pytest.fixture
def scene(broker: RunningBroker, reach: Access, url: str, kind: str, tmp_path: Path) -> Iterator[Scene]:
    """An empty vhost and a directory to run commands in."""
    scene = Scene(broker, reach, url, kind, tmp_path)
    yield scene
    scene.close()


@pytest.fixture
def proxy(broker: RunningBroker) -> Iterator[Proxy]:
    """A proxy to the broker, in fine weather."""
    address = urlsplit(broker.amqp_url)
    assert address.hostname is not None
    with Proxy((address.hostname, address.port or 5672)) as proxy:
        yield proxy


@pytest.fixture
def judge(request: pytest.FixtureRequest, scene: Scene) -> Judge:
    """Count, note it in the tally, and hold what must hold after every fault: nothing lost, altered or doubled in
    secret, and at most one window of duplicates a kill."""
    fault = request.module.FAULT

    def judged(*queues: str, kills: int = 0, window: int = 1_000) -> Counts:
        counts = scene.counts(*queues)
        tally.note(fault, scene.broker.version, scene.kind, counts, kills)
        assert (counts.lost, counts.altered, counts.unflagged) == (0, 0, 0), counts
        assert counts.duplicated <= window * kills, counts
        if not kills:
            assert counts.flagged == 0, counts
        return counts

    return judged
