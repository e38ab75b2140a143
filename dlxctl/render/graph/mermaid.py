"""A picture as a Mermaid flowchart, for pages that render it: GitHub, GitLab, many wikis.

Names are text and never syntax: ids are our own, and in a label every character that is not a letter, a digit or
known to be harmless is written as Mermaid's numeric entity (`#34;`), so that no quote, tag or `%%{directive}` passes.
"""

from collections.abc import Iterator

from dlxctl.render.escape import printable
from dlxctl.render.graph.picture import RETURNS, TITLES, Box, Edge, Picture, Role

SHAPES: dict[Role, tuple[str, str]] = {
    Role.EXCHANGE: ("{{", "}}"),
    Role.WORK: ("[[", "]]"),
    Role.KEPT: ("[", "]"),
    Role.LADDER: ("([", "])"),
    Role.TIER: ("[/", "/]"),
    Role.DLX: ("{{", "}}"),
    Role.DLQ: ("[(", ")]"),
    Role.PARKING: ("[(", ")]"),
}
"""What opens and closes a box of each role."""
_HARMLESS = frozenset(" ._-,:…")


def mermaid(picture: Picture) -> str:
    """The flowchart, a line each for frames, boxes and edges; ends with a line break."""
    return "\n".join(_lines(picture)) + "\n"


def _lines(picture: Picture) -> Iterator[str]:
    yield "flowchart LR"
    for role in Role:
        boxes = picture.of(role)
        if boxes:
            yield f'  subgraph {_frame(role)}["{"<br/>".join(map(_text, TITLES[role]))}"]'
            yield from (f"    {_box(box)}" for box in boxes)
            yield "  end"
    yield from (f"  {_edge(edge)}" for edge in picture.edges)
    if picture.returns:
        yield f'  {_frame(Role.TIER)} -.->|"{_text(RETURNS)}"| {_frame(Role.WORK)}'


def _frame(role: Role) -> str:
    return f"all_{role}"


def _box(box: Box) -> str:
    opening, closing = SHAPES[box.role]
    return f'{box.id}{opening}"{"<br/>".join(map(_text, (box.name, *box.lines)))}"{closing}'


def _edge(edge: Edge) -> str:
    label = f'|"{_text(edge.label)}"|' if edge.label else ""
    return f"{edge.source} -->{label} {edge.target}"


def _text(text: str) -> str:
    return "".join(
        character if character.isalnum() or character in _HARMLESS else f"#{ord(character)};"
        for character in printable(text)
    )
