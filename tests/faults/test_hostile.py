"""H1 and H2: death histories that are none, and headers that no codec likes, as far as a broker takes them in.

Each is sent on a connection of its own, since a broker closes the connection over what it cannot read itself: such a
message can never lie in a dead-letter queue. What it took is replayed among good messages.
"""

import struct

import pytest

from dlxctl.broker.raw_link import RawLink
from dlxctl.errors import DlxctlError
from tests import amqp_values as amqp
from tests.faults.conftest import Judge
from tests.faults.scene import DEAD, Scene
from tests.faults.test_r06_targets import reasons
from tests.links import Message, seed
from tests.oracle import marked

FAULT = "H1, H2"
BIG = b"l" + struct.pack(">q", 2**63 - 1)


def nested(depth: int, kind: bytes = b"A") -> bytes:
    """A value in so many arrays or tables."""
    inner, step = b"", 5 if kind == b"A" else 7
    name = b"" if kind == b"A" else b"\x01n"
    heads = [name + kind + struct.pack(">I", step * (depth - level - 1)) for level in range(depth)]
    inner = b"".join(heads)
    return inner if kind == b"A" else inner[2:]


def x_death(value: bytes) -> tuple[bytes, ...]:
    return (amqp.entry(b"x-death", value),)


HISTORIES = {
    "string": x_death(amqp.string("orders")),
    "int": x_death(amqp.integer(7)),
    "list of ints": x_death(amqp.array(amqp.integer(1), amqp.integer(2))),
    "mixed list": x_death(amqp.array(amqp.integer(1), amqp.death("orders"))),
    "table": x_death(amqp.death("orders")),
    "empty list": x_death(amqp.array()),
    "missing keys": x_death(amqp.array(amqp.table(amqp.entry(b"queue", amqp.string("orders"))))),
    "no keys": x_death(amqp.array(amqp.table())),
    "queue is an int": x_death(amqp.array(amqp.table(amqp.entry(b"queue", amqp.integer(1))))),
    "count -1": x_death(amqp.array(amqp.death("orders", times=-1))),
    "count 2^63-1": x_death(amqp.array(amqp.death("orders", times=2**63 - 1))),
    "time 2^63": x_death(amqp.array(amqp.death("orders", at=2**63))),
    "a thousand": x_death(amqp.array(*[amqp.death(f"q{number}") for number in range(1_000)])),
    "no UTF-8": x_death(amqp.array(amqp.table(amqp.entry(b"queue", amqp.string(b"\xff\xfe"))))),
}
HEADERS = {
    "key without UTF-8": (amqp.entry(b"\xff\xfe\x00", amqp.string("v")),),
    "value without UTF-8": (amqp.entry(b"id", amqp.string(b"\xff\xfe\x00")), amqp.entry(b"task", amqp.string(b"\x80"))),
    "empty key": (amqp.entry(b"", amqp.integer(1)),),
    "the same key twice": (amqp.entry(b"k", amqp.integer(1)), amqp.entry(b"k", amqp.integer(2))),
    "NaN": (amqp.entry(b"nan", b"d" + struct.pack(">d", float("nan"))),),
    "infinity": (amqp.entry(b"inf", b"d" + struct.pack(">d", float("inf"))),),
    "a float NaN": (amqp.entry(b"nan", b"f" + struct.pack(">f", float("nan"))),),
    "unknown type": (amqp.entry(b"z", b"z\x00\x00"),),
    "truncated string": (amqp.entry(b"s", b"S\x00\x00\xff\xff"),),
    "truncated table": (amqp.entry(b"s", b"F\x00\x00\xff\xff"),),
    "20,000 arrays deep": (amqp.entry(b"deep", nested(20_000)),),
    "15,000 tables deep": (amqp.entry(b"deep", nested(15_000, b"F")),),
    "retries is a string": (
        amqp.entry(b"id", amqp.string("i")),
        amqp.entry(b"retries", amqp.string("x")),
        amqp.entry(b"task", amqp.string("t")),
    ),
    "replays is huge": (amqp.entry(b"dlxctl-replays", BIG),),
    "own history is no JSON": (amqp.entry(b"dlxctl-history", amqp.string("[" * 50_000)),),
}
PROPERTIES = {
    "message id without UTF-8": {"message_id": amqp.short(b"\xff\xfe")},
    "timestamp 2^63": {"timestamp": struct.pack(">Q", 2**63)},
    "delivery mode 99": {"delivery_mode": b"\x63"},
    "priority 255": {"priority": b"\xff"},
    "longest properties": {"app_id": amqp.short(b"a" * 255), "type": amqp.short(b"\x00" * 255)},
}


def corpus() -> dict[str, Message]:
    """Every hostile message by its name."""
    found: dict[str, Message] = {}
    for name, entries in (HISTORIES | HEADERS).items():
        table = (*entries, marked(len(found)))
        found[name] = amqp.Header(b"{}", table, amqp.ALL_PROPERTIES).payload(), amqp.body_frame(b"{}")
    for name, properties in PROPERTIES.items():
        header = amqp.Header(b"{}", (marked(len(found)),), amqp.ALL_PROPERTIES | properties)
        found[name] = header.payload(), amqp.body_frame(b"{}")
    return found


def taken_in(scene: Scene, messages: dict[str, Message]) -> list[str]:
    """Send each into the DLQ; the names of those that the broker took."""
    took = []
    for name, message in messages.items():
        link = RawLink(scene.reach, purpose="test")
        try:
            seed(link, DEAD, [message])
            took.append(name)
        except DlxctlError:
            print("the broker itself refuses:", name)
        link.close()
    return took


def as_stored(scene: Scene) -> None:
    """What is to come back is what the broker made of the messages: RabbitMQ 4 sorts a table's keys."""
    stored = [(letter.header, letter.body) for letter in scene.drain(DEAD)]
    scene.put(stored)
    scene.sent += stored


@pytest.mark.parametrize("to", [True, False])
def test_hostile_headers_move_byte_equal_or_stay_with_a_reason(scene: Scene, judge: Judge, to: bool) -> None:
    """No header stops the run, closes its connection, or changes by an octet; what cannot move says why."""
    scene.declare()
    messages = corpus()
    took = taken_in(scene, messages)
    assert len(took) > len(messages) / 2
    as_stored(scene)
    good = [amqp.Header(b"ok", (*x_death(amqp.array(amqp.death("orders"))), marked(1_000 + n))) for n in range(10)]
    scene.put([(header.payload(), amqp.body_frame(b"ok")) for header in good])
    scene.sent += [(header.payload(), amqp.body_frame(b"ok")) for header in good]
    done = scene.replay(*(("--to", "orders") if to else ()))
    assert done.code in (0, 4), done
    assert done.report["reconnects"] == 0, done
    assert done.report["moved"] + sum(reasons(done.report).values()) == len(took) + len(good), done
    assert done.report["moved"] >= len(good) + (len(took) - 3 if to else 0), done
    assert judge().moved == done.report["moved"]
