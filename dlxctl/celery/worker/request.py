"""Where Celery would reject a failed task to its DLX, put a copy there that says how it failed.

Runs in the worker's main process, which alone has the original bytes and the acknowledgement. Celery has by then
stored the state and sent signals and errbacks, in the pool's process as always.
"""

from typing import Any

from billiard.einfo import ExceptionWithTraceback
from celery.exceptions import TimeLimitExceeded
from celery.worker import request as celery_request

from dlxctl.celery.worker.dead_letter import publish_dead_letter
from dlxctl.celery.worker.strategy import QUEUE


class Request(celery_request.Request):  # type: ignore[misc]  # Celery has no types
    """Named by `RetryTask.Request`. The copy is confirmed before the original is acknowledged."""

    _failure: Any = None

    def __init__(self, message: Any, **options: Any) -> None:
        super().__init__(message, **options)
        self._delivery_info[QUEUE] = message.delivery_info.get(QUEUE)

    def on_failure(self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False) -> Any:
        """Celery's callback; remembers the failure for `reject`."""
        self._failure = exc_info
        return super().on_failure(exc_info, send_failed_event=send_failed_event, return_ok=return_ok)

    def reject(self, requeue: bool = False) -> None:
        """Give the message back. A final failure is acknowledged instead, once its copy lies behind the DLX."""
        final = self._failure is not None and (not requeue or self._hit_time_limit()) and not self.acknowledged
        if final and publish_dead_letter(self, self._failure):
            self.acknowledge()
        else:
            super().reject(requeue=requeue)

    def _hit_time_limit(self) -> bool:
        """Whether the hard limit ended it: Celery requeues that, and on a classic queue it would run for ever."""
        error = self._failure.exception
        return isinstance(error.exc if isinstance(error, ExceptionWithTraceback) else error, TimeLimitExceeded)
