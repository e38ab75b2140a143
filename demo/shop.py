"""A shop that charges orders: a Celery app as users of dlxctl write it. Its bug is fixed by SHOP_FIXED=1.

`python shop.py 5` places five orders. Each run of the task is noted in runs.jsonl, so that the demo can tell it.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from celery import Celery

from dlxctl.celery import RetryTask

app = Celery("shop", broker=os.environ["DLXCTL_URL"], task_cls=RetryTask)
app.config_from_object("celery_topology")


@app.task(name="shop.charge", bind=True)
def charge(self: Any, order: int) -> None:
    """Charge an order: fails as long as the bug is in."""
    charged = bool(os.environ.get("SHOP_FIXED"))
    with Path("runs.jsonl").open("a") as runs:
        runs.write(json.dumps({"order": order, "at": time.time(), "charged": charged}) + "\n")
    if not charged:
        raise KeyError("currency")


if __name__ == "__main__":
    for number in range(1, int(sys.argv[1]) + 1):
        charge.delay(number)
    print(f"placed {sys.argv[1]} orders")
