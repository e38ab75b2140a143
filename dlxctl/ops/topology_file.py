"""Use case: read a topology file from disk, check it, expand it. The only place that opens one."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from dlxctl import lint, spec
from dlxctl.errors import UsageError
from dlxctl.model.diagnostics import Diagnostic, InvalidTopology, Severity
from dlxctl.model.layout import Layout
from dlxctl.model.topology import Topology
from dlxctl.ops import prove
from dlxctl.ops.definitions import topology_of
from dlxctl.spec.expand import expand
from dlxctl.spec.reader import MAX_BYTES
from dlxctl.spec.starter import STARTER

Checked = tuple[Layout, Topology, tuple[Diagnostic, ...]]


def read_layout(path: Path, environment: Mapping[str, str]) -> Layout:
    """The layout that the file asks for. Raises UsageError (no such file, not text), InvalidTopology."""
    return spec.load(read_text(path), source=str(path), environment=environment)


def checked(path: Path, environment: Mapping[str, str]) -> Checked:
    """The layout, its topology and the warnings. Raises UsageError, and InvalidTopology if any finding is an error."""
    layout, topology, found = examined(path, environment)
    if any(diagnostic.severity is Severity.ERROR for diagnostic in found):
        raise InvalidTopology(layout.source, found)
    return layout, topology, found


def examined(path: Path, environment: Mapping[str, str]) -> Checked:
    """Like `checked`, with errors among the diagnostics as long as a layout can be made at all."""
    layout, problems = spec.parse(read_text(path), source=str(path), environment=environment)
    topology = expand(layout)
    proven = () if problems else prove.of_layout(layout)  # what refers to nothing has been told
    found = sorted((*problems, *lint.run(layout, topology), *proven), key=lambda d: (d.place, d.code))
    return layout, topology, tuple(found)


def diagnosed(path: Path, environment: Mapping[str, str], vhost: str | None = None) -> tuple[Diagnostic, ...]:
    """All that is wrong with a topology file, or in the `vhost` of RabbitMQ's definitions (*.json).

    Raises UsageError, and InvalidTopology when no layout can be made at all.
    """
    if path.suffix == ".json":
        return prove.of_definitions(topology_of(read_text(path), source=str(path), vhost=vhost))
    return examined(path, environment)[2]


def read_text(path: Path) -> str:
    """The text of a regular file of at most 1 MiB. Raises UsageError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a FIFO without a writer must not block
    except FileNotFoundError:
        raise UsageError(f"there is no file {path}", remedy="Run `dlxctl init` to write one.") from None
    except (OSError, ValueError) as error:
        raise UsageError(
            f"cannot read {path}", why=getattr(error, "strerror", None) or str(error),
            remedy="Name a file that you may read.",
        ) from None  # fmt: skip
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise UsageError(f"{path} is not a regular file", remedy="Name a topology file, such as topology.yaml.")
    with os.fdopen(descriptor, "rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise UsageError(f"{path} has more than {MAX_BYTES} bytes", remedy="Name a topology file; they are smaller.")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UsageError(
            f"{path} is not UTF-8 text", why=f"line {line} has the byte 0x{content[error.start]:02x}",
            remedy="Save it as UTF-8.",
        ) from None  # fmt: skip


def write_starter(path: Path, *, overwrite: bool = False) -> None:
    """Write the commented starting file. Raises UsageError when `path` exists and may not be overwritten."""
    try:
        with path.open("w" if overwrite else "x", encoding="utf-8") as file:
            file.write(STARTER)
    except FileExistsError:
        raise UsageError(f"{path} exists already", remedy="Use --force to overwrite it.") from None
    except OSError as error:
        raise UsageError(
            f"cannot write {path}", why=error.strerror or str(error), remedy="Name another file."
        ) from None
