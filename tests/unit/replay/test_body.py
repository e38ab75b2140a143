"""dlxctl.replay.body: bodies are shown as far as that is safe, and no further."""

import bz2
import gzip
import json
import lzma
import pickle
import zlib
from typing import Any

import msgpack
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from dlxctl.render.inspect import body_text
from dlxctl.replay.body import LARGEST, Body, body_of
from dlxctl.replay.letter import Letter
from tests import amqp_values as amqp
from tests.letters import delivery

VALUE = [[1, "zwölf"], {"a": None}, {"callbacks": None}]
JSON = json.dumps(VALUE).encode()


def shown(body: bytes, kind: str = "application/json", compression: str = "", encoding: str = "utf-8") -> Body:
    entries = (amqp.entry(b"compression", amqp.string(compression)),) if compression else ()
    properties = {"content_type": amqp.short(kind.encode()), "content_encoding": amqp.short(encoding.encode())}
    return body_of(Letter(delivery(*entries, body=body, **properties)))


@pytest.mark.parametrize(
    ("body", "kind", "compression", "expected"),
    [
        (JSON, "application/json", "", ("json", VALUE)),
        (zlib.compress(JSON), "application/json", "application/x-gzip", ("json", VALUE)),
        (gzip.compress(JSON), "application/json", "application/x-gzip", ("json", VALUE)),
        (bz2.compress(JSON), "application/json", "application/x-bz2", ("json", VALUE)),
        (lzma.compress(JSON), "application/json", "application/x-lzma", ("json", VALUE)),
        (zstandard.compress(JSON), "application/json", "application/zstd", ("json", VALUE)),
        (msgpack.packb(VALUE), "application/x-msgpack", "", ("msgpack", VALUE)),
        (b"a: 1\nb: !!python/object:os.system x\n", "application/x-yaml", "",
         ("text", "a: 1\nb: !!python/object:os.system x\n")),
        (b"hello", "text/plain", "", ("text", "hello")),
        (b"hello", "application/x-unknown", "", ("text", "hello")),
        (b"\x00\xff\x1b[2J", "application/octet-stream", "", ("bytes", None)),
        (b"{broken", "application/json", "", ("text", "{broken")),
        (b"[" * 100_000, "application/json", "", ("text", "[" * 100_000)),
        (b"1" * 100_000, "application/json", "", ("text", "1" * 100_000)),
        (b"", "application/json", "", ("empty", None)),
        (b"not zlib", "application/json", "application/x-gzip", ("bytes", None)),
        (b"\xc1", "application/x-msgpack", "", ("bytes", None)),
        (b"NaN", "application/json", "", ("json", "nan")),
    ],
)  # fmt: skip
def test_a_body_is_decoded_by_its_type_and_compression(
    body: bytes, kind: str, compression: str, expected: tuple[str, Any]
) -> None:
    """What cannot be decoded is text, or is not shown; the reason is told."""
    found = shown(body, kind, compression)
    assert (found.kind, found.value) == expected
    assert body_text(found)


class Bomb:
    """Unpickling it would end the test run."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (SystemExit, ("unpickled",))


@pytest.mark.parametrize("kind", ["application/x-python-serialize", "application/data", ""])
def test_pickle_is_named_and_never_loaded(kind: str) -> None:
    """Whatever the message calls itself."""
    found = shown(pickle.dumps(Bomb()), kind)
    assert (found.kind, found.value) == ("pickle", None)
    assert "never loaded" in body_text(found)


@pytest.mark.parametrize("compress", [zlib.compress, bz2.compress, lzma.compress, zstandard.compress])
def test_decompression_stops_at_its_limit(compress: Any) -> None:
    """A few kilobytes that would become a hundred megabytes are not shown, and not held."""
    name = {"zlib": "gzip", "bz2": "bz2", "lzma": "lzma"}.get(compress.__module__, "zstd")
    found = shown(compress(b"\0" * (100 * LARGEST)), "text/plain", f"application/{name}")
    assert (found.kind, found.value) == ("bytes", None)
    assert f"{LARGEST:,}" in found.note


def test_a_deep_value_is_cut() -> None:
    """Nested hundreds deep it is decoded, and cut where nobody reads on."""
    text = body_text(shown(b"[" * 500 + b"]" * 500))
    assert "…" in text


@given(st.binary(max_size=300), st.sampled_from(["application/json", "application/x-msgpack", "text/plain", ""]))
def test_no_body_raises_or_steers_a_terminal(body: bytes, kind: str) -> None:
    """Any octets become printable lines."""
    for compression in ("", "application/x-gzip", "application/x-bz2", "application/x-lzma", "application/zstd"):
        text = body_text(shown(body, kind, compression))
        assert all(line.isprintable() for line in text.split("\n"))
