"""A dead letter's body for showing: decompressed and decoded as far as that is safe. Pure, bounded, never raising.

Nothing here executes what a message says: pickle is named and never loaded, YAML is shown as the text that it is.
Kombu's `application/x-gzip` is zlib (kombu/compression.py), so both formats are taken under both names.
"""

import bz2
import json
import lzma
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dlxctl.replay import document
from dlxctl.replay.letter import Letter
from dlxctl.replay.origin import OriginRules
from dlxctl.wire import content, frames

LARGEST = 1_048_576
"""Octets that are decoded: of the body, and of what comes out of a decompressor."""
DEEPEST = 64
PICKLE = "pickle"
_XZ_MEMORY = 64 * LARGEST
_EITHER_ZLIB_OR_GZIP = 32 + zlib.MAX_WBITS


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """`kind`: json, text, msgpack, pickle, bytes or empty. `value`: of JSON's types, text where nothing was decoded,
    None for what is not shown. `octets`: as it lies in the queue. `note` says what was not done, and why."""

    kind: str
    value: Any = None
    octets: int = 0
    note: str = ""


def body_of(letter: Letter) -> Body:
    """The body of `letter` as it may be shown."""
    raw = frames.body_of(letter.delivery.body)
    if not raw:
        return Body(kind="empty")
    data, trouble = _unpacked(raw, _compression(letter))
    kind = (content.short_text(letter.content, "content_type") or "").partition(";")[0].strip().lower()
    if trouble:
        return Body(kind="bytes", octets=len(raw), note=trouble)
    if len(data) > LARGEST:
        return Body(kind="bytes", octets=len(raw), note=f"more than {LARGEST:,} octets, not decoded")
    found, value, note = _DECODERS.get(kind, _guessed)(data)
    return Body(kind=found, value=_plain(value, 0), octets=len(raw), note=note)


def is_compressed(letter: Letter) -> bool:
    """Whether the body says that it is compressed, in a way that is known."""
    return _compression(letter) in _DECOMPRESSORS


def _compression(letter: Letter) -> str:
    """What kombu wrote in `compression`, else the content encoding where that is a compression."""
    header = document.headers(letter, frozenset({b"compression"})).get("compression")
    name = header if isinstance(header, str) else content.short_text(letter.content, "content_encoding") or ""
    return name.lower().removeprefix("application/").removeprefix("x-")


def _unpacked(data: bytes, compression: str) -> tuple[bytes, str]:
    """`data` decompressed, one octet more than LARGEST at most, and '' or why that failed."""
    unpack = _DECOMPRESSORS.get(compression)
    if unpack is None:
        return data, ""
    try:
        return unpack(data), ""
    except Exception as error:  # each library has errors of its own for hostile input
        return b"", f"not {compression}: {type(error).__name__}"


def _zlib(data: bytes) -> bytes:
    return zlib.decompressobj(_EITHER_ZLIB_OR_GZIP).decompress(data, LARGEST + 1)


def _zstd(data: bytes) -> bytes:
    import zstandard  # the extra `zstd`

    return bytes(zstandard.ZstdDecompressor(max_window_size=_XZ_MEMORY).stream_reader(data).read(LARGEST + 1))


_DECOMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": _zlib,
    "zlib": _zlib,
    "deflate": _zlib,
    "bz2": lambda data: bz2.BZ2Decompressor().decompress(data, LARGEST + 1),
    "bzip2": lambda data: bz2.BZ2Decompressor().decompress(data, LARGEST + 1),
    "xz": lambda data: lzma.LZMADecompressor(memlimit=_XZ_MEMORY).decompress(data, LARGEST + 1),
    "lzma": lambda data: lzma.LZMADecompressor(memlimit=_XZ_MEMORY).decompress(data, LARGEST + 1),
    "zstd": _zstd,
}

Decoded = tuple[str, Any, str]
"""Kind, value and note."""


def _json(data: bytes) -> Decoded:
    try:
        return "json", json.loads(data), ""
    except (ValueError, RecursionError) as error:  # not JSON, digits by the thousand, or a thousand levels
        return (*_text(data)[:2], f"not JSON: {type(error).__name__}")


def _text(data: bytes) -> Decoded:
    return "text", data.decode("utf-8", "backslashreplace"), ""


def _msgpack(data: bytes) -> Decoded:
    try:
        import msgpack  # type: ignore[import-untyped]  # it has no types

        return "msgpack", msgpack.unpackb(data, raw=False, strict_map_key=False), ""
    except ImportError:
        return "msgpack", None, "not decoded: pip install msgpack"
    except Exception as error:
        return "bytes", None, f"not msgpack: {type(error).__name__}"


def _pickle(data: bytes) -> Decoded:
    return PICKLE, None, "pickle is never loaded: that would run what the message says"


def _guessed(data: bytes) -> Decoded:
    """Of an unknown type: text if it is UTF-8 and no control octet is in it."""
    if data[:1] == b"\x80" and data[-1:] == b".":
        return _pickle(data)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return "bytes", None, "not text"
    return ("text", text, "") if all(sign.isprintable() or sign in "\t\r\n" for sign in text) else ("bytes", None, "")


_DECODERS: dict[str, Callable[[bytes], Decoded]] = {
    "application/json": _json,
    "application/x-yaml": _text,
    "application/yaml": _text,
    "application/x-msgpack": _msgpack,
    "application/msgpack": _msgpack,
    "application/x-python-serialize": _pickle,
    "application/x-python-pickle": _pickle,
    "application/pickle": _pickle,
    "text/plain": _text,
    "text/yaml": _text,
}


def _plain(value: Any, depth: int) -> Any:
    """`value` with JSON's types only, cut at DEEPEST levels."""
    if isinstance(value, dict | list | tuple) and depth >= DEEPEST:
        return "…"
    match value:
        case dict():
            return {str(key): _plain(one, depth + 1) for key, one in value.items()}
        case list() | tuple():
            return [_plain(one, depth + 1) for one in value]
        case bytes():
            return value.decode("utf-8", "backslashreplace")
        case float() if value != value or value in (float("inf"), float("-inf")):
            return str(value)
        case None | bool() | int() | float() | str():
            return value
    return str(value)


def everything(letter: Letter, rules: OriginRules) -> dict[str, Any]:
    """All headers and properties of a letter, of JSON's types; for messages of any framework."""
    needs = document.Needs(headers=None, properties=None)
    found = document.document(letter, rules, needs)
    found["properties"] = {name: value for name, value in found["properties"].items() if value is not None}
    return found
