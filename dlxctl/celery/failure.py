"""The failure written on a dead letter: bounded, valid UTF-8 headers (names: `dlxctl.model.headers`). Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from dlxctl.model import headers as names

EXCEPTION_LIMIT, MESSAGE_LIMIT, TRACEBACK_LIMIT = 300, 1_000, 8_000
"""Characters. A message's headers must fit one AMQP frame (128 KiB by default), beside those it has already."""


class Reason(StrEnum):
    """Why a task came to rest: the values of the header `dlxctl-reason`."""

    FAILED = "failed"
    RETRIES_SPENT = "retries-spent"
    RETRY_UNROUTABLE = "retry-unroutable"
    REJECTED = "rejected"
    WORKER_LOST = "worker-lost"
    TIME_LIMIT = "time-limit"
    EXPIRED = "expired"
    UNKNOWN_TASK = "unknown-task"
    NOT_A_TASK = "not-a-task"
    NOT_ACCEPTED = "not-accepted"
    UNDECODABLE = "undecodable"
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """How a task failed for good; `attempts` counts its runs, `died_at` is in seconds since 1970.

    `exception` and `traceback` are '' where there was none: an expired task, a message that is no task.
    """

    origin: str
    reason: Reason
    exception: str
    message: str
    traceback: str
    attempts: int
    died_at: int


def failure_headers(original: Mapping[str, Any], failure: Failure) -> dict[str, Any]:
    """The headers of the copy that goes to the DLX.

    Those of the original without the broker's own, which crash a queue on 3.10 and lie on 4.x, and without CC and BCC,
    which would send copies elsewhere (facts 1.7, 1.8). `expires` moves to `dlxctl-expires`: a worker throws an
    expired task away unseen, also one that was replayed.
    """
    dropped = {*names.BROKER_DEATH_HEADERS, *names.COPY_HEADERS, *names.FAILURE_HEADERS}
    kept = {name: value for name, value in original.items() if name not in dropped}
    written: dict[str, Any] = {
        names.ORIGIN: failure.origin,
        names.REASON: str(failure.reason),
        names.EXCEPTION: _bounded(failure.exception, EXCEPTION_LIMIT),
        names.MESSAGE: _bounded(failure.message, MESSAGE_LIMIT),
        names.TRACEBACK: _valid(failure.traceback)[-TRACEBACK_LIMIT:],
        names.ATTEMPTS: failure.attempts,
        names.DIED_AT: failure.died_at,
    }
    if kept.get("expires"):
        written[names.EXPIRES] = _valid(str(kept["expires"]))
        kept["expires"] = None
    return kept | written


def _bounded(text: str, limit: int) -> str:
    valid = _valid(text)
    return valid if len(valid) <= limit else valid[: limit - 1] + "…"


def _valid(text: str) -> str:
    """Lone surrogates, which UTF-8 cannot hold, become `?`; a header with one could not be sent."""
    return text.encode("utf-8", "replace").decode("utf-8")
