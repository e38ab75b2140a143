"""The failures of a Celery task, as data: what is sent, and what becomes of it with dlxctl and without.

`ROWS` times `CONFIGURATIONS`: the tests run each row through real workers, and `dlxctl doctor` is held to predict the
same fates. The unprotected columns were measured with Celery 5.7.0, pool prefork, without publisher confirms.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

NOTHING: Mapping[str, Any] = MappingProxyType({})
TRIPLE = b'[[], {}, {"callbacks": null, "errbacks": null, "chain": null, "chord": null}]'
PROTECTED = "dlxctl"
QUEUE, LADDER = "work", "laddered"
"""Work queues: `work` retries nothing, so that a failure is final at once; `laddered` retries twice."""


class Fate(StrEnum):
    """What becomes of the message."""

    DLQ = "dlq"
    LOST = "lost"
    LOOPS = "loops"
    """Comes back for ever; on a quorum queue with `x-delivery-limit` it ends in the DLQ, by `delivery_limit`."""
    DROPPED = "dropped by intent"
    REDELIVERED = "redelivered"
    """Runs again in another worker, once; then what that run comes to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """One way to configure a worker; `settings` None is `dlxctl.celery.setup`. `since`: the first Celery with it."""

    name: str
    settings: Mapping[str, Any] | None
    since: tuple[int, int] = (5, 4)


LATE = {"task_acks_late": True}
KEPT = {"task_acks_on_failure_or_timeout": False}
CONFIGURATIONS = {
    configuration.name: configuration
    for configuration in (
        Configuration(name=PROTECTED, settings=None),
        Configuration(name="A", settings=NOTHING),
        Configuration(name="A0", settings=KEPT),
        Configuration(name="B", settings=LATE),
        Configuration(name="C", settings={**LATE, **KEPT}),
        Configuration(name="D", settings={**LATE, **KEPT, "task_reject_on_worker_lost": True}),
        Configuration(name="E", settings={**LATE, "task_reject_on_worker_lost": True}),
        Configuration(
            name="F", settings={**LATE, "task_acks_on_failure": False, "task_acks_on_timeout": True}, since=(5, 7)
        ),
        Configuration(name="G", settings={**LATE, **KEPT, "task_retry_on_worker_lost": True}, since=(5, 7)),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """The one dead letter of a row under dlxctl.

    `reason`: header `dlxctl-reason`, or with `by_broker` the reason of `x-death`, which then tells the origin too.
    `exception`: class in `dlxctl-exception`, '' for none. `traceback`: whether there is one. `attempts`: its runs.
    """

    reason: str
    exception: str = ""
    traceback: bool = False
    attempts: int = 1
    by_broker: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One failure. The message: to `queue`, header `task`, an `id` and `row` equal to `name`, `headers`, `body`.

    `headers` with the value None are left out. `letter` is None where dlxctl leaves none: then `protected` says why.
    `unprotected`: fate by the name of the configuration. `kills_worker`: without dlxctl the main process ends, and
    what is LOOPS goes on to kill the next one. `pools`: in which the row exists.
    """

    name: str
    unprotected: Mapping[str, Fate]
    letter: Letter | None = None
    protected: Fate = Fate.DLQ
    task: str | None = None
    queue: str = QUEUE
    headers: Mapping[str, Any] = field(default_factory=dict)
    body: bytes = TRIPLE
    properties: Mapping[str, Any] = field(default_factory=dict)
    kills_worker: bool = False
    pools: tuple[str, ...] = ("prefork", "threads", "solo")

    def fate(self, configuration: str) -> Fate:
        """What becomes of it under `configuration` (a key of CONFIGURATIONS)."""
        return self.protected if configuration == PROTECTED else self.unprotected[configuration]


def _fates(early: Fate, b: Fate, c: Fate, d: Fate, e: Fate, f: Fate, g: Fate) -> dict[str, Fate]:
    return {"A": early, "A0": early, "B": b, "C": c, "D": d, "E": e, "F": f, "G": g}


_D, _L, _O = Fate.DLQ, Fate.LOST, Fate.LOOPS
FAILING = _fates(_L, _L, _D, _D, _L, _D, _D)
REJECTED = _fates(_L, _D, _D, _D, _D, _D, _D)
ALWAYS = _fates(_D, _D, _D, _D, _D, _D, _D)
NEVER = _fates(_L, _L, _L, _L, _L, _L, _L)
POISON = _fates(_O, _O, _O, _O, _O, _O, _O)
EARLY_LOST = _fates(_L, _O, _O, _O, _O, _O, _O)
INTENDED = _fates(*(Fate.DROPPED,) * 7)

PREFORK = ("prefork",)
ENCODE_ERROR = "kombu.exceptions.EncodeError"
APP = "tests.celery_failures.app"
"""The module of the tasks."""


def _failed(exception: str, reason: str = "failed", **options: Any) -> Letter:
    return Letter(reason=reason, exception=exception, traceback=True, **options)


def _unread(reason: str, exception: str = "") -> Letter:
    """A message of which no run came: there is no traceback, and at most an error of reading it."""
    return Letter(reason=reason, exception=exception, attempts=0)


ROWS: tuple[Row, ...] = (
    Row(name="raises", task="m.raises", letter=_failed("ValueError"), unprotected=FAILING),
    Row(name="raises-badly", task="m.raises_badly", letter=_failed(f"{APP}.Badly"), unprotected=FAILING),
    Row(name="reject", task="m.reject", letter=_failed("celery.exceptions.Reject", "rejected"), unprotected=REJECTED),
    Row(
        name="reject-badly",
        task="m.reject_badly",
        letter=_failed("celery.exceptions.Reject", "rejected"),
        kills_worker=True,
        unprotected=EARLY_LOST,
        pools=PREFORK,
    ),
    Row(
        name="reject-requeue",
        task="m.reject_requeue",
        protected=Fate.LOOPS,
        unprotected=EARLY_LOST,
    ),
    Row(
        name="retries-spent",
        task="m.retries",
        queue=LADDER,
        unprotected=FAILING,
        letter=_failed("ValueError", "retries-spent", attempts=3),
    ),
    Row(
        name="soft-time-limit",
        task="m.soft",
        letter=_failed("billiard.exceptions.SoftTimeLimitExceeded"),
        unprotected=FAILING,
        pools=PREFORK,
    ),
    Row(
        name="hard-time-limit",
        task="m.hard",
        letter=_failed(
            "billiard.exceptions.TimeLimitExceeded",
            "time-limit",
        ),
        unprotected=_fates(_L, _L, _O, _O, _L, _L, _O),
        pools=PREFORK,
    ),
    Row(
        name="child-killed",
        task="m.killed",
        letter=_failed(
            "billiard.exceptions.WorkerLostError",
            "worker-lost",
        ),
        unprotected=_fates(_L, _L, _D, _O, _O, _D, _D),
        pools=PREFORK,
    ),
    Row(
        name="worker-killed",
        task="m.fails_second_time",
        letter=_failed("ValueError"),
        kills_worker=True,
        unprotected=_fates(_L, *(Fate.REDELIVERED,) * 6),
    ),
    Row(
        name="memory-error",
        task="m.memory",
        letter=_failed("MemoryError"),
        kills_worker=True,
        unprotected=EARLY_LOST,
    ),
    Row(name="wrong-arguments", task="m.add", letter=_failed("TypeError"), unprotected=FAILING),
    Row(name="result-unserialisable", task="m.opaque", letter=_failed(ENCODE_ERROR), unprotected=FAILING),
    Row(name="on-failure-raises", task="m.bad_hook", letter=_failed("RuntimeError"), unprotected=FAILING),
    Row(name="backend-down", task="m.raises_unstored", letter=_failed("ConnectionError"), unprotected=FAILING),
    Row(
        name="backend-down-reject",
        task="m.reject_unstored",
        unprotected=EARLY_LOST,
        letter=_failed("celery.exceptions.Reject", "rejected"),
    ),
    Row(
        name="backend-down-success",
        task="m.ok_unstored",
        letter=_failed("ConnectionError"),
        unprotected=FAILING,
    ),
    Row(
        name="retry-unroutable",
        task="m.retries",
        queue="detour",
        unprotected=NEVER,
        letter=_failed("dlxctl.celery.worker.task.RetryUnroutable", "retry-unroutable"),
    ),
    Row(
        name="unregistered",
        task="m.nowhere",
        letter=_unread("unknown-task", "celery.exceptions.NotRegistered"),
        unprotected=ALWAYS,
    ),
    Row(
        name="content-not-accepted",
        task="m.add",
        letter=_unread("not-accepted", "kombu.exceptions.ContentDisallowed"),
        unprotected=ALWAYS,
        body=b"\x80\x04N.",
        properties={
            "content_type": "application/x-python-serialize",
            "content_encoding": "binary",
        },
    ),
    Row(
        name="not-celery",
        letter=_unread("not-a-task"),
        body=b'{"order": 1}',
        unprotected=ALWAYS,
        headers={"id": None, "lang": None},
    ),
    Row(
        name="bad-eta",
        task="m.add",
        letter=_unread("malformed", "celery.exceptions.InvalidTaskError"),
        headers={"eta": "soon"},
        unprotected=ALWAYS,
    ),
    Row(
        name="undecodable",
        task="m.add",
        letter=_unread("undecodable", "kombu.exceptions.DecodeError"),
        body=b"{not json",
        unprotected=NEVER,
    ),
    Row(
        name="broken-compression",
        task="m.add",
        letter=_unread("undecodable", "TypeError"),
        body=b"not zlib",
        headers={"compression": "application/x-gzip"},
        unprotected=NEVER,
    ),
    Row(
        name="missing-id",
        task="m.add",
        letter=_unread("malformed", "celery.exceptions.InvalidTaskError"),
        headers={"id": None},
        kills_worker=True,
        unprotected=POISON,
    ),
    Row(
        name="not-a-triple",
        task="m.add",
        letter=_unread("malformed", "celery.exceptions.InvalidTaskError"),
        body=b"[1, 2]",
        kills_worker=True,
        unprotected=POISON,
    ),
    Row(
        name="expired",
        task="m.add",
        letter=_unread("expired"),
        unprotected=NEVER,
        headers={"expires": "2020-01-01T00:00:00+00:00"},
    ),
    Row(
        name="expired-in-queue",
        task="m.add",
        letter=Letter(reason="expired", by_broker=True),
        queue="unconsumed",
        properties={"expiration": "1"},
        unprotected=ALWAYS,
    ),
    Row(name="ignore", task="m.ignore", protected=Fate.DROPPED, unprotected=INTENDED),
    Row(name="revoked", task="m.add", protected=Fate.DROPPED, unprotected=INTENDED),
)
BY_NAME = {row.name: row for row in ROWS}
