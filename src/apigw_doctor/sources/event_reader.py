"""Reads events that a container delimited, as `FileReader` reads them when it unwraps the container itself."""

import msgspec

from apigw_doctor.model.ids import api_from_group, function_from_group
from apigw_doctor.sources.documents import Wrapped
from apigw_doctor.sources.event_shapes import EventBlock, Odd
from apigw_doctor.sources.execution_log import Passing
from apigw_doctor.sources.file_reader import FileReader
from apigw_doctor.sources.lambda_layout import LambdaLayout
from apigw_doctor.sources.lambda_words import Where
from apigw_doctor.sources.payload import Message, Read
from apigw_doctor.sources.spool import Label
from apigw_doctor.sources.stamps import WIDTH

_MARK = b"\0event\0"
_UNKNOWN_ENTRY = "an entry of a document that holds nothing known"
_UNKNOWN_DOCUMENT = "JSON of no kind that is known"


def wrapped(events: EventBlock, index: int) -> Wrapped:
    """One event of a batch."""
    return Wrapped(
        text=events.messages[index],
        at=events.times[index],
        group=events.groups[index],
        stream=events.streams[index],
        event_id=events.event_ids[index],
    )


def packed(events: EventBlock, index: int) -> bytes:
    """One event of a batch as a line that `EventReader` reads."""
    at, stream = events.times[index], events.streams[index]
    return _MARK + msgspec.msgpack.encode(
        (events.messages[index], at, events.groups[index], stream, events.event_ids[index])
    )


def unpacked(line: bytes) -> Wrapped:
    """The event that was packed."""
    text, at, group, stream, event_id = msgspec.msgpack.decode(line[len(_MARK) :])
    return Wrapped(text=text, at=at, group=group, stream=stream, event_id=event_id)


class EventReader(FileReader):
    """Reads one input whose events are found by somebody else."""

    #: every document of the input holds one event
    alone = False

    def twin(self) -> "EventReader":
        """Another reader of the same input, at another place in it; what they count goes together."""
        other = EventReader(self._source, self._payloads)
        other.alone = self.alone
        other._unread, other._kinds, other._zone_ms = self._unread, self._kinds, self._zone_ms
        return other

    def pass_events(self) -> Passing:
        """Events are not passed on: they stand where they are expected."""
        return Passing(self._payloads.requests)

    def odd_line(self, number: int, line: bytes) -> None:
        """Read a line that may be anything, or a packed event."""
        if line.startswith(_MARK):
            self.container_event(unpacked(line), number)
        else:
            super().odd_line(number, line)

    def after(self, *, continues: bool) -> None:
        """Go on as if an event of an execution log had been read last."""
        self._end_open()
        self._know(Read("execution-log", continues))

    def container_event(self, item: Wrapped, number: int, *, alone: bool | None = None) -> None:
        """Read one event; `alone` when its document is known to hold no other one, or others."""
        self._end_open()
        if self._wrapped(item, number, item.text or "", count=False):
            return
        if not (self.alone if alone is None else alone):
            self._count_unread(number, _UNKNOWN_ENTRY)
        elif not self._last.continues:
            self._count_unread(number, _UNKNOWN_DOCUMENT)

    def odd(self, item: Odd) -> None:
        """Read a stretch of the container that is no event."""
        for number, text in item.lines():
            self.odd_text(number, text, inside=bool(item.after))

    def odd_text(self, number: int, text: str, *, inside: bool) -> None:
        """Read a line that is no event; `inside` when it is an element of a document."""
        if inside:
            self._last = Read(self._last.kind)  # nothing goes on there
        before = self._unread.pop(_UNKNOWN_DOCUMENT, [])
        self._line(number, text)
        counted = self._unread.pop(_UNKNOWN_DOCUMENT, [])
        if inside and counted:  # it is an element of a document that holds others
            self._unread.setdefault(_UNKNOWN_ENTRY, []).extend(counted)
            counted = []
        if before or counted:
            self._unread[_UNKNOWN_DOCUMENT] = before + counted

    def request_of(self, request_id: str, events: list[tuple[Label, str, float | None]], group: str | None) -> None:
        """Read the events of one request: the number of its line (or an origin), its words, its time."""
        self._payloads.execution.request(request_id, events, name=self._source.name, group=group or self._group)
        self._kinds.add("execution-log")

    def execution_event(self, label: Label, text: str, at: float | None, group: str | None) -> None:
        """Read an event of an execution log, whatever id it has."""
        origin = label if isinstance(label, str) else self._origin(label)
        self._payloads.execution.line(text, at=at, origin=origin, group=group or self._group)
        self._kinds.add("execution-log")

    def stream_of(self, group: str | None, stream: str | None) -> LambdaLayout | None:
        """The stream of an event that its container says so much of; None when it or its function is not known."""
        function = (function_from_group(group) if group else None) or self._function
        name = stream or self._stream
        return LambdaLayout(WIDTH, function, name) if function and name else None

    def where_of(self, group: str | None, stream: str | None) -> Where:
        """Where events of a stream stand."""
        message = Message(
            text="",
            origin="",
            file=self._source.name,
            group=group or self._group,
            stream=stream or self._stream,
            function=self._function,
        )
        return message.where()

    def api_of(self, group: str | None) -> tuple[str | None, str | None]:
        """What a log group, or else the input's name, tells of the API."""
        return self.api_and_stage() if group is None else api_from_group(group)

    def _end_open(self) -> None:
        """A new document begins: nothing that was open goes on."""
        if self._block is not None:
            self._give_up_block()
        if self._table is not None:
            self._rows(self._table.end())
        self._table, self._half_line, self._time_above = None, None, None
