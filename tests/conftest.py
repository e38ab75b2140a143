"""Fixtures that every layer shares: a running broker of each asked version, a vhost of the test's own, the command."""

import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dlxctl.broker.address import Access, access
from tests.brokers import NoBroker, RunningBroker, asked_versions, obtain

ROOT = Path(__file__).parent.parent

# Celery prefers these to an app's own broker; the shell's must not steer the workers of a test.
for _name in ("CELERY_BROKER_URL", "CELERY_BROKER_READ_URL", "CELERY_BROKER_WRITE_URL"):
    os.environ.pop(_name, None)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes `broker` runs once on each asked version; one marked `one_version` on the last of them."""
    if "broker" in metafunc.fixturenames:
        versions = asked_versions()
        if metafunc.definition.get_closest_marker("one_version"):
            versions = versions[-1:]
        metafunc.parametrize("broker", versions, indirect=True, scope="session")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "broker" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.broker)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Have the brokers before the first test: making one may take minutes, which no test's timeout should pay for."""
    if session.config.option.collectonly or not any(item.get_closest_marker("broker") for item in session.items):
        return
    capture = session.config.pluginmanager.getplugin("capturemanager")
    try:
        with capture.global_and_fixture_disabled():
            for version in asked_versions():
                obtain(version)
    except NoBroker as error:
        pytest.exit(str(error), returncode=pytest.ExitCode.TESTS_FAILED)


@pytest.fixture(scope="session")
def broker(request: pytest.FixtureRequest) -> RunningBroker:
    """A real RabbitMQ. A version that was asked for and cannot be had fails the test; it is never skipped."""
    return obtain(request.param)


@pytest.fixture
def vhost(broker: RunningBroker) -> Iterator[str]:
    """An empty vhost that is gone after the test."""
    name = f"t-{uuid.uuid4().hex[:12]}"
    broker.api("PUT", f"vhosts/{name}", {})
    broker.api("PUT", f"permissions/{name}/{broker.user}", {"configure": ".*", "write": ".*", "read": ".*"})
    yield name
    broker.api("DELETE", f"vhosts/{name}")


@pytest.fixture
def url(broker: RunningBroker, vhost: str) -> str:
    """The AMQP URL of the test's own vhost."""
    return f"{broker.amqp_url}/{vhost}"


@pytest.fixture
def reach(broker: RunningBroker, url: str) -> Access:
    """`Access` to the test's own vhost."""
    return access(url, broker.management_url)


Dlxctl = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def dlxctl(broker: RunningBroker, url: str, vhost: str, tmp_path: Path) -> Dlxctl:
    """The installed command as a process, in an empty directory, pointed at the test's own vhost."""

    def run(*arguments: object, timeout: float = 120, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [str(Path(sys.executable).parent / "dlxctl"), *map(str, arguments)]
        variables = os.environ | {
            "DLXCTL_URL": url, "DLXCTL_MANAGEMENT_URL": broker.management_url, "DLXCTL_VHOST": vhost, "NO_COLOR": "1",
            "DLXCTL_STATE_DIR": str(tmp_path / "state"),
        }  # fmt: skip
        return subprocess.run(
            command, cwd=tmp_path, env=variables | environment, capture_output=True, text=True, timeout=timeout
        )

    return run
