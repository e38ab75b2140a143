"""A broker that runs, and the few management calls that tests need (no dlxctl code: tests must not test with it)."""

import json
import urllib.request
from base64 import b64encode
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class RunningBroker:
    """`amqp_url` has no vhost and no trailing slash; `version` is the full one, e.g. 4.3.6."""

    version: str
    amqp_url: str
    management_url: str
    user: str = "guest"
    password: str = "guest"

    @property
    def release(self) -> tuple[int, int]:
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
