"""The worlds of the contract suite: the double, and a real broker with classic and with quorum queues."""

import uuid
from collections.abc import Iterator

import pytest

from dlxctl.broker.address import access
from tests.brokers import asked_versions, obtain
from tests.links import MemoryWorld, RabbitWorld, World

MEMORY = "memory"
QUEUE_TYPES = ("classic", "quorum")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes `world` runs on the double and on both queue types of each asked version."""
    if "world" in metafunc.fixturenames:
        real = [f"{version}:{kind}" for version in asked_versions() for kind in QUEUE_TYPES]
        worlds = [MEMORY, *(pytest.param(name, marks=pytest.mark.broker) for name in real)]
        metafunc.parametrize("world", worlds, indirect=True)


@pytest.fixture
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """One of the worlds, empty."""
    if request.param == MEMORY:
        yield MemoryWorld()
        return
    version, kind = request.param.split(":")
    broker, name = obtain(version), f"t-{uuid.uuid4().hex[:12]}"
    broker.api("PUT", f"vhosts/{name}", {})
    broker.api("PUT", f"permissions/{name}/{broker.user}", {"configure": ".*", "write": ".*", "read": ".*"})
    keeps_order = kind == "classic" or broker.release >= (4, 0)
    rabbit = RabbitWorld(access(f"{broker.amqp_url}/{name}", broker.management_url), kind, keeps_order=keeps_order)
    yield rabbit
    rabbit.close()
    broker.api("DELETE", f"vhosts/{name}")
