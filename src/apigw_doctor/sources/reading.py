"""Bytes from anywhere: files, folders, globs and standard input, compressed or not, as text lines.

Nothing is held but the block at hand. A file that ends too early gives what it had and a `Cut`; one that is
damaged inside gives a `Cut` there and goes on behind it.
"""

from collections.abc import Iterator

import msgspec

from apigw_doctor.sources.blocks import BLOCK_BYTES, Watch, plain_size, read_blocks
from apigw_doctor.sources.heads import head, head_text, is_binary
from apigw_doctor.sources.inputs import STDIN, Input, find_inputs
from apigw_doctor.sources.notices import MAX_LINE_BYTES, Cut, TooLong

__all__ = [
    "BLOCK_BYTES",
    "BOM",
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
    "lines_of",
    "plain_size",
    "read_blocks",
    "read_lines",
]

BOM = b"\xef\xbb\xbf"


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
    number = 0
    for item in read_blocks(source, watch=watch):
        if isinstance(item, Cut):
            yield Cut(number, item.reason, item.resumed)
        elif isinstance(item, TooLong):
            number += 1
            yield TooLong(number, item.length)
        else:
            for text in _texts(item.removeprefix(BOM) if number == 0 else item):
                number += 1
                yield Line(number, text)


def lines_of(block: bytes) -> list[bytes]:
    """The lines of a block, not decoded yet."""
    lines = block.split(b"\n")
    if not lines[-1]:
        lines.pop()
    return [line.rstrip(b"\r") for line in lines] if b"\r" in block else lines


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
