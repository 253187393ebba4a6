"""JSON documents among other lines: one a line, pretty-printed over many, or several on one line.

A document larger than `STREAM_AFTER` characters is not gathered whole: when it is an object whose one
long array holds the records (`events`, `results`, `logEvents`, `Traces` ...), the array is given in pieces.
"""

import json
import re
from typing import Any

import msgspec

STREAM_AFTER = 1_000_000
_GIVE_UP_AFTER = 64_000_000
_MOST_HEAD_LINES = 40
#: Depth between the elements of an object's array.
_IN_ARRAY = 2
_START = re.compile(r'\s*(?:\{\s*(?:"|\}|$)|\[\s*(?:[\[{]|"@|"H4sI|\]|$))')
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]')
_ARRAYS = re.compile(r'"(events|results|logEvents|Traces|Records|records|items|Items|hits)"\s*:\s*\[\s*$')
#: Half of a surrogate pair is no character, and could not be written again.
_LONE_SURROGATE = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)
_DECODER = json.JSONDecoder()


class Document(msgspec.Struct, frozen=True):
    """A JSON value, the line on which it began, and its text where that is short."""

    number: int
    value: Any
    text: str


def starts(line: str) -> bool:
    """The line could begin a JSON object or array of records."""
    return _START.match(line) is not None


def decode_line(number: int, line: str) -> tuple[list[Document], str]:
    """All complete documents at the front of a line, and what remains of it."""
    text = line.strip()
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        pass
    else:
        return ([Document(number, value, text)], "") if isinstance(value, dict | list) else ([], text)
    text = _LONE_SURROGATE.sub(r"\\ufffd", text) if "\\u" in text else text
    documents: list[Document] = []
    while text[:1] in ("{", "["):
        try:
            value, end = _DECODER.raw_decode(text)
        except (ValueError, RecursionError):
            break
        documents.append(Document(number, value, text[:end]))
        text = text[end:].lstrip(" \t,")
    return documents, text


class Block:
    """A document that goes over several lines."""

    def __init__(self, number: int, first: str, stream_after: int = STREAM_AFTER) -> None:
        self.number = number
        self._stream_after = stream_after
        self.lines: list[str] = []
        self._size = 0
        #: brackets that are open
        self._open: list[str] = []
        #: the long array that is open, and how many lines there were when it began
        self._array: re.Match[str] | None = None
        self._array_line = 0
        self._streaming: str | None = None
        self._array_over = False
        self._head = ""
        #: lines of pieces that were no JSON
        self.lost = 0
        self.broken = False
        self.documents: list[Document] = []
        self.feed(first)

    def feed(self, line: str) -> bool:
        """Take one line; True when the document is complete (or cannot become one)."""
        self.lines.append(line)
        self._size += len(line)
        lowest = self._count(line)
        if not self._open:
            self._finish()
            return True
        if self._streaming is not None and (self._array_over or lowest < _IN_ARRAY):
            self._end_array()
        elif lowest < _IN_ARRAY:
            self._array = _ARRAYS.search(line) if len(self._open) == _IN_ARRAY else None
            self._array_line = len(self.lines)
        elif self._size > self._stream_after:
            self._drain()
        if self._size > _GIVE_UP_AFTER:
            self.broken = True
            return True
        return False

    def _count(self, line: str) -> int:
        """Follow the brackets of a line; the lowest depth that it came to."""
        opened = self._open
        lowest = len(opened)
        for token in _TOKEN.findall(line):
            if token in ("{", "["):
                opened.append(token)
            elif token in ("}", "]"):
                if opened:
                    opened.pop()
                lowest = min(lowest, len(opened))
        return lowest

    @property
    def in_array(self) -> bool:
        """The next line may be an element of an open array."""
        return bool(self._open) and self._open[-1] == "["

    def take(self) -> list[Document]:
        """Documents ready so far."""
        ready, self.documents = self.documents, []
        return ready

    def _finish(self) -> None:
        if self._streaming is not None:
            self._end_array()
            return
        text = "\n".join(self.lines)
        documents, rest = decode_line(self.number, text)
        self.documents.extend(documents)
        self.broken = not documents
        if rest and documents:
            self.lines = [rest]

    def _end_array(self) -> None:
        """The last elements; of what stands behind the array only names count."""
        if not self._array_over:
            self._array_over = True
            text = "[" + "\n".join(self.lines).lstrip(" \t\n,")
            try:
                elements, end = _DECODER.raw_decode(text)
            except (ValueError, RecursionError):
                self._give_up_piece()
            else:
                self._head += text[end:][:STREAM_AFTER]
                self._add(elements)
        self.lines, self._size = [], 0

    def _drain(self) -> None:
        """Give away the array elements that are complete (aws-cli prints each end on a line of its own)."""
        if self._streaming is None:
            if self._array is None or self._array_line > _MOST_HEAD_LINES:
                return
            self._streaming, self._head = self._array[1], "\n".join(self.lines[: self._array_line])
            self.lines = self.lines[self._array_line :]
        if len(self._open) != _IN_ARRAY or not self.lines or self.lines[-1].strip().rstrip(",") not in ("}", "]"):
            return
        text = "\n".join(self.lines).rstrip().rstrip(",")
        self._decode_piece(f"[{text}]")
        self.lines, self._size = [], 0

    def _decode_piece(self, text: str) -> None:
        try:
            elements = msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
            self._give_up_piece()
        else:
            self._add(elements)

    def _give_up_piece(self) -> None:
        self.broken = True
        self.lost += len(self.lines)

    def _add(self, elements: list[Any]) -> None:
        outer = {
            match[1]: match[2]
            for match in re.finditer(r'"(logGroup|logStream|messageType|owner)"\s*:\s*"([^"]*)"', self._head)
        }
        self.documents.append(Document(self.number, outer | {self._streaming or "events": elements}, ""))
