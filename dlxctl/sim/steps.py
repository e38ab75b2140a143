"""What can happen to a message in the model, as a closed set: the log of a `World`."""

from dataclasses import dataclass
from enum import StrEnum

from dlxctl.sim.message import Message, Reason


class Kind(StrEnum):
    """What happened. REFUSED: the publisher was told no, and still has the message."""

    PUBLISHED = "published"
    REFUSED = "refused"
    ARRIVED = "arrived"
    DELIVERED = "delivered"
    WORKED = "worked"
    RETURNED = "returned"
    DIED = "died"
    DROPPED = "dropped"
    STUCK = "stuck"


class Cause(StrEnum):
    """Why a message was dropped, refused, or is stuck."""

    NO_ROUTE = "no binding takes it"
    NO_EXCHANGE = "the exchange does not exist"
    NO_DLX = "the queue has no dead-letter exchange"
    CYCLE = "the broker takes it for an automatic cycle"
    FULL = "the queue is full"
    ITSELF = "the queue never confirms to itself"


class Settle(StrEnum):
    """What a consumer does with a delivery. REJECT: without requeue. RETURN: basic.reject with requeue. CRASH: its
    channel closes."""

    ACK = "ack"
    REJECT = "reject"
    NACK = "nack"
    RETURN = "return"
    CRASH = "crash"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that happened to `message` (as it was then) at `at_ms` of virtual time.

    `queue` is where, '' for a publish. `exchange` and `key` are where it went next, for PUBLISHED and DIED. `wait_ms`
    is how long a RETURNED message is held back by delayed retry, and how long an ARRIVED one may live there.
    """

    at_ms: int
    kind: Kind
    message: Message
    queue: str = ""
    exchange: str = ""
    key: str = ""
    reason: Reason | None = None
    cause: Cause | None = None
    settle: Settle | None = None
    wait_ms: int | None = None
