"""What a pool's process sends of `Reject` and `Ignore`: safe to unpickle with RetryTask, untouched without it."""

import subprocess
import sys

CODE = """
import pickle
from billiard.reduction import ForkingPickler
from celery import Celery
from celery.exceptions import Ignore, Reject
from dlxctl.celery import RetryTask, setup

class Badly(Exception):
    def __init__(self, one, two):
        super().__init__("one only")

def sent(order):
    try:
        return repr(pickle.loads(ForkingPickler.dumps(order)).args)
    except TypeError:
        return "ends the worker"

before = [sent(Reject(Badly(1, 2), False)), sent(Ignore(Badly(1, 2)))]
app = Celery(task_cls=RetryTask, set_as_current=False)
app.conf.broker_transport_options = {"confirm_publish": True}
app.task(name="t")(sent)
app.finalize()
print(before == ["ends the worker"] * 2, sent(Reject(Badly(1, 2), False)), sent(Reject("poison", False)))
"""


def test_an_order_that_cannot_be_unpickled_is_made_safe_where_retry_task_is_used() -> None:
    """Importing dlxctl changes nothing for an app; a task with RetryTask sends such a reason as a text."""
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == """True ("Badly('one only')", False) ('poison', False)"""
