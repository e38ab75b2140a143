"""The rules by which the tests get their brokers; starting them is proved by every contract test."""

from pathlib import Path

import pytest

from tests.brokers import NoBroker, asked_versions, obtain
from tests.brokers.container import image_of
from tests.brokers.debian import SUITES
from tests.brokers.node import Node, stop
from tests.brokers.running import RunningBroker


def test_versions_are_asked_for_by_comma(monkeypatch: pytest.MonkeyPatch) -> None:
    """DLXCTL_TEST_BROKERS lists releases; empty means the broker at hand."""
    monkeypatch.setenv("DLXCTL_TEST_BROKERS", "3.10, 4.3")
    assert asked_versions() == ["3.10", "4.3"]
    monkeypatch.setenv("DLXCTL_TEST_BROKERS", "")
    assert asked_versions() == ["at-hand"]


def test_a_named_broker_that_is_down_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that the environment names and that does not answer is never replaced by another one."""
    monkeypatch.setenv("DLXCTL_TEST_URLS", "9.1=amqp://guest:hush@127.0.0.1:1+http://127.0.0.1:1")
    with pytest.raises(NoBroker, match="cannot be used") as caught:
        obtain("9.1")
    assert "hush" not in str(caught.value)


def test_a_broker_shows_no_password() -> None:
    """A failing assertion prints the broker, and not its password."""
    broker = RunningBroker("4.0.1", "amqp://me:hush@host", "http://host:15672", "me", "hush")
    assert "hush" not in repr(broker)
    assert broker.release == (4, 0)


def test_the_image_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """DLXCTL_TEST_IMAGE replaces the official image; {version} stands for the release."""
    monkeypatch.delenv("DLXCTL_TEST_IMAGE", raising=False)
    assert image_of("4.0") == "rabbitmq:4.0-management"
    assert image_of("at-hand") == "rabbitmq:4-management"
    monkeypatch.setenv("DLXCTL_TEST_IMAGE", "mirror/rabbit:{version}")
    assert image_of("3.10") == "mirror/rabbit:3.10"


def test_nodes_of_two_releases_share_no_port(tmp_path: Path) -> None:
    """AMQP, management, dist and epmd ports of all releases differ and lie below the ephemeral ports."""
    first = [Node(release=release, root=tmp_path, cache=tmp_path).port for release in SUITES]
    ports = [port + offset for port in first for offset in range(4)]
    assert len(set(ports)) == 4 * len(SUITES)
    assert max(ports) < 32768


def test_stopping_what_does_not_run_stops_nothing() -> None:
    """Only processes that carry the mark of the asked release are ended."""
    assert stop("0.0") == 0
