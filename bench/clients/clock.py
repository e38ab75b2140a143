"""What a rival tells of itself: the seconds and CPU seconds of moving alone, without its imports and its connecting."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

URL_VARIABLE = "BENCH_URL"

MARKS = "marks.jsonl"
"""Where the worker of the part `task` writes down its times, in its working directory."""


def url() -> str:
    """The AMQP URL of the vhost, from the environment: command lines are seen by everybody."""
    return os.environ[URL_VARIABLE]


@contextmanager
def timed() -> Iterator[None]:
    """Print what the block took, as one JSON object."""
    wall, cpu = time.monotonic(), time.process_time()
    yield
    print(json.dumps({"seconds": time.monotonic() - wall, "cpu_s": time.process_time() - cpu}))
