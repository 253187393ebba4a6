"""The fast road through access logs whose records travel as messages: inside of flat JSON objects, or of events."""

from typing import Any

import msgspec

from apigw_doctor.evidence.traffic import Traffic
from apigw_doctor.sources.access_layout import AccessLayout
from apigw_doctor.sources.access_log import AccessLog, arrival_of
from apigw_doctor.sources.access_road import AccessRoad
from apigw_doctor.sources.documents import TIME_KEYS
from apigw_doctor.sources.event_reader import EventReader, packed
from apigw_doctor.sources.event_shapes import EventBlock, Odd, group_of, record_decoder, time_of
from apigw_doctor.sources.file_reader import FileReader
from apigw_doctor.sources.reading import lines_of
from apigw_doctor.sources.spool import Spool
from apigw_doctor.sources.wanted import Wanted

_BAD = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, TypeError, ValueError)
#: An event's time is the arrival, unless the record tells another one.
_SAME_MS = 1500.0
_NEVER = -1.0


class _TimedAccess(AccessRoad):
    """Records that came with a time."""

    _at: float | None = None
    #: what the record says of the time goes before the time of the event
    _own_time = False

    def _arrived_at(self, record: Any) -> float | None:  # noqa: ANN401 - a decoded record
        told = super()._arrived_at(record)
        at, epoch = self._at, record.epoch
        if at is None or (epoch is not None and arrival_of({"requestTimeEpoch": str(epoch)}, _NEVER)[0] != _NEVER):
            return told
        return at if told is None or (abs(at - told) < _SAME_MS and not self._own_time) else told


class WrappedAccess(_TimedAccess):
    """Reads blocks of a file with one flat object a line, whose message is a record."""

    def __init__(
        self,
        layout: AccessLayout,
        reader: FileReader,
        access: AccessLog,
        traffic: Traffic,
        wanted: Wanted,
        spool: Spool,
    ) -> None:
        super().__init__(layout, reader, access, traffic, wanted, spool)
        if layout.wrapper is None:
            raise ValueError(layout)
        self._outer = record_decoder(layout.wrapper)
        self._wrapper = layout.wrapper
        self._has_time = not layout.wrapper.row and not set(TIME_KEYS).isdisjoint(layout.keys)

    def feed(self, block: bytes, number: int) -> int:
        """Read a block that ends at a line's end and whose first line has this number; the number after its last."""
        lines = lines_of(block)
        outer, decode, entered = self._outer, self._decode, self._entered
        for at, line in enumerate(lines, number):
            try:
                event = outer(line)
                self._at = time_of(event.time)
                if self._has_time:  # an event of a known group is read as such, any other object as a record
                    self._own_time = self._wrapper.group is None or group_of(event.group) is None
                if entered(decode(event.text), at, line):
                    continue
            except _BAD:
                pass  # no JSON, or a value where none was expected: it is read closely
            if line and not line.isspace():
                self._close(at, line)
        return number + len(lines)


class AccessEvents(_TimedAccess):
    """Reads batches of events whose messages are records."""

    def __init__(
        self,
        layout: AccessLayout,
        reader: EventReader,
        access: AccessLog,
        traffic: Traffic,
        wanted: Wanted,
        spool: Spool,
    ) -> None:
        super().__init__(layout, reader, access, traffic, wanted, spool)
        self._events_reader = reader

    def feed_events(self, events: EventBlock) -> None:
        """Read a batch."""
        decode, entered = self._decode, self._entered
        for index, (text, at, number) in enumerate(zip(events.messages, events.times, events.numbers, strict=True)):
            event = packed(events, index)
            try:
                self._at = at
                if entered(decode(text), number, event):
                    continue
            except _BAD:
                pass
            self._close(number, event)

    def odd(self, item: Odd) -> None:
        """Read a stretch that is no event."""
        self._events_reader.odd(item)
