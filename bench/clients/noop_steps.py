"""What Celery's own code takes for one no-op task, in this process: the least of many timings, in microseconds.

`main`: message to pool, in the worker's main process. `pool`: the run, in the pool's. No broker, no other process, so a
busy machine disturbs it little. Environment as for `noop_app`.
"""

import json
import logging
import timeit
from collections.abc import Callable
from types import SimpleNamespace

from celery.app import trace
from celery.worker import state
from kombu.message import Message

from bench.clients.noop_app import app, noop

ROUNDS, TIMES = 60, 500
HEADERS = {"task": noop.name, "id": "1", "lang": "py"}
DELIVERY = {"exchange": "", "routing_key": "orders", "consumer_tag": "1", "redelivered": False}


def main_step() -> Callable[[], None]:
    """From the message to the pool, which takes it and does nothing."""
    pool = SimpleNamespace(apply_async=lambda *_, **__: None)
    consumer = SimpleNamespace(
        hostname="bench", connection_errors=(), event_dispatcher=None, timer=SimpleNamespace(call_at=None), app=app,
        apply_eta_task=None, disable_rate_limits=True, task_buckets={noop.name: None}, pool=pool, task_consumer=None,
        on_task_request=lambda request: request.execute_using_pool(pool), _limit_task=None, _limit_post_eta=None,
        controller=SimpleNamespace(state=SimpleNamespace(revoked=())),
    )  # fmt: skip
    handle = noop.start_strategy(app, consumer)

    def step() -> None:
        message = Message(
            body=b"[[], {}, {}]", content_type="application/json", content_encoding="utf-8", headers=dict(HEADERS),
            delivery_info=dict(DELIVERY), properties={}, channel=None,
        )  # fmt: skip
        handle(message, None, None, None, ())

    return step


def pool_step() -> Callable[[], None]:
    """The run itself, as a pool's process does it."""
    trace.setup_worker_optimizations(app, "bench")
    traced = trace.build_tracer(noop.name, noop, app.loader, "bench", app=app)
    request = {**HEADERS, "retries": 0, "is_eager": False, "hostname": "bench", "delivery_info": dict(DELIVERY)}
    return lambda: traced("1", (), {}, dict(request))


def least(step: Callable[[], None]) -> float:
    """Microseconds of one step in the quickest round."""
    rounds = []
    for _ in range(ROUNDS):
        rounds.append(timeit.timeit(step, number=TIMES) / TIMES * 1e6)
        state.reserved_requests.clear()
        state.requests.clear()
    return min(rounds)


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    app.finalize()
    print(json.dumps({"main": least(main_step()), "pool": least(pool_step())}))
