"""How a task can fail, and how that can end: the words of doctor, of its output and of its page."""

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """One way to fail."""

    RAISES = "raises"
    REJECT = "reject"
    REJECT_BADLY = "reject-badly"
    REJECT_REQUEUE = "reject-requeue"
    RETRIES_SPENT = "retries-spent"
    RETRY_UNROUTABLE = "retry-unroutable"
    SOFT_TIME_LIMIT = "soft-time-limit"
    HARD_TIME_LIMIT = "hard-time-limit"
    CHILD_KILLED = "child-killed"
    WORKER_KILLED = "worker-killed"
    MEMORY_ERROR = "memory-error"
    WRONG_ARGUMENTS = "wrong-arguments"
    RESULT_UNSERIALISABLE = "result-unserialisable"
    ON_FAILURE_RAISES = "on-failure-raises"
    BACKEND_DOWN = "backend-down"
    BACKEND_DOWN_REJECT = "backend-down-reject"
    BACKEND_DOWN_SUCCESS = "backend-down-success"
    UNREGISTERED = "unregistered"
    CONTENT_NOT_ACCEPTED = "content-not-accepted"
    NOT_CELERY = "not-celery"
    BAD_ETA = "bad-eta"
    UNDECODABLE = "undecodable"
    BROKEN_COMPRESSION = "broken-compression"
    MISSING_ID = "missing-id"
    NOT_A_TRIPLE = "not-a-triple"
    EXPIRED = "expired"
    IGNORE = "ignore"
    REVOKED = "revoked"


MEANINGS: dict[Outcome, str] = {
    Outcome.RAISES: "the task raises an exception",
    Outcome.REJECT: "the task raises `Reject(reason, requeue=False)`",
    Outcome.REJECT_BADLY: "the same with a reason that cannot be unpickled",
    Outcome.REJECT_REQUEUE: "the task raises `Reject(reason, requeue=True)`",
    Outcome.RETRIES_SPENT: "the last retry fails",
    Outcome.RETRY_UNROUTABLE: "a retry is published to an exchange that is missing, or leads nowhere",
    Outcome.SOFT_TIME_LIMIT: "the soft time limit passes, and the task does not catch it",
    Outcome.HARD_TIME_LIMIT: "the hard time limit passes",
    Outcome.CHILD_KILLED: "the pool's process dies under the task: out of memory, segmentation fault, `kill -9`",
    Outcome.WORKER_KILLED: "the whole worker dies under the task, once",
    Outcome.MEMORY_ERROR: "the task raises `MemoryError`",
    Outcome.WRONG_ARGUMENTS: "the message has arguments that the task does not take",
    Outcome.RESULT_UNSERIALISABLE: "the result cannot be serialised",
    Outcome.ON_FAILURE_RAISES: "the task raises, and its `on_failure` raises too",
    Outcome.BACKEND_DOWN: "the task raises while the result backend is down",
    Outcome.BACKEND_DOWN_REJECT: "the task raises `Reject` while the result backend is down",
    Outcome.BACKEND_DOWN_SUCCESS: "the task succeeds while the result backend is down",
    Outcome.UNREGISTERED: "the worker does not know the task",
    Outcome.CONTENT_NOT_ACCEPTED: "a content type that is not in `accept_content`",
    Outcome.NOT_CELERY: "a message that is none of Celery's",
    Outcome.BAD_ETA: "an `eta` that is no date",
    Outcome.UNDECODABLE: "a body that cannot be decoded",
    Outcome.BROKEN_COMPRESSION: "a body that cannot be decompressed",
    Outcome.MISSING_ID: "a message without the header `id`",
    Outcome.NOT_A_TRIPLE: "a body that is not [args, kwargs, embed]",
    Outcome.EXPIRED: "`expires` has passed when a worker takes the task",
    Outcome.IGNORE: "the task raises `Ignore`, or replaces itself",
    Outcome.REVOKED: "the task was revoked",
}


class End(StrEnum):
    """How an outcome ends. All but DLQ, DROPPED and REDELIVERED are findings."""

    DLQ = "dlq"
    LOST = "lost"
    LOOPS = "loops"
    STUCK = "stuck"
    DROPPED = "dropped by intent"
    REDELIVERED = "redelivered"


END_MEANINGS: dict[End, str] = {
    End.DLQ: "in the dead-letter queue",
    End.LOST: "acknowledged or dropped: gone without a word",
    End.LOOPS: "comes back and fails again, for ever",
    End.STUCK: "kept in the work queue where no consumer gets it, until the dead-letter exchange leads somewhere",
    End.DROPPED: "gone, as the code or a person asked for",
    End.REDELIVERED: "another worker runs it again",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """How one outcome of one task ends, why, and the line that mends it; `remedy` is '' where nothing is to mend.

    `kills_worker`: the worker's main process ends over it. `runs`: how often it is delivered before the broker's
    delivery limit ends it, None where no limit takes part.
    """

    end: End
    cause: str = ""
    remedy: str = ""
    kills_worker: bool = False
    runs: int | None = None

    @property
    def sound(self) -> bool:
        """Whether nothing is to mend."""
        return self.end in (End.DLQ, End.DROPPED, End.REDELIVERED) and not self.kills_worker
