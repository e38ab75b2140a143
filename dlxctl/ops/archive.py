"""Archives as files: written once, never over another, and read line by line; `.zst` is compressed.

The file is made with mode 0600, since bodies are in it, and is on the disk when its block ends.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import IO, Any

from dlxctl.errors import DlxctlError, UsageError
from dlxctl.replay.archived import (
    Archived,
    Head,
    end_line,
    head_line,
    head_of,
    identity,
    message_line,
    message_of,
)
from dlxctl.replay.letter import Letter
from dlxctl.replay.summary import Row

LONGEST_LINE = 256 * 1024 * 1024
"""Octets; of a longer line only this much is read, so its checksum does not fit."""


class Archive:
    """An archive that is being written; `messages` are in it so far."""

    def __init__(self, file: IO[bytes], head: Head) -> None:
        self._file, self.messages = file, 0
        file.write(head_line(head))

    def add(self, letter: Letter, row: Row) -> None:
        """One more message. Raises OSError, when the disk is full say."""
        self._file.write(message_line(letter, row))
        self.messages += 1

    def complete(self) -> None:
        """All are in it: the last line says so."""
        self._file.write(end_line(self.messages))


@dataclass(slots=True, kw_only=True)
class Contents:
    """An archive that is being read: `torn` lines so far, and `ended` once its last line came."""

    head: Head
    messages: Iterator[Archived]
    torn: int = 0
    ended: bool = False


@contextmanager
def writing(path: Path, head: Head) -> Iterator[Archive]:
    """A new archive for the block, on the disk when it ends. Raises UsageError when the file is there already."""
    opener = _compressing(path)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        remedy = "An archive is never written over: name another file."
        raise UsageError(f"{str(path)!r} exists", remedy=remedy) from None
    except OSError as error:
        remedy = "Name a file in a directory that is there and that you may write to."
        raise UsageError(f"{str(path)!r} cannot be written", why=error.strerror or str(error), remedy=remedy) from None
    try:
        with os.fdopen(handle, "wb") as file:
            with opener(file) as packed, _kept_when_used(path, Archive(packed, head)) as archive:
                yield archive
            file.flush()
            os.fsync(file.fileno())
        _keep_name(path)
    except OSError as error:
        raise DlxctlError(
            f"writing {str(path)!r} failed", why=error.strerror or str(error), remedy="Nothing left its queue."
        ) from None


def _keep_name(path: Path) -> None:
    """A new file is on the disk only once its directory is (fsync(2))."""
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


@contextmanager
def _kept_when_used(path: Path, archive: Archive) -> Iterator[Archive]:
    """An error before the first message takes the file away again, so that the same command can be tried again."""
    try:
        yield archive
    except BaseException:
        if not archive.messages:
            path.unlink(missing_ok=True)
        raise


@contextmanager
def reading(path: Path) -> Iterator[Contents]:
    """An archive for the block, its messages read as they are asked for. Raises UsageError when it is none."""
    opener = _compressing(path)
    try:
        with path.open("rb") as file, opener(file) as plain:
            head = head_of(plain.readline(LONGEST_LINE))
            if head is None:
                remedy = "Make one: dlxctl export --queue Q --output FILE"
                raise UsageError(f"{str(path)!r} is no archive of dlxctl", remedy=remedy)
            contents = Contents(head=head, messages=iter(()))
            contents.messages = _messages(plain, contents)
            yield contents
    except OSError as error:
        remedy = "Name an archive that `dlxctl export` wrote."
        raise UsageError(f"{str(path)!r} cannot be read", why=error.strerror or str(error), remedy=remedy) from None


def held_by(path: Path) -> tuple[Counter[bytes], Contents]:
    """How often each message is in the archive, by its `identity`. Raises UsageError."""
    with reading(path) as contents:
        found = Counter(identity(one.header, one.letter.delivery.body) for one in contents.messages)
    return found, contents


def _messages(file: IO[bytes], contents: Contents) -> Iterator[Archived]:
    while line := file.readline(LONGEST_LINE):
        found = message_of(line)
        if isinstance(found, Archived):
            yield found
        elif found is None:
            contents.torn += 1
        else:
            contents.ended = True


def _compressing(path: Path) -> Callable[[IO[bytes]], Any]:
    """What a file of this name is opened through; the file itself when it is not compressed."""
    if path.suffix != ".zst":
        return _as_it_is
    try:
        import zstandard
    except ImportError:
        remedy = "pip install 'dlxctl[zstd]', or leave .zst out of the name."
        raise UsageError(f"{str(path)!r} needs zstandard", remedy=remedy) from None

    @contextmanager
    def through(file: IO[bytes]) -> Iterator[IO[bytes]]:
        try:
            if file.writable():
                with zstandard.ZstdCompressor().stream_writer(file, closefd=False) as packed:
                    yield packed
            else:
                yield BufferedReader(zstandard.ZstdDecompressor().stream_reader(file, closefd=False))
        except zstandard.ZstdError as error:
            raise OSError(f"zstd: {error}") from None

    return through


@contextmanager
def _as_it_is(file: IO[bytes]) -> Iterator[IO[bytes]]:
    yield file
