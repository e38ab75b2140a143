"""What a comparison finds beside changes: what cannot change in place, what is left over, what to warn of."""

from collections.abc import Iterator

from dlxctl.model.attributes import BY_POLICY
from dlxctl.model.diagnostics import Diagnostic, quoted
from dlxctl.model.server import ServerInfo
from dlxctl.model.topology import Exchange, Queue
from dlxctl.plan import rules
from dlxctl.plan.drift import Drift
from dlxctl.plan.foreign import foreign_policies, operator_policies
from dlxctl.plan.migration import site_of, steps_left, unfinished
from dlxctl.plan.value import CannotChange, Difference, Leftover
from dlxctl.spec.expand import left_out

UNFINISHED = Difference(setting="migration", observed="begun", desired="finished")
"""Of a queue that is as the file wants it, or is not there at this moment."""


def blocked(drift: Drift) -> Iterator[CannotChange]:
    """Exchanges and queues that are there with other fixed settings, and queues whose migration is not finished."""
    for thing, comparison in drift.comparisons:
        begun = isinstance(thing, Queue) and unfinished(thing.name, drift.observed)
        if comparison.differences or begun:
            yield _cannot_change(thing, comparison.differences or (UNFINISHED,), drift)
    for key, queue in drift.desired.queues.items():
        if key not in drift.observed.queues and unfinished(queue.name, drift.observed):
            yield _cannot_change(queue, (UNFINISHED,), drift)


def _cannot_change(thing: Exchange | Queue, differences: tuple[Difference, ...], drift: Drift) -> CannotChange:
    why = drift.place(thing)
    if isinstance(thing, Exchange):
        return CannotChange(desired=thing, differences=differences, why=why)
    site = site_of(thing.name, drift.observed)
    steps = steps_left(site, right=differences == (UNFINISHED,))
    return CannotChange(desired=thing, differences=differences, why=why, bindings=site.bindings, steps=steps)


def leftovers(drift: Drift) -> Iterator[Leftover]:
    """Marked objects that the file has no more, and bindings that it has no more between objects that it has."""
    desired, observed = drift.desired, drift.observed
    yield from (e for key, e in observed.exchanges.items() if key in drift.owned and key not in desired.exchanges)
    yield from drift.leftover_queues
    for key, binding in observed.bindings.items():
        ends = desired.exchange(binding.source) and not binding.to_exchange and desired.queue(binding.destination)
        if ends and key not in desired.bindings and not drift.is_mark(binding):
            yield binding


def warnings(drift: Drift, server: ServerInfo) -> Iterator[Diagnostic]:
    """Everything that `rules` names, as far as it is so here."""
    yield from foreign_policies(drift.layout, drift.desired, drift.observed, drift.stand)
    yield from operator_policies(drift.layout, drift.desired, drift.observed)
    yield from _unsupported(drift, server)
    yield from _overrides(drift)
    yield from _shared(drift)


def _unsupported(drift: Drift, server: ServerInfo) -> Iterator[Diagnostic]:
    for queue, key in left_out(drift.layout, server.version):
        since = ".".join(map(str, BY_POLICY[key].policy_since))
        yield rules.UNSUPPORTED.at(
            drift.layout.place("queues", queue.name),
            f"queue {quoted(queue.name)}: RabbitMQ {server.version_text} does not know the policy key {key},"
            " so it is left out.",
            f"It takes effect from RabbitMQ {since} on.",
        )


def _overrides(drift: Drift) -> Iterator[Diagnostic]:
    for thing, comparison in drift.comparisons:
        for kept in comparison.kept:
            yield rules.OVERRIDE.at(
                drift.place(thing),
                f"queue {quoted(thing.name)} has {kept.setting}={quoted(kept.observed)} as an argument.",
                "Nothing to do now; another value will need a migration.",
            )


def _shared(drift: Drift) -> Iterator[Diagnostic]:
    for binding in drift.observed.bindings.values():
        owner = drift.observed.exchange(binding.source)
        if drift.is_mark(binding) or not (owner and owner.internal and owner.name.startswith("dlxctl.")):
            continue
        key = ("exchange" if binding.to_exchange else "queue", binding.destination)
        thing = drift.desired.exchanges.get(key) or drift.desired.queues.get(key)
        if thing:
            yield rules.SHARED.at(
                drift.place(thing),
                f"{key[0]} {quoted(thing.name)} is also marked by {quoted(owner.name)}, another topology.",
                "Keep the two files in agreement, or give one of them names of its own (naming:, dead_letter:).",
            )
