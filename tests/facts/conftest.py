"""One vhost for all facts of a version, and the check that what is found is expected and written on the page."""

import os
import uuid
from collections.abc import Callable, Iterator

import pytest

from tests.brokers import RunningBroker
from tests.facts.lab import RELEASES, Expected, Lab
from tests.facts.record import CELERY, record, recorded

RECORDING = bool(os.environ.get("DLXCTL_RECORD_FACTS"))
Fact = Callable[[Expected, object], None]


@pytest.fixture(scope="session")
def lab(broker: RunningBroker) -> Iterator[Lab]:
    """A vhost that the facts share; every experiment has its own queues."""
    vhost = f"t-facts-{uuid.uuid4().hex[:8]}"
    broker.api("PUT", f"vhosts/{vhost}", {})
    broker.api("PUT", f"permissions/{vhost}/{broker.user}", {"configure": ".*", "write": ".*", "read": ".*"})
    made = Lab(broker, vhost)
    yield made
    made.connection.close()
    broker.api("DELETE", f"vhosts/{vhost}")


@pytest.fixture
def fact(request: pytest.FixtureRequest) -> Fact:
    """Hold what was found against what is expected, and against docs/broker-facts.md by way of what was recorded."""
    name = request.node.originalname
    lab = request.getfixturevalue("lab") if "lab" in request.fixturenames else None

    def hold(expected: Expected, found: object) -> None:
        wanted = lab.of(expected) if lab else expected
        assert str(found) == wanted
        measured = lab is None or ".".join(map(str, lab.broker.release)) in RELEASES
        column = lab.release if lab else CELERY
        if RECORDING and measured:
            record(name, column, str(found))
        assert recorded()[name][column] == str(found), "docs/broker-facts.md is stale: make facts"

    return hold
