"""Which brokers the tests run on, and how they are had (docs/testing.md is this module's page for people).

`DLXCTL_TEST_BROKERS=3.10,4.0,4.3` asks for versions; without it the broker at hand is used. The first way that works
is taken: `DLXCTL_TEST_URLS`, which names brokers that run already
(`4.0=amqp://guest:guest@127.0.0.1:5400+http://127.0.0.1:15400`, several separated by `,`); `RABBITMQ_URL` when no
version is asked for; Docker; Debian's packages as local processes.
"""

import functools
import os
from urllib.parse import unquote, urlsplit

from tests.brokers.container import from_docker
from tests.brokers.debian import from_debian
from tests.brokers.running import NoBroker, RunningBroker, say

AT_HAND = "at-hand"
REMEDY = """There are three ways to have one:
  - a broker that runs already, with the management plugin and an administrator's login:
    RABBITMQ_URL=amqp://user:password@host:5672; for several versions DLXCTL_TEST_URLS, see docs/testing.md
  - Docker: start it, so that `docker version` answers, with images rabbitmq:VERSION-management
  - Debian's packages: run as root on Debian, or install rabbitmq-server yourself
What needs no broker: make test ARGS="-m 'not broker'"."""


def asked_versions() -> list[str]:
    """The versions that DLXCTL_TEST_BROKERS asks for, or the one at hand."""
    asked = os.environ.get("DLXCTL_TEST_BROKERS", "")
    return [version.strip() for version in asked.split(",") if version.strip()] or [AT_HAND]


@functools.cache
def obtain(version: str) -> RunningBroker:
    """A running broker of `version`, e.g. "4.0" or "at-hand". Raises NoBroker: not to have one is a failure."""
    broker = _named(version) or _from_rabbitmq_url(version) or _started(version)
    if version not in (AT_HAND, ".".join(map(str, broker.release))):
        raise NoBroker(f"asked for RabbitMQ {version}, got {broker.version} at {broker.management_url}")
    return broker


def _named(version: str) -> RunningBroker | None:
    """The entry of DLXCTL_TEST_URLS; the first one where no version is asked for."""
    named = dict(entry.split("=", 1) for entry in os.environ.get("DLXCTL_TEST_URLS", "").split(",") if "=" in entry)
    address = next(iter(named.values()), None) if version == AT_HAND else named.get(version)
    if address is None:
        return None
    amqp_url, management_url = address.split("+http", 1)
    return _reached(amqp_url, f"http{management_url}")


def _from_rabbitmq_url(version: str) -> RunningBroker | None:
    """RABBITMQ_URL, management at DLXCTL_MANAGEMENT_URL or at port 15672 of the same host."""
    url = os.environ.get("RABBITMQ_URL", "")
    if version != AT_HAND or not url:
        return None
    parts = urlsplit(url)
    scheme, port = ("https", 15671) if parts.scheme == "amqps" else ("http", 15672)
    default = f"{scheme}://{parts.hostname}:{port}"
    return _reached(f"{parts.scheme}://{parts.netloc}", os.environ.get("DLXCTL_MANAGEMENT_URL", default))


def _reached(amqp_url: str, management_url: str) -> RunningBroker:
    parts = urlsplit(amqp_url)
    user, password = unquote(parts.username or "guest"), unquote(parts.password or "guest")
    try:
        return RunningBroker("", amqp_url, management_url, user, password).versioned()
    except OSError as error:
        raise NoBroker(f"the broker that the environment names cannot be used at {management_url}: {error}") from error


def _started(version: str) -> RunningBroker:
    reasons = []
    for name, way in {"Docker": from_docker, "Debian packages": from_debian}.items():
        try:
            return way(version)
        except NoBroker as error:
            reasons.append(f"  - {name}: {error}")
            say(f"RabbitMQ {version}: not by {name} ({error})")
    raise NoBroker("\n".join([f"no RabbitMQ {version} could be had:", *reasons, REMEDY]))
