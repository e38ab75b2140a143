"""Four walks as people read them. Write them anew after a change that is meant: `python -m tests.golden.test_trace`.

The page docs/trace.md shows a walk too, which is the command's own output.
"""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from kombu.transport import native_delayed_delivery as native

from dlxctl.model.topology import Binding, BrokerObject, Exchange, Queue, QueueType, Topology
from dlxctl.ops.trace import Subject, subject, trace
from dlxctl.render.trace import trace_lines
from dlxctl.spec import load

ROOT = Path(__file__).parent.parent.parent
HERE, PAGE = Path(__file__).parent / "trace", ROOT / "docs" / "trace.md"
LADDER = """
version: 1
topology: shop
retry: {patient: {delays: [1s, 10s, 1m, 10m, 1h], attempts: 6}}
dead_letter: {dead: {retention: 14d, parking: parked}}
queues: {orders: {retry: patient, dead_letter: dead, delivery_limit: 5}}
"""
SHOWN = re.compile(r"<!-- trace: (.*) -->\n\n```\n(.*?)```\n", re.DOTALL)


def five_tiers() -> str:
    """A task that always fails, through five delays of which the last repeats."""
    return told(Subject(layout=load(LADDER)), "orders", "fail*")


def crash_loop() -> str:
    """A worker that dies each time, in a queue whose dead letters come back through a delay."""
    work = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "later", "x-delivery-limit": 3}
    later = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "orders", "x-message-ttl": 30_000}
    return told(made(quorum("orders", work), quorum("later", later)), "orders", "crash*")


def dangling_dlx() -> str:
    """A dead-letter exchange that nobody declared."""
    return told(made(quorum("orders", {"x-dead-letter-exchange": "dlx.ordres"})), "orders", "reject")


def celery_delayed() -> str:
    """A Celery task with the longest countdown: eight and a half years, through all 28 queues of the native delay."""
    objects: list[BrokerObject] = [quorum("orders", {}), Exchange(name="shop", type="topic")]
    delivery = native._celery_delayed_delivery_exchange()
    objects.append(Exchange(name=delivery, type="topic"))
    for level in range(native.MAX_LEVEL, -1, -1):
        name, below = native.level_name(level), native.level_name(level - 1) if level else delivery
        skip = "*." * (native.MAX_LEVEL - level)
        arguments = {"x-message-ttl": 1000 * 2**level, "x-dead-letter-exchange": below,
                     "x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish"}  # fmt: skip
        objects += [Exchange(name=name, type="topic"), quorum(name, arguments)]
        objects += [Binding(source=name, destination=name, routing_key=f"{skip}1.#"),
                    Binding(source=name, destination=below, to_exchange=True, routing_key=f"{skip}0.#")]  # fmt: skip
    objects += [Binding(source=delivery, destination="shop", to_exchange=True, routing_key="#.orders"),
                Binding(source="shop", destination="orders", routing_key="#.orders")]  # fmt: skip
    key = native.calculate_routing_key(2**28 - 1, "orders")
    return told(made(*objects), "orders", "work", exchange=native.level_name(native.MAX_LEVEL), key=key)


WALKS: dict[str, Callable[[], str]] = {
    walk.__name__: walk for walk in (five_tiers, crash_loop, dangling_dlx, celery_delayed)
}


@pytest.mark.parametrize("name", WALKS)
def test_a_walk_reads_like_this(name: str) -> None:
    """Word for word."""
    assert WALKS[name]() == (HERE / f"{name}.txt").read_text(encoding="utf-8")


def test_the_page_shows_what_the_command_prints() -> None:
    """Each block under a `trace:` comment."""
    blocks = SHOWN.findall(PAGE.read_text(encoding="utf-8"))
    assert blocks
    for arguments, block in blocks:
        assert block == printed(arguments)


def printed(arguments: str) -> str:
    """The output for `FILE QUEUE --event EVENTS`."""
    file, queue, _, events = shlex.split(arguments)
    return told(subject(ROOT / file, {}), queue, events)


def told(given: Subject, queue: str, events: str, *, exchange: str = "", key: str | None = None) -> str:
    walk = trace(given, queue, events=events, release="4.3", exchange=exchange, key=key)
    return "\n".join(trace_lines(walk)) + "\n"


def made(*objects: BrokerObject) -> Subject:
    return Subject(definitions=Topology.of("/", *objects))


def quorum(name: str, arguments: dict[str, object]) -> Queue:
    return Queue(name=name, type=QueueType.QUORUM, arguments=arguments)


if __name__ == "__main__":
    for each, make in WALKS.items():
        (HERE / f"{each}.txt").write_text(make(), encoding="utf-8")
    page = PAGE.read_text(encoding="utf-8")
    page = SHOWN.sub(lambda found: f"<!-- trace: {found[1]} -->\n\n```\n{printed(found[1])}```\n", page)
    PAGE.write_text(page, encoding="utf-8")
