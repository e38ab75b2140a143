"""HTTP in front of the shop: queue work and return an id, tell its state, tell how the queues are doing."""

import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from celery.result import AsyncResult
from fastapi import FastAPI, Response
from pydantic import BaseModel
from shop import app, charge

from dlxctl.broker.address import access
from dlxctl.errors import DlxctlError
from dlxctl.ops.health import Ages, read_health
from dlxctl.ops.topology_file import read_layout

api = FastAPI()

LAYOUT = read_layout(Path(__file__).with_name("topology.yaml"), os.environ)
BROKER = access(app.conf.broker_url, os.environ.get("DLXCTL_MANAGEMENT_URL")).in_vhost(LAYOUT.vhost)
AGES = Ages()  # one for the process: dead letters are looked at once a minute at most
OLD_S = 3600


class Order(BaseModel):
    """What a customer sends."""

    number: int


@api.post("/orders", status_code=202)
def place(order: Order) -> dict[str, str]:
    """Queue the work. Whoever sent it asks for its state later."""
    task = charge.delay(order.number)
    return {"id": task.id, "status": f"/orders/{task.id}"}


@api.get("/orders/{task_id}")
def state(task_id: str) -> dict[str, Any]:
    """PENDING (also for an id that nobody knows), STARTED, RETRY, SUCCESS or FAILURE."""
    result = AsyncResult(task_id, app=app)
    answer: dict[str, Any] = {"id": task_id, "state": result.state}
    if result.successful():
        answer["result"] = result.result
    elif result.failed():
        answer["error"] = repr(result.result)
    return answer


@api.get("/health")
def health(response: Response) -> dict[str, Any]:
    """200 while the broker answers; `degraded`, with reasons, when somebody should look."""
    try:
        found = read_health(BROKER, LAYOUT, ages=AGES)
    except DlxctlError as error:
        response.status_code = 503
        return {"status": "unavailable", "why": str(error)}
    reasons = [f"queue {name} does not exist" for name in found.missing]
    reasons += [f"nobody consumes {q.name}" for q in found.queues if q.role == "work" and q.consumers == 0]
    if (found.oldest_dead_letter_s or 0) > OLD_S:
        reasons.append(f"a dead letter is {found.oldest_dead_letter_s:.0f} s old")
    return {
        "status": "degraded" if reasons else "ok",
        "reasons": reasons,
        "dead_letters": found.dead_letters,
        "oldest_dead_letter_s": found.oldest_dead_letter_s,
        "queues": [asdict(queue) for queue in found.queues],
        "remarks": found.remarks,
    }
