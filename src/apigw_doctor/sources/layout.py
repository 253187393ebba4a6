r"""Uniform files: every line begins alike, so that the request id stands at one fixed column.

The head of a file tells. A layout is `TIME SEPARATOR (id) words`, the time written with the same width on every
line and naming its zone, or no time at all.

>>> layout_of(b"2026-03-01T10:00:00.250Z (c0ffee00-0000-4000-8000-000000000001) Starting execution\n" * 3).column
25
>>> layout_of(b"(c0ffee00-0000-4000-8000-000000000001) Starting execution\nabout something else\n") is None
True
"""

import re
from collections import Counter

import msgspec

from apigw_doctor.model.ids import UUID_PATTERN
from apigw_doctor.model.times import ISO_PATTERN, is_naive, parse_time

ID_WIDTH = 36
#: `(`, the id, `)` and a blank
KEY_WIDTH = ID_WIDTH + 3
KEY = re.compile(rb"\(" + UUID_PATTERN.encode() + rb"\) ")
_LINE = re.compile(rb"([^(\n]{0,160}?)" + KEY.pattern)
_TIMED = re.compile(rf"({ISO_PATTERN})([ \t]{{1,3}})(?:([0-9a-f]{{32}})([ \t]{{1,3}}))?")
_LEAST_LINES = 3
_LEAST_SHARE = 0.5

_TWO_DIGITS = {f"{number:02d}".encode(): number * 1000.0 for number in range(100)}
_THREE_DIGITS = {f"{number:03d}".encode(): float(number) for number in range(1000)}
_MINUTE = len("2026-03-01T10:00:")
_FRACTION = _MINUTE + 3
_MAX_CACHED = 100_000


class Layout(msgspec.Struct, frozen=True):
    """Where the id stands, and whether a time stands before it."""

    #: column of the `(` before the id
    column: int
    timed: bool

    @property
    def words(self) -> int:
        """Column of the first word."""
        return self.column + KEY_WIDTH


def layout_of(head: bytes) -> Layout | None:
    """The layout of an execution log, from its first lines; None when they are not alike."""
    if b"\r" in head:
        return None
    lines = head.split(b"\n")[:-1] or [head]
    fronts = [match[1] for line in lines if (match := _LINE.match(line)) is not None]
    if len(fronts) < _LEAST_LINES or len(fronts) < _LEAST_SHARE * len(lines):
        return None
    column, count = Counter(map(len, fronts)).most_common(1)[0]
    if count < len(fronts):
        return None
    if column == 0:
        return Layout(0, timed=False)
    if all(_front_is_regular(front) for front in fronts):
        return Layout(column, timed=True)
    return None


def _front_is_regular(front: bytes) -> bool:
    text = front.decode("latin-1")
    match = _TIMED.fullmatch(text)
    return (
        match is not None
        and not is_naive(match[1])
        and parse_time(match[1]) is not None
        and text[_FRACTION - 1] in ".,"
    )


class Moments:
    """Times of lines of one layout, read by parts: minutes are parsed once, seconds and milliseconds looked up."""

    def __init__(self, layout: Layout) -> None:
        self._column = layout.column
        self._minutes: dict[bytes, float] = {}

    def of(self, line: bytes) -> float | None:
        """Epoch ms of the line's time; None when it is not written as the others are."""
        milliseconds = _THREE_DIGITS.get(line[_FRACTION : _FRACTION + 3])
        seconds = _TWO_DIGITS.get(line[_MINUTE : _MINUTE + 2])
        if milliseconds is None or seconds is None:
            return None
        minute = self._minutes.get(line[:_MINUTE] + line[_FRACTION + 3 : self._column])
        if minute is None:
            minute = self._first_of_minute(line)
            if minute is None:
                return None
        return minute + seconds + milliseconds

    def _first_of_minute(self, line: bytes) -> float | None:
        rest = line[_FRACTION + 3 : self._column]
        if rest.lstrip(b"0")[:1].isdigit():
            return None  # finer than milliseconds
        front = (line[:_MINUTE] + b"00.000" + rest).decode("latin-1")
        match = _TIMED.fullmatch(front)
        if match is None or is_naive(match[1]) or line[_FRACTION - 1 : _FRACTION] not in (b".", b","):
            return None
        at = parse_time(match[1])
        if at is not None:
            if len(self._minutes) > _MAX_CACHED:
                self._minutes.clear()
            self._minutes[line[:_MINUTE] + rest] = at
        return at
