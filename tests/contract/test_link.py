"""The contract of `Link`: the same facts on the double and on RabbitMQ, classic and quorum."""

import time

import pytest

from dlxctl.broker.link import Link
from dlxctl.errors import NotFound
from dlxctl.wire.intake import Cancelled, Confirm, Delivery, Event, Returned
from tests import amqp_values as amqp
from tests.links import World, drained, message, seed

ALL_TYPES = (*amqp.EVERY_TYPE,)


def pump_until(link: Link, enough: int) -> list[Event]:
    """Events until `enough` have come; fails after ten quiet seconds."""
    events: list[Event] = []
    while len(events) < enough:
        more = link.pump(10)
        assert more, f"only {events} came"
        events += more
    return events


def until_depth(link: Link, depth: int) -> None:
    """A quorum queue counts returned messages a moment after the channel's answer."""
    deadline = time.monotonic() + 10
    while link.depth("q") != depth:
        assert time.monotonic() < deadline, f"{link.depth('q')} messages, not {depth}"
        time.sleep(0.02)


def test_messages_come_as_the_bytes_they_went(world: World) -> None:
    """Header payload and body frames are equal octet by octet, for every header type and property."""
    world.queue("q")
    properties = amqp.ALL_PROPERTIES
    sent = [
        (amqp.Header(body, ALL_TYPES, properties).payload(), amqp.body_frame(body))
        for body in (b"", b"{}", b"x" * 300_000)
    ]
    link = world.link()
    seed(link, "q", sent)
    assert [(d.header, d.body) for d in drained(world.link(), "q")] == sent


def test_depth_counts_what_is_ready(world: World) -> None:
    """Depth is exact at once, and an unknown queue is NotFound."""
    world.queue("q")
    link = world.link()
    seed(link, "q", [message(str(n)) for n in range(3)])
    assert link.depth("q") == 3
    with pytest.raises(NotFound, match="nowhere"):
        world.link().depth("nowhere")


def test_a_copy_that_reaches_no_queue_is_returned_and_then_confirmed(world: World) -> None:
    """The return comes first, and carries the copy's header."""
    link = world.link()
    header, body = message("lost", amqp.entry(b"k", amqp.string("v")))
    link.publish(b"", b"nowhere", header, body)
    returned, confirm = pump_until(link, 2)
    assert isinstance(returned, Returned)
    assert (returned.code, returned.routing_key, returned.header) == (312, b"nowhere", header)
    assert isinstance(confirm, Confirm)
    assert (confirm.sequence, confirm.ok) == (1, True)


def test_a_full_queue_refuses(world: World) -> None:
    """With reject-publish a copy too many is confirmed negatively."""
    world.queue("small", capacity=1)
    link = world.link()
    refused: list[Confirm] = []
    for n in range(4):  # a quorum queue takes one or two over its limit
        link.publish(b"", b"small", *message(str(n)))
        refused += [e for e in pump_until(link, 1) if isinstance(e, Confirm) and not e.ok]
    assert refused


def test_prefetch_bounds_what_is_outstanding(world: World) -> None:
    """No more than the prefetch comes without an acknowledgement; then more comes."""
    world.queue("q")
    seed(world.link(), "q", [message(str(n)) for n in range(5)])
    link = world.link()
    link.consume("q", 2)
    first, second = pump_until(link, 2)
    assert link.pump(0.3) == []
    assert isinstance(first, Delivery)
    assert isinstance(second, Delivery)
    link.ack(second.tag, multiple=True)
    assert len(pump_until(link, 2)) == 2


def test_what_is_given_back_comes_again_in_order_and_redelivered(world: World) -> None:
    """One nack returns all that is outstanding."""
    world.queue("q")
    seed(world.link(), "q", [message(str(n)) for n in range(4)])
    link = world.link()
    link.consume("q", 10)
    pump_until(link, 4)
    link.cancel()
    link.give_back_all()
    link.settle()
    until_depth(link, 4)
    again = drained(world.link(), "q")
    assert [d.body for d in again] == [message(str(n))[1] for n in range(4)]
    assert all(d.redelivered for d in again)


def test_an_unacknowledged_message_survives_the_link(world: World) -> None:
    """Closing acknowledges nothing."""
    world.queue("q")
    seed(world.link(), "q", [message("a"), message("b")])
    link = world.link()
    link.consume("q", 10)
    first, _ = pump_until(link, 2)
    assert isinstance(first, Delivery)
    link.ack(first.tag, multiple=False)
    link.settle()
    link.close()
    assert [d.body for d in drained(world.link(), "q")] == [message("b")[1]]


def test_a_deleted_queue_ends_the_consumer(world: World) -> None:
    """The broker's cancel is an event."""
    world.queue("q")
    link = world.link()
    link.consume("q", 10)
    link.pump(0.1)
    world.delete("q")
    assert pump_until(link, 1) == [Cancelled()]


def test_give_back_returns_one(world: World) -> None:
    """A single message can be returned while others stay out."""
    world.queue("q")
    seed(world.link(), "q", [message("a"), message("b")])
    link = world.link()
    link.consume("q", 2)
    first, second = pump_until(link, 2)
    assert isinstance(first, Delivery)
    assert isinstance(second, Delivery)
    link.cancel()
    link.give_back(first.tag)
    link.settle()
    until_depth(link, 1)
