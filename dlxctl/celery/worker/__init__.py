"""The side that runs inside Celery, and the only place that imports Celery and kombu.

    from dlxctl.celery.worker import RetryTask
    app = Celery("shop", task_cls=RetryTask)
    app.config_from_object("celery_topology")       # generated: dlxctl celery -o celery_topology.py

`RetryTask` runs in the pool and sends retries to the tiers; `Request` and `strategy` run in the worker's main
process, where a final failure is written on the dead letter.
"""

from dlxctl.celery.worker.task import RetryTask

__all__ = ["RetryTask"]
