"""Use case: what the model of RabbitMQ's dead-lettering says of a topology file or of definitions, as diagnostics."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from dlxctl.celery.road import road_of
from dlxctl.model.diagnostics import MOST_REPORTED, Diagnostic, Place
from dlxctl.model.layout import Layout, WorkQueue
from dlxctl.model.topology import Topology
from dlxctl.render.trace import cause_of, remedy_for
from dlxctl.sim.prove import Finding, drops_failures, leads_nowhere, prove, resting, work_queues
from dlxctl.sim.versions import RELEASES, Release
from dlxctl.sim.walk import Retries
from dlxctl.spec.expand import expand


def of_layout(layout: Layout) -> tuple[Diagnostic, ...]:
    """What can become of the messages of each work queue of a file that has a dead-letter road."""
    native = any(layout.native_ladder(queue) for queue in layout.work_queues.values())
    work = {name: retries_of(layout, queue) for name, queue in layout.work_queues.items() if _has_road(queue)}
    found: list[Finding] = []
    for release in RELEASES:
        if release.delayed_retry or not native:  # an older broker is refused such a file
            rests = frozenset(layout.dead_letter_queues)
            found += islice(prove(topology_on(layout, release), release, work, rests), MOST_REPORTED)
    return tuple(_diagnostics(found, lambda subject: layout.place("queues", subject)))


def of_definitions(topology: Topology) -> tuple[Diagnostic, ...]:
    """The same for a topology that dlxctl did not make: every queue that dead-letters and does not only delay."""
    found: list[Finding] = []
    for release in RELEASES:
        work = dict.fromkeys(work_queues(topology, release))
        found += islice(prove(topology, release, work, resting(topology, release)), MOST_REPORTED)
        found += leads_nowhere(topology, release)
        found += drops_failures(topology, release)
    return tuple(_diagnostics(found, lambda subject: Place()))


def topology_on(layout: Layout, release: Release) -> Topology:
    """What the file becomes on a broker of `release`."""
    return expand(layout, version=release.version)


def retries_of(layout: Layout, queue: WorkQueue) -> Retries:
    """What RetryTask does with the failures of a work queue, as the model needs it."""
    road = road_of(layout, queue)
    exchanges = tuple(tier.exchange for tier in road.tiers)
    native = road.native is not None
    return Retries(exchanges=exchanges, attempts=road.attempts, native=native, dlx=road.dlx, key=road.dead_letter)


def _has_road(queue: WorkQueue) -> bool:
    """Whether failures are to go anywhere; `dead_letter: null` was said and is DLX313."""
    return queue.dead_letter is not None or "x-dead-letter-exchange" in queue.arguments


def _diagnostics(found: Iterable[Finding], place: Callable[[str], Place]) -> Iterator[Diagnostic]:
    """One for each rule and object, with all releases on which it holds."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in found:
        groups.setdefault((finding.rule.code, finding.subject), []).append(finding)
    for group in islice(groups.values(), MOST_REPORTED):
        releases = tuple(finding.release.name for finding in group)
        first = min(reversed(group), key=lambda finding: finding.length)
        yield first.rule.at(place(first.subject), cause_of(first, releases), remedy_for(first))
