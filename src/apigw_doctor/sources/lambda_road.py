"""The fast road through uniform Lambda logs: an invocation that ended well becomes one entry of `Crowd`.

The lines of a stream are cut into invocations at each START. One whose lines are of the ordinary kind and that
nobody asks for is reduced to its times; every other one is given to `LambdaLog`, line by line.

Where the native part is there (`native/stream.c`), it gathers the lines and enters what is certainly ordinary; the
rest is given back to `_settle` at its turn. What it enters and what the Python code here enters is the same.
"""

import re
from array import array
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from apigw_doctor.attribution.inconspicuous import call_shape, calls_told, inconspicuous, note, tail_told
from apigw_doctor.attribution.surroundings import SILENT_FROM_MS, STALL_SHARE
from apigw_doctor.evidence.crowd import Crowd
from apigw_doctor.evidence.tables import LambdaInvocation
from apigw_doctor.evidence.traffic import id64
from apigw_doctor.sources.file_reader import FileReader, decoded
from apigw_doctor.sources.lambda_layout import LambdaLayout
from apigw_doctor.sources.lambda_log import LambdaLog
from apigw_doctor.sources.lambda_words import ANY_ID, CRASH
from apigw_doctor.sources.layout import Layout, Moments
from apigw_doctor.sources.native import native
from apigw_doctor.sources.payload import Payloads
from apigw_doctor.sources.reading import lines_of
from apigw_doctor.sources.wanted_invocations import WantedInvocations

if TYPE_CHECKING:
    from apigw_doctor.sources._native import Stream

_START, _END, _REPORT = b"START RequestId: ", b"END RequestId: ", b"REPORT RequestId: "
_INIT = b"INIT_START "
_FIELDS = re.compile(
    rb"REPORT RequestId: ([0-9a-f-]{36})\tDuration: (\d{1,12}\.?\d{0,9}) ms\tBilled Duration: (\d{1,12}) ms"
    rb"\tMemory Size: (\d{1,12}) MB\tMax Memory Used: (\d{1,12}) MB(?:\tInit Duration: (\d{1,12}\.?\d{0,9}) ms)?\t?\s*"
)
_XRAY = re.compile(rb"XRAY TraceId: (1-[0-9a-f]{8}-[0-9a-f]{24})\t")
_UUID_CHARS = 36


class _Stream(msgspec.Struct):
    """How far one stream was read; the native part has the same."""

    position: int = 0
    previous_ended_at: float | None = None
    last_start_at: float = 0.0
    #: lines speak of other invocations than the one that they stand with
    entangled: bool = False
    #: the end of the last invocation was not seen, or the invocation of the last lines
    running: bool = False


class _CallShapes:
    """Shapes of lines that announce a call, numbered as they are met."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._numbers: dict[str, int] = {}

    def number(self, text: bytes) -> int:
        """The number of the text's shape; -1 when it announces no call."""
        called = call_shape(decoded(text))
        if called is None:
            return -1
        number = self._numbers.setdefault(called, len(self.names))
        if number == len(self.names):
            self.names.append(called)
        return number


class LambdaRoad:
    """Reads the files of one stream after the other; `like` is another road that reads for the same."""

    #: lines begin with a stamp (`stamps.py`) instead of a written time
    _stamped = False

    def __init__(self, wanted: WantedInvocations, like: "LambdaRoad | None" = None) -> None:
        self._wanted = wanted
        #: rows of the invocations that are not in the crowd
        self.rows: list[LambdaInvocation] = []
        self._moments: dict[int, Moments] = {}
        self._shapes: _CallShapes = _CallShapes() if like is None else like._shapes
        self._native: Stream | None = None
        if (module := native()) is not None:
            known = None if like is None else like._native
            self._native = module.Stream(wanted.idents, wanted.logged, SILENT_FROM_MS, STALL_SHARE, known)

    def begin(self, layout: LambdaLayout, reader: FileReader, payloads: Payloads, crowd: Crowd) -> None:
        """A new stream, whose ordinary invocations go into `crowd`."""
        self._crowd = crowd
        self._layout = layout
        self._reader, self._payloads = reader, payloads
        self._number = self._crowd.number(layout.function)
        column = layout.column
        self._column = column
        self._at = self._moments.setdefault(column, Moments(Layout(column, timed=True))).of
        self._unit: list[tuple[int, bytes]] = []
        self._started = False
        self._reported = False
        self._request_id = self._start_line = b""
        self._extensions: list[str] = []
        self._stream: _Stream | Stream = _Stream()
        if self._native is not None:
            windows = [self._wanted.windows_of(layout.function, traced=traced) for traced in (False, True)]
            self._native.begin(column, self._stamped, *windows)
            self._stream = self._native

    def _asks(self) -> tuple[Callable[..., None], Callable[[bytes], float | None], Callable[[bytes], int]]:
        """What the native part asks of Python."""
        return self._settle, self._at, self._shapes.number

    def feed(self, block: bytes, number: int) -> int:
        """Read a block that ends at a line's end and whose first line has this number; the number after its last."""
        if self._native is not None:
            number = self._native.feed(block, number, *self._asks())
            self._take()
            return number
        lines = lines_of(block)
        self.feed_lines(enumerate(lines, number))
        return number + len(lines)

    def feed_lines(self, numbered: Iterable[tuple[Any, bytes]]) -> None:
        """Read lines, each with its number, or whatever tells where it stood."""
        column, width = self._column, self._column + 5
        unit = self._unit
        for at, line in numbered:
            kind = line[column:width]
            if kind == b"START" or kind == b"INIT_":
                if self._started or self._reported:
                    self._close()
                    unit = self._unit
                if kind == b"START":
                    self._started = True
                    self._start_line = line
                    self._request_id = line[column + len(_START) : column + len(_START) + _UUID_CHARS]
            elif self._reported and not self._belongs(line):
                self._close()
                unit = self._unit
            if kind == b"REPOR" and (not self._started or self._request_id in line):
                self._reported = True
            unit.append((at, line))

    def _belongs(self, line: bytes) -> bool:
        """A line behind REPORT still speaks of that invocation."""
        if line.startswith(b"XRAY ") or self._request_id in line:
            return True
        at = self._at(line)
        if at is None:
            return True
        begun_at = self._at(self._start_line)
        return b"imed out" in line and begun_at is not None and at >= begun_at

    def finish(self) -> bool:
        """The stream has ended; False when its invocations cannot be told apart: it has to be read otherwise."""
        if self._native is not None:
            self._native.finish(*self._asks())
            self._take()
        elif self._unit:
            self._close()
        names = tuple(dict.fromkeys(self._extensions))
        self.rows = [msgspec.structs.replace(row, extensions=names) for row in self.rows] if names else self.rows
        return not self._stream.entangled

    def _close(self) -> None:
        """An invocation has ended."""
        unit, started = self._unit, self._started
        self._stream.entangled |= self._stream.running
        self._unit, self._started, self._reported = [], False, False
        if not (started and self._entered([line for _, line in unit])):
            self._replay(unit)

    def _settle(self, unit: list[tuple[int, bytes]], may_be_ordinary: bool, request_id: bytes) -> None:
        """An invocation that the native part has not entered has ended."""
        self._take()
        self._request_id = request_id
        if not (may_be_ordinary and self._entered([line for _, line in unit])):
            self._replay(unit)

    def _take(self) -> None:
        """Put what the native part has entered into the crowd."""
        taken = self._native.take() if self._native is not None else None
        if taken is None:
            return
        *columns, called, gaps, with_tail, silent_tail, until = taken
        self._crowd.add_columns(self._number, *columns)
        told = self._crowd.functions[self._number]
        told.with_tail += with_tail
        told.silent_tail += silent_tail
        if until is not None and (told.until is None or until > told.until):
            told.until = until
        names, calls = self._shapes.names, told.calls
        for number, gap in zip(array("I", called), array("d", gaps), strict=True):
            calls.setdefault(names[number], array("d")).append(gap)

    def _entered(self, lines: list[bytes]) -> bool:
        """Enter an ordinary invocation into the crowd; False when it has to be read closely."""
        c, of = self._column, self._at
        first = 1 if lines[0].startswith(_INIT, c) else 0
        trace = _XRAY.match(lines[-1])
        last = len(lines) - (1 if trace is None else 2)
        if last - first < 2 or not (lines[first].startswith(_START, c) and lines[last - 1].startswith(_END, c)):
            return False
        report = _FIELDS.fullmatch(lines[last], c)
        request_id = self._request_id
        if report is None or report[1] != request_id or lines[last - 1][c + len(_END) :].rstrip() != request_id:
            return False
        if lines[first][c + len(_START) + _UUID_CHARS :][:1].strip():
            return False  # the id goes on
        apps = lines[first + 1 : last - 1]
        text = b"\n".join(apps)
        if _in_trouble(text) or (trace is None and b"race" in text.lower()):
            return False
        texts = _texts(apps, c, request_id)
        started_at, ended_at = of(lines[first]), of(lines[last - 1])
        if texts is None or started_at is None or ended_at is None or of(lines[last]) is None:
            return False
        duration_ms, billed, init_ms = float(report[2]), int(report[3]), float(report[6] or 0.0)
        if duration_ms > billed + 1.0 and billed >= 1000 and billed % 1000 == 0 and not init_ms:
            return False  # a killed run of the old format
        begun_at = started_at - init_ms
        if first:
            init_at = of(lines[0])
            if init_at is None or init_at > started_at or init_at <= self._stream.last_start_at + _LATE_MS:
                return False
            if started_at - init_at <= init_ms + _INIT_LEEWAY_MS:
                begun_at = init_at
        times = list(map(of, apps))
        if None in times or self._asked_for(request_id, trace, text, begun_at, ended_at):
            return False
        is_first = self._next(started_at, ended_at, begins=bool(first or init_ms))
        self._crowd.add(
            id64(request_id), self._number, begun_at, started_at, ended_at, duration_ms, duration_ms + init_ms, is_first
        )
        self._tell(times, texts, ended_at, duration_ms)  # type: ignore[arg-type]
        return True

    def _asked_for(
        self, request_id: bytes, trace: re.Match[bytes] | None, text: bytes, begun_at: float, ended_at: float
    ) -> bool:
        wanted = self._wanted
        if id64(request_id) in wanted.idents or (trace is not None and id64(trace[1].decode()) in wanted.idents):
            return True
        rest = text.replace(request_id, b"") if wanted.logged else b""
        if rest and _ID_LIKE.search(rest) is not None and not wanted.logged.isdisjoint(ANY_ID.findall(decoded(rest))):
            return True
        return wanted.asks_for(self._layout.function, begun_at, ended_at, traced=trace is not None)

    def _tell(self, times: list[float], texts: list[bytes], ended_at: float, duration_ms: float) -> None:
        told = self._crowd.functions[self._number]
        if not times:
            return
        last = max(times)
        tail_told(told, ended_at - last, duration_ms)
        if told.until is None or last > told.until:
            told.until = last
        calls_told(told, list(zip(times, map(decoded, texts), strict=True)), ended_at)

    def _next(self, started_at: float, ended_at: float | None, *, begins: bool) -> bool | None:
        """One more invocation of the stream: whether it is the first, where its beginning was seen."""
        stream = self._stream
        if started_at <= stream.last_start_at:
            stream.entangled = True
        is_first = None if stream.position == 0 and not begins else stream.position == 0
        stream.position += 1
        stream.last_start_at = started_at
        stream.previous_ended_at = ended_at
        return is_first

    def _replay(self, unit: list[tuple[int, bytes]]) -> None:
        """Read an invocation line by line."""
        before = self._reader.unread_lines()
        log = self._read(unit)
        rows = log.rows()
        stream = self._stream
        self._extensions += log.extensions()
        unread = self._reader.unread_lines() != before
        if stream.running or unread or not (log.tells_of_one() and self._begins_alone([line for _, line in unit])):
            stream.entangled = True  # it will be read again
        stream.running = log.is_running() or not rows  # an init without its invocation yet
        for row in rows:
            started_at = row.started_at if row.started_at is not None else row.begun_at
            position, previous = stream.position, stream.previous_ended_at
            begins = row.first_in_stream is not None
            is_first = self._next(
                started_at if started_at is not None else stream.last_start_at,
                row.ended_at if row.ended_at is not None else row.reported_at,
                begins=begins,
            )
            placed = msgspec.structs.replace(
                row,
                first_in_stream=is_first,
                position=None if is_first is None else position,
                previous_ended_at=previous,
            )
            if inconspicuous(placed) and not self._wanted.asks_for_row(placed):
                note(self._crowd, placed)
            else:
                self.rows.append(placed)

    def _begins_alone(self, lines: list[bytes]) -> bool:
        """What stands before the invocation's first line says nothing of the one before, and nothing of a crash."""
        until = (self._stream.previous_ended_at or 0.0) + _LATE_MS
        for line in lines:
            at = self._at(line)
            if line.startswith(_START, self._column):
                return True
            if line.startswith(_INIT, self._column):
                return at is not None and at > self._stream.last_start_at + _LATE_MS
            if at is None or at <= until or CRASH.search(decoded(line[self._column :])) is not None:
                return False
        return True

    def _read(self, unit: list[tuple[int, bytes]]) -> LambdaLog:
        self._reader.restart("lambda-log" if self._stream.position else "")
        log = self._payloads.lambdas = LambdaLog()
        column, of = self._column, self._at
        for number, line in unit:
            self._reader.timed_line(number, line, column, of(line))
        return log


def _in_trouble(text: bytes) -> bool:
    """A line may tell of an error, or is one of the platform's own."""
    return (
        b"rror" in text
        or b"xception" in text
        or b"ejection" in text
        or b"xited" in text
        or b"raceback" in text
        or b"imed out" in text
        or b"INIT_REPORT" in text
        or b"RESTORE" in text
        or b"EXTENSION" in text
        or b"TELEMETRY" in text
        or b"LOGS\t" in text
        or b"platform." in text
    )


def _texts(lines: list[bytes], column: int, request_id: bytes) -> list[bytes] | None:
    """What the function itself wrote; None when a line is not of a form that runtimes write."""
    found = []
    for line in lines:
        parts = line[column:].split(b"\t", 3)
        if len(parts) < 4:
            return None
        level, time, request, text = parts
        if request == request_id:
            if level not in _LEVELS_PYTHON or _ISO_LIKE.fullmatch(time) is None:
                return None
        elif time != request_id or request not in _LEVELS_NODE or _ISO_LIKE.fullmatch(level) is None:
            return None
        if text[:1] in _NOT_PLAIN:
            return None
        found.append(text)
    return found


#: Beginnings of texts that may be documents, or are blank.
_NOT_PLAIN = frozenset((b"", b"{", b"[", b"(", b" ", b"\t"))
_INIT_LEEWAY_MS = 2000.0
#: An invocation has lines up to so long behind its end.
_LATE_MS = 5.0
#: The beginning of a UUID, or the end of an extended request id.
_ID_LIKE = re.compile(rb"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-|=(?![\w=])")
_LEVELS_PYTHON = frozenset((b"[DEBUG]", b"[INFO]", b"[WARNING]"))
_LEVELS_NODE = frozenset((b"TRACE", b"DEBUG", b"INFO", b"WARN"))
_ISO_LIKE = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
