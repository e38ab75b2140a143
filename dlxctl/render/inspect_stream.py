"""Dead letters as they come: groups when all were seen, or each message at once, as text or JSON lines. Pure."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from dlxctl.render.inspect import body_text, everything_text, group_json, groups_text, row_detail, row_json, rows_text
from dlxctl.replay.body import body_of, everything
from dlxctl.replay.groups import GroupBook
from dlxctl.replay.letter import Letter
from dlxctl.replay.origin import OriginRules
from dlxctl.replay.summary import Row, row_of

PAGE = 200
"""Rows that are put into one table: the first are shown while the rest is still being read."""


@dataclass(slots=True, kw_only=True)
class Shown:
    """`detailed`: everything about each message; `listed`: a line each; neither: groups. `body`: decode bodies too."""

    rules: OriginRules
    write: Callable[[str], None]
    width: int
    listed: bool = False
    detailed: bool = False
    body: bool = False
    as_json: bool = False
    number: int = 0
    _book: GroupBook = field(default_factory=GroupBook)
    _page: list[Row] = field(default_factory=list)

    def take(self, letter: Letter) -> None:
        """Show one more letter, or count it."""
        self.number += 1
        row = row_of(letter, self.rules)
        if self.as_json and (self.listed or self.detailed):
            self.write(json.dumps(self._object(letter, row)))
        elif self.detailed:
            self.write(self._detail(letter, row))
        elif self.listed:
            self._page.append(row)
            if len(self._page) == PAGE:
                self._turn()
        else:
            self._book.add(row)

    @property
    def so_far(self) -> str:
        """The groups of what was seen so far, as text; '' where messages are shown one by one."""
        if self.listed or self.detailed or not self.number:
            return ""
        return groups_text(self._book.groups()[:PAGE], time.time(), self.width)

    def end(self) -> None:
        """All were seen."""
        if self._page:
            self._turn()
        if self.listed or self.detailed:
            return
        groups = self._book.groups()
        if self.as_json:
            for group in groups:
                self.write(json.dumps(group_json(group)))
        elif groups:
            self.write(groups_text(groups, time.time(), self.width))

    def _turn(self) -> None:
        self.write(rows_text(self._page, time.time(), self.width))
        self._page.clear()

    def _object(self, letter: Letter, row: Row) -> dict[str, Any]:
        found = row_json(row)
        if self.detailed:
            every = everything(letter, self.rules)
            found |= {name: every[name] for name in ("properties", "headers")}
        if self.body:
            body = body_of(letter)
            found["body"] = {"kind": body.kind, "octets": body.octets, "value": body.value, "note": body.note}
        return found

    def _detail(self, letter: Letter, row: Row) -> str:
        parts = [row_detail(row, time.time()), everything_text(everything(letter, self.rules))]
        if self.body:
            parts.append(body_text(body_of(letter)))
        return "\n".join(parts) + "\n"
