"""HTTP in front of the shop: queue work and return an id, tell its state, tell how the queues are doing."""

import json
import os
from dataclasses import asdict
from typing import Any

from celery.result import AsyncResult
from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from dlxctl.broker.address import access
from dlxctl.errors import DlxctlError
from dlxctl.ops.health import Ages, read_health
from dlxctl.ops.topology_file import read_layout
from shop.tasks import charge

LAYOUT = read_layout(settings.BASE_DIR / "topology.yaml", os.environ)
BROKER = access(settings.CELERY_BROKER_URL, os.environ.get("DLXCTL_MANAGEMENT_URL")).in_vhost(LAYOUT.vhost)
AGES = Ages()  # one for the process: dead letters are looked at once a minute at most
OLD_S = 3600


@csrf_exempt
@require_POST
def place(request: HttpRequest) -> JsonResponse:
    """Queue the work. Whoever sent it asks for its state later."""
    try:
        number = int(json.loads(request.body)["number"])
    except (ValueError, KeyError, TypeError):
        return JsonResponse({"error": 'send {"number": 7}'}, status=422)
    task = charge.delay(number)
    return JsonResponse({"id": task.id, "status": f"/orders/{task.id}"}, status=202)


@require_GET
def state(request: HttpRequest, task_id: str) -> JsonResponse:
    """PENDING (also for an id that nobody knows), STARTED, RETRY, SUCCESS or FAILURE."""
    result = AsyncResult(task_id)
    answer: dict[str, Any] = {"id": task_id, "state": result.state}
    if result.successful():
        answer["result"] = result.result
    elif result.failed():
        answer["error"] = repr(result.result)
    return JsonResponse(answer)


@require_GET
def health(request: HttpRequest) -> JsonResponse:
    """200 while the broker answers; `degraded`, with reasons, when somebody should look."""
    try:
        found = read_health(BROKER, LAYOUT, ages=AGES)
    except DlxctlError as error:
        return JsonResponse({"status": "unavailable", "why": str(error)}, status=503)
    reasons = [f"queue {name} does not exist" for name in found.missing]
    reasons += [f"nobody consumes {q.name}" for q in found.queues if q.role == "work" and q.consumers == 0]
    if (found.oldest_dead_letter_s or 0) > OLD_S:
        reasons.append(f"a dead letter is {found.oldest_dead_letter_s:.0f} s old")
    return JsonResponse(
        {
            "status": "degraded" if reasons else "ok",
            "reasons": reasons,
            "dead_letters": found.dead_letters,
            "oldest_dead_letter_s": found.oldest_dead_letter_s,
            "queues": [asdict(queue) for queue in found.queues],
            "remarks": found.remarks,
        }
    )
