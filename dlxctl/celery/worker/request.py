"""Where Celery would reject a failed task to its DLX, or throw it away, put a copy there that says how it failed.

Runs in the worker's main process, which alone has the original bytes and the acknowledgement. Celery has by then
stored the state and sent signals and errbacks, in the pool's process as always.
"""

import logging
from datetime import datetime
from typing import Any

from celery.exceptions import InvalidTaskError, TimeLimitExceeded
from celery.worker import request as celery_request
from kombu.exceptions import ContentDisallowed, DecodeError

from dlxctl.celery.failure import Reason
from dlxctl.celery.worker.dead_letter import bury_request, error_of
from dlxctl.celery.worker.native import NativeRetry, count_returns
from dlxctl.celery.worker.strategy import ADMITTED, QUEUE

logger = logging.getLogger(__name__)


class Request(celery_request.Request):  # type: ignore[misc]  # Celery has no types
    """Named by `RetryTask.Request`. The copy is confirmed before the original is acknowledged."""

    _failure: Any = None

    def __init__(self, message: Any, **options: Any) -> None:
        try:
            super().__init__(message, **options)
        except (InvalidTaskError, ContentDisallowed, DecodeError):
            raise
        except Exception as error:  # no `id`, a body that is no triple, ...: unforeseen by Celery, they end the worker
            raise InvalidTaskError(f"not a task message: {error!r}") from error
        self._delivery_info[QUEUE] = message.delivery_info.get(QUEUE)
        count_returns(self._app, self._request_dict, self._delivery_info[QUEUE])
        message.delivery_info[ADMITTED] = True

    def on_failure(self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False) -> Any:
        """Celery's callback; remembers the failure for `reject`, and buries what Celery would leave unsettled.

        Celery raises for a MemoryError, which ends the worker, and where its result backend is away: the message would
        be neither acknowledged nor rejected. The state was stored by the pool's process, if it could be.
        """
        self._failure = exc_info
        try:
            return super().on_failure(exc_info, send_failed_event=send_failed_event, return_ok=return_ok)
        except Exception as error:
            logger.error("dlxctl: Celery could not deal with the failure of %s[%s]: %r", self.name, self.id, error)
            return self.reject()

    def on_retry(self, exc_info: Any) -> None:
        """Celery's callback; what the broker is to delay goes back to its queue, and is not acknowledged."""
        if isinstance(error_of(exc_info), NativeRetry):
            super().reject(requeue=True)
        super().on_retry(exc_info)

    def reject(self, requeue: bool = False) -> None:
        """Give the message back. A final failure is acknowledged instead, once its copy lies behind the DLX."""
        final = not self.acknowledged and (not requeue or self._hit_time_limit())
        if final and bury_request(self, self._failure):
            self.acknowledge()
        else:
            super().reject(requeue=requeue)

    def maybe_expire(self) -> bool:
        """Whether its time is over. Unlike Celery's, remembers no id as revoked: a replay would be thrown away."""
        return self.expires is not None and datetime.now(self.expires.tzinfo) > self.expires

    def _announce_revoked(self, reason: str, terminated: bool, signum: Any, expired: bool) -> None:
        if expired and not self.acknowledged:
            if bury_request(self, None, Reason.EXPIRED):
                self.acknowledge()
            else:
                super().reject()
        try:
            super()._announce_revoked(reason, terminated, signum, expired)
        except Exception as error:  # its result backend is away: that would end the worker
            logger.error("dlxctl: could not announce that %s[%s] is %s: %r", self.name, self.id, reason, error)
            self._already_revoked = True
            self.acknowledge()

    def _hit_time_limit(self) -> bool:
        """Whether the hard limit ended it: Celery requeues that, and on a classic queue it would run for ever."""
        return self._failure is not None and isinstance(error_of(self._failure), TimeLimitExceeded)
