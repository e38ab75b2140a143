"""`python -m dlxctl.celery.worker.probe APP ID QUEUE [ID QUEUE ...]`: sends tasks that fail, as the app's producers do.

The task is one of Celery's own, which every worker knows: `celery.accumulate`, with an index that is no number. So no
worker needs dlxctl for it, and `RetryTask` does not retry it, as it retries no `celery.*` task. Nothing is stored.
"""

import sys
import time

from dlxctl.celery.worker.examine import apart, find
from dlxctl.celery.worker.publishing import producer_of, require_confirms

TASK = "celery.accumulate"
ARGUMENTS = {"index": "this is a probe of dlxctl doctor: it is meant to fail"}


def main(name: str, *probes: str) -> None:
    """Send each probe, mandatory and confirmed; stdout gets {"sent_at": seconds since 1970}, or an error."""

    def send() -> dict[str, object]:
        app = find(name)
        require_confirms(app)
        sent_at = time.time()
        for identity, queue in zip(probes[::2], probes[1::2], strict=True):
            with producer_of(app) as producer:
                app.send_task(
                    TASK, kwargs=ARGUMENTS, task_id=identity, queue=queue, producer=producer, mandatory=True,
                    ignore_result=True, retry=False,
                )  # fmt: skip
        return {"sent_at": sent_at}

    apart(send)


if __name__ == "__main__":
    main(*sys.argv[1:])
