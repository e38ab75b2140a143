"""The shop's app, consuming nothing but its dead letters: each runs once more, and what fails again is parked.

A rejected message leaves `dead_letter` by the policy that its retention has: to the parking queue, at least once.
"""

from kombu import Queue
from shop import app

from dlxctl.celery.road import SETTING, Road

app.conf.update(
    {
        "task_queues": [Queue("dead_letter", queue_arguments={"x-queue-type": "quorum"}, no_declare=True)],
        # No tiers and no DLX of its own: a failure is final, and the broker moves the message as it is.
        SETTING: {"dead_letter": Road().as_data()},
        # A task that kills its process is rejected too, not tried again for ever.
        "task_reject_on_worker_lost": False,
    }
)
