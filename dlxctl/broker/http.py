"""HTTP to the management API: encoding of names, verified TLS, timeouts, and retries of what failed in passing.

Every call that dlxctl makes is idempotent, so that each may be repeated. Knows nothing of queues; `http_failures`
turns what went wrong into dlxctl's errors.
"""

import json
from base64 import b64encode
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import urllib3
from urllib3.exceptions import HTTPError
from urllib3.util import Retry, Timeout

from dlxctl import __version__
from dlxctl.broker import http_failures
from dlxctl.broker.address import Address
from dlxctl.broker.tls import context_of
from dlxctl.errors import UsageError

CONNECTIONS = 8
"""Kept open at most; several threads may call at once."""
CONNECT_TIMEOUT_S = 10
READ_TIMEOUT_S = 30
UNHEALTHY = 503
RETRIES = Retry(
    total=3,
    redirect=False,
    backoff_factor=0.4,
    backoff_max=5,
    status_forcelist=(500, 502, 503, 504),
    allowed_methods=None,
    raise_on_status=False,
    respect_retry_after_header=False,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`data` is the parsed JSON of a success, None for an empty body; `error` and `reason` tell of a refusal."""

    status: int
    data: Any = None
    error: str = ""
    reason: str = ""


class Http:
    """A connection pool to one management API."""

    def __init__(self, address: Address) -> None:
        self.address = address
        token = b64encode(f"{address.user}:{address.password}".encode()).decode()
        self._pool = urllib3.PoolManager(
            num_pools=1,
            maxsize=CONNECTIONS,
            headers={
                "Authorization": f"Basic {token}",
                "Content-Type": "application/json",
                "User-Agent": f"dlxctl/{__version__}",
            },
            timeout=Timeout(connect=CONNECT_TIMEOUT_S, read=READ_TIMEOUT_S),
            ssl_context=context_of(address) if address.tls else None,
        )

    def request(self, method: str, *segments: str, body: Any = None, query: str = "") -> Answer:
        """Call `/api/<segments>`; each segment is percent-encoded. Refusals (4xx) are answers, not errors.

        Raises BrokerUnavailable when there is no answer, or a server error again and again, and BrokerRefused when
        the certificate does not verify.
        """
        status, content = self._call(method, self._url(segments, query), body, RETRIES)
        return self._answer(f"{method} {'/'.join(segments)}", status, content)

    def check(self, *segments: str) -> Answer:
        """Ask a health check, whose 503 is an answer too: it is not tried again, and `data` says what is wrong.

        Raises BrokerUnavailable and BrokerRefused as `request` does.
        """
        status, content = self._call("GET", self._url(segments, ""), None, RETRIES.new(status_forcelist=()))
        asked = f"GET {'/'.join(segments)}"
        if status == UNHEALTHY:
            return Answer(status=status, data=self._json(content, asked))
        return self._answer(asked, status, content)

    def _call(self, method: str, url: str, body: Any, retries: Retry) -> tuple[int, bytes]:
        try:
            response = self._pool.request(
                method, url, body=None if body is None else json.dumps(body).encode(), retries=retries
            )
            return response.status, response.data
        except (HTTPError, OSError) as error:
            raise http_failures.unreachable(self.address, error) from None

    def _answer(self, asked: str, status: int, content: bytes) -> Answer:
        if status >= 500:
            raise http_failures.server_error(self.address, asked, status, content)
        if status >= 300:
            code, reason = http_failures.refusal(content)
            return Answer(status=status, error=code, reason=reason)
        return Answer(status=status, data=self._json(content, asked))

    def _json(self, content: bytes, asked: str) -> Any:
        if not content:
            return None
        try:
            return json.loads(content)
        except (ValueError, RecursionError):
            raise http_failures.garbage(self.address, asked) from None

    def _url(self, segments: tuple[str, ...], query: str) -> str:
        address = self.address
        host = f"[{address.host}]" if ":" in address.host else address.host
        path = "/".join(map(_encoded, segments))
        return f"http{'s' * address.tls}://{host}:{address.port}/api/{path}{query and '?'}{query}"


def _encoded(segment: str) -> str:
    """`segment` fit for a path; the names `.` and `..` cannot be asked for by HTTP in any encoding."""
    if segment in (".", ".."):
        raise UsageError(f"the name {segment!r} cannot be used with the management API", remedy="Choose another name.")
    return quote(segment, safe="")
