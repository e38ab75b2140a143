"""Dead letters for the replay tests, built from raw bytes."""

from dlxctl.replay.letter import Letter
from dlxctl.wire.intake import Delivery
from tests import amqp_values as amqp

CELERY = (
    amqp.entry(b"lang", amqp.string("py")), amqp.entry(b"task", amqp.string("shop.charge")),
    amqp.entry(b"id", amqp.string("id-1")), amqp.entry(b"retries", amqp.integer(3)),
    amqp.entry(b"eta", amqp.string("2026-01-01T00:00:00Z")),
    amqp.entry(b"expires", amqp.string("2026-01-02T00:00:00Z")),
)  # fmt: skip


def x_death(*deaths: bytes) -> bytes:
    return amqp.entry(b"x-death", amqp.array(*deaths))


def delivery(*entries: bytes, tag: int = 1, body: bytes = b"{}", **properties: bytes) -> Delivery:
    header = amqp.Header(body, entries, properties).payload()
    return Delivery(tag, False, b"dlx", b"dead_letter", header, amqp.body_frame(body))


def letter(*entries: bytes, **properties: bytes) -> Letter:
    return Letter(delivery(*entries, **properties))
