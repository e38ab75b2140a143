"""The broker's own mover: a dynamic shovel, its settings the defaults, which stops when the queue's length is moved.

Its clock runs from the call that makes it until `orders` holds everything.
"""

import time
import urllib.error
from typing import Any

from bench.process import BenchError, Took
from bench.scene import Scene

MOVED_WITHIN_S = 1_800.0
GONE_WITHIN_S = 60.0
COUNTED_WITHIN_S = 60.0
NAME = "bench"


def by_amqp(scene: Scene, count: int) -> Took:
    """The AMQP 0.9.1 shovel, ack-mode on-confirm, prefetch 1000 (the defaults of both), inside the node: no sockets."""
    return _move(scene, count, _ends(scene, "amqp091"))


def by_tcp(scene: Scene, count: int) -> Took:
    """The same by URIs that name the host, as between two brokers: over sockets, like every client."""
    return _move(scene, count, _ends(scene, "amqp091", scene.url))


def by_local(scene: Scene, count: int) -> Took:
    """The `local` shovel, which no protocol slows down. It trusts a count that is seconds old, so that is awaited."""
    deadline = time.monotonic() + COUNTED_WITHIN_S
    while scene.broker.api("GET", f"queues/{scene.vhost}/dead").get("messages_ready") != count:
        if time.monotonic() > deadline:
            raise BenchError(f"the management API did not count {count} messages in `dead`")
        time.sleep(0.5)
    return _move(scene, count, _ends(scene, "local"))


def _ends(scene: Scene, protocol: str, uri: str | None = None) -> dict[str, Any]:
    """Source and destination. Queues that exist are taken as they are; 3.10 refuses a quorum queue's arguments here."""
    value: dict[str, Any] = {"src-delete-after": "queue-length", "ack-mode": "on-confirm"}
    for end, queue in (("src", "dead"), ("dest", "orders")):
        value |= {f"{end}-protocol": protocol, f"{end}-queue": queue}
        value[f"{end}-uri"] = uri or f"amqp:///{scene.vhost}"
    return value


def _move(scene: Scene, count: int, value: dict[str, Any]) -> Took:
    path = f"parameters/shovel/{scene.vhost}/{NAME}"
    began = time.monotonic()
    scene.broker.api("PUT", path, {"value": value})
    dead, orders = scene.until_depths(lambda depths: depths[1] >= count, MOVED_WITHIN_S)
    took = Took(seconds=time.monotonic() - began)
    if orders < count:
        raise BenchError(f"the shovel left {dead} messages in `dead` and moved {orders}")
    _await_end(scene, path)
    return took


def _await_end(scene: Scene, path: str) -> None:
    """Until the shovel has deleted itself."""
    deadline = time.monotonic() + GONE_WITHIN_S
    while time.monotonic() < deadline:
        try:
            scene.broker.api("GET", path)
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return
            raise
        time.sleep(0.1)
    raise BenchError("the shovel did not end by itself")
