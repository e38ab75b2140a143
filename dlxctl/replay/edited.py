"""A dead letter's body as text for an editor, and the copy with the edited one. Pure.

Only what comes back from the editor as it went in may be edited: JSON and plain UTF-8 text, not compressed.
"""

import json
from dataclasses import dataclass
from typing import NamedTuple

from dlxctl.replay.body import body_of, is_compressed
from dlxctl.replay.letter import Letter
from dlxctl.replay.rewrite import RewriteOptions, rewritten
from dlxctl.wire import frames

_GIVING_CHANNEL, _FRAME_MAX = 1, 131_072


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """`text` for the editor; `kind`: json or text. `trouble`: why there is none to edit, else ''."""

    kind: str
    text: str = ""
    trouble: str = ""


class Copy(NamedTuple):
    """Content header payload and body frames."""

    header: bytes
    body: bytes


def draft_of(letter: Letter) -> Draft:
    """The body of `letter` as somebody can edit it."""
    found, raw = body_of(letter), frames.body_of(letter.delivery.body)
    if is_compressed(letter):
        return Draft(kind=found.kind, trouble="its body is compressed")
    if found.note or found.kind not in ("json", "text"):
        return Draft(kind=found.kind, trouble=found.note or f"its body is {found.kind}, not JSON or text")
    try:
        text = raw.decode()
        if found.kind == "json":
            text = json.dumps(json.loads(text), indent=2, ensure_ascii=False) + "\n"
    except (ValueError, RecursionError):
        return Draft(kind=found.kind, trouble="its body is not UTF-8, or nested too deep")
    return Draft(kind=found.kind, text=text)


def body_from(draft: Draft, text: str) -> bytes:
    """The body that the edited text means. Raises ValueError, saying where, when it is not JSON any more."""
    return json.dumps(json.loads(text)).encode() if draft.kind == "json" else text.encode()


def copy_of(letter: Letter, queue: str, body: bytes, options: RewriteOptions) -> Copy:
    """The copy of `letter` for its work queue, rewritten as replay does, with `body` in place of its own."""
    header = rewritten(letter, queue, 1, flagged=False, options=options)
    sized = header[:4] + len(body).to_bytes(8, "big") + header[12:]
    return Copy(sized, frames.body_frames(_GIVING_CHANNEL, body, _FRAME_MAX))
