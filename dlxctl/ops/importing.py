"""Use case: a vhost, of a live broker or of definitions, as a topology file; and marking what stands there as ours.

The file is proved before it is handed out: it is read back, expanded, and compared with what was read.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from dlxctl import lint, spec
from dlxctl.broker.admin import Admin, Reader
from dlxctl.errors import DlxctlError, RefusedForSafety, UsageError
from dlxctl.model.attributes import Version
from dlxctl.model.diagnostics import InvalidTopology, Place, Severity, quoted
from dlxctl.model.layout import Layout
from dlxctl.model.topology import Topology
from dlxctl.ops import prove
from dlxctl.ops.apply import apply
from dlxctl.ops.definitions import definitions_of
from dlxctl.ops.plan import make_plan
from dlxctl.plan.changes import Change, CreateExchange, Mark, describe
from dlxctl.plan.import_rules import BESIDE, END, PASSING, Note
from dlxctl.plan.import_sift import MQTT, owners, sift
from dlxctl.plan.recognise import Recognised, differences, recognise
from dlxctl.render.importing import commented
from dlxctl.sim.routing import Routes
from dlxctl.sim.versions import RELEASES
from dlxctl.spec.dump import dump
from dlxctl.spec.expand import ASSUMED_VERSION, expand
from dlxctl.spec.scalars import refused_owner, refused_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is to be imported: one vhost, the `version` of its broker, and `notes` of what else its source has."""

    source: str
    topology: Topology
    version: Version = ASSUMED_VERSION
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """The topology file: its `text`, the layout and roles that it says, and the notes of what it does not hold."""

    source: str
    text: str
    recognised: Recognised
    notes: tuple[Note, ...]
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def layout(self) -> Layout:
        return self.recognised.layout

    @property
    def whole(self) -> bool:
        """Whether nothing is missing but what is left out by design."""
        return not any(note.lost for note in self.notes)


def on_broker(reader: Reader, source: str) -> Found:
    """The vhost of `reader`. Raises BrokerUnavailable, BrokerRefused or NotFound."""
    return Found(source=source, topology=reader.read(), version=reader.server().version)


def in_definitions(text: str, source: str, vhost: str | None) -> Found:
    """One vhost of RabbitMQ's definitions. Raises UsageError."""
    found = definitions_of(text, source=source, vhost=vhost)
    beside = (Note(rule=BESIDE, kind=kind, name=str(count)) for kind, count in found.beside.items())
    unknown = (Note(rule=PASSING if MQTT.match(name) else END, kind="queue", name=name, cause="its type is unknown")
               for name in found.unknown)  # fmt: skip
    version = found.version or ASSUMED_VERSION
    return Found(source=source, topology=found.topology, version=version, notes=(*beside, *unknown))


def import_topology(found: Found, name: str | None = None) -> Imported:
    """The file of topology `name`; by default the one topology that dlxctl has applied there, or after the vhost.

    Raises UsageError, and DlxctlError when the vhost has more than a file can hold.
    """
    name = name or _name(found)
    if refused := refused_owner(name):
        raise UsageError("the topology cannot be called so", why=refused, remedy="Name it by --topology.")
    vhost = found.topology.vhost
    if refused := refused_text(vhost) if vhost else "it has no name":
        remedy = "Name another: --vhost NAME."
        raise UsageError(f"vhost {quoted(vhost)} cannot stand in a topology file", why=refused, remedy=remedy)
    kept, notes = sift(found.topology, name)
    routes = Routes(kept, RELEASES[-1])
    recognised = recognise(kept, name, lambda exchange, key: routes.route(exchange, key, {}), _refused)
    layout = recognised.layout
    wrong = differences(expand(layout, version=found.version), kept, layout.owner_exchange)
    text = dump(layout)
    return Imported(
        source=found.source,
        text=commented(text, _read_back(text, layout), recognised, found.source),
        recognised=recognised,
        notes=(*found.notes, *notes, *wrong),
        counts={kind: len(getattr(kept, kind)) for kind in ("exchanges", "queues", "bindings", "policies")},
    )


def write(path: Path, text: str, *, overwrite: bool = False) -> None:
    """Write the file. Raises UsageError when `path` exists and may not be overwritten."""
    try:
        with path.open("w" if overwrite else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{path} exists already", remedy="Use --force to overwrite it.") from None
    except OSError as error:
        raise UsageError(
            f"cannot write {path}", why=error.strerror or str(error), remedy="Name another: -o FILE."
        ) from None


def adopt(admin: Admin, layout: Layout) -> int:
    """Mark what `layout` has as ours, and nothing else; how many exchanges and queues were marked.

    Raises RefusedForSafety when the broker would have to be changed for that, and whatever apply raises.
    """
    plan = make_plan(admin, layout)
    more = [change for change in plan.changes if not _only_marks(change, layout)]
    if more or plan.blocked:
        shown = "; ".join([*map(describe, more), *(quoted(each.desired.name) for each in plan.blocked)][:3])
        raise RefusedForSafety(
            "adopting would change the broker",
            why=shown,
            remedy="Nothing was marked. Write the file, look at `dlxctl plan`, and use `dlxctl apply`.",
        )
    report = apply(admin, layout, reviewed=plan.fingerprint)
    if report.error is not None:
        raise report.error
    return sum(isinstance(change, Mark) for change in report.made)


def _only_marks(change: Change, layout: Layout) -> bool:
    owner = isinstance(change, CreateExchange) and change.exchange.name == layout.owner_exchange
    return owner or isinstance(change, Mark)


def _name(found: Found) -> str:
    there = owners(found.topology)
    if len(there) > 1:
        raise UsageError(
            f"{found.source} has {len(there)} topologies: {', '.join(there)}", remedy="Name one by --topology."
        )
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", found.topology.vhost).strip("-_")[:64]
    return there[0] if there else plain or "imported"


def _refused(layout: Layout) -> Mapping[str, str]:
    """The work queues that `check` would refuse, and why; they are told by lines, one for each queue."""
    names = list(layout.work_queues)
    numbered = replace(layout, places={("queues", name): Place(line, 1) for line, name in enumerate(names, start=1)})
    found = (*lint.run(numbered, expand(numbered)), *prove.of_layout(numbered))
    errors = [each for each in found if each.severity is Severity.ERROR and each.place.line]
    return {names[each.place.line - 1]: f"{each.code} {each.cause}" for each in errors}


def _read_back(text: str, layout: Layout) -> Layout:
    """The layout that `text` says, with its places. Raises DlxctlError when it is not `layout`."""
    try:
        read = spec.load(text)
    except InvalidTopology as refusal:
        raise DlxctlError(
            f"vhost {quoted(layout.vhost)} cannot be written as one topology file",
            why=refusal.diagnostics[0].cause,
            remedy="Spread its queues over several vhosts, or write a file for those that are to be managed.",
        ) from None
    if read != layout:
        raise DlxctlError("the file would not say what was read", remedy="This is a bug of dlxctl; please report it.")
    return read
