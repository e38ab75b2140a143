"""The `Plan`: what differs, in the order in which apply removes the difference."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from dlxctl.model.diagnostics import Diagnostic, Place
from dlxctl.model.server import ServerInfo
from dlxctl.model.topology import Binding, Exchange, Key, Queue
from dlxctl.plan.changes import Change, Verb, subject, verb
from dlxctl.plan.hazards import Danger
from dlxctl.plan.native import Retries


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One setting that differs; None stands for not set."""

    setting: str
    observed: Any
    desired: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class CannotChange:
    """An exchange or queue that differs in what can never change in place; only a migration makes it right.

    `messages`: how many were in the queue some seconds ago, None where that is unknown or it is an exchange.
    `bindings`: how many lead to it. `steps`: what a migration does, or has still to do.
    """

    desired: Exchange | Queue
    differences: tuple[Difference, ...]
    why: Place
    messages: int | None = None
    bindings: int = 0
    steps: tuple[str, ...] = ()


Leftover = Exchange | Queue | Binding
"""Ours on the broker, and no longer in the file. Apply leaves it, unless it is to prune."""


class Intent(StrEnum):
    """What becomes of that which is ours and not in the file: it is kept, pruned, or all that is ours is destroyed."""

    KEEP = "keep"
    PRUNE = "prune"
    DESTROY = "destroy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What apply would do to the broker, and what it cannot do.

    `changes` are in order: after each of them no queue is without its policy and no dead letter without its road.
    `fingerprint` is a SHA-256 over what is desired and what was observed of it: equal plans, equal fingerprints.
    The last `pruning` of the changes take away; `dangers` are what apply refuses unless it is allowed.
    `retries`: which backend each ladder has here, and why.
    """

    topology: str
    vhost: str
    source: str
    server: ServerInfo
    changes: tuple[Change, ...]
    blocked: tuple[CannotChange, ...]
    leftovers: tuple[Leftover, ...]
    warnings: tuple[Diagnostic, ...]
    fingerprint: str
    retries: tuple[Retries, ...] = ()
    intent: Intent = Intent.KEEP
    pruning: int = 0
    dangers: tuple[Danger, ...] = ()

    @property
    def clean(self) -> bool:
        """The broker is what the file says."""
        return not self.changes and not self.blocked


def counts(changes: tuple[Change, ...]) -> dict[Verb, int]:
    """How many objects are created, changed, deleted, adopted. Two steps on one object count once, as the first."""
    seen: dict[tuple[Key, bool], Verb] = {}
    for change in changes:
        done = verb(change)
        if done is not Verb.MARK:
            seen.setdefault((subject(change).key, done is Verb.ADOPT), done)
    return {each: list(seen.values()).count(each) for each in (Verb.CREATE, Verb.CHANGE, Verb.DELETE, Verb.ADOPT)}
