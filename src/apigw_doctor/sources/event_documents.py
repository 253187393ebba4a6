"""Cuts JSON documents with a long array of events into batches, whatever size the document has.

A quote behind `{` that is followed by a letter begins a key: inside a string it would end the string. So
`}, {"a` is a border between objects for certain, and the text between two borders is decoded as a list
of events. Only where that fails the text is looked at object by object.
"""

import json
import re
from collections.abc import Callable, Iterator

import msgspec

from apigw_doctor.sources.documents import Wrapped
from apigw_doctor.sources.event_shapes import (
    BAD,
    PROBE,
    EventBlock,
    FlatKeys,
    FlatReader,
    Odd,
    context_of,
    decode_events,
)
from apigw_doctor.sources.reading import Cut

#: Decoded in one go: small enough for the processor's cache.
SLICE = 1 << 18
_SMALL_SLICE = 1 << 12
#: No event, head or tail of a document is larger.
LIMIT = 1 << 23
_TAIL_LIMIT = 1 << 21
_HEAD_LIMIT = 1 << 16
#: Small documents are put together to batches of so many events, and given away in small numbers.
_ENOUGH = 1000
_READY = 4
_BORDER = re.compile(rb'\}\s*,\s*(?=\{\s*"[A-Za-z@_$])')
_STRING = rb'"(?:[^"\\]|\\.)*+"'
#: A value in a document's head: of objects in objects there are two levels at most (`ResponseMetadata`).
_VALUE = (
    rb"(?:" + _STRING + rb"|[-+.\w]++|\[(?:[^\[\]{}\"]++|" + _STRING + rb")*+\]"
    rb"|\{(?:[^{}\"]++|" + _STRING + rb"|\{(?:[^{}\"]++|" + _STRING + rb")*+\})*+\})"
)
_HEAD = re.compile(
    rb'\{\s*(?:"(?!(?:events|logEvents)")(?:[^"\\]|\\.)*+"\s*:\s*' + _VALUE + rb"\s*,\s*){0,20}"
    rb'"(?:events|logEvents)"\s*:\s*\[\s*(?=[{\]])',
    re.DOTALL,
)
_ARRAY_HEAD = re.compile(rb"\[\s*(?=[{\]])")
_ARRAY_KEY = re.compile(rb'"(?:events|logEvents)"\s*:\s*\[')
_JUNCTION = re.compile(rb"[ \t,]*\s*")
_REST = re.compile(rb"[ \t\r]*\n")
_BEHIND = re.compile(rb"\s*(,?)\s*")
_SPACE = re.compile(r"[ \t\r\n]*")
_JSON = json.JSONDecoder()
#: Keys behind the array that would have made another document of it.
_TELLING = frozenset({"events", "logEvents"})

Item = EventBlock | Odd | Cut


def head_at(text: bytes, at: int) -> tuple[int, Wrapped] | None:
    """Where the events of a document that begins at `at` begin, and what it tells of them."""
    match = _HEAD.match(text, at, at + _HEAD_LIMIT)
    if match is None:
        return None
    try:
        document = msgspec.json.decode(match[0] + PROBE + b"]}")
        here = context_of(document)
    except BAD:
        return None
    return None if here is None else (match.end(), here)


def array_at(text: bytes, at: int) -> int | None:
    """Where the objects of an array that begins at `at` begin."""
    match = _ARRAY_HEAD.match(text, at)
    return match.end() if match else None


class Elements(msgspec.Struct):
    """Values found at the front of a text."""

    spans: list[tuple[int, int]]
    #: where the end of the array stands, when it was reached
    closing: int | None = None
    #: the text ended inside a value, which may be complete with more text
    open: bool = False
    damaged: bool = False


def elements(text: bytes) -> Elements:
    """The values of an array, separated by commas, as far as they can be read."""
    chars = text.decode("latin-1")  # one character a byte: only the structure is looked at
    found = Elements([])
    at = _space(chars, 0)
    while at < len(chars) and chars[at] != "]":
        try:
            _, end = _JSON.raw_decode(chars, at)
        except BAD as error:
            found.open = isinstance(error, json.JSONDecodeError) and error.pos >= len(chars.rstrip())
            found.damaged = not found.open
            return found
        found.spans.append((at, end))
        at = _space(chars, end)
        if chars[at : at + 1] == ",":
            at = _space(chars, at + 1)
        elif chars[at : at + 1] not in ("]", ""):
            found.damaged = True
            return found
    found.closing = at if at < len(chars) else None
    return found


def _space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


class Documents:
    """A scanner that is fed with blocks of bytes and gives batches of events."""

    def __init__(self, keys: FlatKeys | None) -> None:
        self._flat = FlatReader(keys) if keys is not None else None
        self._text = b""
        self._at = 0
        self._line = 1
        #: the line that origins cite, and the one on which the last document ended
        self._number = 0
        self._ended_on = 0
        self._final = False
        self._state: Callable[[], bool] = self._outside
        self._here = Wrapped()
        self._head = b""
        self._border = b"\x00"
        #: small where documents are small, or damaged
        self._slice = SLICE
        #: a border at or before this place was no border between events
        self._beyond = 0
        #: no more text will make sense of what could not be read
        self._hopeless = False
        #: waiting for the rest is of no use before the text is that long
        self._wanted = 0
        self._found: list[Item] = []

    def feed(self, block: bytes) -> Iterator[Item]:
        """Take the next bytes; what is complete by then."""
        self._text = self._text[self._at :] + block
        self._beyond -= self._at
        self._at = 0
        if len(self._text) < self._wanted:
            return
        self._wanted = 0
        while self._at < len(self._text) and self._state():
            if len(self._found) > _READY:
                yield from self._take()
        yield from self._take()

    def end(self) -> Iterator[Item]:
        """What is left at the end."""
        self._final = True
        self._wanted = 0
        yield from self.feed(b"")
        if self._state != self._outside:
            yield Cut(self._line, "the JSON document in it has no end; it was cut short")

    def _take(self) -> list[Item]:
        found, self._found = self._found, []
        return found

    def _pass(self, to: int) -> None:
        """Go on behind what was read."""
        self._line += self._text.count(b"\n", self._at, to)
        self._at = to

    def _wait(self) -> bool:
        """More is needed, unless there is no more, or too much already."""
        size = len(self._text) - self._at
        if self._final or size > _TAIL_LIMIT:
            return False
        self._wanted = size + size // 2
        return True

    def _events(self, block: EventBlock) -> None:
        """Add a batch, to the one before it where nothing stands between them."""
        count = len(block.messages)
        block.numbers = [self._number] * count
        last = self._found[-1] if self._found else None
        if isinstance(last, EventBlock) and len(last.messages) < _ENOUGH:
            last.extend(block)
        elif count:
            self._found.append(block)

    def _odd(self, to: int) -> None:
        """Hand out everything up to there as it stands."""
        if to <= self._at:
            return
        odd = Odd(self._line, self._text[self._at : to])
        last = self._found[-1] if self._found else None
        if isinstance(last, Odd) and last.ends_at(self._line) and len(last.raw) < _HEAD_LIMIT:
            odd = Odd(last.number, last.raw + odd.raw)
            self._found.pop()
        self._found.append(odd)
        self._pass(to)

    def _decode(self, elements: bytes) -> EventBlock | None:
        return decode_events(elements, self._here) if self._flat is None else self._flat.elements(elements)

    # between documents

    def _outside(self) -> bool:
        match = _JUNCTION.match(self._text, self._at)
        self._pass(match.end() if match else self._at)
        if self._at == len(self._text):
            return False
        if self._opened():
            return True
        if len(self._text) - self._at < _HEAD_LIMIT and not self._final:
            return False
        self._other()
        return True

    def _opened(self) -> bool:
        start = self._at
        if self._flat is not None:
            begin = array_at(self._text, start)
        else:
            begin, self._here = head_at(self._text, start) or (None, self._here)
        if begin is None:
            return False
        if self._line != self._ended_on:
            self._number = self._line
        self._head = self._text[start:begin]
        self._pass(begin)
        self._state = self._inside
        return True

    def _other(self) -> None:
        """A document of another kind on one line, or a line of something else."""
        for window in (_SMALL_SLICE, _HEAD_LIMIT) if self._text.startswith(b"{", self._at) else ():
            line, end, _ = self._text[self._at : self._at + window].partition(b"\n")
            try:
                _, size = _JSON.raw_decode(line.decode("latin-1"))
            except BAD:
                if end:
                    break
                continue
            self._ended_on = self._number = self._line
            match = _REST.match(self._text, self._at + size)
            self._odd(match.end() if match else self._at + size)
            return
        self._odd(self._text.find(b"\n", self._at) + 1 or len(self._text))

    # inside the array

    def _inside(self) -> bool:
        stop = max(self._at, self._beyond) + self._slice
        if stop > len(self._text) and not self._final:
            return False
        cut = self._last_border(max(self._at, self._beyond), stop) if stop <= len(self._text) else None
        if cut is None:
            return self._borderless(stop)
        block = self._decode(self._text[self._at : cut[0]])
        if block is not None:
            self._events(block)
            self._pass(cut[1])
            self._slice = min(SLICE, 2 * self._slice)
        else:
            self._slice = max(_SMALL_SLICE, self._slice // 2)
            self._good_part(cut[0])
            start = max(self._at, self._beyond)
            self._closely(*(self._last_border(start, min(cut[0], start + _SMALL_SLICE)) or cut))
        return True

    def _last_border(self, start: int, stop: int) -> tuple[int, int] | None:
        """Where the object before the border ends and the one behind it begins."""
        place = self._text.rfind(self._border, start, stop)
        while place >= 0:
            if (match := _BORDER.match(self._text, place)) is not None:
                return place + 1, match.end()
            place = self._text.rfind(self._border, start, place)
        match = None
        for match in _BORDER.finditer(self._text, start, stop):  # noqa: B007 - the last one is wanted
            pass
        if match is None:
            return None
        self._border = match[0]
        return match.start() + 1, match.end()

    def _borderless(self, stop: int) -> bool:
        """A slice with one object or less: the last one of a document, or a large one."""
        found = elements(self._text[self._at : stop])
        if found.closing is not None:
            self._whole(found, self._at, stop)
            self._slice = max(_SMALL_SLICE, self._slice // 2)
        elif self._final and stop >= len(self._text):
            if not self._all_but_the_last():
                self._closely(len(self._text), len(self._text))
        elif stop - self._at > LIMIT:
            self._damaged(stop)
            self._slice = SLICE
        else:
            self._slice *= 4
        return True

    def _all_but_the_last(self) -> bool:
        """Take the objects of a text that breaks off, up to the last one; False when something else is among them."""
        cut = self._last_border(self._at, len(self._text)) if self._beyond <= self._at else None
        block = self._decode(self._text[self._at : cut[0]]) if cut else None
        if cut is None or block is None:
            return False
        self._events(block)
        self._pass(cut[1])
        return True

    def _good_part(self, stop: int) -> None:
        """Take the events before the first thing that is none, by halves."""
        size = stop - self._at
        while size > _SMALL_SLICE:
            size //= 2
            cut = self._last_border(self._at, self._at + size)
            block = self._decode(self._text[self._at : cut[0]]) if cut else None
            if cut is not None and block is not None:
                self._events(block)
                self._pass(cut[1])

    def _closely(self, stop: int, after: int) -> None:
        """Object by object up to `stop`; stops at the array's end."""
        place = self._at
        begun: int | None = None
        while place < stop and self._state == self._inside:
            match = _BORDER.search(self._text, place, stop)
            end, following = (match.start() + 1, match.end()) if match else (stop, after)
            begun = self._piece(begun, place, end, following)
            place = following
        if begun is None or self._state != self._inside:
            self._hopeless = False
        elif self._final or self._hopeless or stop - begun > _HEAD_LIMIT:
            self._damaged(after)
        else:
            self._beyond = stop

    def _piece(self, begun: int | None, place: int, end: int, following: int) -> int | None:
        """Read the text between two borders.

        `begun` is where a stretch begins that could not be read up to here: the first part of a nested object,
        or damaged, and then `hopeless`. What is given back is the same for the next piece.
        """
        if begun is None or self._hopeless:
            block = self._decode(self._text[place:end])
            if block is not None:
                if self._gone_on_from(place):
                    self._events(block)
                    self._pass(following)
                return None
        found = elements(self._text[place if begun is None or self._hopeless else begun : end])
        if self._hopeless and begun is not None:
            if not self._recovers(found, place):
                return begun
            if self._gone_on_from(place):
                self._whole(found, place, following)
            return None
        start = place if begun is None else begun
        if not found.open and not found.damaged:
            self._whole(found, start, following)
            return None
        self._hopeless = found.damaged or end - start > _HEAD_LIMIT
        return start

    def _gone_on_from(self, place: int) -> bool:
        """Give up what stands before; True when no other document begins in it."""
        self._hopeless = False
        self._damaged(place)
        return self._state == self._inside

    def _recovers(self, found: Elements, place: int) -> bool:
        """Behind damage only events count as a sign that the text is sound again."""
        events = (self._decode(self._text[place + first : place + last]) for first, last in found.spans)
        return bool(found.spans) and found.closing is not None and all(block is not None for block in events)

    def _whole(self, found: Elements, start: int, following: int) -> None:
        """Take values that were read strictly, perhaps with the end of the array behind them."""
        self._hopeless = False
        spans = found.spans
        together = self._decode(self._text[start + spans[0][0] : start + spans[-1][1]]) if spans else None
        if together is not None:
            self._events(together)
        else:
            for first, last in spans:
                self._element(start + first, start + last)
        if found.closing is None:
            self._pass(following)
            return
        self._closed(start + found.closing + 1)
        if self._flat is None:
            self._state = self._behind

    def _element(self, start: int, end: int) -> None:
        element = self._text[start:end]
        block = self._decode(element)
        if block is not None:
            self._events(block)
        else:
            closing = b"]" if self._flat is not None else b"]}"
            self._found.append(Odd(self._number, element, self._head, closing))

    def _damaged(self, to: int) -> None:
        """Give up a stretch; when another document begins in it, go on there."""
        key = _ARRAY_KEY.search(self._text, self._at, to) if self._flat is None else None
        if key is not None:
            opening = self._text.rfind(b"{", self._at, key.start())
            head = head_at(self._text, opening) if opening > self._at else None
            if head is not None and head[0] >= key.end():
                self._odd(opening)
                self._state = self._outside
                return
        self._odd(to)

    # behind the array

    def _behind(self) -> bool:
        match = _BEHIND.match(self._text, self._at)
        at, comma = (match.end(), match[1]) if match else (self._at, b"")
        if not comma and self._text[at : at + 1] == b"}":
            return self._closed(at + 1)
        if comma and (end := self._tail(at)) is not None:
            return self._closed(end)
        if (at == len(self._text) or comma) and self._wait():
            return False
        self._ended_on = self._line
        self._odd(self._text.find(b"\n", self._at) + 1 or len(self._text))
        self._state = self._outside
        return True

    def _tail(self, at: int) -> int | None:
        """Where the document ends whose further keys begin at `at`; None when that is not to be seen."""
        window = 1 << 10
        while window < 32 * (len(self._text) - at) + (1 << 12):
            try:
                value, size = _JSON.raw_decode("{" + self._text[at : at + window].decode("latin-1"))
            except BAD:
                window *= 32
                continue
            if _TELLING & value.keys():
                self._odd(at + size - 1)
            return at + size - 1
        return None

    def _closed(self, to: int) -> bool:
        self._pass(to)
        self._ended_on = self._line
        self._state = self._outside
        return True
