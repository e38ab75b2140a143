"""The text of a failure without what differs from one message to the next, so that one bug is one group. Pure.

What goes: quoted values, URLs, mail addresses, network addresses, times, and every word with a digit in it (numbers,
ids, hexadecimal). What stays is what the programmer wrote. Bounded: the first LONGEST characters count.
"""

import re
from functools import lru_cache

LONGEST = 1_000
SHOWN = 300
SAME = "#"
QUOTED = "'…'"

NAMING = frozenset({
    "AttributeError", "FieldError", "ImportError", "KeyError", "ModuleNotFoundError", "NameError", "TypeError",
    "UnboundLocalError",
})  # fmt: skip
"""Exceptions that quote names of the program: `KeyError: 'price'` and `KeyError: 'colour'` are two bugs."""

_MONTHS = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}"
_CLOCK = r"\d{1,2}:\d\d(?::\d\d(?:[.,]\d{1,9})?)?"
_ZONE = r"(?:\s?(?:Z|UTC|GMT|[+-]\d\d:?\d\d)\b)?"
_PARTS = {
    "quoted": r"""(?<!\w)(?P<sign>['"`])(?P<inside>[^\n]{0,200}?)(?P=sign)(?!\w)""",
    "url": r"[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s'\"<>]+",
    "email": r"[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64}){1,8}",
    "id": r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b",
    "time": (
        rf"\b\d{{4}}-\d\d-\d\d(?:[T ]{_CLOCK}{_ZONE})?"
        rf"|\b(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{{0,6}},?\s)?"
        rf"(?:\d{{1,2}}\s{_MONTHS}|{_MONTHS}\s+\d{{1,2}}),?(?:\s\d{{4}})?(?:\s{_CLOCK}{_ZONE})?(?:\s\d{{4}})?\b"
        rf"|\b\d{{1,4}}/\d{{1,2}}/\d{{2,4}}\b|\b{_CLOCK}{_ZONE}"
    ),
    "address": (
        r"\b(?:\d{1,3}\.){3}\d{1,3}(?:/\d{1,2})?(?::\d{1,5})?\b"
        r"|(?<![\w:])\[?(?=[0-9a-fA-F:]{0,40}\d)(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{0,4}\]?(?::\d{1,5})?(?![\w:])"
        r"|\b[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}\.){1,8}[A-Za-z]{2,20}:\d{1,5}\b"
    ),
    "number": r"(?<![A-Za-z0-9])[-+]?\d[\d,._]*(?:[eE][-+]?\d+)?(?![A-Za-z0-9])|\b(?:[a-f]{8,}|[A-F]{8,})\b",
    "word": r"[A-Za-z0-9]*\d[A-Za-z0-9]*",
}
_VARYING = re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in _PARTS.items()))
_ANGLED = {"url": "<url>", "email": "<email>", "time": "<time>", "address": "<address>"}
_RUNS = re.compile(rf"{SAME}(?:(?:, |[-_.:/,]){SAME})+|{QUOTED}(?:, {QUOTED})+")
_NAME = re.compile(r"[A-Za-z_]{1,60}(?:\.[A-Za-z_]{1,60}){0,6}")
_SPACE = re.compile(r"\s+")


@lru_cache(maxsize=4_096)
def normalised(message: str, exception: str = "") -> str:
    """`message` with `#`, `'…'`, `<time>` and the like for what varies; `exception` is `module.Class` or ''."""
    naming = exception.rpartition(".")[2] in NAMING

    def stand_in(match: re.Match[str]) -> str:
        kind = str(match.lastgroup)
        if kind == "quoted":
            return match[0] if naming and _NAME.fullmatch(match["inside"]) else QUOTED
        if kind == "number":
            return SAME + match[0][len(match[0].rstrip(",._")) :]  # a full stop behind it belongs to the sentence
        return _ANGLED.get(kind, SAME)

    text = _VARYING.sub(stand_in, message[:LONGEST])
    text = _RUNS.sub(lambda match: SAME if match[0][0] == SAME else QUOTED, text)
    return _SPACE.sub(" ", text).strip()[:SHOWN]
