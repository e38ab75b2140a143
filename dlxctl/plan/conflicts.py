"""What differs on an exchange or queue that is there, where nothing can be changed in place (facts 5.1, 5.10).

In policy mode an old queue may carry settings as arguments. Numeric ones combine with the policy by taking the lowest,
of the others the argument wins (facts 5.5); where the outcome is what the file wants, they are no conflict today, but
they stay in the way of a later change.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dlxctl.model.attributes import BY_ARGUMENT
from dlxctl.model.topology import Exchange, Queue
from dlxctl.plan.value import Difference

_TYPE = "x-queue-type"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """`differences` need a migration; `kept` are arguments that the broker has on top, harmless as things stand."""

    differences: tuple[Difference, ...]
    kept: tuple[Difference, ...] = ()


def compare_exchanges(desired: Exchange, observed: Exchange) -> Comparison:
    """Every setting of an exchange is fixed."""
    settings = _properties(desired, observed, ("type", "durable", "auto_delete", "internal"))
    return Comparison(differences=(*settings, *_arguments(desired.arguments, observed.arguments)))


def compare_queues(desired: Queue, observed: Queue, by_policy: Mapping[str, Any]) -> Comparison:
    """`by_policy` is what the policy of the queue is going to set, by policy key."""
    differences = list(_properties(desired, observed, ("type", "durable", "auto_delete", "exclusive")))
    kept: list[Difference] = []
    for difference in _arguments(desired.arguments, observed.arguments):
        if difference.setting == _TYPE:
            continue
        judged = _judge(difference, by_policy) if difference.setting not in desired.arguments else difference
        (differences if judged else kept).append(judged or difference)
    return Comparison(differences=tuple(differences), kept=tuple(kept))


def _judge(extra: Difference, by_policy: Mapping[str, Any]) -> Difference | None:
    """What the file wants instead of an argument that it does not declare, or None where the outcome is the same."""
    attribute = BY_ARGUMENT.get(extra.setting)
    if attribute is None:  # no setting of RabbitMQ's: stored, and without effect
        return None
    wanted = by_policy.get(attribute.policy) if attribute.policy else None
    if attribute.lowest_wins and _are_numbers(extra.observed, wanted):
        outcome = min(extra.observed, wanted)
    else:
        outcome = extra.observed
    if _equal(outcome, wanted):
        return None
    return Difference(setting=extra.setting, observed=extra.observed, desired=wanted)


def _properties(desired: object, observed: object, names: tuple[str, ...]) -> Iterator[Difference]:
    for name in names:
        was, wanted = getattr(observed, name), getattr(desired, name)
        if was != wanted:
            yield Difference(setting=name, observed=was, desired=wanted)


def _arguments(desired: Mapping[str, Any], observed: Mapping[str, Any]) -> Iterator[Difference]:
    for name in sorted({*desired, *observed}):
        was, wanted = observed.get(name), desired.get(name)
        if not _equal(was, wanted):
            yield Difference(setting=name, observed=was, desired=wanted)


def _equal(one: Any, other: Any) -> bool:
    """Equal as the broker sees it: 1 is not true."""
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def _are_numbers(*values: Any) -> bool:
    return all(isinstance(value, int) and not isinstance(value, bool) for value in values)
