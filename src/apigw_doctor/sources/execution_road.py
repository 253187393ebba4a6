"""The fast road through uniform execution logs: lines are gathered by request, and most requests end as numbers.

Nothing is interpreted line by line. A block's lines are sorted to their requests by the fixed column of the id;
a request whose lines are all there and of an ordinary course becomes one entry of `Traffic`; every other one is
given, line by line, to the very reader that reads everything else (`FileReader`). Lines that begin otherwise than
the file's layout says go there too, or stay with the line whose value they continue.
"""

import re
from collections.abc import Callable
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple
from zlib import crc32

from apigw_doctor.evidence.traffic import EXECUTION, INFO, LATENCY, TRACE, RequestPlace, Traffic, half_id, id64
from apigw_doctor.model.ids import UUID_PATTERN, function_from_uri, trace_root
from apigw_doctor.model.terms import ApiType
from apigw_doctor.sources.execution_log import value_may_continue
from apigw_doctor.sources.execution_shapes import COMPLETED, EXTENDED, KIND_WIDTH, OTHER, STARTED, Plan, Shapes
from apigw_doctor.sources.file_reader import FileReader, decoded
from apigw_doctor.sources.layout import KEY, KEY_WIDTH, Layout, Moments
from apigw_doctor.sources.native import native
from apigw_doctor.sources.reading import lines_of
from apigw_doctor.sources.spool import Label, Spool
from apigw_doctor.sources.wanted import Wanted

if TYPE_CHECKING:
    from apigw_doctor.sources._native import Execution

_METHOD_LINE = re.compile(r"HTTP Method: (\w+), Resource Path: (\S*)")
_KEY_LINE = re.compile(r"method '(\w+) (\S+)'")
_API_STAGE = re.compile(rb"API Stage:? ([\w*]+)/([\w*-]+)")
_STATUS = re.compile(r"\s*(\d{3})")
_RECEIVED = re.compile(rb"Received response\.(?: Status: (\d{1,9}),)? Integration latency: (\d{1,12}) ms")
_UUID = re.compile(UUID_PATTERN.encode())
_HEADER_ID = re.compile(rb"x-amzn-RequestId=(" + UUID_PATTERN.encode() + rb")", re.IGNORECASE)
_HEADER_TRACE = re.compile(rb"X-Amzn-Trace-Id=([^,}]+)", re.IGNORECASE)
_COMPLETED = len("Method completed with status:")
_LAMBDA = len("AWS Integration Endpoint RequestId")
_EXTENDED = len("Extended Request Id: ")
_XRAY = len("X-ray Tracing ID")
_BODY_CHARS = 600
_NEVER = float("inf")
_MAX_CACHED = 20_000
#: Requests that began before a cut have lines among so many behind it, or in the same block.
_CUT_LINES = 2000
#: A request with more lines than these, in more blocks than these, is given to the line reader as it goes.
_MOST_HELD, _MOST_PIECES = 20_000, 5
#: Lines of one value that are kept: of each at least the end counts as a character of the 600 that are wanted.
_MOST_OF_A_VALUE = 1000
_MOST_PARKED, _MOST_ATTACHED = 50_000, 20_000
#: Lines of a pretty-printed body: they can be nothing but more of the value that began before them.
_MORE = (
    rb'(?:[ \t]*(?:"[A-Za-z_$@][^"]{0,80}" ?: .*|[}\]]+,?|"[A-Za-z_$@][^"]*",?|-?\d{1,9}(?:\.\d{1,9})?,?'
    rb"|true,?|false,?|null,?)"
    rb"|[ \t]+[{\[],?)"
)
_MORE_OF_A_VALUE = re.compile(_MORE)
_LINES_OF_A_VALUE = re.compile(_MORE + rb"(?:\n" + _MORE + rb")*+")


class Piece(NamedTuple):
    """Lines of one request that stood in one block: number of the block's first line, places in it, kinds."""

    number: int
    positions: list[int]
    lines: tuple[bytes, ...]
    course: tuple[int | None, ...]
    #: what origins cite, where it is not the lines' numbers
    labels: list[Label] | None = None


class ExecutionRoad:
    """Reads blocks of one uniform file."""

    #: times stand before the lines as `stamps` writes them
    _stamped = False

    def __init__(
        self,
        layout: Layout,
        reader: FileReader,
        traffic: Traffic,
        wanted: Wanted,
        spool: Spool | None,
        *,
        cut_before: bool = False,
    ) -> None:
        #: the file began before what is read here, and so may the first requests
        self._cut_before = cut_before
        self._reader = reader
        #: the log group, where the container of the lines tells it
        self._group: str | None = None
        #: reads requests line by line when they have ended, so that `reader` stays where the file is
        self._replay = reader.twin()
        #: events among odd lines: they wait for the other lines of their requests
        self._passing = reader.pass_events()
        self._passed: dict[int, tuple[str, float | None, str | None]] = {}
        self._passed_here: list[int] = []
        self._last_passed = 0
        self._traffic = traffic
        self._wanted = wanted
        self._spool = spool
        self._layout = layout
        self._words = layout.words
        self._moments = Moments(layout)
        self._shapes = Shapes()
        self._key_of = itemgetter(slice(layout.column, layout.column + KEY_WIDTH))
        self._kind_of = itemgetter(slice(layout.words, layout.words + KIND_WIDTH))
        #: the block at hand: number of its first line, its lines, and the positions of each request's lines
        self._number = 1
        self._block: list[bytes] = []
        self._open: dict[bytes, list[int]] = {}
        #: requests of the block before that may have ended, and older ones of which lines are missing
        self._waiting: dict[bytes, list[Piece]] = {}
        self._parked: dict[bytes, list[Piece]] = {}
        self._sink: list[int] = []
        #: the last line of the layout before the place in the block up to which it was looked for
        self._last_event: tuple[int, bytes] | None = None
        self._looked_at = 0
        #: the last line that was joined to a value, and the line where that value begins
        self._joined: tuple[int, tuple[int, bytes]] = (-1, (-1, b""))
        self._last_live = -1
        #: number of a line -> lines that go on with its value
        self._attached: dict[Label, list[tuple[int, bytes]]] = {}
        self._places: dict[tuple[object, ...], int] = {}
        self._functions: dict[bytes, str | None] = {}
        self._statuses: dict[bytes, int | None] = {}
        #: words of the route's line and of the endpoint, None for one that is no function -> place
        self._usual_places: dict[tuple[bytes, bytes | None], int] = {}
        self._records: list[tuple[int, int, int, int, float, float, float, int, int]] = []
        self._api = reader.api_and_stage()
        self._slow_from = wanted.slow_from_ms
        #: gathers lines and enters the usual requests, where it was built and lines have times; made when it is needed
        self._gatherer: Execution | None = None
        self._module = native() if layout.timed else None
        #: place in the block of the last line of the layout before the odd one at hand; -1 for none
        self._preceding = -1

    def first_event(self, block: bytes) -> int | None:
        """Where the first line of the layout begins in a block; None when it has none."""
        at = 0
        while at < len(block):
            if (
                KEY.match(block, at + self._layout.column) is not None
                and block.find(b"\n", at, at + self._layout.column) < 0
            ):
                return at
            at = block.find(b"\n", at) + 1
            if at == 0:
                break
        return None

    # gathering

    def feed(self, block: bytes, number: int) -> int:
        """Read a block that ends at a line's end and whose first line has this number; the number after its last."""
        if self._module is not None:
            self._number = number
            return number + self._settle_natively(*self._native().gather(block))
        lines = lines_of(block)
        self.feed_lines(lines, number)
        return number + len(lines)

    def feed_lines(self, lines: list[bytes], number: int) -> None:
        """Read lines of which the first one has this number."""
        self._number = number
        if self._module is not None:
            self._settle_natively(*self._native().gather(lines))
            return
        self._block, self._looked_at = lines, 0
        begun, unusual = self._open.get, self._unusual
        for at, found in enumerate(map(begun, map(self._key_of, lines))):
            if found is None:
                found = unusual(at)
            found.append(at)
        self._sink.clear()
        self._settle()

    def _settle_natively(self, count: int, last: int, odd: list[tuple[int, int, int]]) -> int:
        """Go on with what was gathered natively; how many lines there were."""
        gatherer, number = self._native(), self._number
        for at, many, self._preceding in odd:
            if many == 1 or not self._all_attached(at, many):
                for one in range(at, at + many):
                    self._odd(one, gatherer.line(one))
        self._end_waiting(gatherer.holds)
        if last >= 0:
            self._last_event = number + last, gatherer.line(last)
        self._flush()
        first = len(self._traffic)
        columns, slow, others = gatherer.settle(self._waiting, self._parked, self._careful())
        self._traffic.take_columns(columns)
        if self._spool is not None:
            for entry, positions, found in slow:
                piece = Piece(number, positions, found, ())
                self._spool.add(first + entry, self._numbered([piece]), self._group)
        for key, positions, found, course in others:
            self._wait(key, Piece(number, positions, found, course))
        self._flush()
        self._forget()
        return count

    def _native(self) -> "Execution":
        if self._gatherer is not None:
            return self._gatherer
        wanted = self._wanted
        self._gatherer = self._module.Execution(  # type: ignore[union-attr]
            column=self._layout.column,
            words=self._words,
            stamped=self._stamped,
            slow_from_ms=self._slow_from if self._spool is not None else _NEVER,
            moment_of=self._moments.of,
            kind_of=self._shapes.kind_of,
            plan_of=self._shapes.places_told,
            place_of=self._place_told,
            idents=wanted.idents,
            asks_for=wanted.asks_for if wanted.windows else None,
        )
        return self._gatherer

    def _careful(self) -> set[bytes]:
        """Keys of requests that have to be read line by line."""
        return set()

    def finish(self) -> None:
        """Settle what is complete, and give requests that are still under way to the line reader."""
        self._settle()
        for key, pieces in (*self._parked.items(), *self._waiting.items()):
            if not self._end(key, pieces):
                self._close(key, self._numbered(pieces), complete=False)
        self._parked.clear()
        self._waiting.clear()
        self._flush()

    def _unusual(self, at: int) -> list[int]:
        """A line whose key was not met in this block: of a request that begins, or odd."""
        line = self._block[at]
        key = self._key_of(line)
        if KEY.fullmatch(key) is None:
            if line and not line.isspace():
                self._odd(at, line)
            return self._sink
        found = self._open[key] = []
        return found

    def _odd(self, at: int, line: bytes) -> None:
        number = self._number + at
        if number - 1 == self._joined[0]:
            event: tuple[int, bytes] | None = self._joined[1]
            continues = True
        else:
            event = self._event_before(at)
            continues = event is not None and value_may_continue(decoded(event[1][self._words :]))
        # After odd lines since the event the reader knows where it is.
        fresh = event is not None and event[0] > self._last_live
        if event is not None and fresh and continues and self._layout.timed and _MORE_OF_A_VALUE.fullmatch(line):
            self._attach(event[0], number, line)
            self._joined = (number, event)
            return
        if fresh:
            self._reader.after_event(continues=continues, prefixed=self._layout.timed)
        self._last_live = number
        passing = self._passing
        passing.event, passing.went_on = None, False
        self._reader.odd_line(number, line)
        if passing.event is not None:
            self._pass_on(at, *passing.event)
        elif passing.went_on:
            begun = max(event[0] if event is not None else 0, self._last_passed)
            self._attach(begun, number, line)

    def _all_attached(self, at: int, count: int) -> bool:
        """Join odd lines in a row to the value before them; False when they may be something else."""
        if self._number + at - 1 == self._joined[0] or (event := self._event_before(at)) is None:
            return False
        text = self._gatherer.stretch(at, count)  # type: ignore[union-attr]
        if event[0] <= self._last_live or b"\r" in text or _LINES_OF_A_VALUE.fullmatch(text) is None:
            return False
        if not value_may_continue(decoded(event[1][self._words :])):
            return False
        self._attach(event[0], self._number + at, text)
        self._joined = (self._number + at + count - 1, event)
        return True

    def _attach(self, begun: int, number: int, text: bytes) -> None:
        """Lines go on with the value of the event in line `begun`; of a long value the beginning is enough."""
        known = self._attached.setdefault(begun, [])
        if sum(more.count(b"\n") + 1 for _, more in known) < _MOST_OF_A_VALUE:
            known.append((number, b"\n".join(text.split(b"\n", _MOST_OF_A_VALUE)[:_MOST_OF_A_VALUE])))

    def _pass_on(self, at: int, request_id: str, words: str, when: float | None, group: str | None) -> None:
        """An odd line is an event: it joins the others of its request, which is then read line by line."""
        key = f"({request_id}) "
        self._last_passed = self._number + at
        self._passed[self._last_passed] = (key + words, when, group)
        self._join(key.encode(), at)

    def _join(self, key: bytes, at: int) -> None:
        """Give an odd line to a request."""
        if self._gatherer is not None:
            self._gatherer.join(key, at)
        else:
            self._passed_here.append(at)
            self._open.setdefault(key, []).append(at)

    def _event_before(self, at: int) -> tuple[int, bytes] | None:
        """The last line of the layout before this one."""
        if self._gatherer is not None:
            before = self._preceding
            return self._last_event if before < 0 else (self._number + before, self._gatherer.line(before))
        for back in range(at - 1, self._looked_at - 1, -1):
            line = self._block[back]
            if KEY.fullmatch(self._key_of(line)) is not None:
                self._last_event = self._number + back, line
                break
        self._looked_at = at
        return self._last_event

    # settling

    def _settle(self) -> None:
        """Finish requests of the usual course, and every complete one that had no line in the block at hand."""
        fresh, waiting, parked = self._open, self._waiting, self._parked
        self._end_waiting(fresh.__contains__)
        block, number, plans, quickly = self._block, self._number, self._shapes.plans, self._entered_quickly
        # All lines of the block are looked at in one go, while they are in the processor's cache.
        kinds = list(map(self._shapes.kinds.get, map(self._kind_of, block)))
        for passed in self._passed_here:
            kinds[passed] = OTHER
        self._passed_here.clear()
        for key, positions in fresh.items():
            if len(positions) > 1:
                chosen = itemgetter(*positions)
                piece = Piece(number, positions, chosen(block), chosen(kinds))
                plan = plans.get(piece.course)
                ordinary = plan is not None and plan.usual is not None and key not in waiting and key not in parked
                if ordinary and quickly(key, plan, piece.lines, [piece]):  # type: ignore[arg-type]
                    continue
            else:
                piece = Piece(number, positions, (block[positions[0]],), (kinds[positions[0]],))
            self._wait(key, piece)
        if self._gatherer is None:
            self._event_before(len(block))
        self._flush()
        self._forget()

    def _end_waiting(self, goes_on: Callable[[bytes], bool]) -> None:
        """Finish the requests of the block before that have no line in the one at hand."""
        for key in [key for key in self._waiting if not goes_on(key)]:
            pieces = self._waiting.pop(key)
            if not self._end(key, pieces):
                self._parked[key] = pieces

    def _wait(self, key: bytes, piece: Piece) -> None:
        """Keep lines until it is known that no more come."""
        if (labels := self._labels(piece.positions)) is not None:
            piece = piece._replace(labels=labels)
        known = self._waiting.get(key) or self._parked.pop(key, None)
        if known is None:
            self._waiting[key] = [piece]
            return
        known.append(piece)
        if len(known) > _MOST_PIECES and sum(len(one.positions) for one in known) > _MOST_HELD:
            self._close(key, self._numbered(known), complete=False)  # it goes on without end
            known = []
        self._waiting[key] = known

    def _forget(self) -> None:
        """Let go of the block, of values of requests that have ended, and of requests that never end."""
        self._open.clear()
        self._block = []
        if len(self._parked) > _MOST_PARKED:
            for key in list(self._parked)[: _MOST_PARKED // 4]:
                self._close(key, self._numbered(self._parked.pop(key)), complete=False)
        if len(self._attached) > _MOST_ATTACHED:
            under_way = {
                piece.number + position
                for pieces in (*self._waiting.values(), *self._parked.values())
                for piece in pieces
                for position in piece.positions
            }
            self._attached = {at: more for at, more in self._attached.items() if at in under_way}

    def _end(self, key: bytes, pieces: list[Piece]) -> bool:
        """Finish a request if all its lines seem to be there."""
        lines, course = pieces[0].lines, pieces[0].course
        for piece in pieces[1:]:
            lines, course = lines + piece.lines, course + piece.course
        if None in course:  # a kind that was not met yet
            course = tuple([self._shapes.learn(line[self._words :]) for line in lines])
        plan = self._shapes.plan(course)  # type: ignore[arg-type]
        may_be_cut = self._cut_before and pieces[0].number < _CUT_LINES and EXTENDED not in course
        if plan is not None and not may_be_cut:
            if plan.usual is not None and self._entered_quickly(key, plan, lines, pieces):
                return True
            if self._entered(key, plan, lines, pieces):
                return True
        if COMPLETED not in course or STARTED not in course:
            return False
        self._close(key, self._numbered(pieces), complete=not may_be_cut)
        return True

    def _labels(self, positions: list[int]) -> list[Label] | None:
        """What origins cite for these lines of the block at hand; None: their numbers."""
        return None

    def _numbered(self, pieces: list[Piece]) -> list[tuple[Label, bytes]]:
        found: list[tuple[Label, bytes]] = []
        for piece in pieces:
            labels = piece.labels or self._labels(piece.positions)
            found.extend(zip(labels or [piece.number + at for at in piece.positions], piece.lines, strict=True))
        return found

    def _close(self, key: bytes, lines: list[tuple[Label, bytes]], *, complete: bool) -> None:
        """Give a request's lines to the line reader; one that is complete and unremarkable goes into the traffic."""
        whole = lines
        if self._attached and not self._attached.keys().isdisjoint(number for number, _ in lines):
            whole = []
            for number, line in lines:
                whole.append((number, line))
                for first, text in self._attached.pop(number, ()):
                    whole.extend(enumerate(text.split(b"\n"), first))
        self.replay(whole)
        self._flush()
        before = len(self._traffic)
        if complete:
            self._replay.release(key[1:-2].decode(), self._traffic, self._wanted)
        for entry in range(before, len(self._traffic)):
            if self._traffic.integration_ms[entry] >= self._slow_from and self._spool is not None:
                self._spool.add(entry, whole, self._group)

    def replay(self, lines: list[tuple[Label, bytes]]) -> None:
        """Read a request line by line, as if the file held nothing else."""
        reader, timed, column = self._replay, self._layout.timed, self._layout.column
        if timed and self._replayed_at_once(lines):
            return
        before = -1
        for label, line in lines:
            number = int(label)
            at = self._moments.of(line) if timed else None
            if number in self._passed:
                reader.event(number, *self._passed.pop(number))
            elif KEY.fullmatch(self._key_of(line)) is None:
                reader.odd_line(number, line)
            elif at is None and timed:
                if number - 1 != before:  # a damaged time, behind the line of another request
                    reader.after_event(continues=False, prefixed=True)
                reader.odd_line(number, line)
            else:
                reader.event(number, decoded(line[column:]), at)
            before = number

    def _replayed_at_once(self, lines: list[tuple[Label, bytes]]) -> bool:
        """Read the lines together; False when one is odd, so that they have to be read one by one."""
        of, words = self._moments.of, self._words
        events = [(number, line[words:], of(line)) for number, line in lines]
        keys = set(map(self._key_of, [line for _, line in lines]))
        if len(keys) != 1 or KEY.fullmatch(key := keys.pop()) is None or any(at is None for _, _, at in events):
            return False
        self._replay.request(key[1:-2].decode(), [(number, decoded(text), at) for number, text, at in events])
        return True

    # the usual course

    def _entered_quickly(self, key: bytes, plan: Plan, lines: tuple[bytes, ...], pieces: list[Piece]) -> bool:
        """What `_entered` does, for the course of almost all requests: one call of an endpoint, answered."""
        words, of = self._words, self._moments.of
        at_completed, at_received, at_sending, at_uri, at_route, at_extended = plan.usual  # type: ignore[misc]
        completed, received, sending = lines[at_completed], lines[at_received], lines[at_sending]
        status = self._statuses.get(completed[words + _COMPLETED :])
        answer = _RECEIVED.match(received, words)
        endpoint = sending[words + _SENDING :]
        called = endpoint if b":function:" in endpoint else None
        place = self._usual_places.get((lines[at_route][words:], called))
        if status is None or answer is None or place is None or answer[1] not in _GOOD:
            return False
        # The line with the extended id is the first that a gateway writes.
        arrived_at, ended_at = of(lines[0] if at_extended == 0 else min(lines)), of(completed)
        if arrived_at is None or ended_at is None or lines[at_uri][words + _URI :] != endpoint or of(received) is None:
            return False
        if len(plan.uris) > 1 and lines[plan.uris[0]][: self._layout.column] >= sending[: self._layout.column]:
            return False  # the authorizer's endpoint and the integration's at one moment
        claim = self._claim(plan, lines)
        if claim is None:
            return False
        ident, took, wanted = id64(key[1:-2]), float(answer[2]), self._wanted
        if ident in wanted.idents or (wanted.windows and wanted.asks_for(ident, arrived_at)):
            return False
        if took >= self._slow_from and self._spool is not None:
            self._spool.add(len(self._traffic) + len(self._records), self._numbered(pieces), self._group)
        extended = _half_id(lines[at_extended][words + _EXTENDED :])
        self._records.append((ident, extended, claim, place, arrived_at, ended_at, took, status, _USUAL_MARKS))
        return True

    def _flush(self) -> None:
        """Put what was entered quickly into the columns."""
        self._traffic.take(self._records)
        self._records.clear()

    def _entered(self, key: bytes, plan: Plan, lines: tuple[bytes, ...], pieces: list[Piece]) -> bool:
        """Enter the request into the traffic; False when a value is not of the usual form."""
        words = self._words
        status = self._status(lines[plan.completed][words + _COMPLETED :])
        ended_at, arrived_at = self._time(lines[plan.completed]), self._time(min(lines))
        if status is None or (self._layout.timed and (ended_at is None or arrived_at is None)):
            return False
        integration_ms = self._integration_ms(plan, lines, ended_at)
        function = self._function(plan, lines)
        place = self._place(plan, lines, function)
        claim = self._claim(plan, lines)
        if integration_ms is None or place is None or claim is None:
            return False
        request_id = key[1:-2].decode()
        ident = id64(request_id)
        if self._wanted.asks_for(ident, arrived_at):
            return False
        self._flush()
        traffic = self._traffic
        if integration_ms >= self._slow_from and self._spool is not None:
            self._spool.add(len(traffic), self._numbered(pieces), self._group)
        marks = EXECUTION | INFO | (TRACE if plan.traced else 0) | (LATENCY if plan.received >= 0 else 0)
        extended = 0
        if plan.extended >= 0:
            extended = _half_id(lines[plan.extended][self._words + _EXTENDED :])
        traffic.add(ident, extended, claim, place, arrived_at, ended_at, integration_ms, status, marks)
        if plan.usual is not None and None not in self._api:
            self._remember(plan, lines, place)
        return True

    def _remember(self, plan: Plan, lines: tuple[bytes, ...], place: int) -> None:
        """Let the next request with these words be entered quickly."""
        words = self._words
        endpoint = lines[plan.sendings[0]][words + _SENDING :]
        if lines[plan.uris[-1]][words + _URI :] == endpoint:
            called = endpoint if b":function:" in endpoint else None
            _cached(self._usual_places, (lines[plan.route][words:], called), place)

    def _time(self, line: bytes) -> float | None:
        return self._moments.of(line) if self._layout.timed else None

    def _status(self, words: bytes) -> int | None:
        """The status after `Method completed with status:`; None for a failure and for what is no status."""
        try:
            return self._statuses[words]
        except KeyError:
            match = _STATUS.match(words.decode("utf-8", "replace"))
            status = int(match[1]) if match is not None and int(match[1]) < _FAILED else None
            _cached(self._statuses, words, status)
            return status

    def _integration_ms(self, plan: Plan, lines: tuple[bytes, ...], ended_at: float | None) -> float | None:
        if plan.received >= 0:
            match = _RECEIVED.match(lines[plan.received], self._words)
            if match is None or self._time(lines[plan.received]) is None is self._layout.timed:
                return None
            status = int(match[1]) if match[1] else 200
            return float(match[2]) if status < _FAILED and status != _THROTTLED else None
        begun = plan.sendings or (plan.started,)
        times = [self._time(lines[position]) for position in begun]
        if ended_at is None or None in times:
            return None
        return ended_at - max(at for at in times if at is not None)

    def _function(self, plan: Plan, lines: tuple[bytes, ...]) -> str | None:
        """The function of the endpoint that was called last; an HTTP endpoint has none."""
        calls = plan.uris + plan.sendings
        if not calls:
            return None
        position = calls[0]
        if len(calls) > 1 and not self._is_one_endpoint(plan, lines):
            position = max(calls, key=lambda call: self._time(lines[call]) or 0.0)
        line = lines[position]
        uri = line[self._words + (_URI if position in plan.uris else _SENDING) :]
        try:
            return self._functions[uri]
        except KeyError:
            name = function_from_uri(uri.decode("utf-8", "replace"))[0]
            _cached(self._functions, uri, name)
            return name

    def _is_one_endpoint(self, plan: Plan, lines: tuple[bytes, ...]) -> bool:
        """One line announces the very endpoint that the other one calls."""
        if len(plan.uris) != 1 or len(plan.sendings) != 1:
            return False
        words = self._words
        return lines[plan.uris[0]][words + _URI :] == lines[plan.sendings[0]][words + _SENDING :]

    def _place_told(self, course: bytes, lines: tuple[bytes, ...]) -> int | None:
        """The place of a request of a usual course, where the words of its route and endpoint tell all of it."""
        plan = self._shapes.plan(tuple(course))
        if plan is None or None in self._api:
            return None
        return self._place(plan, lines, self._function(plan, lines))

    def _place(self, plan: Plan, lines: tuple[bytes, ...], function: str | None) -> int | None:
        line = lines[plan.route][self._words :]
        api = self._api
        if (api[0] is None or api[1] is None) and plan.usage:
            api = self._api_named([lines[position] for position in plan.usage])
        key = (line if line[:4] == b"HTTP" else _route_words(line), function, api)
        number = self._places.get(key)
        if number is None:
            route = _route_of(line.decode("utf-8", "replace"))
            if route is None:
                return None
            place = RequestPlace(ApiType.REST, api[0], api[1], route[0], route[1], None, function)
            number = _cached(self._places, key, self._traffic.number(place))
        return number

    def _api_named(self, lines: list[bytes]) -> tuple[str | None, str | None]:
        api_id, stage = self._api
        for line in lines:
            if match := _API_STAGE.search(line, self._words):
                if api_id is None and b"*" not in match[1]:
                    api_id = match[1].decode()
                stage = stage if stage is not None else match[2].decode()
        return api_id, stage

    def _claim(self, plan: Plan, lines: tuple[bytes, ...]) -> int | None:
        """The invocation's id, else the trace's; 0 for none, None where the body may name another."""
        if plan.response_headers >= 0:
            headers = lines[plan.response_headers]
            at = headers.find(b"x-amzn-RequestId=")
            match = _HEADER_ID.match(headers, at) if at >= 0 else None
            if match is None and b"x-amzn-requestid=" in headers.lower():
                match = _HEADER_ID.search(headers)
            if match is not None:
                return id64(match[1].lower())
        if plan.response_body >= 0:
            body = lines[plan.response_body]
            if b"Lambda request id: " in body or b"Task timed out" in body or b"RequestId: " in body:
                return None
        if plan.lambda_id >= 0 and (match := _UUID.search(lines[plan.lambda_id], self._words + _LAMBDA)):
            return id64(match[0].lower())
        root = None
        if plan.trace_id >= 0:
            root = self._root(lines[plan.trace_id][self._words + _XRAY :])
        if root is None:
            root = next(filter(None, (self._header_root(lines[position]) for position in plan.headers)), None)
        return id64(root) if root is not None else 0

    def _root(self, words: bytes) -> str | None:
        return trace_root(words.decode("utf-8", "replace"))

    def _header_root(self, line: bytes) -> str | None:
        match = _header(_HEADER_TRACE, b"X-Amzn-Trace-Id=", line)
        return None if match is None else trace_root(match[1].decode("utf-8", "replace"))


_FAILED, _THROTTLED = 500, 429
#: Statuses of an endpoint's answer that are no trouble; none is told by older logs.
_GOOD = frozenset((None, *(str(status).encode() for status in range(200, 429))))
_USUAL_MARKS = EXECUTION | INFO | TRACE | LATENCY
_URI, _SENDING = len("Endpoint request URI: "), len("Sending request to ")


def _half_id(words: bytes) -> int:
    """What `half_id` gives for the text."""
    return crc32(words.strip()) or 1 if words.isascii() else half_id(decoded(words).strip())


def _header(pattern: re.Pattern[bytes], usual: bytes, line: bytes) -> re.Match[bytes] | None:
    """Where a header stands, as it is usually written or in other capitals."""
    at = line.find(usual)
    if at >= 0 and (match := pattern.match(line, at)) is not None:
        return match
    return pattern.search(line) if usual.lower() in line.lower() else None


def _route_words(line: bytes) -> bytes:
    """The part of an API key line that names method and route."""
    at = line.find(b"method '")
    return line[at : line.find(b"'", at + 8) + 1] if at >= 0 else line


def _route_of(words: str) -> tuple[str, str] | None:
    match = _METHOD_LINE.match(words) if words.startswith("HTTP") else _KEY_LINE.search(words)
    return None if match is None else (match[1], match[2])


def _cached(cache: dict[Any, Any], key: object, value: Any) -> Any:  # noqa: ANN401 - any cache
    if len(cache) > _MAX_CACHED:
        cache.clear()
    cache[key] = value
    return value
