"""Which brokers the tests run on, and how they are had.

`DLXCTL_TEST_BROKERS=3.10,4.0,4.3` asks for versions; without it the broker at hand is used. `DLXCTL_TEST_URLS` names
brokers that run already: `4.0=amqp://guest:guest@127.0.0.1:5400+http://127.0.0.1:15400`, several separated by `,`.
"""

import functools
import os

from tests.brokers.running import RunningBroker


def asked_versions() -> list[str]:
    asked = os.environ.get("DLXCTL_TEST_BROKERS", "")
    return [version.strip() for version in asked.split(",") if version.strip()] or ["at-hand"]


@functools.cache
def obtain(version: str) -> RunningBroker:
    named = dict(entry.split("=", 1) for entry in os.environ.get("DLXCTL_TEST_URLS", "").split(",") if "=" in entry)
    if version == "at-hand" and named:
        version = next(iter(named))
    if version in named:
        amqp, management = named[version].split("+", 1)
        found = RunningBroker(version, amqp, management)
        full = found.api("GET", "overview")["rabbitmq_version"]
        return RunningBroker(full, amqp, management)
    raise RuntimeError(f"no RabbitMQ {version} could be had")
