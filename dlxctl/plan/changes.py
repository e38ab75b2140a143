"""A change is a value: one step that apply makes, with the line of the file that asks for it, and its way back.

The set is closed. Only prune takes away what carries messages: Unbind, DeleteQueue, DeleteExchange.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from dlxctl.model.diagnostics import Place
from dlxctl.model.topology import Binding, BrokerObject, Exchange, Policy, Queue


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateExchange:
    """The exchange is not there."""

    exchange: Exchange
    why: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateQueue:
    """The queue is not there."""

    queue: Queue
    why: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Bind:
    """The binding is not there."""

    binding: Binding
    why: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Bind to the owner exchange, which says that the object is ours. `adopts`: it was there before, unmarked."""

    binding: Binding
    adopts: bool
    why: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class PutPolicy:
    """Create the policy, or change it in place from `before`."""

    policy: Policy
    before: Policy | None
    why: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletePolicy:
    """The policy is ours, and no queue needs it any more."""

    policy: Policy
    why: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Unbind:
    """The file has the binding no more, or not the queue that it leads to. Also takes a mark of ours off."""

    binding: Binding
    why: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteQueue:
    """Ours, and no longer in the file. Done only once the queue is closed and was seen to be empty.

    `messages`: how many are in it, as the broker told some seconds ago; None where it does not tell. `bindings`: how
    many lead to it.
    """

    queue: Queue
    why: Place
    messages: int | None = None
    bindings: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteExchange:
    """Ours, and no longer in the file. `bindings`: how many go with it."""

    exchange: Exchange
    why: Place
    bindings: int = 0


Change = CreateExchange | CreateQueue | Bind | Mark | PutPolicy | DeletePolicy | Unbind | DeleteQueue | DeleteExchange


@dataclass(frozen=True, slots=True, kw_only=True)
class NotReversible:
    """Why there is no change that undoes a change."""

    reason: str


class Verb(StrEnum):
    """What a change does to its subject. MARK goes with the creation of the object that it marks."""

    CREATE = "create"
    CHANGE = "change"
    DELETE = "delete"
    ADOPT = "adopt"
    MARK = "mark"


def subject(change: Change) -> BrokerObject:
    """The object as it will be, or, for a deletion, as it was."""
    match change:
        case CreateExchange() | DeleteExchange():
            return change.exchange
        case CreateQueue() | DeleteQueue():
            return change.queue
        case Bind() | Mark() | Unbind():
            return change.binding
        case PutPolicy() | DeletePolicy():
            return change.policy
        case _:
            assert_never(change)


def verb(change: Change) -> Verb:
    """What `change` does."""
    match change:
        case CreateExchange() | CreateQueue() | Bind():
            return Verb.CREATE
        case Mark():
            return Verb.ADOPT if change.adopts else Verb.MARK
        case PutPolicy():
            return Verb.CHANGE if change.before else Verb.CREATE
        case DeletePolicy() | Unbind() | DeleteQueue() | DeleteExchange():
            return Verb.DELETE
        case _:
            assert_never(change)


def reverse(change: Change) -> Change | NotReversible:
    """The change that undoes `change`."""
    match change:
        case CreateExchange() | CreateQueue():
            return NotReversible(reason="apply deletes no exchange and no queue: by then it may carry messages")
        case Bind():
            return NotReversible(reason="apply takes no binding away: publishers may rely on it by then")
        case Mark():
            return NotReversible(reason="a mark stays as long as its object")
        case PutPolicy():
            if change.before is None:
                return DeletePolicy(policy=change.policy, why=change.why)
            return PutPolicy(policy=change.before, before=change.policy, why=change.why)
        case DeletePolicy():
            return PutPolicy(policy=change.policy, before=None, why=change.why)
        case Unbind():
            return Bind(binding=change.binding, why=change.why)
        case DeleteQueue() | DeleteExchange():
            return NotReversible(reason="what is deleted is gone; the file, applied as it was before, makes it anew")
        case _:
            assert_never(change)


def kind(thing: BrokerObject) -> str:
    """`exchange`, `queue`, `binding` or `policy`."""
    return thing.key[0]


def name(thing: BrokerObject) -> str:
    """How the object is called; a binding is `source -> destination (routing key)`."""
    if isinstance(thing, Binding):
        key = f" ({thing.routing_key})" if thing.routing_key else ""
        return f"{thing.source} -> {thing.destination}{key}"
    return thing.name


def describe(change: Change) -> str:
    """`create queue orders`, `adopt queue orders`: one line for progress and reports."""
    thing = subject(change)
    if isinstance(change, Mark):
        marked = "exchange" if change.binding.to_exchange else "queue"
        return f"{verb(change)} {marked} {change.binding.destination}"
    return f"{verb(change)} {kind(thing)} {name(thing)}"
