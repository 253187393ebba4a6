"""What a file holds, decompressed and as UTF-8, in pieces as they come."""

import codecs
import itertools
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from apigw_doctor.sources import frames
from apigw_doctor.sources.inputs import Input
from apigw_doctor.sources.notices import Cut

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_head(source: Input, size: int) -> bytes:
    """The first decompressed bytes, as far as they can be read.

    Raises:
        OSError: when the input cannot be opened.
    """
    head = b""
    with source.open() as opened:
        raw = unbuffered(opened)
        try:
            for item in _pieces(raw, size) if is_plain(raw) else unpacked(raw, size):
                if isinstance(item, Cut):
                    break
                head += item
                if len(head) >= size:
                    break
        except OSError:
            pass
    return head[:size]


def unbuffered(opened: BinaryIO) -> BinaryIO:
    """The file itself: what is read in large blocks needs no buffer between."""
    raw: BinaryIO = getattr(opened, "raw", opened)
    return raw


def is_plain(raw: BinaryIO) -> bool:
    """Neither compressed nor UTF-16, as far as its first bytes tell."""
    return not read_at(raw, 0, 4).startswith((frames.GZIP[:2], frames.ZSTD, *_UTF16))


def read_at(raw: BinaryIO, at: int, size: int) -> bytes:
    """So many bytes from there on; an unbuffered file may give less at a time than it was asked for."""
    raw.seek(at)
    data = raw.read(size)
    while len(data) < size and (more := raw.read(size - len(data))):
        data += more
    return data


def unpacked(raw: BinaryIO, size: int) -> Iterator[bytes | Cut]:
    """The pieces of a file that is not plain, most of them of `size` bytes or less."""
    head = read_at(raw, 0, 4)
    if head.startswith(frames.GZIP[:2]):
        pieces = frames.decompressed(raw, frames.gzip(), size)
    elif head.startswith(frames.ZSTD):
        pieces = frames.decompressed(raw, frames.zstd(), size)
    else:
        pieces = _pieces(raw, size)
    first = next(pieces, b"")
    whole = itertools.chain((first,), pieces)
    return _utf8(whole) if isinstance(first, bytes) and first.startswith(_UTF16) else whole


def _pieces(raw: BinaryIO, size: int) -> Iterator[bytes | Cut]:
    raw.seek(0)
    while piece := raw.read(size):
        yield piece


def _utf8(pieces: Iterable[bytes | Cut]) -> Iterator[bytes | Cut]:
    """Out of UTF-16 with its mark, as Windows shells write redirected output."""
    decoder = codecs.getincrementaldecoder("utf-16")("replace")
    for piece in pieces:
        yield piece if isinstance(piece, Cut) else decoder.decode(piece).encode("utf-8", "replace")
    yield decoder.decode(b"", final=True).encode("utf-8", "replace")
