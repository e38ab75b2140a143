"""The demo, which asserts itself, on each asked version."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.brokers import RunningBroker

pytestmark = pytest.mark.one_version

ROOT = Path(__file__).parent.parent.parent


def test_the_demo_comes_true(broker: RunningBroker) -> None:
    """`make demo` ends with five orders charged, and leaves no vhost behind."""
    release = ".".join(map(str, broker.release))
    named = {"DLXCTL_TEST_URLS": f"{release}={broker.amqp_url}+{broker.management_url}", "DLXCTL_TEST_BROKERS": release}
    done = subprocess.run(
        [sys.executable, "-m", "demo.story"],
        cwd=ROOT, env=os.environ | named, capture_output=True, text=True, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all 5 orders were charged, each exactly once" in done.stdout
    vhost = re.search(r"vhost (dlxctl-demo-\w+)", done.stdout)
    assert vhost is not None
    assert vhost[1] not in [entry["name"] for entry in broker.api("GET", "vhosts")]
