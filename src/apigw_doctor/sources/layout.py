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
from apigw_doctor.sources.prefix import peel
from apigw_doctor.sources.reading import BOM

ID_WIDTH = 36
#: `(`, the id, `)` and a blank
KEY_WIDTH = ID_WIDTH + 3
KEY = re.compile(rb"\(" + UUID_PATTERN.encode() + rb"\) ")
_TIMED = re.compile(rf"({ISO_PATTERN})([ \t]{{1,3}})(?:([0-9a-f]{{32}})([ \t]{{1,3}}))?")
_LEAST_LINES = 3
_MOST_LINES = 400
_LEAST_SHARE = 0.5
#: Values may quote lines of logs.
_ALIKE_SHARE = 0.9

#: Three digits behind the seconds' point -> ms
MILLISECONDS = {f"{number:03d}".encode(): float(number) for number in range(1000)}
_SECONDS = {f"{number:02d}{point}".encode(): number * 1000.0 for number in range(100) for point in ".,"}
#: Column of the seconds, and of the three digits behind their point, in a line that begins with its time
_MINUTE = len("2026-03-01T10:00:")
FRACTION = len("2026-03-01T10:00:00.")
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
    lines = (head.removeprefix(BOM).split(b"\n")[:-1] or [head])[:_MOST_LINES]
    fronts = [line[:at] for line in lines if (at := line.find(b"(")) >= 0 and KEY.match(line, at) is not None]
    if len(fronts) < _LEAST_LINES or len(fronts) < _LEAST_SHARE * len(lines):
        return None
    column, count = Counter(map(len, fronts)).most_common(1)[0]
    if count < _ALIKE_SHARE * len(fronts):
        return None
    fronts = [front for front in fronts if len(front) == column]
    if column == 0:
        # The console copies the time on a line of its own.
        return None if any(map(_is_time, lines)) else Layout(0, timed=False)
    if all(_front_is_regular(front) for front in fronts):
        return Layout(column, timed=True)
    return None


def _front_is_regular(front: bytes) -> bool:
    text = front.decode("latin-1")
    match = _TIMED.fullmatch(text)
    return (
        match is not None and not is_naive(match[1]) and parse_time(match[1]) is not None and text[FRACTION - 1] in ".,"
    )


def _is_time(line: bytes) -> bool:
    found = peel(line.decode("latin-1"))
    return found.at is not None and not found.rest.strip()


class Moments:
    """Times of lines of one layout, read by parts: seconds are parsed once, milliseconds looked up."""

    def __init__(self, layout: Layout) -> None:
        self._column = layout.column
        #: time up to its seconds and a point -> epoch ms, where the rest of the front is the one met first
        self.seconds: dict[bytes, float] = {}
        self.rest: bytes | None = None
        self._minutes: dict[tuple[bytes, bytes], float] = {}

    def of(self, line: bytes) -> float | None:
        """Epoch ms of the line's time; None when it is not written as the others are."""
        milliseconds = MILLISECONDS.get(line[FRACTION : FRACTION + 3])
        if milliseconds is None:
            return None
        if line[FRACTION + 3 : self._column] == self.rest:
            second = self.seconds.get(line[:FRACTION])
            if second is not None:
                return second + milliseconds
        second = self._first_of_second(line)
        return None if second is None else second + milliseconds

    def _first_of_second(self, line: bytes) -> float | None:
        """The second that the line's time lies in, met for the first time or written otherwise."""
        rest = line[FRACTION + 3 : self._column]
        within = _SECONDS.get(line[_MINUTE:FRACTION])
        if within is None or rest.lstrip(b"0")[:1].isdigit():
            return None  # finer than milliseconds, or no fraction
        minute = self._minutes.get((line[:_MINUTE], rest))
        if minute is None:
            minute = _parsed((line[:_MINUTE] + b"00.000" + rest).decode("latin-1"))
            if minute is None:
                return None
            self._minutes[line[:_MINUTE], rest] = minute
        if self.rest in (None, rest):
            self.rest = rest
            if len(self.seconds) > _MAX_CACHED:
                self.seconds.clear()
                self._minutes.clear()
            self.seconds[line[:FRACTION]] = minute + within
        return minute + within


def _parsed(front: str) -> float | None:
    match = _TIMED.fullmatch(front)
    return None if match is None or is_naive(match[1]) else parse_time(match[1])
