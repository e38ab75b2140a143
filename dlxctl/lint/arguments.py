"""Rules about `arguments:`, the escape hatch, against the attribute table (`dlxctl.model.attributes`)."""

import difflib
from collections.abc import Iterator
from typing import Any

from dlxctl.lint.checks import Finding, error, warning
from dlxctl.model.attributes import BY_ARGUMENT, Attribute
from dlxctl.model.diagnostics import Place, quoted
from dlxctl.model.layout import Layout, SettingsMode, WorkQueue
from dlxctl.model.topology import Topology

KEYS = {
    "x-queue-type": "type",
    "x-dead-letter-exchange": "dead_letter",
    "x-dead-letter-routing-key": "dead_letter",
    "x-dead-letter-strategy": "dead_letter",
    "x-delivery-limit": "delivery_limit",
    "x-max-length": "max_length",
    "x-overflow": "overflow",
    "x-single-active-consumer": "single_active_consumer",
    "x-consumer-timeout": "consumer_timeout",
    "x-max-priority": "priority",
}
"""Argument -> the key of the file that sets it."""
MAX_TTL_MS = 315_360_000_000
_TTLS = ("x-message-ttl", "x-expires")
_KINDS = {int: "a whole number", str: "text", bool: "true or false"}


@warning(
    "DLX320",
    "An argument that RabbitMQ does not know",
    "RabbitMQ stores arguments that it does not know and ignores them; they are not compared on a redeclare either.",
)
def arguments_are_known(layout: Layout, topology: Topology) -> Iterator[Finding]:
    """Each argument is in the attribute table."""
    for queue, name, _, place in _arguments(layout):
        if name not in BY_ARGUMENT:
            close = difflib.get_close_matches(name, BY_ARGUMENT, n=1)
            remedy = f"Did you mean {close[0]}?" if close else "Remove it, unless a plugin reads it."
            yield Finding(place, f"queue {quoted(queue.name)} has the unknown argument {quoted(name)}.", remedy)


@error("DLX321", "An argument of another queue type", "RabbitMQ refuses the declare with 406 PRECONDITION_FAILED.")
def arguments_fit_the_type(layout: Layout, topology: Topology) -> Iterator[Finding]:
    """Each argument is one that the queue's type accepts."""
    for queue, name, _, place in _arguments(layout):
        if name in BY_ARGUMENT and queue.type not in BY_ARGUMENT[name].types:
            cause = f"argument {name} of queue {quoted(queue.name)} is not for {queue.type} queues."
            yield Finding(place, cause, "Remove it, or change the type of the queue.")


@error("DLX322", "An argument with a wrong value", "RabbitMQ refuses the declare with 406 PRECONDITION_FAILED.")
def argument_values_are_valid(layout: Layout, topology: Topology) -> Iterator[Finding]:
    """Each value has the kind, the choice and the limits of the attribute table."""
    for queue, name, value, place in _arguments(layout):
        if name in BY_ARGUMENT and (wanted := _wanted(BY_ARGUMENT[name], value)):
            cause = f"argument {name} of queue {quoted(queue.name)} must be {wanted}, not {quoted(value)}."
            yield Finding(place, cause, "Fix the value.")


@error(
    "DLX323",
    "An argument that overrides a key of the file",
    "An argument wins over a policy, and of two numbers the lower wins; what the file says elsewhere would not hold.",
)
def arguments_do_not_override(layout: Layout, topology: Topology) -> Iterator[Finding]:
    """No argument says what `type`, `dead_letter`, `max_length` and so on say already."""
    for queue, name, _, place in _arguments(layout):
        key = KEYS.get(name)
        if key and _said(queue, key):
            cause = f"argument {name} of queue {quoted(queue.name)} overrides its {key}."
            yield Finding(place, cause, f"Remove the argument; {key} says it.")


@warning(
    "DLX324",
    "A setting nailed down as an argument",
    "Arguments of a living queue can never change (406). What a policy can set is better set by one.",
)
def tunable_settings_are_not_arguments(layout: Layout, topology: Topology) -> Iterator[Finding]:
    """No argument is one that a policy could set, while settings are kept in policies."""
    if layout.settings is SettingsMode.ARGUMENTS:
        return
    for queue, name, value, place in _arguments(layout):
        attribute = BY_ARGUMENT.get(name)
        key = KEYS.get(name)
        if name == "x-expires" or attribute is None or attribute.policy is None or (key and _said(queue, key)):
            continue
        cause = f"argument {name} of queue {quoted(queue.name)} can never be changed while the queue lives."
        plain = key is not None and key != "dead_letter" and not name.endswith("timeout")
        yield Finding(
            place, cause, f"Say {key}: {value} instead." if plain else "Keep it only if it will never change."
        )


@error(
    "DLX325",
    "A queue that deletes itself",
    "`x-expires` deletes the queue with its messages, nothing is dead-lettered, and publishing does not keep it alive.",
)
def queues_do_not_expire(layout: Layout, topology: Topology) -> Iterator[Finding]:
    """No queue has `x-expires`."""
    for queue, name, _, place in _arguments(layout):
        if name == "x-expires":
            cause = f"x-expires deletes queue {quoted(queue.name)} with its messages when no one consumes."
            yield Finding(place, cause, "Remove it.")


def _arguments(layout: Layout) -> Iterator[tuple[WorkQueue, str, Any, Place]]:
    for queue in layout.work_queues.values():
        for name, value in queue.arguments.items():
            yield queue, name, value, layout.place("queues", queue.name, "arguments", name)


def _said(queue: WorkQueue, key: str) -> bool:
    attribute = "consumer_timeout_ms" if key == "consumer_timeout" else key
    return getattr(queue, attribute) not in (None, False)


def _wanted(attribute: Attribute, value: Any) -> str | None:
    """What the value must be, or None when it is right."""
    if not isinstance(value, attribute.kind) or (isinstance(value, bool) and attribute.kind is int):
        return _KINDS[attribute.kind]
    if attribute.choices and value not in attribute.choices:
        return " or ".join(attribute.choices)
    if isinstance(value, int) and value < 0:
        return "0 or more (-1 drops messages at once on RabbitMQ 3.10)"
    if isinstance(value, int) and attribute.argument in _TTLS and value > MAX_TTL_MS:
        return f"at most {MAX_TTL_MS} ms, which is ten years"
    return None
