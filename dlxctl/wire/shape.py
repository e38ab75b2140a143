"""Headers that look alike are located once: a mask over the octets that decide where everything lies.

Where a field of a content header lies depends only on its *structure*: flags, length octets, keys and kind octets.
Two payloads of equal length whose structural octets are equal have every field at the same place. One big-integer
`and` and one comparison tell that, some twenty times faster than walking the table again. Dead letters of one task
differ in ids and times, so most of them share a handful of shapes.
"""

from collections.abc import Iterator
from struct import Struct

from dlxctl.wire import content, table
from dlxctl.wire.content import Content
from dlxctl.wire.table import INTACT, Field

_u32 = Struct(">I").unpack_from
_ARRAY, _TABLE = ord("A"), ord("F")
_NO_DEEPER = 4


class Shape:
    """Where everything lies in one payload, and in all that share its structure.

    `fields`: the wanted entries in order, duplicates included; `first` by key, the first of each. `broken_at`: offset
    of the first octet that cannot be read, or -1. `plans` is for callers to keep what follows from the shape.
    """

    __slots__ = ("broken_at", "content", "fields", "first", "mask", "plans", "structure")

    def __init__(self, raw: bytes, wanted: frozenset[bytes]) -> None:
        """Locate; never raises."""
        self.content = content.read(raw)
        self.fields, broken_at = table.find(raw, self.content.table, self.content.table_end, wanted)
        self.broken_at = self.content.trouble if self.content.trouble >= 0 else broken_at
        self.first = {field.key: field for field in reversed(self.fields)}
        self.plans: dict[object, object] = {}
        self.mask = self.structure = 0

    def learn(self, raw: bytes, deep: frozenset[bytes]) -> None:
        """Make the mask, so that `fits` can tell; the structure inside values whose key is in `deep` counts too."""
        mask = bytearray(len(raw))
        for start, end in _structure(raw, self.content, deep):
            mask[start:end] = b"\xff" * (end - start)
        self.mask = int.from_bytes(mask, "big")
        self.structure = int.from_bytes(raw, "big") & self.mask

    def fits(self, number: int) -> bool:
        """Whether the payload that reads as this big-endian number has the same structure; its length must be equal."""
        return number & self.mask == self.structure


class ShapeBook:
    """The shapes met in one run, at most `most` of them; a length is worth a shape when it comes a second time."""

    def __init__(self, wanted: frozenset[bytes], deep: frozenset[bytes], most: int = 512) -> None:
        self._wanted, self._deep, self._left = wanted, deep, most
        self._by_length: dict[int, list[Shape]] = {}

    def shape_of(self, raw: bytes) -> Shape:
        """The shape of a payload: a known one, or a new one."""
        known = self._by_length.get(len(raw))
        if known is None:
            if len(self._by_length) < 4 * 512:
                self._by_length[len(raw)] = []
            return Shape(raw, self._wanted)
        number = int.from_bytes(raw, "big")
        for shape in known:
            if shape.fits(number):
                return shape
        shape = Shape(raw, self._wanted)
        if shape.broken_at == INTACT and self._left:
            self._left -= 1
            shape.learn(raw, self._deep)
            known.append(shape)
        return shape


def _structure(raw: bytes, where: Content, deep: frozenset[bytes]) -> Iterator[tuple[int, int]]:
    """Spans of the octets that decide where things lie; the payload is known to be readable."""
    yield 0, 4
    yield content.PREFIX - 2, content.PREFIX
    for name, (start, _) in where.spans.items():
        if name == "headers":
            yield start, where.table
        elif name not in content.FIXED_WIDTHS:
            yield start, start + 1
    yield from _entries(raw, where.table, where.table_end, deep, 0)


def _entries(raw: bytes, at: int, end: int, deep: frozenset[bytes], level: int) -> Iterator[tuple[int, int]]:
    for field in table.walk(raw, at, end):
        yield field.start, field.value
        if field.key in deep or level:
            yield from _inside(raw, field, deep, level + 1)


def _inside(raw: bytes, field: Field, deep: frozenset[bytes], level: int) -> Iterator[tuple[int, int]]:
    """The structure within an array or a table; what is nested deeper than a death history counts as structure."""
    if field.kind not in (_ARRAY, _TABLE):
        return
    if level > _NO_DEEPER:
        yield field.value, field.end
    elif field.kind == _TABLE:
        yield from _entries(raw, field.value, field.end, deep, level)
    else:
        for element in table.elements(raw, field.value, field.end):
            yield element.start, element.value
            yield from _inside(raw, element, deep, level + 1)
