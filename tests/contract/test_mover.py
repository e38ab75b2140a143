"""The mover of a migration on the double and on real brokers: every message once, the same octets, in order."""

import pytest

from dlxctl.errors import BrokerRefused
from dlxctl.ops.migrate_move import Mover, Way
from dlxctl.wire.intake import Delivery
from tests import amqp_values as amqp
from tests.links import Message, World, drained, message, seed

NUMBER = 1_200
"""More than two windows."""


def mover(world: World, *, user: str | None = None) -> Mover:
    """From `old` to `new`."""

    def goes(_: Delivery) -> tuple[bytes, bytes]:
        return b"", b"new"

    return Mover(world.link(), "old", Way(came=lambda d: (d.exchange, d.routing_key), goes=goes), user=user)


def filled(world: World, messages: list[Message]) -> None:
    world.queue("old")
    seed(world.link(), "old", messages)


def run(moving: Mover, number: int) -> None:
    """Until so many are moved."""
    moving.start()
    for _ in range(1_000):
        moving.turn(0.1)
        if moving.moved.count >= number and moving.idle:
            break
    moving.stop()


def test_every_message_is_moved_once_in_order_and_counted(world: World) -> None:
    """What was confirmed is what was taken, by number and by digest; nothing stays behind."""
    world.queue("new")
    sent = [message(str(number), *amqp.EVERY_TYPE) for number in range(NUMBER)]
    filled(world, sent)
    moving = mover(world)
    run(moving, NUMBER)
    assert (moving.moved.count, moving.equal, world.link().depth("old")) == (NUMBER, True, 0)
    assert [(found.header, found.body[7:-1]) for found in drained(world.link(), "new")] == [
        (header, body[7:-1]) for header, body in sent
    ]


def test_a_full_queue_gets_the_rest_when_there_is_room(world: World) -> None:
    """What was refused is given back and tried again; the counts hold what arrived."""
    world.queue("new", capacity=5)
    filled(world, [message(str(number)) for number in range(8)])
    moving = mover(world)
    moving.start()
    arrived = 0
    for _ in range(1_000):
        moving.turn(0.1)
        if world.link().depth("new") >= 5:
            arrived += len(drained(world.link(), "new"))
        if moving.moved.count == 8 and moving.idle:
            break
    moving.stop()
    assert (moving.moved.count, moving.equal) == (8, True)
    assert arrived + len(drained(world.link(), "new")) == 8


def test_a_message_in_anothers_name_ends_it_without_a_duplicate(world: World) -> None:
    """What was under way is finished first, so that it is in one queue only; the message and all behind it stay."""
    world.queue("new")
    body = b"theirs"
    theirs = amqp.Header(body, (), {"user_id": amqp.short(b"guest")}).payload(), amqp.body_frame(body)
    filled(world, [*(message(str(number)) for number in range(50)), theirs, message("behind")])
    moving = mover(world, user="somebody")
    moving.start()
    with pytest.raises(BrokerRefused, match=r"user_id 'guest', which 'somebody' may not publish"):
        run(moving, 52)
    moving.link.close()
    assert (len(drained(world.link(), "new")), len(drained(world.link(), "old"))) == (50, 2)
