"""The bytes of an input in large blocks that end at line ends: the ground that all readers stand on.

A plain file can be read in parts, by several processes: a line belongs to the part in which its first byte
lies. It is read as far as it went when it was opened; a log that is being written to has no end otherwise.
Nothing is held but the block at hand.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

from apigw_doctor.sources import heads
from apigw_doctor.sources.inputs import Input
from apigw_doctor.sources.notices import MAX_LINE_BYTES, Cut, TooLong, may_be_long, why
from apigw_doctor.sources.unpack import is_plain, read_at, unbuffered, unpacked

BLOCK_BYTES = 1 << 20
#: Decompressed pieces larger than this are slower: their memory is asked of the system anew each time.
_PIECE_BYTES = 1 << 18
_LOOK = 1 << 16

Watch = Callable[[int], None]


def read_blocks(
    source: Input,
    size: int = BLOCK_BYTES,
    *,
    start: int = 0,
    end: int | None = None,
    watch: Watch = lambda _: None,
) -> Iterator[bytes | TooLong | Cut]:
    r"""The decompressed bytes of one input; UTF-16 comes out as UTF-8.

    Every block ends behind a `\n`, but the last one and one before a `Cut` may end in the middle of a line:
    what follows is no part of it. A block is of about `size` bytes, or one line that is longer. The marks of
    `TooLong` and `Cut` count no lines (0): a `TooLong` stands for one line, and who reads on counts anyway.
    Letting go of a block (`del`) before the next one is asked for saves a tenth of a second per GB.

    Args:
        source: What to read.
        size: Of a block, at most half of `MAX_LINE_BYTES`.
        start: Of a plain file (see `plain_size`): begin with the first line that begins here or later.
        end: The lines that begin here or later are another part's.
        watch: Told how many bytes of the file on disk have been read.

    Raises:
        OSError: when the input cannot be opened.
        ValueError: for a part of a file that is not plain.
    """
    size = min(size, MAX_LINE_BYTES // 2)
    heads.forget(source)
    with source.open() as opened:
        raw = unbuffered(opened)
        try:
            if is_plain(raw):
                yield from _plain(raw, size, start, end, watch)
            elif start or end is not None:
                raise ValueError(f"{source.name}: only a plain file can be read in parts")
            else:
                pieces = unpacked(raw, min(size, _PIECE_BYTES))
                yield from _watched(_aligned(_large(pieces, size)), raw, watch)
        except OSError as error:
            yield Cut(0, why(error))


def _watched(items: Iterator[bytes | TooLong | Cut], raw: BinaryIO, watch: Watch) -> Iterator[bytes | TooLong | Cut]:
    furthest = 0
    for item in items:
        furthest = max(furthest, raw.tell())
        watch(furthest)
        yield item


def plain_size(source: Input) -> int | None:
    """The bytes of a file that can be read in parts; None for any other.

    Raises:
        OSError: when the input cannot be opened.
    """
    with source.open() as raw:
        return _size(raw) if is_plain(raw) else None


# plain files


def _size(raw: BinaryIO) -> int:
    return raw.seek(0, os.SEEK_END)


def _plain(raw: BinaryIO, size: int, start: int, end: int | None, watch: Watch) -> Iterator[bytes | TooLong | Cut]:
    whole = _size(raw)
    at = _line_start(raw, start, whole)
    stop = whole if end is None else _line_start(raw, end, whole)
    window = _Window(raw, min(size, max(stop - at, 0)))
    while at < stop:
        length = window.fill(at, stop - at)
        shrunk = length < min(size, stop - at)
        full = length if shrunk or length == stop - at else window.full_lines(length)
        item = window.take(full) if full or shrunk else _long_line(raw, at, stop)
        at += len(item) if isinstance(item, bytes) else item.length
        if at == whole and not _settled(raw, whole):
            item = _full_lines(item)
        watch(at)
        if item:
            yield item
            del item
        if shrunk:
            yield Cut(0, window.fault)
            return


class _Window:
    """The bytes just read, in memory that is used again and again: asking for new takes longer than reading."""

    def __init__(self, raw: BinaryIO, size: int) -> None:
        self._raw = raw
        self._bytes = bytearray(size)
        self._view = memoryview(self._bytes)
        #: why there were fewer bytes than the file's size promised
        self.fault = "the file became shorter while it was read"

    def fill(self, at: int, wanted: int) -> int:
        """Read from there on, as many bytes as wanted, as fit or as there are."""
        self._raw.seek(at)
        length = 0
        view = self._view[:wanted]
        try:
            while more := self._raw.readinto(view[length:]):  # type: ignore[attr-defined]
                length += more
        except OSError as error:
            self.fault = why(error)
        return length

    def full_lines(self, length: int) -> int:
        """So many of the bytes read are full lines."""
        return self._bytes.rfind(b"\n", 0, length) + 1

    def take(self, length: int) -> bytes:
        """A copy of the first bytes read."""
        return bytes(self._view[:length])


def _line_start(raw: BinaryIO, at: int, stop: int) -> int:
    """Where the first line begins at `at` or later."""
    at -= 1
    while 0 <= at < stop:
        window = read_at(raw, at, min(_LOOK, stop - at))
        found = window.find(b"\n")
        if found >= 0:
            return at + found + 1
        if not window:
            break
        at += len(window)
    return 0 if at < 0 else stop


def _long_line(raw: BinaryIO, at: int, stop: int) -> bytes | TooLong:
    """A line that is longer than a block."""
    length = _line_start(raw, at + 1, stop) - at
    if length > MAX_LINE_BYTES and not may_be_long(read_at(raw, at, _LOOK)):
        return TooLong(0, length)
    return read_at(raw, at, length)


def _settled(raw: BinaryIO, whole: int) -> bool:
    """The last line ended, or nothing has been added to it since."""
    return _size(raw) == whole or read_at(raw, whole - 1, 1) == b"\n"


def _full_lines(item: bytes | TooLong) -> bytes:
    """Without the line that is still being written."""
    return b"" if isinstance(item, TooLong) else item[: item.rfind(b"\n") + 1]


# anything else


def _large(pieces: Iterable[bytes | Cut], size: int) -> Iterator[bytes | Cut]:
    """Small pieces put together."""
    held: list[bytes] = []
    length = 0
    for piece in pieces:
        if isinstance(piece, bytes):
            held.append(piece)
            length += len(piece)
        if isinstance(piece, Cut) or length >= size // 2:
            yield b"".join(held)
            held, length = [], 0
        if isinstance(piece, Cut):
            yield piece
    yield b"".join(held)


def _aligned(pieces: Iterable[bytes | Cut]) -> Iterator[bytes | TooLong | Cut]:
    lines = _Lines()
    for piece in pieces:
        if isinstance(piece, Cut):
            yield from lines.end()
            yield piece
        else:
            yield from lines.feed(piece)
    yield from lines.end()


class _Lines:
    """Cuts pieces at line ends; holds the beginning of a line that goes on in the next piece."""

    def __init__(self) -> None:
        self._held: list[bytes] = []
        self._length = 0
        self._passing = False

    def feed(self, piece: bytes) -> Iterator[bytes | TooLong]:
        first = piece.find(b"\n") + 1
        if self._length + (first or len(piece)) > MAX_LINE_BYTES and not self._passing:
            self._passing = not may_be_long(b"".join([*self._held, piece[:_LOOK]])[:_LOOK])
        if self._passing:
            self._held.clear()
            self._length += first or len(piece)
            if not first:
                return
            yield from self.end()
            piece = piece[first:]
        last = piece.rfind(b"\n") + 1
        if last:
            yield b"".join([*self._held, memoryview(piece)[:last]]) if self._held else piece[:last]
            self._held, self._length = [], 0
        if last < len(piece):
            self._held.append(piece[last:])
            self._length += len(piece) - last

    def end(self) -> Iterator[bytes | TooLong]:
        """Nothing more comes, or nothing that belongs to it."""
        if self._passing:
            yield TooLong(0, self._length)
        elif self._held:
            yield b"".join(self._held)
        self._held, self._length, self._passing = [], 0, False
