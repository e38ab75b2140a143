"""The header of a replayed copy: the bytes it came in, less what must not go back (design 7, promise 3).

Off go the broker's death headers, `CC` and `BCC`, what the worker side wrote about the failure, and another user's
`user_id`. Celery's `retries` becomes 0, `eta` and `expires` become none, unless the options keep them; only for
Celery messages. On come dlxctl's own headers, with the history in `dlxctl-history`.
"""

import json
import uuid
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, cast

from dlxctl.model import headers as names
from dlxctl.replay.letter import Letter
from dlxctl.wire import content, table

MOST_HISTORY = 10
MOST_PLANS = 16
LONGEST_HISTORY = 8_192
_DROPPED = frozenset(
    name.encode()
    for name in (
        *names.BROKER_DEATH_HEADERS, *names.COPY_HEADERS, *names.FAILURE_HEADERS,
        names.RUN, names.REPLAYS, names.MAYBE_DUPLICATE, names.HISTORY,
    )
)  # fmt: skip
_VOID = ord("V")


@dataclass(frozen=True, slots=True, kw_only=True)
class RewriteOptions:
    """`user`: the name we publish as; a message that carries another `user_id` loses it (406 otherwise).
    `new_id`: Celery messages get a fresh task id, since workers discard an id that was revoked or has expired.
    """

    run_id: str
    user: str
    keep_retries: bool = False
    keep_expires: bool = False
    new_id: bool = False


class Template(NamedTuple):
    """How the copies of a letter, and of all that say the same, are made of their octets.

    `fixed`: added entries that are the same in all copies. `history` stands around the time of death, which lies at
    `died_at` in each; None: it is not told.
    """

    splice: content.Splice
    run: bytes
    fixed: bytes
    history: tuple[bytes, bytes]
    died_at: table.Field | None

    def copy(self, raw: bytes, number: int) -> bytes:
        """The content header payload of the copy that is number `number` of its run."""
        before, after = self.history
        at = table.integer(raw, self.died_at) or 0
        history = b"%b%d%b" % (before, at, after) if before else b"[]"
        run = b"%b/%d" % (self.run, number)
        added = b"%b%b%b" % (table.string_entry(names.RUN, run), self.fixed, table.string_entry(names.HISTORY, history))
        return content.assemble(raw, self.splice, added)


def rewritten(letter: Letter, origin: str, number: int, *, flagged: bool, options: RewriteOptions) -> bytes:
    """The content header payload of the copy that is number `number` of its run."""
    return template(letter, origin, flagged=flagged, options=options).copy(letter.delivery.header, number)


def template(letter: Letter, origin: str, *, flagged: bool, options: RewriteOptions) -> Template:
    """How this letter is rewritten; holds for others whose telling octets are the same (`replay.precedent`)."""
    fixed = table.integer_entry(names.REPLAYS, min(letter.replays + 1, 2**31 - 1))
    if flagged or letter.field(names.MAYBE_DUPLICATE) is not None:
        fixed += table.true_entry(names.MAYBE_DUPLICATE)
    run = options.run_id.encode()
    return Template(_splice(letter, options), run, fixed, _history(letter, origin), letter.died_at_field)


def _splice(letter: Letter, options: RewriteOptions) -> content.Splice:
    """What is cut and kept; the same for all letters of a shape, but for the few values that decide it."""
    user = content.short_text(letter.content, "user_id") if "user_id" in letter.shape.content.spans else None
    if options.new_id or options.keep_expires or not letter.shape.mask:
        return _new_splice(letter, options, user)
    key = ("splice", table.integer(letter.delivery.header, letter.field("retries")) in (0, None), user)
    plans = letter.shape.plans
    if key not in plans and len(plans) < MOST_PLANS:
        plans[key] = _new_splice(letter, options, user)
    return cast(content.Splice, plans.get(key)) or _new_splice(letter, options, user)


def _new_splice(letter: Letter, options: RewriteOptions, user: str | None) -> content.Splice:
    celery = letter.is_celery
    identity = str(uuid.uuid4()).encode() if celery and options.new_id else b""
    cuts = []
    for field in letter.fields:
        if field.key in _DROPPED:
            cuts.append((field.start, field.end, b""))
        elif celery:
            reset = _reset(letter, field, options, identity)
            if reset is not None:
                cuts.append((field.start, field.end, reset))
    without = ("user_id",) if user is not None and user != options.user else ()
    changed = {"correlation_id": bytes((len(identity),)) + identity} if identity else {}
    return content.plan(letter.content, cuts, without, changed)


def number_of(header: bytes, run_id: str) -> int | None:
    """The number that `rewritten` gave a copy of this run, read back from a returned one; None when it is another's."""
    where = content.read(header)
    found, _ = table.find(header, where.table, where.table_end, frozenset({names.RUN.encode()}))
    value = table.text(header, found[-1]) if found else None
    run, _, number = (value or "").rpartition("/")
    return int(number) if run == run_id and number.isdigit() else None


def _reset(letter: Letter, field: table.Field, options: RewriteOptions, identity: bytes) -> bytes | None:
    """The entry to write instead of one of Celery's, None to leave it as it is."""
    raw = letter.delivery.header
    match field.key:
        case b"retries" if not options.keep_retries and table.integer(raw, field) not in (0, None):
            return table.integer_entry("retries", 0)
        case b"eta" if field.kind != _VOID:
            return table.void_entry("eta")
        case b"expires" if options.keep_expires:
            original = letter.text(names.EXPIRES)
            return table.string_entry("expires", original) if original else None
        case b"expires" if field.kind != _VOID:
            return table.void_entry("expires")
        case b"id" if identity:
            return table.string_entry("id", identity)
        case b"root_id" if identity and letter.text("root_id") == letter.text("id"):
            return table.string_entry("root_id", identity)
    return None


def _history(letter: Letter, origin: str) -> tuple[bytes, bytes]:
    """The earlier history with this death in front, bounded in entries and octets: what stands before and after its
    time; two times nothing when even this death is too long to tell."""
    texts = map(_quoted, (origin, letter.reason, letter.exception))
    entry = ',"queue":{},"reason":{},"exception":{}}}'.format(*texts)
    earlier = [json.dumps(one, separators=(",", ":")) for one in _earlier(letter.text(names.HISTORY) or "[]")]
    entries = [entry, *earlier][:MOST_HISTORY]
    while entries and sum(map(len, entries)) > LONGEST_HISTORY - 4 * MOST_HISTORY:
        entries.pop()
    return (b'[{"at":', f"{','.join(entries)}]".encode()) if entries else (b"", b"")


@lru_cache(maxsize=1_024)
def _quoted(text: str) -> str:
    """`text` as JSON; queues, reasons and exceptions repeat."""
    return json.dumps(text)


def _earlier(text: str) -> list[object]:
    if len(text) > 4 * LONGEST_HISTORY:
        return []
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError):
        return []
    return entries if isinstance(entries, list) else []
