"""Celery's consumer, named by the setting `worker_consumer`: what it cannot make a task of becomes a dead letter.

Celery acknowledges a body that it cannot decode, and rejects other messages without saying why; with its result
backend away, or without the headers that it takes for granted, the worker itself ends. Before the first message the
worker is compared with the broker (`checks`).

`Consumer` also leaves out native delayed delivery: with a quorum queue in its settings a worker declares 28 queues and
29 exchanges (`celery_delayed_*`), and binds the work queues to them; no setting stops it
(celery/worker/consumer/delayed_delivery.py). The retry tiers replace them.
"""

import logging
from collections.abc import Callable
from typing import Any

from celery.exceptions import NotRegistered
from celery.utils.functional import noop
from celery.worker.consumer import Consumer as CeleryConsumer
from kombu.exceptions import ContentDisallowed

from dlxctl.celery.failure import Reason
from dlxctl.celery.worker.checks import protect, refuse_to_lose
from dlxctl.celery.worker.dead_letter import bury_message
from dlxctl.celery.worker.pools import contain
from dlxctl.celery.worker.strategy import queue_of

logger = logging.getLogger(__name__)


class DelayingConsumer(CeleryConsumer):  # type: ignore[misc]  # Celery has no types
    """Every step of Celery's consumer; named where the file says `celery: native_delay: true`."""

    _compared = False

    def update_strategies(self) -> None:
        """Celery's step before it consumes. Raises WorkerMisconfigured, once, where failures would vanish."""
        protect(self.app)
        contain(self.pool)
        if not self._compared:
            refuse_to_lose(self.app, self.connection)
            self._compared = True
        super().update_strategies()

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        """The body cannot be decoded or decompressed. Celery acknowledges it."""
        after = super().on_decode_error
        reason = Reason.NOT_ACCEPTED if isinstance(exc, ContentDisallowed) else Reason.UNDECODABLE
        self._bury(message, reason, exc, lambda: after(message, exc))

    def on_unknown_message(self, body: Any, message: Any) -> None:
        """It is no task message at all."""
        after = super().on_unknown_message
        self._bury(message, Reason.NOT_A_TASK, None, lambda: after(body, message))

    def on_unknown_task(self, body: Any, message: Any, exc: Exception) -> None:
        """No task of that name is registered in this worker."""
        after = super().on_unknown_task
        self._bury(message, Reason.UNKNOWN_TASK, NotRegistered(*exc.args), lambda: after(body, message, exc))

    def on_invalid_task(self, body: Any, message: Any, exc: Exception) -> None:
        """The task is there, and its message makes no sense."""
        after = super().on_invalid_task
        reason = Reason.NOT_ACCEPTED if isinstance(exc, ContentDisallowed) else Reason.MALFORMED
        self._bury(message, reason, exc, lambda: after(body, message, exc))

    def _bury(self, message: Any, reason: Reason, error: Any, celerys_way: Callable[[], None]) -> None:
        """Settle the message; then Celery logs, stores and signals as ever, with nothing left to settle."""
        queue = queue_of(message.delivery_info, self.task_consumer)
        bury_message(self.app, message, queue, reason, error, self.connection_errors)
        message.ack = message.reject_log_error = noop
        try:
            celerys_way()
        except Exception as failed:  # no `id`, or the result backend is away: that would end the worker
            logger.error("dlxctl: Celery could not deal with a message that it cannot read: %r", failed)


class Consumer(DelayingConsumer):
    """Without DelayedDelivery, which versions before 5.5 do not have."""

    class Blueprint(CeleryConsumer.Blueprint):  # type: ignore[misc]  # Celery has no types
        """The steps."""

        default_steps = tuple(
            step for step in CeleryConsumer.Blueprint.default_steps if not step.endswith(":DelayedDelivery")
        )
