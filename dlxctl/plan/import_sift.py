"""What of a vhost goes into an imported file, and what is left out of it, with a note for each thing that is.

Marks of the file's own topology and RabbitMQ's own exchanges go without a note: they are always there after apply.
"""

import math
import re
from collections.abc import Iterator
from typing import Any

from dlxctl.lint.names import RESERVED
from dlxctl.model.attributes import BY_ARGUMENT, BY_POLICY
from dlxctl.model.topology import Binding, Exchange, Key, Policy, Queue, Topology
from dlxctl.plan.import_rules import CELERY, END, NAME, OTHERS, PASSING, VALUE, Note
from dlxctl.spec.expand import OWNER_HEADER
from dlxctl.spec.references import PREDECLARED
from dlxctl.spec.scalars import refused_name, refused_text

APPLY_TO = frozenset({"all", "queues", "exchanges", "classic_queues", "quorum_queues", "streams"})
_EXCHANGE_TYPE = re.compile("direct|fanout|topic|headers|x-.+")
MQTT = re.compile("mqtt-(subscription|will)-")
"""Queues that the MQTT plugin makes for its clients."""
_ARGUMENT_KINDS = {**{name: attribute.kind for name, attribute in BY_ARGUMENT.items()}, "alternate-exchange": str}
_POLICY_KINDS = {**{key: attribute.kind for key, attribute in BY_POLICY.items()}, "alternate-exchange": str}
_DEEPEST = 12
"""So deep may a value nest: the file may have 20 levels, and a value stands in up to 6."""
_INTEGERS = range(-(2**63), 2**63)


def owners(observed: Topology) -> tuple[str, ...]:
    """The topologies that dlxctl has applied to this vhost, by the owner exchanges that it has, and their marks.

    Definitions exported by RabbitMQ 4.3 leave internal exchanges out, and keep their bindings (measured on 4.3.6).
    """
    marks = (binding for binding in observed.bindings.values() if OWNER_HEADER in binding.arguments)
    internal = [e.name for e in observed.exchanges.values() if e.internal and e.type == "headers"]
    names = {*internal, *(mark.source for mark in marks)}
    return tuple(sorted(name.removeprefix("dlxctl.") for name in names if name.startswith("dlxctl.")))


def sift(observed: Topology, name: str) -> tuple[Topology, tuple[Note, ...]]:
    """What the file of topology `name` is to hold, and notes of what it is not to."""
    sieve = _Sieve(observed, name)
    things = [thing for kind in (observed.exchanges, observed.queues, observed.policies) for thing in kind.values()]
    kept = [thing for thing in things if sieve.keeps(thing)]
    bindings = [binding for binding in observed.bindings.values() if sieve.keeps_binding(binding)]
    return Topology.of(
        observed.vhost, *kept, *bindings, operator_policies=tuple(observed.operator_policies.values())
    ), tuple(sieve.notes)


class _Sieve:
    """Collects `notes`, and what is kept, against which bindings are judged."""

    def __init__(self, observed: Topology, name: str) -> None:
        self._owner = f"dlxctl.{name}"
        self._kept: set[Key] = {("exchange", standing) for standing in PREDECLARED}
        self.notes: list[Note] = []
        marks = [b for b in observed.bindings.values() if b.source.startswith("dlxctl.")]
        own = {_end(b) for b in marks if b.source == self._owner}
        self._others = {_end(b) for b in marks if b.source != self._owner} - own
        self._out: dict[Key, Note] = {}

    def keeps(self, thing: Exchange | Queue | Policy) -> bool:
        """Whether `thing` goes into the file."""
        if isinstance(thing, Exchange) and (thing.name == self._owner or thing.name.startswith("amq.")):
            return False
        note = self._left_out(thing) or _lost(thing)
        if note is None:
            self._kept.add(thing.key)
            return True
        self.notes.append(note)
        self._out[thing.key] = note
        return False

    def keeps_binding(self, binding: Binding) -> bool:
        """Whether both ends are kept and its values can be said."""
        if binding.source.startswith("dlxctl."):
            return False
        shown = f"{binding.source} -> {binding.destination}"
        for end in (("exchange", binding.source), _end(binding)):
            if end not in self._kept:
                self.notes.append(self._loose(shown, end))
                return False
        cause = refused_text(binding.routing_key) or unsayable(dict(binding.arguments))
        if cause:
            self.notes.append(Note(rule=VALUE, kind="binding", name=shown, cause=cause))
        return not cause

    def _loose(self, shown: str, end: Key) -> Note:
        out = self._out.get(end)
        cause = f"{end[0]} {end[1]} is not held" if out else f"there is no {end[0]} {end[1]}"
        if not out and end[0] == "exchange":
            cause += "; definitions of RabbitMQ 4.3 leave internal exchanges out, so import from the broker itself"
        rule = out.rule if out and not out.lost else PASSING if MQTT.match(end[1]) else END
        return Note(rule=rule, kind="binding", name=shown, cause=cause)

    def _left_out(self, thing: Exchange | Queue | Policy) -> Note | None:
        kind, name = thing.key[0], thing.name
        if isinstance(thing, Policy) and name.startswith(f"{self._owner}."):
            return None
        if thing.key in self._others or name.startswith("dlxctl."):
            return Note(rule=OTHERS, kind=kind, name=name)
        if isinstance(thing, Queue) and (thing.exclusive or MQTT.match(name)):
            return Note(rule=PASSING, kind=kind, name=name)
        if not isinstance(thing, Policy) and any(reserved.match(name) for reserved, _ in RESERVED):
            return Note(rule=CELERY, kind=kind, name=name)
        return None


def _lost(thing: Exchange | Queue | Policy) -> Note | None:
    kind, name = thing.key
    refused = refused_text(name) if isinstance(thing, Policy) else refused_name(name)
    if refused:
        return Note(rule=NAME, kind=kind, name=name, cause=refused)
    cause = next(_unsayable_parts(thing), None)
    return Note(rule=VALUE, kind=kind, name=name, cause=cause) if cause else None


def _unsayable_parts(thing: Exchange | Queue | Policy) -> Iterator[str]:
    if isinstance(thing, Exchange) and not _EXCHANGE_TYPE.fullmatch(thing.type):
        yield f"exchange type {thing.type}"
    if isinstance(thing, Policy):
        if thing.apply_to not in APPLY_TO:
            yield f"apply-to {thing.apply_to}"
        if not thing.definition:
            yield "it sets nothing"
        if cause := unsayable(thing.pattern):
            yield cause
    else:
        flags = (thing.durable, thing.auto_delete, *((thing.internal,) if isinstance(thing, Exchange) else ()))
        if not all(isinstance(flag, bool) for flag in flags):
            yield "a flag that is neither true nor false"
    known = _POLICY_KINDS if isinstance(thing, Policy) else _ARGUMENT_KINDS
    values = thing.definition if isinstance(thing, Policy) else thing.arguments
    yield from (
        f"{key} is {value!r}" for key, value in values.items() if key in known and type(value) is not known[key]
    )
    if cause := unsayable(dict(values)):
        yield cause


def unsayable(value: Any, depth: int = 0) -> str | None:
    """Why a value cannot be held, None when it can."""
    match value:
        case None:
            return "null among its values"
        case str():
            return "text that is not Unicode" if any("\ud800" <= c <= "\udfff" for c in value) else None
        case bool():
            return None
        case int():
            return None if value in _INTEGERS else "a number of more than 64 bits"
        case float():
            return None if math.isfinite(value) else "a number that is none"
        case dict() | list():
            if depth >= _DEEPEST:
                return f"values nested deeper than {_DEEPEST} levels"
            inner = [*value, *value.values()] if isinstance(value, dict) else value
            return next((cause for item in inner if (cause := unsayable(item, depth + 1))), None)
        case _:
            return f"a {type(value).__name__} among its values"


def _end(binding: Binding) -> Key:
    return ("exchange" if binding.to_exchange else "queue", binding.destination)
