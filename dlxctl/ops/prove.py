"""Use case: what the model of RabbitMQ's dead-lettering says of a topology file or of definitions, as diagnostics."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cache, partial
from itertools import islice

from dlxctl.celery.road import road_of
from dlxctl.model.diagnostics import MOST_REPORTED, Diagnostic, Place, Severity
from dlxctl.model.layout import Layout
from dlxctl.model.topology import Topology
from dlxctl.render.trace import cause_of, remedy_for
from dlxctl.sim.prove import Finding, drops_failures, leads_nowhere, prove, resting, work_queues
from dlxctl.sim.rules import KEPT
from dlxctl.sim.versions import RELEASES, Release
from dlxctl.sim.walk import Retries
from dlxctl.spec.expand import expand


def of_layout(layout: Layout) -> tuple[Diagnostic, ...]:
    """What can become of the messages of each queue of a file that dead-letters; `dead_letter: null` is DLX313."""
    native = any(layout.native_ladder(queue) for queue in layout.work_queues.values())
    found: list[Finding] = []
    retries = cache(partial(retries_in, layout))
    for release in RELEASES:
        if native and not release.delayed_retry:
            continue  # such a broker is refused the file
        topology = topology_on(layout, release)
        at_rest = resting(topology, release)
        roads = [name for name in work_queues(topology, release) if name in layout.verbatim.queues]
        roads += [name for name in layout.work_queues if name not in at_rest]
        work = {name: retries(name) for name in roads}
        told = islice(prove(topology, release, work, rests_in(layout, topology, release)), MOST_REPORTED)
        found += (_as_kept(finding) if finding.subject in layout.verbatim.queues else finding for finding in told)
    return tuple(_diagnostics(found, lambda subject: _place(layout, subject)))


def of_definitions(topology: Topology) -> tuple[Diagnostic, ...]:
    """The same for a topology that dlxctl did not make: every queue that dead-letters and does not only delay."""
    found: list[Finding] = []
    for release in RELEASES:
        work = dict.fromkeys(work_queues(topology, release))
        found += islice(prove(topology, release, work, resting(topology, release)), MOST_REPORTED)
        found += leads_nowhere(topology, release)
        found += drops_failures(topology, release)
    return tuple(sorted(_diagnostics(found, lambda subject: Place()), key=lambda each: (each.code, each.cause)))


def topology_on(layout: Layout, release: Release) -> Topology:
    """What the file becomes on a broker of `release`."""
    return expand(layout, version=release.version)


def rests_in(layout: Layout, topology: Topology, release: Release) -> frozenset[str]:
    """The last stops of a file: its dead-letter queues, and every queue that does not dead-letter."""
    return frozenset(layout.dead_letter_queues) | resting(topology, release)


def retries_in(layout: Layout, name: str) -> Retries | None:
    """What RetryTask does with the failures of a work queue, as the model needs it; None for another queue."""
    if name not in layout.work_queues:
        return None
    road = road_of(layout, layout.work_queues[name])
    exchanges = tuple(tier.exchange for tier in road.tiers)
    native = road.native is not None
    return Retries(exchanges=exchanges, attempts=road.attempts, native=native, dlx=road.dlx, key=road.dead_letter)


def _as_kept(finding: Finding) -> Finding:
    """What dlxctl did not make does not keep a file from being applied."""
    return replace(finding, rule=KEPT) if finding.rule.severity is Severity.ERROR else finding


def _place(layout: Layout, subject: str) -> Place:
    if subject in layout.verbatim.queues:
        return layout.place("verbatim", "queues", subject)
    return layout.place("dead_letter" if subject in layout.dead_letter_queues else "queues", subject)


def _diagnostics(found: Iterable[Finding], place: Callable[[str], Place]) -> Iterator[Diagnostic]:
    """One for each rule and object, with all releases on which it holds."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in found:
        groups.setdefault((finding.rule.code, finding.subject), []).append(finding)
    for group in islice(groups.values(), MOST_REPORTED):
        releases = tuple(finding.release.name for finding in group)
        first = min(reversed(group), key=lambda finding: finding.length)
        yield first.rule.at(place(first.subject), cause_of(first, releases), remedy_for(first))
