"""dlxctl.wire.intake: the same events from any cut of the byte stream, and other frames handed back."""

import itertools
import struct

from hypothesis import given, settings
from hypothesis import strategies as st

from dlxctl.wire import frames
from dlxctl.wire.intake import Cancelled, Confirm, Delivery, Intake, Returned
from tests import amqp_values as amqp

HEARTBEAT = frames.frame(8, 0, b"")


def deliver(tag: int, body: bytes, channel: int = 2) -> bytes:
    method = struct.pack(">HH", 60, 60) + amqp.short(b"ctag") + struct.pack(">QB", tag, 1)
    method += amqp.short(b"dlx") + amqp.short(b"dead")
    return (
        frames.frame(1, channel, method)
        + frames.frame(2, channel, amqp.Header(body).payload())
        + amqp.body_frame(body, channel)
    )


def confirm(sequence: int, method: int, flag: int) -> bytes:
    return frames.frame(1, 1, struct.pack(">HHQB", 60, method, sequence, flag))


def returned(body: bytes) -> bytes:
    method = struct.pack(">HHH", 60, 50, 312) + amqp.short(b"NO_ROUTE") + amqp.short(b"") + amqp.short(b"orders")
    return frames.frame(1, 1, method) + frames.frame(2, 1, amqp.Header(body).payload()) + amqp.body_frame(body)


def frames_of(data: bytes) -> list[bytes]:
    """The stream cut into its frames."""
    found = []
    while data:
        size = frames.frame_prefix.unpack_from(data)[2] + frames.OVERHEAD
        found.append(data[:size])
        data = data[size:]
    return found


BIG = b"z" * 300_000
STREAM = (
    deliver(1, b"one") + HEARTBEAT + deliver(2, b"") + confirm(1, 80, 0) + deliver(7, b"other", channel=3)
    + returned(b"back") + confirm(9, 80, 1) + confirm(10, 120, 1) + deliver(3, BIG)
    + frames.frame(1, 2, struct.pack(">HH", 60, 30) + amqp.short(b"ctag") + b"\0")
)  # fmt: skip


def read(pieces: list[bytes]) -> Intake:
    intake = Intake(taking=2, giving=1)
    for piece in pieces:
        intake.feed(piece)
    return intake


def test_the_stream_becomes_events_in_order() -> None:
    """Deliveries, returns and confirms keep their order and their bytes; bodies are stamped for the giving channel."""
    events = read([STREAM]).events
    assert [type(event) for event in events] == [
        Delivery, Delivery, Confirm, Returned, Confirm, Confirm, Delivery, Cancelled,
    ]  # fmt: skip
    first, empty, one, back, many, refused, big, _ = events
    assert first == Delivery(1, True, b"dlx", b"dead", amqp.Header(b"one").payload(), amqp.body_frame(b"one"))
    assert isinstance(empty, Delivery)
    assert empty.body == b""
    assert one == Confirm(1, False, True)
    assert back == Returned(312, "NO_ROUTE", b"orders", amqp.Header(b"back").payload())
    assert (many, refused) == (Confirm(9, True, True), Confirm(10, True, False))
    assert isinstance(big, Delivery)
    assert frames.body_of(big.body) == BIG


def test_other_frames_are_handed_back_whole() -> None:
    """Heartbeats, other channels and methods that are not content go to whoever owns them."""
    others = read([STREAM]).others
    assert others[0] == HEARTBEAT
    assert b"".join(others[1:4]) == deliver(7, b"other", channel=3)
    assert len(others) == 5


@settings(max_examples=60)
@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_any_cut_gives_the_same(cuts: list[int]) -> None:
    """Where the stream is cut makes no difference."""
    edges = [0, *sorted(cuts), len(STREAM)]
    pieces = [STREAM[a:b] for a, b in itertools.pairwise(edges)]
    whole, cut = read([STREAM]), read(pieces)
    assert (cut.events, cut.others) == (whole.events, whole.others)


def test_messages_of_two_channels_may_be_entangled() -> None:
    """Frames of a return between those of a delivery belong to the return."""
    ours, theirs = frames_of(deliver(1, BIG)), frames_of(returned(b"back"))
    mixed = [frame for pair in itertools.zip_longest(ours, theirs, fillvalue=b"") for frame in pair]
    kinds = {type(event): event for event in read([b"".join(mixed)]).events}
    assert kinds == {type(event): event for event in read([deliver(1, BIG) + returned(b"back")]).events}


def test_octet_by_octet() -> None:
    """Even single octets make the same events."""
    small = deliver(1, b"one") + confirm(1, 80, 0)
    assert read([bytes((octet,)) for octet in small]).events == read([small]).events


def test_a_body_is_cut_into_frames_and_put_together_again() -> None:
    """`body_frames` and `body_of` are inverse, and no frame is larger than asked for."""
    cut = frames.body_frames(1, BIG, 131_072)
    assert frames.body_of(cut) == BIG
    assert cut == amqp.body_frame(BIG)
    assert frames.body_frames(1, b"", 131_072) == b""


def test_a_method_that_makes_no_sense_is_handed_back() -> None:
    """A frame too short for what it announces is the connection's business; the reader goes on."""
    torn = [frames.frame(1, 2, data) for data in (b"\0", struct.pack(">HH", 60, 60), struct.pack(">HHB", 60, 60, 200))]
    reader = read([b"".join(torn), confirm(1, 80, 0)])
    assert (reader.others, reader.events) == (torn, [Confirm(1, False, True)])
