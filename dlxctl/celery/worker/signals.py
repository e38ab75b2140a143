"""What the worker side tells of retries and dead letters: two Celery signals, and log records with the same fields.

Receivers take keyword arguments, as for Celery's own signals: `task_dead_lettered.connect(function)`. An error in a
receiver is logged by Celery and changes nothing.
"""

import logging
import time
from typing import Any

from celery.utils.dispatch import Signal

from dlxctl.celery.failure import Failure
from dlxctl.celery.road import Tier

logger = logging.getLogger("dlxctl.celery")

task_retry_scheduled = Signal(
    name="task_retry_scheduled",
    providing_args={"task_name", "task_id", "queue", "attempt", "tier", "next_run", "exception"},
)
"""Sent in the process that ran the task, once the broker has confirmed the retry; the sender is the task.

`attempt`: the runs so far. `tier`: the exchange, or `native`, where it is sent before the message is given back.
`next_run`: seconds since 1970. `exception`: the error, or None.
"""

task_dead_lettered = Signal(
    name="task_dead_lettered",
    providing_args={"task_name", "task_id", "queue", "attempt", "reason", "exception", "confirmed"},
)
"""Sent in the worker's main process; the sender is the task, or None for a message that is none.

`attempt`: the runs in all. `reason`: a value of `dlxctl.celery.failure.Reason`. `exception`: its class as a text, or
''. `confirmed`: False when the copy could not be placed, and the original was rejected to its DLX instead. Dead letters
that the broker makes by itself (`delivery_limit`, `maxlen`, a message TTL) send none.
"""


def announce_retry(task: Any, queue: str, tier: Tier, exception: BaseException | None) -> None:
    """The retry lies in its tier; or natively, it is about to be given back."""
    fields = {
        "task_name": task.name, "task_id": task.request.id, "queue": queue, "attempt": task.request.retries + 1,
        "tier": tier.exchange, "next_run": time.time() + tier.delay_ms / 1000,
    }  # fmt: skip
    logger.info(
        "Task %(task_name)s[%(task_id)s] failed in attempt %(attempt)s; again in %(delay)ss through %(tier)s",
        fields | {"delay": tier.delay_ms / 1000}, extra=fields,
    )  # fmt: skip
    task_retry_scheduled.send(sender=task, exception=exception, **fields)


def announce_death(task: Any, name: Any, id_: Any, failure: Failure, *, confirmed: bool) -> None:
    """The message is a dead letter; `task` is None where no task was found for it."""
    fields = {
        "task_name": name, "task_id": id_, "queue": failure.origin, "attempt": failure.attempts,
        "reason": str(failure.reason), "exception": failure.exception,
    }  # fmt: skip
    logger.warning(
        "Task %(task_name)s[%(task_id)s] of queue %(queue)s is a dead letter after %(attempt)s attempts: %(reason)s",
        fields, extra=fields,
    )  # fmt: skip
    task_dead_lettered.send(sender=task, confirmed=confirmed, **fields)
