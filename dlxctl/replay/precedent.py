"""What was decided of one dead letter holds for every other that says the same. Pure; a matter of speed alone.

Dead letters of one task differ in ids, times and arguments, on which neither the route nor the rewriting depends. So
what does tell is masked out of the header, as one big integer, and the rest is looked up: ten times faster than reading
each header. Everything else takes the long way: what stays, was replayed before, or whose origin hangs on times.
"""

from collections.abc import Iterator
from typing import NamedTuple

from dlxctl.model import headers as names
from dlxctl.replay.letter import Letter
from dlxctl.replay.order import ReplayOrder, Route
from dlxctl.replay.rewrite import Template, template
from dlxctl.wire.shape import Shape

MOST = 1_024
"""Precedents remembered at a time; when there are more, it begins anew."""
_TELLING = (names.ORIGIN, names.REASON, names.EXCEPTION, "retries")
_TELLING_OF_DEATHS = (b"queue", b"reason", b"exchange", b"routing-keys")
_LONG_WAY = (names.RUN, names.REPLAYS, names.HISTORY, names.MAYBE_DUPLICATE)


class Precedent(NamedTuple):
    """Where such letters go and how they are rewritten. `in_group`: whether the body has to be asked for a chord."""

    route: Route
    template: Template
    shape: Shape
    in_group: bool


class Precedents:
    """The precedents of one run."""

    def __init__(self, order: ReplayOrder) -> None:
        self._order = order
        self._usable = not (order.rewrite.new_id or order.rewrite.keep_expires)
        self._by_length: dict[int, list[tuple[int, dict[int, Precedent]]]] = {}
        self._number = 0

    def of(self, header: bytes) -> Precedent | None:
        """What holds for a letter with this content header payload; None when it takes the long way."""
        masks = self._by_length.get(len(header))
        if masks is None:
            return None
        number = int.from_bytes(header, "big")
        for mask, known in masks:
            found = known.get(number & mask)
            if found is not None:
                return found
        return None

    def learn(self, letter: Letter, route: Route) -> None:
        """Remember what was decided of this letter, when that may be said of others."""
        if not self._usable or not self._speaks_for_others(letter, route):
            return
        if self._number == MOST:
            self._by_length.clear()
            self._number = 0
        header, mask = letter.delivery.header, _mask(letter)
        how = template(letter, route.key, flagged=False, options=self._order.rewrite)
        masks = self._by_length.setdefault(len(header), [])
        known = next((known for other, known in masks if other == mask), None)
        if known is None:
            known = {}
            masks.append((mask, known))
        known[int.from_bytes(header, "big") & mask] = Precedent(route, how, letter.shape, letter.is_group_member)
        self._number += 1

    def _speaks_for_others(self, letter: Letter, route: Route) -> bool:
        """Whether nothing but the telling octets decided: not an earlier run, not the times of older deaths."""
        if not letter.shape.mask or route.parked or any(letter.field(name) for name in _LONG_WAY):
            return False
        if self._order.to or letter.text(names.ORIGIN):
            return True
        return bool(letter.deaths) and self._order.rules.may_be_origin(letter.deaths[0].queue)


def _mask(letter: Letter) -> int:
    """The octets that decide: the structure, and the values of what is looked at."""
    telling = bytearray(len(letter.delivery.header))
    for start, end in _spans(letter):
        telling[start:end] = b"\xff" * (end - start)
    return letter.shape.mask | int.from_bytes(telling, "big")


def _spans(letter: Letter) -> Iterator[tuple[int, int]]:
    for name in _TELLING:
        field = letter.field(name)
        if field is not None:
            yield field.value, field.end
    for death in letter.located_deaths:
        for key in _TELLING_OF_DEATHS:
            if key in death:
                yield death[key].value, death[key].end
    if "user_id" in letter.content.spans:
        yield letter.content.spans["user_id"]
