"""The attribute table: every queue setting that dlxctl knows, and what RabbitMQ allows for it.

Measured on RabbitMQ 3.10, 4.0 and 4.3 and checked against https://www.rabbitmq.com/docs/parameters and
https://www.rabbitmq.com/docs/queues#optional-arguments. Spec, lint, plan and the generated docs read this table.
"""

from dataclasses import dataclass

from dlxctl.model.topology import QueueType

BOTH = frozenset({QueueType.CLASSIC, QueueType.QUORUM})
CLASSIC = frozenset({QueueType.CLASSIC})
QUORUM = frozenset({QueueType.QUORUM})

Version = tuple[int, ...]
OVERFLOWS = ("drop-head", "reject-publish", "reject-publish-dlx")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """One setting of a queue.

    `argument` is its name among queue arguments, `policy` the policy key, None where a policy cannot set it (then
    it can never change on a living queue). `types`: the queue types that accept it; another type refuses the
    declare with 406, and ignores a whole policy that has the key (facts 5.3, 5.6). `lowest_wins`: numeric settings
    of argument, policy and operator policy are combined by taking the lowest; others prefer the argument (5.5).
    `since`: the first RabbitMQ version on which it has an effect; `policy_since` the same for the policy key.
    `checked`: whether a redeclare with another value is refused (5.1); drift of the others stays invisible to it.
    """

    argument: str
    policy: str | None
    kind: type
    types: frozenset[QueueType] = BOTH
    choices: tuple[str, ...] = ()
    lowest_wins: bool = False
    since: Version = (3, 10)
    policy_since: Version = (3, 10)
    checked: bool = True
    docs: str = "https://www.rabbitmq.com/docs/queues#optional-arguments"


_DLX = "https://www.rabbitmq.com/docs/dlx"
_TTL = "https://www.rabbitmq.com/docs/ttl"
_LENGTH = "https://www.rabbitmq.com/docs/maxlength"
_QQ = "https://www.rabbitmq.com/docs/quorum-queues"

ATTRIBUTES: tuple[Attribute, ...] = (
    Attribute(argument="x-queue-type", policy=None, kind=str, choices=("classic", "quorum", "stream")),
    Attribute(argument="x-message-ttl", policy="message-ttl", kind=int, lowest_wins=True, docs=_TTL),
    Attribute(argument="x-expires", policy="expires", kind=int, lowest_wins=True, docs=_TTL),
    Attribute(argument="x-max-length", policy="max-length", kind=int, lowest_wins=True, docs=_LENGTH),
    Attribute(argument="x-max-length-bytes", policy="max-length-bytes", kind=int, lowest_wins=True, docs=_LENGTH),
    Attribute(argument="x-overflow", policy="overflow", kind=str, choices=OVERFLOWS, docs=_LENGTH),
    Attribute(argument="x-dead-letter-exchange", policy="dead-letter-exchange", kind=str, docs=_DLX),
    Attribute(argument="x-dead-letter-routing-key", policy="dead-letter-routing-key", kind=str, docs=_DLX),
    Attribute(
        argument="x-dead-letter-strategy", policy="dead-letter-strategy", kind=str, types=QUORUM,
        choices=("at-most-once", "at-least-once"), docs=_QQ,
    ),
    Attribute(
        argument="x-delivery-limit", policy="delivery-limit", kind=int, types=QUORUM, lowest_wins=True, docs=_QQ
    ),
    Attribute(argument="x-max-priority", policy=None, kind=int, types=CLASSIC, docs="https://www.rabbitmq.com/docs/priority"),
    Attribute(
        argument="x-single-active-consumer", policy=None, kind=bool, docs="https://www.rabbitmq.com/docs/consumers"
    ),
    Attribute(
        argument="x-consumer-timeout", policy="consumer-timeout", kind=int, lowest_wins=True, since=(4, 0),
        policy_since=(4, 0), checked=False, docs="https://www.rabbitmq.com/docs/consumers#acknowledgement-timeout",
    ),
    Attribute(argument="x-queue-mode", policy="queue-mode", kind=str, types=CLASSIC, choices=("default", "lazy")),
    Attribute(argument="x-queue-version", policy="queue-version", kind=int, types=CLASSIC),
    Attribute(argument="x-queue-leader-locator", policy="queue-leader-locator", kind=str),
    Attribute(argument="x-quorum-initial-group-size", policy=None, kind=int, types=QUORUM, docs=_QQ),
    Attribute(
        argument="x-quorum-target-group-size", policy="target-group-size", kind=int, types=QUORUM, since=(4, 0),
        policy_since=(4, 0), checked=False, docs=_QQ,
    ),
    Attribute(
        argument="x-delayed-retry-type", policy="delayed-retry-type", kind=str, types=QUORUM, since=(4, 3),
        policy_since=(4, 3), choices=("disabled", "all", "failed", "returned"), checked=False, docs=_QQ,
    ),
    Attribute(
        argument="x-delayed-retry-min", policy="delayed-retry-min", kind=int, types=QUORUM, since=(4, 3),
        policy_since=(4, 3), checked=False, docs=_QQ,
    ),
    Attribute(
        argument="x-delayed-retry-max", policy="delayed-retry-max", kind=int, types=QUORUM, since=(4, 3),
        policy_since=(4, 3), checked=False, docs=_QQ,
    ),
)  # fmt: skip

BY_ARGUMENT = {attribute.argument: attribute for attribute in ATTRIBUTES}
BY_POLICY = {attribute.policy: attribute for attribute in ATTRIBUTES if attribute.policy}

SAFE_DELIVERY_LIMIT = 1_000_000
"""Delivery limit of every queue that people look into: 20, the default, destroys messages; -1 drops them on 3.10."""

DEFAULT_DELIVERY_LIMIT = 20
"""What a quorum queue has on 4.0 and later when nothing sets a limit; earlier versions have none (facts 3.1)."""
