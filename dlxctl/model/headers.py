"""The message headers that dlxctl writes, strips or resets: one table for replay, worker, inspect and docs."""

ORIGIN = "dlxctl-origin"
"""longstr: the work queue that the dead letter came from, written by RetryTask."""
EXCEPTION = "dlxctl-exception"
"""longstr: class of the exception, `module.Name`, a built-in one without its module; at most 300 characters."""
MESSAGE = "dlxctl-message"
"""longstr: text of the exception, at most 1,000 characters."""
TRACEBACK = "dlxctl-traceback"
"""longstr: the traceback, its last 8,000 characters."""
ATTEMPTS = "dlxctl-attempts"
"""int: how often the task ran before it died."""
DIED_AT = "dlxctl-died-at"
"""int: seconds since 1970 at which RetryTask gave up."""
EXPIRES = "dlxctl-expires"
"""longstr: the `expires` header that the task had (ISO 8601); a copy with its own would vanish in the DLQ."""
REASON = "dlxctl-reason"
"""longstr: why it died, where the broker does not say: the values of `dlxctl.celery.failure.Reason`."""

FAILURE_HEADERS = (ORIGIN, EXCEPTION, MESSAGE, TRACEBACK, ATTEMPTS, DIED_AT, EXPIRES, REASON)
"""Written by the worker side on a dead letter; replay folds them into `HISTORY` and takes them off."""

RUN = "dlxctl-run"
"""longstr: id of the replay run that last moved the message."""
REPLAYS = "dlxctl-replays"
"""int: how often the message has been replayed."""
MAYBE_DUPLICATE = "dlxctl-maybe-duplicate"
"""bool true: an unfinished run may have published this message already."""
HISTORY = "dlxctl-history"
"""longstr: JSON list, newest first, one object a death that was replayed: {at, queue, reason, exception}."""

DELIVERY_COUNT = "x-delivery-count"
"""int: how often a quorum queue had the message returned; not there on the first delivery (facts 1.3)."""

BROKER_DEATH_HEADERS = (
    "x-death",
    "x-first-death-exchange", "x-first-death-queue", "x-first-death-reason",
    "x-last-death-exchange", "x-last-death-queue", "x-last-death-reason",
    DELIVERY_COUNT, "x-acquired-count",
)  # fmt: skip
"""The broker's own; kept on a republish they crash a queue on 3.10 or lie on 4.x (facts 1.8)."""

COPY_HEADERS = ("CC", "BCC")
"""Would send copies of a replayed message elsewhere (facts 1.7)."""

NOTE = "dlxctl-note"
"""longstr: why somebody parked the message, in their words."""
PARKED_AT = "dlxctl-parked-at"
"""int: seconds since 1970 at which somebody parked it."""
