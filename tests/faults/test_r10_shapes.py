"""R10: messages of every odd shape: empty, bare, twins, the largest, and headers as large as a frame."""

import pytest

from tests import amqp_values as amqp
from tests.faults.conftest import FULL, Judge
from tests.faults.proxy import Proxy
from tests.faults.scene import DEAD, Scene
from tests.faults.test_r06_targets import reasons
from tests.oracle import marked

FAULT = "R10"
LARGEST_BODY = 16 * 1024 * 1024
FRAME = 131_072 - 8


def wide(room: int) -> bytes:
    """A header entry that leaves `room` octets of a frame to the rest of the table and the properties."""
    return amqp.entry(b"wide", amqp.string(b"w" * (FRAME - room)))


def test_odd_bodies_and_properties_go_back_byte_for_byte(scene: Scene, judge: Judge, proxy: Proxy) -> None:
    """Empty and large bodies, no properties but the table, twins with one message id: all equal, on one connection."""
    scene.declare()
    bodies = [b"", b"\x00", b"\xce" * 10, b"x" * 131_064, b"y" * 131_065, b"z" * (LARGEST_BODY if FULL else 1_000_000)]
    letters = [scene.message(body=body) for body in bodies]
    twins = {"message_id": amqp.short(b"twin"), "correlation_id": amqp.short(b"")}
    letters += [scene.message(body=b"twin", **twins) for _ in range(3)]
    for number in range(len(letters), len(letters) + 2):
        bare = amqp.Header(b"{}", (marked(number),)).payload(), amqp.body_frame(b"{}")
        scene.sent.append(bare)
        letters.append(bare)
    scene.kill("orders", letters)
    done = scene.replay(url=scene.through(proxy))
    assert (done.code, done.report["moved"], done.report["reconnects"]) == (0, len(letters), 0), done
    assert judge().moved == len(letters)


def test_a_message_without_any_property_goes_back(scene: Scene) -> None:
    """No table, no properties: the copy has the body and dlxctl's own headers."""
    scene.declare()
    scene.kill("orders", [(amqp.Header(b"{}", None).payload(), amqp.body_frame(b"{}"))])
    assert scene.replay().code == 0
    (back,) = scene.drain("orders")
    assert back.body == amqp.body_frame(b"{}")


@pytest.mark.parametrize("room", [200, 1_000, 3_000])
def test_a_header_near_the_frame_moves_or_is_held(scene: Scene, judge: Judge, proxy: Proxy, room: int) -> None:
    """Byte-equal where copy and own headers fit one frame, else held as too large; the connection stays."""
    scene.declare()
    number = len(scene.sent)
    died = amqp.entry(b"x-death", amqp.array(amqp.death("orders")))
    large = amqp.Header(b"", (wide(room), died, marked(number))).payload(), b""
    scene.sent.append(large)
    scene.put([large])
    scene.fill(4)
    done = scene.replay(url=scene.through(proxy))
    assert done.report["reconnects"] == 0
    if done.code == 4:
        assert reasons(done.report) == {("too-large", "its headers would not fit one frame"): 1}
        assert (done.report["moved"], scene.depth(DEAD)) == (4, 1)
    else:
        assert (done.code, done.report["moved"]) == (0, 5), done
    assert (done.code == 0) == (room > 1_000 or done.report["moved"] == 5)
    assert judge().moved == done.report["moved"]
