"""Use case: probe the work queues of an app whose dead-letter queues may be looked into."""

from collections.abc import Iterator, Mapping

from dlxctl.broker.address import Access
from dlxctl.broker.raw_link import RawLink
from dlxctl.celery.doctor.scene import Scene
from dlxctl.ops.doctor import run_apart
from dlxctl.ops.probe import Probed, probe
from dlxctl.replay.surroundings import surroundings


def probe_app(scene: Scene, access: Access, name: str, timeout_s: float) -> Iterator[Probed]:
    """One result for each work queue of app `name`. Raises UsageError, BrokerUnavailable, BrokerRefused."""
    listed = [queue.name for queue in scene.app.queues if queue.listed] or [scene.app.default_queue]
    roads: dict[str, str] = {}
    for queue in listed:
        trouble = _trouble(scene, queue)
        if trouble:
            yield Probed(queue=queue, trouble=trouble)
        else:
            roads[queue] = scene.rest(queue).dead_letters[0]
    if roads:
        link = RawLink(access, purpose="doctor --probe")
        try:
            yield from probe(link, roads, lambda queues: _send(name, queues), timeout_s=timeout_s)
        finally:
            link.close()


def _trouble(scene: Scene, queue: str) -> str:
    """Why the queue is not probed, or ''."""
    if scene.there(queue) is None:
        return "it is not probed, for it is not on the broker"
    rest = scene.rest(queue).dead_letters
    if not rest:
        return "it is not probed, for it leads to no dead-letter queue"
    if surroundings(rest[0], scene.layout, scene.observed, scene.version).returning_is_dangerous:
        return f'it is not probed: looking into "{rest[0]}" could destroy dead letters; give it delivery-limit 1000000'
    return ""


def _send(name: str, queues: Mapping[str, str]) -> float:
    words = [word for pair in queues.items() for word in pair]
    return float(run_apart("dlxctl.celery.worker.probe", name, *words)["sent_at"])
