"""The fast road through uniform execution logs: lines are gathered by request, and most requests end as numbers.

Nothing is interpreted line by line. A block's lines are sorted to their requests by the fixed column of the id;
a request whose lines are all there and of an ordinary course becomes one entry of `Traffic`; every other one is
given, line by line, to the very reader that reads everything else (`FileReader`). Lines that begin otherwise than
the file's layout says go there too, or stay with the line whose value they continue.
"""

import re
from collections.abc import Callable
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from apigw_doctor.evidence.traffic import Traffic
from apigw_doctor.sources.execution_log import value_may_continue
from apigw_doctor.sources.execution_shapes import COMPLETED, EXTENDED, OTHER, STARTED, Plan, Shapes
from apigw_doctor.sources.file_reader import FileReader, decoded
from apigw_doctor.sources.layout import KEY, KEY_WIDTH, Layout, Moments
from apigw_doctor.sources.native import native
from apigw_doctor.sources.ordinary import Ordinary
from apigw_doctor.sources.reading import lines_of
from apigw_doctor.sources.spool import Label, Spool
from apigw_doctor.sources.wanted import Wanted

if TYPE_CHECKING:
    from apigw_doctor.sources._native import Execution

_NEVER = float("inf")
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
    course: tuple[int, ...]
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
        moments: Moments | None = None,
        api: tuple[str | None, str | None] | None = None,
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
        self._moments = moments or Moments(layout)
        self._shapes = Shapes()
        self._key_of = itemgetter(slice(layout.column, layout.column + KEY_WIDTH))
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
        self._ordinary = Ordinary(layout, self._moments, self._shapes, traffic, wanted, api or reader.api_and_stage())
        self._slow_from = wanted.slow_from_ms if spool is not None else _NEVER
        #: keys of requests that other parts of the file spoke of
        self.careful: set[bytes] = set()
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
        first = len(self._traffic)
        spool = self._spool
        origin = (spool.stretch, number) if spool is not None and not self._stamped else None
        columns, slow, others = gatherer.settle((self._waiting, self._parked, self.careful), origin)
        self._traffic.take_columns(columns)
        if spool is not None and origin is not None:
            spool.add_packed(first, *slow)
        elif spool is not None:
            for entry, positions, found in slow:
                piece = Piece(number, positions, found, ())
                spool.add(first + entry, self._numbered([piece]), self._group)
        for key, positions, found, course in others:
            self._wait(key, Piece(number, positions, found, course))
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
            slow_from_ms=self._slow_from,
            moment_of=self._moments.of,
            kind_of=self._shapes.learn,
            plan_of=self._shapes.places_told,
            place_of=self._ordinary.place_told,
            names_invocation=self._ordinary.names_invocation,
            idents=wanted.idents,
            asks_for=wanted.asks_for if wanted.windows else None,
        )
        return self._gatherer

    def finish(self) -> None:
        """Settle what is complete, and give requests that are still under way to the line reader."""
        self._settle()
        for key, pieces in (*self._parked.items(), *self._waiting.items()):
            if not self._end(key, pieces):
                self._close(key, self._numbered(pieces), complete=False)
        self._parked.clear()
        self._waiting.clear()

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
        block, number, plans = self._block, self._number, self._shapes.plans
        # All lines of the block are looked at in one go, while they are in the processor's cache.
        kind_at, words = self._shapes.kind_at, self._words
        kinds = [kind_at(line, words) for line in block]
        for passed in self._passed_here:
            kinds[passed] = OTHER
        self._passed_here.clear()
        for key, positions in fresh.items():
            if len(positions) > 1:
                chosen = itemgetter(*positions)
                piece = Piece(number, positions, chosen(block), chosen(kinds))
                plan = plans.get(piece.course)
                ordinary = plan is not None and plan.usual is not None and key not in waiting and key not in parked
                if ordinary and self._entered(key, plan, piece.lines, [piece]):  # type: ignore[arg-type]
                    continue
            else:
                piece = Piece(number, positions, (block[positions[0]],), (kinds[positions[0]],))
            self._wait(key, piece)
        if self._gatherer is None:
            self._event_before(len(block))
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

    def let_go(self, key: bytes) -> None:
        """Give what is held of a request to the line reader, as another part of the file goes on with it."""
        pieces = self._waiting.pop(key, None) or self._parked.pop(key, None)
        if pieces:
            self._close(key, self._numbered(pieces), complete=False)
            self.careful.add(key)

    def _end(self, key: bytes, pieces: list[Piece]) -> bool:
        """Finish a request if all its lines seem to be there."""
        lines, course = pieces[0].lines, pieces[0].course
        for piece in pieces[1:]:
            lines, course = lines + piece.lines, course + piece.course
        plan = self._shapes.plan(course)
        may_be_cut = self._cut_before and pieces[0].number < _CUT_LINES and EXTENDED not in course
        if plan is not None and not may_be_cut and self._entered(key, plan, lines, pieces):
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

    def _entered(self, key: bytes, plan: Plan, lines: tuple[bytes, ...], pieces: list[Piece]) -> bool:
        """Enter an ordinary request into the traffic; False when it has to be read line by line."""
        entry = self._ordinary.entry(key[1:-2], plan, lines) if key not in self.careful else None
        if entry is None:
            return False
        if self._spool is not None and entry.integration_ms >= self._slow_from:
            self._spool.add(len(self._traffic), self._numbered(pieces), self._group)
        self._traffic.add(*entry)
        return True
