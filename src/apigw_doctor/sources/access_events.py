"""The fast road through access logs whose records travel as messages: inside of flat JSON objects, or of events."""

from array import array
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from apigw_doctor.evidence.traffic import Traffic
from apigw_doctor.sources.access_layout import AccessLayout
from apigw_doctor.sources.access_log import AccessLog, arrival_of
from apigw_doctor.sources.access_road import BAD, AccessRoad
from apigw_doctor.sources.documents import TIME_KEYS
from apigw_doctor.sources.event_reader import EventReader, packed
from apigw_doctor.sources.event_shapes import EventBlock, Odd, group_of, record_decoder, time_of
from apigw_doctor.sources.file_reader import FileReader
from apigw_doctor.sources.reading import lines_of
from apigw_doctor.sources.spool import Spool
from apigw_doctor.sources.wanted import Wanted

if TYPE_CHECKING:
    from apigw_doctor.sources._native import Records

#: An event's time is the arrival, unless the record tells another one.
_SAME_MS = 1500.0
_NEVER = -1.0


class _TimedAccess(AccessRoad):
    """Records that came with a time."""

    _at: float | None = None
    #: what the record says of the time goes before the time of the event
    _own_time = False

    def _read_texts(
        self,
        records: "Records",
        texts: list[str] | list[str | None],
        times: list[float | None],
        own: bytes,
        line_of: Callable[[int], tuple[int, bytes]],
    ) -> None:
        """Read records that came at these times; `own` tells where `_own_time` holds (nowhere, when it is empty)."""
        index = 0
        while True:
            index = records.texts(texts, times, own, index, len(self._traffic), self._told_natively)
            self._take(records)
            entries, indexes, _, _ = records.take_slow()
            for entry, slow in zip(array("Q", entries), array("Q", indexes), strict=True):
                self._spool.add(entry, [line_of(slow)])
            if index >= len(texts):
                return
            self._read_text(
                texts[index], times[index], own=bool(own[index : index + 1].strip(b"\0")), line=line_of(index)
            )
            index += 1

    def _read_text(self, text: str | None, at: float | None, *, own: bool, line: tuple[int, bytes]) -> None:
        """Read one record of any kind; None is none."""
        self._at, self._own_time = at, own
        self._read(*line, text)

    def _arrived_at(self, record: Any) -> float | None:  # noqa: ANN401 - a decoded record
        told = self._told_at(record)
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
        texts, times, own = self._unwrapped(lines)
        if self._records is not None:
            self._read_texts(self._records, texts, times, own, lambda index: (number + index, lines[index]))
        else:
            for index, (text, at) in enumerate(zip(texts, times, strict=True)):
                self._read_text(text, at, own=bool(own[index]), line=(number + index, lines[index]))
        return number + len(lines)

    def _unwrapped(self, lines: list[bytes]) -> tuple[list[str | None], list[float | None], bytes]:
        """The message of each line, None for what is no object as expected; its time; whether `_own_time` holds."""
        outer, has_time, grouped = self._outer, self._has_time, self._wrapper.group is not None
        texts: list[str | None] = []
        times: list[float | None] = []
        own = bytearray(len(lines))
        for index, line in enumerate(lines):
            try:
                event = outer(line)
                at = time_of(event.time)
                if has_time:  # an event of a known group is read as such, any other object as a record
                    own[index] = not grouped or group_of(event.group) is None
            except BAD:
                texts.append(None)
                times.append(None)
            else:
                texts.append(event.text)
                times.append(at)
        return texts, times, bytes(own)


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

        def line_of(index: int) -> tuple[int, bytes]:
            return events.numbers[index], packed(events, index)

        if self._records is not None:
            self._read_texts(self._records, events.messages, events.times, b"", line_of)
            return
        for index, (text, at) in enumerate(zip(events.messages, events.times, strict=True)):
            self._read_text(text, at, own=False, line=line_of(index))

    def odd(self, item: Odd) -> None:
        """Read a stretch that is no event."""
        self._events_reader.odd(item)
