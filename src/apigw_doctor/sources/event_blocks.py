r"""Reads uniform JSON containers of log events in batches, at the speed of the JSON decoder and in flat memory.

`recognise` looks at the head of a file; `split` gives its events column by column. Whatever does not fit is
handed out as it stands (`Odd`), in order, for the tolerant reader: nothing is lost and nothing raises.

>>> lines = b'{"timestamp":1772359200250,"message":"START RequestId: x"}\n{"other":1}\n'
>>> shape = recognise(lines[:59])
>>> shape.kind
'lines'
>>> [getattr(item, "messages", None) or item.raw for item in split(shape, [lines])]
[['START RequestId: x'], b'{"other":1}\n']
"""

import codecs
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal

import msgspec

from apigw_doctor.sources.event_documents import LIMIT, SLICE, Documents, array_at, elements, head_at
from apigw_doctor.sources.event_shapes import (
    BAD,
    EventBlock,
    FlatKeys,
    FlatReader,
    Odd,
    decode_envelopes,
    decode_events,
    flat_keys,
)
from apigw_doctor.sources.reading import Cut, TooLong

__all__ = ["Cut", "EventBlock", "Odd", "Shape", "TooLong", "recognise", "split"]

_HEAD = 1 << 16
#: Smaller blocks are put together before they are looked at.
_GATHERED = 1 << 16
#: So many events of a head are looked at closely.
_SAMPLES = 32
#: A share of lines that may be something else.
_MOSTLY = 0.9

#: A new subscription begins with these; they are handed out as odd.
_CONTROL = re.compile(rb'(?:\{"messageType":\s*"CONTROL_MESSAGE"[^{}]*+(?:\{[^{}]*+\}[^{}]*+)*+\}\s*)+')
Item = EventBlock | Odd | TooLong | Cut
_Decode = Callable[[bytes, int, int], EventBlock | None]


class Shape(msgspec.Struct, frozen=True):
    """How a file holds its events: in documents, in an array, or one object or envelope a line."""

    kind: Literal["documents", "array", "lines", "envelopes"]
    keys: FlatKeys | None = None


def recognise(head: bytes) -> Shape | None:
    """The shape of a file whose first 64 KB are given; None when it is none of the uniform ones, or not for sure."""
    whole = len(head) < _HEAD
    text = head.removeprefix(codecs.BOM_UTF8).decode("utf-8", "ignore").encode().lstrip()
    if text[:1] == b"[":
        return _array(text)
    if text[:1] != b"{":
        return None
    text = text[match.end() :] if (match := _CONTROL.match(text)) else text
    document = head_at(text, 0)
    lines = text.split(b"\n") if whole else text.split(b"\n")[:-1]
    lines = [line for line in lines if line.strip()]
    if document is None:
        return _lines(lines)
    if all(decode_envelopes(line, 1, 1) is not None for line in lines[:1]) and lines:
        fitting = sum(decode_envelopes(line, 1, 1) is not None for line in lines)
        return Shape("envelopes") if fitting >= _MOSTLY * len(lines) else Shape("documents")
    begin, here = document
    first = elements(text[begin:])
    spans = first.spans[:: max(1, len(first.spans) // _SAMPLES)]
    found = [decode_events(text[begin + start : begin + end], here) for start, end in spans]
    if not found:
        return Shape("documents") if first.closing is not None else None
    return Shape("documents") if sum(block is not None for block in found) >= _MOSTLY * len(found) else None


def _array(text: bytes) -> Shape | None:
    begin = array_at(text, 0)
    if begin is None:
        return None
    keys = _keys([text[begin + start : begin + end] for start, end in elements(text[begin:]).spans])
    return Shape("array", keys) if keys else None


def _lines(lines: list[bytes]) -> Shape | None:
    keys = _keys(lines)
    return Shape("lines", keys) if keys else None


def _keys(objects: list[bytes]) -> FlatKeys | None:
    found: list[dict[str, Any]] = []
    for text in objects:
        try:
            value = msgspec.json.decode(text)
        except BAD:
            continue
        if isinstance(value, dict):
            found.append(value)
    return flat_keys(found) if found and len(found) >= _MOSTLY * len(objects) else None


def split(shape: Shape, blocks: Iterable[bytes]) -> Iterator[Item]:
    """All events of a file of that shape, in order, and between them whatever is something else.

    `Cut` comes last when a document has no end; `TooLong` stands for a line that is no log line for its size.
    """
    if shape.kind in ("documents", "array"):
        scanner = Documents(shape.keys)
        for block in _gathered(blocks):
            yield from scanner.feed(block)
        yield from scanner.end()
    else:
        yield from _Lines(shape).read(_gathered(blocks))


def _gathered(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Blocks of a fair size, without a byte order mark before the first."""
    parts: list[bytes] = []
    size, first = 0, True
    for block in blocks:
        parts.append(block)
        size += len(block)
        if size >= _GATHERED:
            yield b"".join(parts).removeprefix(codecs.BOM_UTF8 if first else b"")
            parts, size, first = [], 0, False
    yield b"".join(parts).removeprefix(codecs.BOM_UTF8 if first else b"")


class _Lines:
    """Reads files with one object a line."""

    def __init__(self, shape: Shape) -> None:
        self._decode: _Decode = decode_envelopes if shape.keys is None else _numbered(FlatReader(shape.keys))
        self._number = 1
        self._found: list[Item] = []

    def read(self, blocks: Iterable[bytes]) -> Iterator[Item]:
        """Batches of all blocks."""
        rest, dropped = b"", 0
        for block in blocks:
            end = block.rfind(b"\n") + 1
            if dropped and (first := block.find(b"\n") + 1):
                yield TooLong(self._number, dropped + first)
                self._number, dropped, rest = self._number + 1, 0, b""
                block, end = block[first:], max(0, end - first)
            if dropped:
                dropped += len(block)
            elif end:
                yield from self._whole_lines(rest + block[:end])
                rest = block[end:]
            elif len(rest := rest + block) > LIMIT:
                rest, dropped = b"", len(rest)
        if dropped:
            yield TooLong(self._number, dropped)
        yield from self._whole_lines(rest)

    def _whole_lines(self, text: bytes) -> Iterator[Item]:
        start = 0
        while start < len(text):
            stop = text.rfind(b"\n", start, start + SLICE) + 1 or text.find(b"\n", start) + 1 or len(text)
            self._chunk(text[start:stop])
            start = stop
            yield from self._found
            self._found = []

    def _chunk(self, text: bytes) -> None:
        """A number of whole lines: at once, or by halves."""
        count = text.count(b"\n") + (text[-1:] != b"\n")
        block = self._decode(text, count, self._number) if text[:1] == b"{" else None
        if block is not None:
            self._number += count
            self._add(block)
        elif count == 1:
            self._odd(text)
        else:
            middle = text.find(b"\n", len(text) // 2, -1) + 1 or text.rfind(b"\n", 0, len(text) // 2) + 1
            self._chunk(text[:middle])
            self._chunk(text[middle:])

    def _add(self, block: EventBlock) -> None:
        last = self._found[-1] if self._found else None
        if isinstance(last, EventBlock):
            last.extend(block)
        elif block.messages:
            self._found.append(block)

    def _odd(self, line: bytes) -> None:
        last = self._found[-1] if self._found else None
        if isinstance(last, Odd) and len(last.raw) < SLICE:
            self._found[-1] = Odd(last.number, last.raw + line)
        else:
            self._found.append(Odd(self._number, line))
        self._number += 1


def _numbered(reader: FlatReader) -> _Decode:
    def decode(lines: bytes, count: int, first: int) -> EventBlock | None:
        block = reader.lines(lines, count)
        if block is not None:
            block.numbers = range(first, first + count)
        return block

    return decode
