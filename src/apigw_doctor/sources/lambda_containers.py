"""The fast road through Lambda logs in JSON containers, whose events may come from many streams in turn.

Every stream has a road of its own that remembers how far it was read; between two invocations that is little.
"""

from collections.abc import Iterator

from apigw_doctor.evidence.crowd import Crowd
from apigw_doctor.evidence.tables import LambdaInvocation
from apigw_doctor.sources.documents import Wrapped
from apigw_doctor.sources.event_reader import EventReader
from apigw_doctor.sources.event_shapes import EventBlock, Odd
from apigw_doctor.sources.file_reader import decoded
from apigw_doctor.sources.lambda_layout import LambdaLayout
from apigw_doctor.sources.lambda_log import LambdaLog
from apigw_doctor.sources.lambda_road import LambdaRoad
from apigw_doctor.sources.payload import Payloads
from apigw_doctor.sources.stamps import WIDTH, StampMoments, at_of, stamped
from apigw_doctor.sources.wanted_invocations import WantedInvocations

#: Before a line of the file that is no event.
_ODD = b"\0" * (WIDTH + 10)
_INSIDE, _OUTSIDE = b"\1", b"\0"
_XRAY = b"\nXRAY TraceId: "
Label = tuple[int, str | None]
"""Number of the line, and the event's id."""


class LambdaContainer:
    """Reads batches of events of one file."""

    def __init__(
        self,
        reader: EventReader,
        payloads: Payloads,
        crowd: Crowd,
        wanted: WantedInvocations,
    ) -> None:
        self._reader, self._payloads, self._crowd, self._wanted = reader, payloads, crowd, wanted
        self._roads: dict[tuple[str | None, str | None], StreamRoad] = {}
        self._moments = StampMoments()
        #: what the roads of all streams know together
        self._first: StreamRoad | None = None
        #: something stood between the events: of which stream it is can be told only where there is one
        self._odd = False
        self._unfit = False

    def feed_events(self, events: EventBlock) -> None:
        """Read a batch."""
        lines = stamped(events.times, events.messages)
        if min(lines).startswith(b" "):
            self._unfit = True  # times that are not known, or no whole number
            return
        labels = list(zip(events.numbers, events.event_ids, strict=True))
        for (group, stream), places in _by_stream(events):
            road = self._road(group, stream)
            if road is None:
                self._unfit = True
            elif places is None:
                road.feed_events(labels, lines)
            else:
                road.feed_events([labels[place] for place in places], [lines[place] for place in places])

    def odd(self, item: Odd) -> None:
        """Read a stretch that is no event: it stays with the only stream there is."""
        mark = _ODD + (_INSIDE if item.after else _OUTSIDE)
        texts = [(number, text) for number, text in item.lines() if text.strip()]
        labels: list[Label] = [(number, None) for number, _ in texts]
        lines = [mark + text.encode("utf-8", "replace") for _, text in texts]
        self._odd |= bool(lines)
        if lines and len(self._roads) != 1:
            self._unfit = True
        for road in self._roads.values():
            road.feed_events(labels, lines)

    def finish(self) -> bool:
        """All is read; False when the file has to be read otherwise."""
        fit = [road.finish() for road in self._roads.values()]
        return all(fit) and not self._unfit

    def rows(self) -> list[LambdaInvocation]:
        """The invocations that are not in the crowd."""
        return [row for road in self._roads.values() for row in road.rows]

    def _road(self, group: str | None, stream: str | None) -> "StreamRoad | None":
        found = self._roads.get((group, stream))
        if found is not None:
            return found
        layout = self._reader.stream_of(group, stream)
        if layout is None or (self._odd and self._roads):
            return None
        found = self._roads[group, stream] = StreamRoad(self._wanted, self._moments, self._first)
        self._first = self._first or found
        found.start(layout, self._reader, self._payloads, self._crowd, (group, stream))
        return found


class StreamRoad(LambdaRoad):
    """Reads the events of one stream."""

    _stamped = True

    def __init__(self, wanted: WantedInvocations, moments: StampMoments, like: "StreamRoad | None") -> None:
        super().__init__(wanted, like)
        self._moments = {WIDTH: moments}

    def start(
        self,
        layout: LambdaLayout,
        reader: EventReader,
        payloads: Payloads,
        crowd: Crowd,
        place: tuple[str | None, str | None],
    ) -> None:
        """Begin with the stream; `place` is its group and its name, as its events tell."""
        self.begin(layout, reader, payloads, crowd)
        self._events = reader
        self._place = place

    def feed_events(self, labels: list[Label], lines: list[bytes]) -> None:
        """Read messages behind their times."""
        if self._native is None:
            self.feed_lines(_parted(labels, lines))
        else:
            self._native.feed_lines(labels, lines, *self._asks())
            self._take()

    def _entered(self, lines: list[bytes]) -> bool:
        return not any(b"\n" in line for line in lines) and super()._entered(lines)

    def _read(self, unit: list[tuple[Label, bytes]]) -> LambdaLog:  # type: ignore[override]
        group, stream = self._place
        self._events.restart("lambda-log" if self._stream.position else "")
        log = self._payloads.lambdas = LambdaLog()
        if self._stream.position:
            log.invocations.stream(self._events.where_of(group, stream))  # it is known from before
        for (number, event_id), text, at in _joined(unit):
            if at is None:
                self._events.odd_text(number, decoded(text[1:]), inside=text.startswith(_INSIDE))
            else:
                item = Wrapped(text=decoded(text), at=at, group=group, stream=stream, event_id=event_id)
                self._events.container_event(item, number)
        return log


def _by_stream(events: EventBlock) -> Iterator[tuple[tuple[str | None, str | None], list[int] | None]]:
    """The streams of a batch, and the places of each one's events; None for all of them."""
    group, stream = events.groups[0], events.streams[0]
    count = len(events.messages)
    if events.streams.count(stream) == count and events.groups.count(group) == count:
        yield (group, stream), None
        return
    places: dict[tuple[str | None, str | None], list[int]] = {}
    for place, key in enumerate(zip(events.groups, events.streams, strict=True)):
        places.setdefault(key, []).append(place)
    yield from places.items()


def _parted(labels: list[Label], lines: list[bytes]) -> Iterator[tuple[Label, bytes]]:
    """The line about the trace, which is part of the report's event, stands for itself as it does in text."""
    for label, line in zip(labels, lines, strict=True):
        report, _, trace = line.partition(b"\n")
        if trace.startswith(_XRAY[1:]) and report.startswith(b"REPORT", WIDTH):
            yield label, report
            yield label, trace
        else:
            yield label, line


def _joined(unit: list[tuple[Label, bytes]]) -> Iterator[tuple[Label, bytes, float | None]]:
    """Messages as they were, with their times; a line that is no event has none."""
    for number, (label, line) in enumerate(unit):
        if line.startswith(_ODD):
            yield label, line[len(_ODD) :], None
        elif not line.startswith(_XRAY[1:]):
            after = unit[number + 1][1] if number + 1 < len(unit) else b""
            trace = b"\n" + after if after.startswith(_XRAY[1:]) else b""
            yield label, line[WIDTH:] + trace, at_of(line)
