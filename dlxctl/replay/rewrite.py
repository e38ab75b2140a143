"""The header of a replayed copy: the bytes it came in, less what must not go back (design 7, promise 3).

Off go the broker's death headers, `CC` and `BCC`, what the worker side wrote about the failure, and another user's
`user_id`. Celery's `retries` becomes 0, `eta` and `expires` become none, unless the options keep them; only for
Celery messages. On come dlxctl's own headers, with the history in `dlxctl-history`.
"""

import json
import uuid
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

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


def rewritten(letter: Letter, origin: str, number: int, *, flagged: bool, options: RewriteOptions) -> bytes:
    """The content header payload of the copy that is number `number` of its run."""
    raw = letter.delivery.header
    added = b"".join(
        (
            table.string_entry(names.RUN, f"{options.run_id}/{number}"),
            table.integer_entry(names.REPLAYS, min(letter.replays + 1, 2**31 - 1)),
            table.string_entry(names.HISTORY, _history(letter, origin)),
        )
    )
    if flagged or letter.field(names.MAYBE_DUPLICATE) is not None:
        added += table.true_entry(names.MAYBE_DUPLICATE)
    return content.assemble(raw, _splice(letter, options), added)


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


def _history(letter: Letter, origin: str) -> str:
    """The earlier history with this death in front, bounded in entries and octets."""
    texts = map(_quoted, (origin, letter.reason, letter.exception))
    entry = '{{"at":{},"queue":{},"reason":{},"exception":{}}}'.format(letter.died_at, *texts)
    earlier = letter.text(names.HISTORY)
    if earlier is None:
        return f"[{entry}]" if len(entry) < LONGEST_HISTORY else "[]"
    entries = [entry, *(json.dumps(one, separators=(",", ":")) for one in _earlier(earlier))][:MOST_HISTORY]
    while sum(map(len, entries)) > LONGEST_HISTORY - 2 * MOST_HISTORY:
        entries.pop()
    return f"[{','.join(entries)}]"


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
