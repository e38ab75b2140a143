"""Where the boxes of a picture stand, in pixels: columns from left to right, as a message goes.

    exchanges | work queues | ladders | tiers          above
              |  (kept)     | DLX     | DLQs | parking below

Above is what comes back, below what has died; so no edge crosses a frame. Text is monospaced: its width is known.
"""

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dlxctl.render.escape import printable
from dlxctl.render.graph.picture import TITLES, Box, Edge, Picture, Role

LINE, CHARACTER, PADDING, BETWEEN, MARGIN = 17, 7.3, 10, 12, 20
"""Height of a line, width of a character of 12 px, space in a box, between boxes, around the picture."""
LONGEST = 48
"""Characters of a line of text; what is longer ends with an ellipsis."""
HEADING, LANE, GAP, LABELLED_GAP = 44, 46, 70, 100
"""Height of a frame's heading, of the way back above; width between columns, without labels and beside them."""
_COLUMNS: tuple[tuple[tuple[Role, ...], ...], ...] = (
    ((Role.EXCHANGE,),), ((Role.WORK, Role.KEPT),), ((Role.LADDER,), (Role.DLX,)), ((Role.TIER,), (Role.DLQ,)),
    ((), (Role.PARKING,)),
)  # fmt: skip
"""For each column its bands: one over the whole height, or the upper and the lower."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """A rectangle; `x` and `y` are its left upper corner."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def bottom(self) -> float:
        return self.y + self.height


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Areas of the boxes by id, of the frames by role, and of the whole."""

    boxes: dict[str, Area]
    frames: dict[Role, Area]
    width: float
    height: float


def shown(text: str) -> str:
    """`text` as it is drawn: without controls, and cut."""
    return printable(text, LONGEST)


def text_width(text: str) -> float:
    """Of `text` as drawn; East Asian wide characters take two places."""
    return CHARACTER * sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in shown(text))


def places(picture: Picture) -> Places:
    """Put each box and frame in its place."""
    boxes: dict[str, Area] = {}
    frames: dict[Role, Area] = {}
    top = MARGIN + LINE * 2 + (LANE if picture.returns else 0)
    stacks = {role: _stack_height(picture, role) for role in Role}
    upper = max(stacks[Role.LADDER], stacks[Role.TIER])
    lower = max(stacks[Role.DLX], stacks[Role.DLQ], stacks[Role.PARKING])
    bands = upper + lower + (BETWEEN * 3 if upper and lower else 0)
    whole = max(bands, *(_column_height(stacks, column[0]) for column in _COLUMNS[:2]))
    first_band = top + (whole - bands) / 2
    x = float(MARGIN)
    for column in _COLUMNS:
        roles = [role for band in column for role in band if picture.of(role)]
        if not roles:
            continue
        x += _gap(picture, roles) if frames else 0
        width = max(_frame_width(picture, role) for role in roles)
        for band, place in zip(column, (first_band, first_band + bands - lower), strict=False):
            y = top + (whole - _column_height(stacks, band)) / 2 if len(column) == 1 else place
            for role in band:
                if picture.of(role):
                    frames[role] = Area(x=x, y=y, width=width, height=stacks[role])
                    boxes.update(_stacked(picture, role, frames[role]))
                    y += stacks[role] + BETWEEN * 2
        x += width
    return Places(boxes=boxes, frames=frames, width=x + MARGIN, height=top + whole + MARGIN)


def _stacked(picture: Picture, role: Role, frame: Area) -> Iterator[tuple[str, Area]]:
    y = frame.y + HEADING
    for box in picture.of(role):
        height = _box_height(picture, box)
        yield box.id, Area(x=frame.x + PADDING, y=y, width=frame.width - 2 * PADDING, height=height)
        y += height + BETWEEN


def _stack_height(picture: Picture, role: Role) -> float:
    heights = [_box_height(picture, box) for box in picture.of(role)]
    return HEADING + sum(heights) + BETWEEN * (len(heights) - 1) + PADDING if heights else 0


def _column_height(stacks: dict[Role, float], band: Iterable[Role]) -> float:
    heights = [stacks[role] for role in band if stacks[role]]
    return sum(heights) + BETWEEN * 2 * max(len(heights) - 1, 0)


def _box_height(picture: Picture, box: Box) -> float:
    """Of its text, and of what ends at its left side."""
    return max(LINE * (1 + len(box.lines)) + PADDING, LINE * len(apart(picture.edges, box.id)))


def _frame_width(picture: Picture, role: Role) -> float:
    texts = [text for box in picture.of(role) for text in (box.name, *box.lines)]
    return max(map(text_width, (*texts, *TITLES[role]))) + 4 * PADDING


def _gap(picture: Picture, roles: list[Role]) -> float:
    """Room for the edges, and for the longest label that ends here."""
    ids = {box.id for role in roles for box in picture.of(role)}
    labels = [text_width(edge.label) for edge in picture.edges if edge.target in ids and edge.label]
    return max(GAP, LABELLED_GAP + max(labels, default=0))


def apart(edges: Iterable[Edge], target: str) -> list[Edge]:
    """The edges that end at the box `target`, when one of them has a label and so needs a line of its own."""
    ending = [edge for edge in edges if edge.target == target]
    return ending if any(edge.label for edge in ending) else []
