"""A picture in the DOT language of Graphviz.

Names are text: in a quoted string a backslash, a quote and the `&` of an entity are all that mean something.
"""

from collections.abc import Iterator

from dlxctl.render.escape import printable
from dlxctl.render.graph.picture import RETURNS, TITLES, Edge, Picture, Role

SHAPES: dict[Role, str] = {
    Role.EXCHANGE: "hexagon",
    Role.WORK: "box",
    Role.KEPT: "box",
    Role.LADDER: "oval",
    Role.TIER: "parallelogram",
    Role.DLX: "hexagon",
    Role.DLQ: "cylinder",
    Role.PARKING: "cylinder",
}
"""Graphviz's node shape of each role."""


def dot(picture: Picture) -> str:
    """The digraph, a line each for boxes and edges; ends with a line break."""
    return "\n".join(_lines(picture)) + "\n"


def _lines(picture: Picture) -> Iterator[str]:
    yield f"digraph {_quoted(picture.title)} {{"
    yield "  rankdir=LR; compound=true; ranksep=1;"
    yield '  node [fontname="monospace"]; edge [fontname="monospace", fontsize=10];'
    for role in Role:
        boxes = picture.of(role)
        if boxes:
            yield f"  subgraph cluster_{role} {{"
            yield f"    label={_quoted(*TITLES[role])}; style=dashed; node [shape={SHAPES[role]}];"
            yield from (f"    {box.id} [label={_quoted(box.name, *box.lines)}];" for box in boxes)
            yield "  }"
    yield from (f"  {_edge(edge)}" for edge in picture.edges)
    if picture.returns:
        ends = f"{picture.of(Role.TIER)[0].id} -> {picture.of(Role.WORK)[0].id}"
        frames = f"ltail=cluster_{Role.TIER}, lhead=cluster_{Role.WORK}, style=dashed, constraint=false"
        yield f"  {ends} [label={_quoted(RETURNS)}, {frames}];"
    yield "}"


def _edge(edge: Edge) -> str:
    label = f" [label={_quoted(edge.label)}]" if edge.label else ""
    return f"{edge.source} -> {edge.target}{label};"


def _quoted(*lines: str) -> str:
    escaped = (printable(line).replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"') for line in lines)
    return '"' + "\\n".join(escaped) + '"'
