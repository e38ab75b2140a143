"""Celery's consumer without native delayed delivery, named by the generated setting `worker_consumer`.

With a quorum queue in its settings a worker declares 28 queues and 29 exchanges (`celery_delayed_*`), and binds the
work queues to them; no setting stops it (celery/worker/consumer/delayed_delivery.py). The retry tiers replace them.
"""

from celery.worker.consumer import Consumer as CeleryConsumer


class Consumer(CeleryConsumer):  # type: ignore[misc]  # Celery has no types
    """Every step of Celery's consumer but DelayedDelivery, which versions before 5.5 do not have."""

    class Blueprint(CeleryConsumer.Blueprint):  # type: ignore[misc]  # Celery has no types
        """The steps."""

        default_steps = tuple(
            step for step in CeleryConsumer.Blueprint.default_steps if not step.endswith(":DelayedDelivery")
        )
