"""One part of the input read on a fast road, in whatever process: what to read, and what was read."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from apigw_doctor.attribution.inconspicuous import inconspicuous, note
from apigw_doctor.evidence.crowd import Crowd
from apigw_doctor.evidence.tables import Evidence, LambdaInvocation
from apigw_doctor.evidence.traffic import Traffic
from apigw_doctor.model.errors import DISK_FULL
from apigw_doctor.sources.access_events import AccessEvents, WrappedAccess
from apigw_doctor.sources.access_layout import AccessLayout
from apigw_doctor.sources.access_road import AccessRoad
from apigw_doctor.sources.crew import cores
from apigw_doctor.sources.event_layout import EventLayout
from apigw_doctor.sources.event_pieces import EventPieces
from apigw_doctor.sources.event_reader import EventReader
from apigw_doctor.sources.event_shapes import EventBlock
from apigw_doctor.sources.execution_events import ExecutionEvents
from apigw_doctor.sources.execution_road import ExecutionRoad
from apigw_doctor.sources.file_reader import FileReader
from apigw_doctor.sources.lambda_containers import LambdaContainer
from apigw_doctor.sources.lambda_layout import LambdaLayout
from apigw_doctor.sources.lambda_road import LambdaRoad
from apigw_doctor.sources.layout import Layout
from apigw_doctor.sources.payload import Payloads
from apigw_doctor.sources.reading import BLOCK_BYTES, BOM, Cut, Input, TooLong, head_text, lines_of, read_blocks
from apigw_doctor.sources.requests import Facts
from apigw_doctor.sources.spool import Spool
from apigw_doctor.sources.survey import Road, Surveyed
from apigw_doctor.sources.wanted import Wanted
from apigw_doctor.sources.wanted_invocations import WantedInvocations

#: Read at once behind a stretch, to find where the next value begins.
_BEHIND = 1 << 16


class Pieces(msgspec.Struct, frozen=True):
    """How the work is cut: into processes, tasks and blocks."""

    #: None: one per core
    processes: int | None = None
    #: a part of a large file, and the least that is worth a task of its own
    part_bytes: int = 128_000_000
    block_bytes: int = 2 * BLOCK_BYTES
    #: of so much text, read line by line, only what is remarkable is kept; and how often the rest is let go
    large_bytes: int = 5_000_000
    sweep_every: int = 8_000
    #: also the invocations of large Lambda logs
    lambda_sweeps: bool = True


#: Of less input smaller parts are made, so that every core has so many; but none smaller than this.
_TASKS_PER_CORE, _LEAST_PART_BYTES = 4, 4_000_000


class Stretch(msgspec.Struct, frozen=True):
    """A file, or a part of it."""

    surveyed: Surveyed
    start: int = 0
    end: int | None = None

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return (self.surveyed.size if self.end is None else self.end) - self.start


class Assignment(msgspec.Struct, frozen=True):
    """What one task reads: stretches of one road, one after the other."""

    number: int
    stretches: tuple[Stretch, ...]


class Shared(msgspec.Struct, frozen=True):
    """What every task needs to know."""

    folder: Path
    wanted: Wanted
    invocations: WantedInvocations
    formats: tuple[str, ...] = ()
    block_bytes: int = BLOCK_BYTES


class StretchRead(msgspec.Struct):
    """How a stretch was read."""

    source: Input
    lines: int = 0
    size: int = 0
    kinds: set[str] = set()
    #: reason -> line of the first, how many
    unread: dict[str, tuple[int, int]] = {}
    #: lines read before a notice, the notice
    notices: list[tuple[int, TooLong | Cut]] = []
    facts: list[Facts] = []
    #: it has to be read by the tolerant reader after all
    unfit: bool = False
    problem: str | None = None


class Portion(msgspec.Struct):
    """What one task read."""

    stretches: list[StretchRead]
    traffic: Traffic
    spool: Spool
    evidence: Evidence
    crowd: Crowd
    rows: list[LambdaInvocation]
    #: the rows as a message, which takes less room and time on its way to another process
    packed: bytes = b""

    def pack(self) -> None:
        """Make ready for the way to another process."""
        with suppress(UnicodeEncodeError):  # half a character stood in a log: the rows go as they are
            self.packed, self.rows = msgspec.msgpack.encode(self.rows), []

    def take_rows(self) -> list[LambdaInvocation]:
        """The rows; they are handed out once."""
        packed, self.packed = self.packed, b""
        return _decode_rows(packed) if packed else self.rows


_decode_rows = msgspec.msgpack.Decoder(list[LambdaInvocation]).decode


def assign(surveyed: list[Surveyed], part_bytes: int) -> Iterator[Assignment]:
    """Cut the files of one road into tasks of about the same size: large ones in parts, small ones together."""
    number = 0
    gathered: list[Stretch] = []
    weight = 0
    whole = sum(one.size if one.parts else one.text_size for one in surveyed)
    tasks = _TASKS_PER_CORE * cores()
    if all(one.road is Road.LAMBDA for one in surveyed):
        tasks *= 2  # files of streams are never cut, and some take much longer than others
    part_bytes = min(part_bytes, max(_LEAST_PART_BYTES, whole // tasks))
    for stretch in (part for one in surveyed for part in _parts(one, part_bytes)):
        size = stretch.size if stretch.surveyed.parts else stretch.surveyed.text_size
        if gathered and weight + size > part_bytes:
            yield Assignment(number, tuple(gathered))
            number, gathered, weight = number + 1, [], 0
        gathered.append(stretch)
        weight += size
    if gathered:
        yield Assignment(number, tuple(gathered))


def _parts(one: Surveyed, part_bytes: int) -> Iterator[Stretch]:
    count = round(one.size / part_bytes) if one.parts and one.road is not Road.LAMBDA else 1
    if count < 2:
        yield Stretch(one)
        return
    cuts = [one.size * at // count for at in range(1, count)]
    for start, end in zip([0, *cuts], [*cuts, None], strict=True):
        yield Stretch(one, start, end)


def read_portion(assignment: Assignment, shared: Shared) -> Portion:
    """Read one assignment."""
    portion = Portion([], Traffic(), Spool(shared.folder / f"slow-{assignment.number}"), Evidence(), Crowd(), [])
    lambda_road = LambdaRoad(shared.invocations)
    for portion.spool.stretch, stretch in enumerate(assignment.stretches):
        payloads = Payloads(shared.formats)
        read = StretchRead(stretch.surveyed.source)
        reader: FileReader
        if isinstance(stretch.surveyed.layout, LambdaLayout):
            payloads, reader = _read_stream(stretch, stretch.surveyed.layout, lambda_road, portion, shared, read)
        elif isinstance(stretch.surveyed.layout, EventLayout):
            reader = _read_events(stretch, stretch.surveyed.layout, payloads, portion, shared, read)
        else:
            reader = FileReader(stretch.surveyed.source, payloads)
            road = _road(stretch, reader, payloads, portion, shared)
            _follow(road, _items(road, stretch, shared.block_bytes), read)
        reader.end()
        read.kinds, read.unread = reader.counted()
        if stretch.surveyed.road is not Road.LAMBDA:
            read.kinds.add("execution-log" if stretch.surveyed.road is Road.EXECUTION else "access-log")
            read.facts = payloads.requests.parts()
            read.unfit = bool(payloads.lambdas.invocations.facts)
        else:
            read.kinds.add("lambda-log")
            read.facts = payloads.requests.parts()
        _join(portion.evidence, payloads.evidence)
        portion.stretches.append(read)
    portion.spool.close()
    portion.pack()
    return portion


def _road(
    stretch: Stretch,
    reader: FileReader,
    payloads: Payloads,
    portion: Portion,
    shared: Shared,
) -> ExecutionRoad | AccessRoad:
    match stretch.surveyed.layout:
        case Layout() as layout:
            cut_before = stretch.start > 0
            return ExecutionRoad(layout, reader, portion.traffic, shared.wanted, portion.spool, cut_before=cut_before)
        case AccessLayout(wrapper=None) as layout:
            return AccessRoad(layout, reader, payloads.access, portion.traffic, shared.wanted, portion.spool)
        case AccessLayout() as layout:
            return WrappedAccess(layout, reader, payloads.access, portion.traffic, shared.wanted, portion.spool)
    raise TypeError(stretch.surveyed.layout)


class _LineByLine:
    """Reads blocks of any input as the tolerant reader does."""

    def __init__(self, reader: FileReader) -> None:
        self._reader = reader

    def feed(self, block: bytes, number: int) -> int:
        """Read a block whose first line has this number; the number after its last."""
        lines = lines_of(block)
        for at, line in enumerate(lines, number):
            self._reader.odd_line(at, line)
        return number + len(lines)

    def finish(self) -> None:
        """Nothing waits."""


def _read_stream(
    stretch: Stretch, layout: LambdaLayout, road: LambdaRoad, portion: Portion, shared: Shared, read: StretchRead
) -> tuple[Payloads, FileReader]:
    """Read the log of one stream; line by line where its invocations cannot be told apart."""
    source, crowd, payloads = stretch.surveyed.source, Crowd(), Payloads(shared.formats)
    reader = FileReader(source, payloads)
    road.begin(layout, reader, payloads, crowd)
    _follow(road, _items(road, stretch, shared.block_bytes), read)
    rows, road.rows = road.rows, []
    if read.unfit:
        crowd, payloads = Crowd(), Payloads(shared.formats)
        reader = FileReader(source, payloads)
        reader.look_ahead(head_text(source))
        again = StretchRead(source)
        _follow(line_by_line := _LineByLine(reader), _items(line_by_line, stretch, shared.block_bytes), again)
        rows = []
        for row in payloads.lambdas.rows():
            if inconspicuous(row) and not shared.invocations.asks_for_row(row):
                note(crowd, row)
            else:
                rows.append(row)
        read.unfit = False
    portion.rows.extend(rows)
    portion.crowd.extend(crowd)
    return payloads, reader


def _read_events(
    stretch: Stretch,
    layout: EventLayout,
    payloads: Payloads,
    portion: Portion,
    shared: Shared,
    read: StretchRead,
) -> EventReader:
    """Read a container, or a part of one."""
    reader = EventReader(stretch.surveyed.source, payloads)
    reader.alone = layout.shape.kind == "lines"
    traffic, wanted, spool = portion.traffic, shared.wanted, portion.spool
    crowd = Crowd()
    road: ExecutionEvents | AccessEvents | LambdaContainer
    if layout.access is not None:
        road = AccessEvents(layout.access, reader, payloads.access, traffic, wanted, spool)
    elif layout.kind == "lambda":
        road = LambdaContainer(reader, payloads, crowd, shared.invocations)
    else:
        road = ExecutionEvents(reader, traffic, wanted, spool, cut_before=stretch.start > 0)
    pieces = EventPieces(stretch.surveyed.source, layout, shared.block_bytes)
    try:
        for item in pieces.items(stretch.start, stretch.end):
            if isinstance(item, EventBlock):
                road.feed_events(item)
            else:
                road.odd(item)
    except OSError as error:
        if error.errno in DISK_FULL:
            raise
        read.problem = f"cannot be read: {error.strerror or error}"
    read.unfit = road.finish() is False
    if isinstance(road, LambdaContainer) and not read.unfit:
        portion.crowd.extend(crowd)
        portion.rows.extend(road.rows())
    read.lines, read.size, read.notices = pieces.lines, pieces.size, pieces.notices
    return reader


def _follow(
    road: ExecutionRoad | AccessRoad | LambdaRoad | _LineByLine,
    items: Iterator[bytes | TooLong | Cut],
    read: StretchRead,
) -> None:
    number = 1
    try:
        for item in items:
            if isinstance(item, bytes):
                read.size += len(item)
                number = road.feed(item, number)
                del item
            else:
                read.notices.append((number - 1, item))
                number += isinstance(item, TooLong)
    except OSError as error:
        if error.errno in DISK_FULL:
            raise
        read.problem = f"cannot be read: {error.strerror or error}"
    read.unfit = road.finish() is False
    read.lines = number - 1


def _items(
    road: ExecutionRoad | AccessRoad | LambdaRoad | _LineByLine, stretch: Stretch, block_bytes: int
) -> Iterator[bytes | TooLong | Cut]:
    """The blocks of a stretch, without the mark that tells UTF-8."""
    first = stretch.start == 0
    for item in _blocks(road, stretch, block_bytes):
        yield item.removeprefix(BOM) if first and isinstance(item, bytes) else item
        first = False


def _blocks(
    road: ExecutionRoad | AccessRoad | LambdaRoad | _LineByLine, stretch: Stretch, block_bytes: int
) -> Iterator[bytes | TooLong | Cut]:
    """The blocks of a stretch. Lines that go on with a value belong to the stretch in which the value began."""
    source, end = stretch.surveyed.source, stretch.end
    if not stretch.surveyed.parts:
        yield from read_blocks(source, block_bytes)
        return
    log = road if isinstance(road, ExecutionRoad) else None
    begun = stretch.start == 0 or log is None
    for item in read_blocks(source, block_bytes, start=stretch.start, end=end):
        if log is not None and not begun and isinstance(item, bytes):
            at = log.first_event(item)
            begun = at is not None
            item = item[at:] if at is not None else b""
        if item:
            yield item
    if end is not None and log is not None and begun:
        yield from _rest_of_value(log, stretch, block_bytes)


def _rest_of_value(log: ExecutionRoad, stretch: Stretch, block_bytes: int) -> Iterator[bytes]:
    """What stands behind the stretch up to the next event."""
    for item in read_blocks(stretch.surveyed.source, min(_BEHIND, block_bytes), start=stretch.end or 0):
        at = log.first_event(item) if isinstance(item, bytes) else None
        if isinstance(item, bytes) and at != 0:
            yield item[:at]
        if at is not None or isinstance(item, Cut):
            return


def _join(evidence: Evidence, other: Evidence) -> None:
    for name in evidence.__struct_fields__:
        value = getattr(other, name)
        if isinstance(value, list) and value:
            getattr(evidence, name).extend(value)
