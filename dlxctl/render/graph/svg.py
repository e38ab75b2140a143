"""A picture as SVG, without Graphviz: frames, boxes, curves and text. No script, no link, nothing loaded.

It has its own background, and follows the reader's light or dark scheme where it is shown as an image.
"""

from collections.abc import Iterator
from xml.sax.saxutils import escape

from dlxctl.render.escape import printable
from dlxctl.render.graph.picture import RETURNS, TITLES, Box, Edge, Picture, Role
from dlxctl.render.graph.places import LANE, LINE, MARGIN, PADDING, Area, Places, apart, places, shown, text_width

ARROW = 14
"""Pixels between a label and the box that its edge ends at."""
_LIGHT: dict[Role, tuple[str, str]] = {
    Role.EXCHANGE: ("#ede7f6", "#5e35b1"),
    Role.WORK: ("#e3f2fd", "#1565c0"),
    Role.KEPT: ("#eceff1", "#546e7a"),
    Role.LADDER: ("#fff8e1", "#b26a00"),
    Role.TIER: ("#fff3e0", "#b26a00"),
    Role.DLX: ("#fce4ec", "#ad1457"),
    Role.DLQ: ("#ffebee", "#b71c1c"),
    Role.PARKING: ("#efebe9", "#5d4037"),
}
_DARK: dict[Role, tuple[str, str]] = {
    Role.EXCHANGE: ("#2b2240", "#b39ddb"),
    Role.WORK: ("#10273d", "#90caf9"),
    Role.KEPT: ("#263238", "#b0bec5"),
    Role.LADDER: ("#332600", "#ffcc80"),
    Role.TIER: ("#332100", "#ffcc80"),
    Role.DLX: ("#3a1226", "#f48fb1"),
    Role.DLQ: ("#3b1113", "#ef9a9a"),
    Role.PARKING: ("#2b211e", "#bcaaa4"),
}
"""Fill and line of the boxes of each role."""
_PLAIN = {"light": ("#ffffff", "#24292f", "#57606a", "#d0d7de"), "dark": ("#0d1117", "#e6edf3", "#9da7b1", "#30363d")}
"""Background, text, second lines and edges, frames."""


def svg(picture: Picture) -> str:
    """The drawing, a line each for what it holds; ends with a line break."""
    return "\n".join(_lines(picture, places(picture))) + "\n"


def _lines(picture: Picture, at: Places) -> Iterator[str]:
    size = f'width="{at.width:.0f}" height="{at.height:.0f}" viewBox="0 0 {at.width:.0f} {at.height:.0f}"'
    title = escape(printable(f"Topology {picture.title}"))
    yield f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">'
    yield f"<title>{title}</title>"
    yield "<style>"
    yield "text{font:12px ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace}.n{font-weight:bold}"
    yield ".e{fill:none;stroke-width:1.3}.f{fill:none;stroke-dasharray:4 3}.b{stroke-width:1.3}.r{stroke-dasharray:6 4}"
    yield _scheme("light", _LIGHT)
    yield f"@media (prefers-color-scheme:dark){{{_scheme('dark', _DARK)}}}"
    yield "</style>"
    yield '<defs><marker id="a" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
    yield '<path class="h" d="M0 0L8 4L0 8z"/></marker></defs>'
    yield f'<rect class="bg" width="{at.width:.0f}" height="{at.height:.0f}"/>'
    yield _text(MARGIN, MARGIN + LINE / 2, printable(f"topology {picture.title}"), "n")
    yield from (_frame(role, area) for role, area in at.frames.items())
    yield from (_edge(picture, edge, at) for edge in picture.edges)
    if picture.returns:
        yield from _way_back(at)
    for box in picture.boxes:
        yield from _box(box, at.boxes[box.id])
    yield from (label for edge in picture.edges if edge.label for label in (_label(picture, edge, at),))
    yield "</svg>"


def _scheme(name: str, colours: dict[Role, tuple[str, str]]) -> str:
    background, text, second, frame = _PLAIN[name]
    roles = "".join(f".{role}{{fill:{fill};stroke:{line}}}" for role, (fill, line) in colours.items())
    return (
        f".bg{{fill:{background}}}text{{fill:{text}}}.s{{fill:{second}}}"
        f".e{{stroke:{second}}}.h{{fill:{second}}}.f{{stroke:{frame}}}{roles}"
    )


def _frame(role: Role, area: Area) -> str:
    title, second = TITLES[role]
    return (
        f'<rect class="f" {_place(area)} rx="8"/>'
        + _text(area.x + PADDING, area.y + LINE, title, "n")
        + _text(area.x + PADDING, area.y + 2 * LINE - 1, second, "s")
    )


def _box(box: Box, area: Area) -> Iterator[str]:
    """Its text, and in full as the tooltip."""
    radius = 16 if box.role is Role.LADDER else 4
    yield f"<g><title>{escape(printable(box.name, 300))}</title>"
    yield f'<rect class="b {box.role}" {_place(area)} rx="{radius}"/>'
    y = area.y + (area.height - LINE * (1 + len(box.lines))) / 2 + LINE * 0.75
    yield _text(area.x + PADDING, y, shown(box.name), "n")
    for number, line in enumerate(box.lines, 1):
        yield _text(area.x + PADDING, y + number * LINE, shown(line), "s")
    yield "</g>"


def _edge(picture: Picture, edge: Edge, at: Places) -> str:
    start, target = at.boxes[edge.source], at.boxes[edge.target]
    x, y = start.right, start.y + start.height / 2
    end = _arrival(picture, edge, target)
    flat = target.x - (text_width(edge.label) + 2 * ARROW if edge.label else 0)
    bend = max((flat - x) / 2, 30)
    curve = f"C{x + bend:.1f} {y:.1f} {flat - bend:.1f} {end:.1f} {flat:.1f} {end:.1f}"
    curve += f"H{target.x:.1f}" if edge.label else ""  # a last line of no length would have no direction
    return f'<path class="e" marker-end="url(#a)" d="M{x:.1f} {y:.1f}{curve}"/>'


def _label(picture: Picture, edge: Edge, at: Places) -> str:
    target = at.boxes[edge.target]
    return _on_line(target.x - ARROW - text_width(edge.label) / 2, _arrival(picture, edge, target), edge.label)


def _on_line(middle: float, y: float, text: str) -> str:
    """Text that interrupts the line that it names: a halo (`paint-order`) is not known to all viewers."""
    width = text_width(text) + 6
    ground = Area(x=middle - width / 2, y=y - LINE / 2, width=width, height=LINE)
    return f'<rect class="bg" {_place(ground)}/>' + _text(middle, y + 4, shown(text), "s", anchor="middle")


def _arrival(picture: Picture, edge: Edge, target: Area) -> float:
    """How high an edge ends: where one has a label, each by itself; otherwise all in the middle."""
    beside = apart(picture.edges, edge.target)
    if not beside:
        return target.y + target.height / 2
    return target.y + target.height * (beside.index(edge) + 0.5) / len(beside)


def _way_back(at: Places) -> Iterator[str]:
    tiers, work = at.frames[Role.TIER], at.frames[Role.WORK]
    start, end, lane = tiers.x + tiers.width / 2, work.x + work.width / 2, MARGIN + LINE * 2 + LANE * 0.35
    yield (f'<path class="e r" marker-end="url(#a)" d="M{start:.1f} {tiers.y:.1f}V{lane:.1f}H{end:.1f}V{work.y:.1f}"/>')
    yield _on_line((start + end) / 2, lane, RETURNS)


def _text(x: float, y: float, text: str, style: str, *, anchor: str = "") -> str:
    place = f' text-anchor="{anchor}"' if anchor else ""
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}"{place}>{escape(text)}</text>'


def _place(area: Area) -> str:
    return f'x="{area.x:.1f}" y="{area.y:.1f}" width="{area.width:.1f}" height="{area.height:.1f}"'
