"""Fault P1: apply and prune killed at every gap between two changes, on a real broker that works all the while.

A publisher through an exchange and a consumer that rejects every tenth message go on; afterwards every message that
was confirmed was consumed, is in its queue, or in the dead-letter queue. `DLXCTL_FAULTS=full` takes every gap, else one
in four.
"""

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pika

from dlxctl import spec
from dlxctl.broker.address import Access
from dlxctl.errors import ExitCode
from dlxctl.model.layout import Layout
from dlxctl.ops.apply import apply
from dlxctl.ops.plan import make_plan
from dlxctl.plan.hazards import ALLOWABLE
from dlxctl.plan.value import Intent
from tests.acceptance.machine_stage import AT_ONCE, Exact
from tests.faults.conftest import FULL
from tests.faults.shop import Ledger, Publisher
from tests.unit.plan.layouts import Dying, Killed

BEFORE = """\
version: 1
topology: shop
dead_letter: {dead_letter: }
defaults: {dead_letter: dead_letter}
exchanges: {shop.events: {type: topic}}
queues:
  orders: {max_length: 900000, bindings: [{exchange: shop.events, routing_key: "order.#"}]}
  emails: {type: classic, bindings: [{exchange: shop.events, routing_key: "mail.#"}]}
"""
AFTER = """\
version: 1
topology: shop
dead_letter: {dead_letter: }
defaults: {dead_letter: dead_letter}
exchanges: {shop.events: {type: topic}}
queues:
  orders: {max_length: 800000, bindings: [{exchange: shop.events, routing_key: "order.#"}]}
  invoices: {type: classic, max_length: 800000}
"""


RATE = 1_000
"""Messages a second."""
ENOUGH = 200


@dataclass
class Traffic:
    """Numbers of messages: `ledger` of the publisher; what is neither consumed nor rejected is in a queue."""

    ledger: Ledger = field(default_factory=Ledger)
    consumed: set[int] = field(default_factory=set)
    rejected: set[int] = field(default_factory=set)


def test_apply_killed_at_every_gap_converges_and_loses_nothing(reach: Access, url: str) -> None:
    """Each gap is followed by one more run, after which the plan is empty; lost 0."""
    admin = Exact(reach)
    before, after = (replace(spec.load(text), vhost=reach.vhost) for text in (BEFORE, AFTER))
    made(admin, before)
    with traffic(reach, url) as seen:
        for calls in itertools.count(0, 1 if FULL else 4):
            made(admin, before)
            try:
                made(Dying(admin, calls), after)  # type: ignore[arg-type]  # hands on what an Admin does
            except Killed:
                made(admin, after)
            else:
                assert calls > 8
                break
            assert make_plan(admin, after, Intent.PRUNE).clean, f"killed after {calls} changes"
        deadline = time.monotonic() + 30
        while len(seen.ledger.confirmed) < ENOUGH:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    dead, left = drained(url, "dead_letter"), drained(url, "orders")
    assert seen.ledger.confirmed - seen.consumed - dead - left == set()
    assert seen.rejected <= dead
    assert seen.ledger.returned == 0


def made(admin: Any, wanted: Layout) -> None:
    """Apply with prune, to the end."""
    report = apply(admin, wanted, intent=Intent.PRUNE, allowed=ALLOWABLE, patience=AT_ONCE)
    assert report.exit_code is ExitCode.OK, report.error


@contextmanager
def traffic(reach: Access, url: str) -> Iterator[Traffic]:
    """A publisher at RATE and a consumer, for the block."""
    seen, stop = Traffic(), threading.Event()

    def consume() -> None:
        connection = pika.BlockingConnection(pika.URLParameters(url))
        channel = connection.channel()
        channel.basic_qos(prefetch_count=200)
        channel.basic_consume("orders", taken)
        while not stop.is_set():
            connection.process_data_events(0.05)
        connection.close()

    def taken(channel: Any, method: Any, _properties: Any, body: bytes) -> None:
        number = int(body)
        if number % 10:
            channel.basic_ack(method.delivery_tag)
            seen.consumed.add(number)
        else:
            channel.basic_reject(method.delivery_tag, requeue=False)
            seen.rejected.add(number)

    publisher, consumer = Publisher(reach, seen.ledger, rate=RATE), threading.Thread(target=consume)
    publisher.start()
    consumer.start()
    try:
        yield seen
    finally:
        publisher.close()
        stop.set()
        consumer.join()


def drained(url: str, queue: str) -> set[int]:
    """All numbers in `queue`, once no more come for a second."""
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        arriving = connection.channel().consume(queue, auto_ack=True, inactivity_timeout=1)
        return {int(body) for _, _, body in itertools.takewhile(lambda message: message[0], arriving)}
