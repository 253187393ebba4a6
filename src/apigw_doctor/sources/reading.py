"""Bytes from anywhere: files, folders, globs and standard input, compressed or not, as text lines.

Nothing is held but the block at hand. A file that ends too early gives what it had and a `Cut`; one that is
damaged inside gives a `Cut` there and goes on behind it.
"""

from collections.abc import Iterator

import msgspec

from apigw_doctor.sources.blocks import BLOCK_BYTES, Watch, plain_size, read_blocks, read_head
from apigw_doctor.sources.inputs import STDIN, Input, find_inputs
from apigw_doctor.sources.notices import MAX_LINE_BYTES, Cut, TooLong

__all__ = [
    "MAX_LINE_BYTES",
    "STDIN",
    "Cut",
    "Input",
    "Line",
    "TooLong",
    "find_inputs",
    "head",
    "head_text",
    "is_binary",
    "plain_size",
    "read_blocks",
    "read_lines",
]

_BINARY_SIGNS = (b"\x7fELF", b"\x89PNG", b"PK\x03\x04", b"%PDF", b"SQLite format 3", b"\xff\xd8\xff", b"GIF8")
_BOM = b"\xef\xbb\xbf"
_HEAD = 65536
#: Heads are kept until their file is read: all files are looked into before the first one is read.
_KEPT_BYTES = 32 * 1024 * 1024


class Line(msgspec.Struct, frozen=True):
    """One text line without its end; `number` counts from 1."""

    number: int
    text: str


def read_lines(source: Input, *, watch: Watch = lambda _: None) -> Iterator[Line | TooLong | Cut]:
    """The lines of one input, decompressed and decoded.

    UTF-8 is expected; a line that is none is read as Windows-1252/Latin-1, which never fails.

    Raises:
        OSError: when the input cannot be opened.
    """
    _heads.drop(source)
    number = 0
    for item in read_blocks(source, BLOCK_BYTES, watch=watch):
        if isinstance(item, Cut):
            yield Cut(number, item.reason, item.resumed)
        elif isinstance(item, TooLong):
            number += 1
            yield TooLong(number, item.length)
        else:
            for text in _texts(item.removeprefix(_BOM) if number == 0 else item):
                number += 1
                yield Line(number, text)


def is_binary(source: Input) -> bool:
    """The (decompressed) head is no text."""
    start = head(source)
    return start.startswith(_BINARY_SIGNS) or start.count(b"\0") > len(start) // 16


def head_text(source: Input) -> str:
    """The first 64 KB as text, for a look ahead; empty when it cannot be read."""
    return head(source).decode("utf-8", "replace")


def head(source: Input) -> bytes:
    """The first 64 KB, decompressed, as far as they can be read; looked up once."""
    return _heads.of(source)


class _Heads:
    """Heads of files that are still to be read, as many as there is room for, and the last one."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._kept: dict[Input, bytes] = {}
        self._last: tuple[Input, bytes] | None = None

    def of(self, source: Input) -> bytes:
        if source in self._kept:
            return self._kept[source]
        if self._last is None or self._last[0] != source:
            self._last = source, _look(source)
            if len(self._last[1]) <= self._room:
                self._room -= len(self._last[1])
                self._kept[source] = self._last[1]
        return self._last[1]

    def drop(self, source: Input) -> None:
        self._room += len(self._kept.pop(source, b""))
        if self._last is not None and self._last[0] == source:
            self._last = None


_heads = _Heads(_KEPT_BYTES)


def _look(source: Input) -> bytes:
    try:
        return read_head(source, _HEAD)
    except OSError:
        return b""


def _texts(block: bytes) -> list[str]:
    try:
        lines = block.decode("utf-8").split("\n")
    except UnicodeDecodeError:
        lines = [_text(line) for line in block.split(b"\n")]
    if not lines[-1]:
        lines.pop()
    return [line.rstrip("\r") for line in lines] if b"\r" in block else lines


def _text(line: bytes) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("cp1252", "replace")
