"""The fast road through execution logs in JSON containers: events become lines, and go the road that lines go.

An event's message is whole: nothing continues it, whatever lines it has inside.
"""

from apigw_doctor.evidence.traffic import Traffic
from apigw_doctor.sources.event_reader import EventReader, wrapped
from apigw_doctor.sources.event_shapes import EventBlock, Odd
from apigw_doctor.sources.execution_log import parse_event, value_may_continue
from apigw_doctor.sources.execution_road import ExecutionRoad
from apigw_doctor.sources.file_reader import decoded
from apigw_doctor.sources.layout import KEY, KEY_WIDTH, Layout
from apigw_doctor.sources.spool import Label, Spool
from apigw_doctor.sources.stamps import WIDTH, StampMoments, at_of, stamped
from apigw_doctor.sources.wanted import Wanted

_LAYOUT = Layout(WIDTH, timed=True)
_NOTHING = EventBlock([], [], [], [], [], [])


class ExecutionEvents:
    """Reads batches of events of one file."""

    def __init__(
        self,
        reader: EventReader,
        traffic: Traffic,
        wanted: Wanted,
        spool: Spool | None,
        *,
        cut_before: bool = False,
    ) -> None:
        self._reader = reader
        self._traffic, self._wanted, self._spool = traffic, wanted, spool
        self._cut_before = cut_before
        self._roads: dict[str | None, GroupRoad] = {}
        #: the last message of the batch that was read last
        self._last = ""

    def feed_events(self, events: EventBlock) -> None:
        """Read a batch."""
        for group, part in events.by_group():
            self.road(group).feed_events(part)
        self._last = events.messages[-1]

    def odd(self, item: Odd) -> None:
        """Read a stretch that is no event, and perhaps something else that is known."""
        before = self._reader.requests_met()
        if (event := parse_event(self._last)) is not None:
            self._reader.after(continues=value_may_continue(event[1]))
        self._last = ""
        for key in KEY.findall(item.raw):
            for road in self._roads.values():
                road.let_go(key)
        self._reader.odd(item)
        for request_id in self._reader.newest(self._reader.requests_met() - before):
            for road in self._roads.values():
                road.careful.add(f"({request_id}) ".encode())

    def finish(self) -> None:
        """Nothing more comes."""
        for road in self._roads.values():
            road.finish()

    def road(self, group: str | None) -> "GroupRoad":
        """The road for the events of one log group."""
        found = self._roads.get(group)
        if found is None:
            found = self._roads[group] = GroupRoad(
                self._reader,
                self._traffic,
                self._wanted,
                self._spool,
                group,
                cut_before=self._cut_before,
            )
        return found


class GroupRoad(ExecutionRoad):
    """Reads the events of one log group."""

    _stamped = True

    def __init__(
        self,
        reader: EventReader,
        traffic: Traffic,
        wanted: Wanted,
        spool: Spool | None,
        group: str | None,
        *,
        cut_before: bool = False,
    ) -> None:
        api = reader.api_of(group)
        super().__init__(
            _LAYOUT, reader, traffic, wanted, spool, cut_before=cut_before, moments=StampMoments(), api=api
        )
        self._live = reader
        self._again = reader.twin()
        self._replay = self._again
        self._group = group
        self._events = _NOTHING
        #: the last message of the batch before, and the number of the next event
        self._before = ""
        self._count = 1

    def feed_events(self, events: EventBlock) -> None:
        """Read a batch."""
        self._events = events
        self._number = self._count
        gathered = self._native().gather_events(events.times, events.messages) if self._module is not None else None
        if gathered is not None:
            self._settle_natively(*gathered)
        else:
            self.feed_lines(stamped(events.times, events.messages), self._count)
        self._count += len(events.messages)
        self._before = events.messages[-1]
        self._events = _NOTHING

    def replay(self, lines: list[tuple[Label, bytes]]) -> None:
        """Read a request event by event, as if the file held nothing else."""
        keys = {line[WIDTH : WIDTH + KEY_WIDTH] for _, line in lines}
        key = keys.pop() if len(keys) == 1 else b""
        if KEY.fullmatch(key) is not None:
            words = _LAYOUT.words
            events = [(label, decoded(line[words:]), at_of(line)) for label, line in lines]
            self._again.request_of(key[1:-2].decode(), events, self._group)
            return
        for label, line in lines:
            self._again.execution_event(label, decoded(line[WIDTH:]), at_of(line), self._group)

    def _labels(self, positions: list[int]) -> list[Label] | None:
        events = self._events
        return [events.label(position) for position in positions]

    def _odd(self, at: int, line: bytes) -> None:
        text = self._events.messages[at]
        found = parse_event(text) if text.startswith("(") else None
        if found is not None:
            self._join(f"({found[0]}) ".encode(), at)
            return
        before = parse_event(self._events.messages[at - 1] if at else self._before)
        if before is not None:
            self._live.after(continues=value_may_continue(before[1]))
        events = self._events
        self._live.container_event(wrapped(events, at), events.numbers[at], alone=events.is_alone(at))
