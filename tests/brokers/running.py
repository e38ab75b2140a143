"""A broker that runs, and the few management calls that tests need (no dlxctl code: tests must not test with it)."""

import json
import os
import sys
import time
import urllib.request
from base64 import b64encode
from dataclasses import dataclass, field, replace
from typing import Any


class NoBroker(Exception):
    """A broker cannot be had in one way, or in none; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class RunningBroker:
    """`amqp_url` has no vhost and no trailing slash; `version` is the full one, e.g. 4.3.6."""

    version: str
    amqp_url: str = field(repr=False)
    management_url: str
    user: str = "guest"
    password: str = field(default="guest", repr=False)

    @property
    def release(self) -> tuple[int, int]:
        """Major and minor: (4, 3)."""
        major, minor = self.version.split(".")[:2]
        return int(major), int(minor)

    def api(self, method: str, path: str, body: Any = None) -> Any:
        """One management API call; parsed JSON, or None for an empty answer. Raises urllib.error.HTTPError."""
        token = b64encode(f"{self.user}:{self.password}".encode()).decode()
        request = urllib.request.Request(
            f"{self.management_url}/api/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Basic {token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def versioned(self) -> "RunningBroker":
        """This broker with the version that it reports. Raises OSError while it does not answer."""
        return replace(self, version=self.api("GET", "overview")["rabbitmq_version"])

    def if_ready(self) -> "RunningBroker | None":
        """This broker with its version when it answers and a vhost can be made and removed (so it can write)."""
        vhost = f"health-{os.getpid()}"
        try:
            self.api("PUT", f"vhosts/{vhost}", {})
            self.api("DELETE", f"vhosts/{vhost}")
            return self.versioned()
        except OSError:  # refused, reset, timed out, or any HTTP error: a starting node answers 500 for a while
            return None

    def await_start(self, seconds: float) -> "RunningBroker":
        """This broker once it is ready, with its version. Raises NoBroker when the time is over."""
        deadline = time.monotonic() + seconds
        while (ready := self.if_ready()) is None:
            if time.monotonic() > deadline:
                raise NoBroker(f"nothing healthy answers at {self.management_url} after {seconds:.0f} s")
            time.sleep(0.3)
        return ready


def say(text: str) -> None:
    """Tell the person who waits; the first start of a broker may take minutes."""
    print(f"brokers: {text}", file=sys.stderr, flush=True)
