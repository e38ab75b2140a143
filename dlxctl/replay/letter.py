"""A dead letter as replay and inspect see it: raw bytes, and what its headers say, read when asked for.

Nothing here decodes the body, and no header is believed to have the type that it should have.
"""

from functools import cached_property
from typing import cast

from dlxctl.model import headers as names
from dlxctl.replay import deaths
from dlxctl.wire import content, table
from dlxctl.wire.intake import Delivery
from dlxctl.wire.shape import Shape, ShapeBook
from dlxctl.wire.table import Field

CELERY_HEADERS = ("task", "id", "retries", "eta", "expires", "argsrepr", "kwargsrepr", "root_id",
                  "group")  # fmt: skip

WANTED = frozenset(
    name.encode()
    for name in (
        *names.BROKER_DEATH_HEADERS, *names.COPY_HEADERS, *names.FAILURE_HEADERS, *CELERY_HEADERS,
        names.RUN, names.REPLAYS, names.MAYBE_DUPLICATE, names.HISTORY,
    )
)  # fmt: skip
"""Headers that are read or rewritten; all others stay bytes that nobody looks at."""
_KEYS = {key.decode(): key for key in WANTED}


def shape_book() -> ShapeBook:
    """A fresh book of shapes for letters; one run shares one."""
    return ShapeBook(WANTED, frozenset({b"x-death"}))


def names_a_chord(body: bytes) -> bool:
    """Whether the body of a Celery task names a callback of its group."""
    at = body.find(b'"chord":')
    return at >= 0 and not body[at + 8 : at + 20].lstrip().startswith(b"null")


class Letter:
    """One delivery from a dead-letter queue; `shape` says where everything lies in its header."""

    def __init__(self, delivery: Delivery, shape: Shape | None = None) -> None:
        self.delivery = delivery
        self.shape = shape or Shape(delivery.header, WANTED)

    @property
    def content(self) -> content.Content:
        """Where the properties and the table of this header lie."""
        raw = self.delivery.header
        return self.shape.content._replace(raw=raw, body_size=int.from_bytes(raw[4:12], "big"))

    @property
    def fields(self) -> list[Field]:
        """The wanted headers in their order, duplicates included."""
        return self.shape.fields

    @property
    def broken_at(self) -> int:
        """Offset of the first header octet that cannot be read, or -1."""
        return self.shape.broken_at

    def field(self, name: str) -> Field | None:
        """The first entry of that name."""
        return self.shape.first.get(_KEYS[name])

    def text(self, name: str) -> str | None:
        """A string header, None when it is absent or not a string."""
        return table.text(self.delivery.header, self.field(name))

    def integer(self, name: str) -> int | None:
        """An integer header, None when it is absent or not an integer."""
        return table.integer(self.delivery.header, self.field(name))

    @property
    def is_celery(self) -> bool:
        """Whether it is a task message of Celery's protocol 2: string headers `task` and `id`."""
        return self.text("task") is not None and self.text("id") is not None

    @property
    def located_deaths(self) -> list[deaths.Located]:
        """Where the entries of the broker's death history lie."""
        raw, plans = self.delivery.header, self.shape.plans
        if not self.shape.mask:
            return deaths.locate(raw, self.field("x-death"))
        if "deaths" not in plans:
            plans["deaths"] = deaths.locate(raw, self.field("x-death"))
        return cast(list[deaths.Located], plans["deaths"])

    @cached_property
    def deaths(self) -> list[deaths.Death]:
        """The broker's death history, newest first."""
        return deaths.read(self.delivery.header, self.located_deaths)

    @property
    def is_chord_member(self) -> bool:
        """Whether it is a Celery task of a chord; its callback does not run again when the member succeeds late."""
        return self.is_group_member and names_a_chord(self.delivery.body)

    @property
    def is_group_member(self) -> bool:
        """Whether it is a Celery task of a group."""
        return self.text("group") is not None

    @property
    def task(self) -> str:
        """The Celery task's name, or ''."""
        return self.text("task") or ""

    @property
    def id(self) -> str:
        """Celery's task id, else the message id, else ''."""
        return self.text("id") or content.short_text(self.content, "message_id") or ""

    @property
    def reason(self) -> str:
        """Why it died: what the worker side wrote, else the broker's reason, else ''."""
        return self.text(names.REASON) or (self.deaths[0].reason if self.deaths else "")

    @property
    def exception(self) -> str:
        """`module.Class` of the failure where the worker side wrote it, else ''."""
        return self.text(names.EXCEPTION) or ""

    @property
    def died_at(self) -> int:
        """Seconds since 1970, 0 when not known."""
        return table.integer(self.delivery.header, self.died_at_field) or 0

    @property
    def died_at_field(self) -> Field | None:
        """Where the time of its death stands: what the worker side wrote, else the broker's; None when nowhere."""
        if self.integer(names.DIED_AT) is not None:
            return self.field(names.DIED_AT)
        named = (death for death in self.located_deaths if table.text(self.delivery.header, death.get(b"queue")))
        return next(named, {}).get(b"time")

    @property
    def run(self) -> str:
        """The replay run that moved it last, or ''."""
        return (self.text(names.RUN) or "").rpartition("/")[0]

    @property
    def replays(self) -> int:
        """How often dlxctl has replayed it already."""
        return max(0, self.integer(names.REPLAYS) or 0)
