"""Requests that were answered well, in columns: what all of them together tell, without a row for each.

Failures are about one request in a hundred. The others are wanted for counts, percentiles, comparisons and for
knowing whose invocation is whose; some 50 bytes each are enough for that, where a full row takes two thousand.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from itertools import compress
from zlib import crc32

import msgspec

from apigw_doctor.model.terms import ApiType

#: What the evidence of one request held; bits of the column `marks`.
EXECUTION, ACCESS, INFO, TRACE, LATENCY = 1, 2, 4, 8, 16
_NAN = float("nan")


def id64(text: str | bytes) -> int:
    """A stable number below 2**61 for an id: eight bytes instead of a text, the same on every machine.

    Python reduces integers modulo the prime 2**61 - 1, so every character counts.
    """
    data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    return hash(int.from_bytes(data, "little"))


def half_id(text: str | None) -> int:
    """A stable number below 2**32 for an id that stands beside another; 0 for no id."""
    return 0 if text is None else crc32(text.encode("utf-8", "surrogatepass")) or 1


class RequestPlace(msgspec.Struct, frozen=True):
    """What requests of one route share; the fields of `GatewayRequest` of the same names."""

    api_type: ApiType = ApiType.UNKNOWN
    api_id: str | None = None
    stage: str | None = None
    method: str | None = None
    route: str | None = None
    path: str | None = None
    function: str | None = None


#: Column -> type code of `array`. `ident` is the id64 of the plain request id, which a caller can set; `extended` the
#: `half_id` of the extended id (0: not told). Times are epoch ms, durations ms, NaN where unknown; `claim` is the
#: id64 of the Lambda request id, else of the trace root, that ties the request to its invocation (0: none).
COLUMNS = {
    "ident": "Q",
    "extended": "I",
    "claim": "Q",
    "place": "I",
    "arrived_at": "d",
    "ended_at": "d",
    "integration_ms": "d",
    "status": "H",
    "marks": "B",
}


class Traffic:
    """Columns of well-answered requests, and the places that they went to."""

    def __init__(self) -> None:
        self.places: list[RequestPlace] = []
        self._numbers: dict[RequestPlace, int] = {}
        self.ident = array("Q")
        self.extended = array("I")
        self.claim = array("Q")
        self.place = array("I")
        self.arrived_at = array("d")
        self.ended_at = array("d")
        self.integration_ms = array("d")
        self.status = array("H")
        self.marks = array("B")
        #: numbers of the requests and their arrivals in order of time, once somebody asked
        self._order: array[int] | None = None
        self._arrivals = array("d")

    def __len__(self) -> int:
        return len(self.ident)

    def number(self, place: RequestPlace) -> int:
        """The place's number in the column `place`."""
        found = self._numbers.get(place)
        if found is None:
            found = self._numbers[place] = len(self.places)
            self.places.append(place)
        return found

    def add(
        self,
        ident: int,
        extended: int,
        claim: int,
        place: int,
        arrived_at: float | None,
        ended_at: float | None,
        integration_ms: float | None,
        status: int,
        marks: int,
    ) -> None:
        """One more request."""
        self.ident.append(ident)
        self.extended.append(extended)
        self.claim.append(claim)
        self.place.append(place)
        self.arrived_at.append(_NAN if arrived_at is None else arrived_at)
        self.ended_at.append(_NAN if ended_at is None else ended_at)
        self.integration_ms.append(_NAN if integration_ms is None else integration_ms)
        self.status.append(status)
        self.marks.append(marks)

    def take_columns(self, columns: Iterable[bytes]) -> None:
        """Many more requests, in columns of machine values in the order of `COLUMNS`."""
        for name, values in zip(COLUMNS, columns, strict=True):
            getattr(self, name).frombytes(values)

    def extend(self, other: "Traffic") -> None:
        """All requests of `other`, whose places may be numbered differently."""
        numbers = [self.number(place) for place in other.places]
        for name in COLUMNS:
            if name != "place":
                getattr(self, name).extend(getattr(other, name))
        if numbers == list(range(len(numbers))):
            self.place.extend(other.place)
        else:
            self.place.extend(array("I", map(numbers.__getitem__, other.place)))

    def chosen(self, wanted: Iterable[bool | int]) -> "Traffic":
        """The requests for which `wanted`, in their order, is true."""
        found = Traffic()
        found.places, found._numbers = list(self.places), dict(self._numbers)
        keep = bytes(map(bool, wanted))
        for name, code in COLUMNS.items():
            setattr(found, name, array(code, compress(getattr(self, name), keep)))
        return found

    def without(self, left_out: set[int]) -> "Traffic":
        """All requests but those with these numbers, which are few."""
        if not left_out:
            return self
        found = Traffic()
        found.places, found._numbers = list(self.places), dict(self._numbers)
        cuts = sorted(left_out)
        for name in COLUMNS:
            given, kept = getattr(self, name), getattr(found, name)
            for start, end in zip([0, *(cut + 1 for cut in cuts)], [*cuts, len(given)], strict=True):
                kept.extend(given[start:end])
        return found

    def within(self, holds: Callable[[float | None], bool]) -> "Traffic":
        """The requests whose arrival `holds` accepts; an unknown one is given as None."""
        return self.chosen(holds(None if at != at else at) for at in self.arrived_at)

    def near(self, start: float, end: float) -> list[RequestPlace]:
        """Places of the requests that arrived in this span of time, one entry a request."""
        return [self.places[self.place[number]] for number in self.numbers_near(start, end)]

    def numbers_near(self, start: float, end: float) -> list[int]:
        """Numbers of the requests that arrived in this span of time."""
        if self._order is None or len(self._order) != len(self):
            self._order = array("Q", sorted(range(len(self)), key=self.arrived_at.__getitem__))
            self._arrivals = array("d", map(self.arrived_at.__getitem__, self._order))
        low, high = bisect_left(self._arrivals, start), bisect_right(self._arrivals, end)
        return list(self._order[low:high])

    def records(self) -> Iterator[tuple[object, ...]]:
        """Every request as a tuple, its place written out; for comparisons."""
        for row in zip(*(getattr(self, name) for name in COLUMNS), strict=True):
            yield (*row[:3], self.places[row[3]], *(None if value != value else value for value in row[4:]))

    def split(self, marks: int) -> tuple["Traffic", "Traffic"]:
        """The requests that carry these marks, and the others."""
        return (
            self.chosen(seen & marks == marks for seen in self.marks),
            self.chosen(seen & marks != marks for seen in self.marks),
        )

    def count(self, marks: int) -> int:
        """How many requests carry all of these marks."""
        return sum(count for seen, count in self.marked().items() if seen & marks == marks)

    def marked(self) -> dict[int, int]:
        """How many requests carry exactly these marks, for all there are."""
        data = self.marks.tobytes()
        return {seen: data.count(seen) for seen in set(data)}

    def span(self) -> tuple[float, float] | None:
        """First and last moment spoken of."""
        times = [at for column in (self.arrived_at, self.ended_at) for at in extremes(column)]
        return (min(times), max(times)) if times else None


def merged(execution: Traffic, access: Traffic) -> Traffic:
    """Requests of both logs, each once: what both tell of is taken from the execution log."""
    if not len(execution) or not len(access):
        return _each_once(execution if len(execution) else access, by_both=not len(execution) and all(access.extended))
    by_both = bool(len(access)) and all(execution.extended) and all(access.extended)
    found = _each_once(execution, by_both=by_both)
    rest = _each_once(access, by_both=by_both)
    keys, others = list(_keys(found, by_both=by_both)), list(_keys(rest, by_both=by_both))
    told = set(keys).intersection(others)
    if told:
        marks = zip(keys, found.marks, strict=True)
        found.marks = array("B", [mark | ACCESS | LATENCY if key in told else mark for key, mark in marks])
        rest = rest.chosen(key not in told for key in others)
    found.extend(rest)
    return found


def _keys(traffic: Traffic, *, by_both: bool) -> Iterable[int]:
    """What tells requests apart: the plain id, with the extended one where both logs have it."""
    if not by_both:
        return traffic.ident
    return (ident ^ (extended << 29) for ident, extended in zip(traffic.ident, traffic.extended, strict=True))


def _each_once(traffic: Traffic, *, by_both: bool) -> Traffic:
    """The same event given twice counts once, with what all tell; two requests may share a plain id, not the moment."""
    if len(set(traffic.ident)) == len(traffic):
        return traffic
    keys = list(_keys(traffic, by_both=by_both))
    if len(set(keys)) == len(keys):
        return traffic
    known: dict[tuple[int, int, float | None], int] = {}
    keep, marks = bytearray(), traffic.marks[:]
    for number, (key, extended, at) in enumerate(zip(keys, traffic.extended, traffic.arrived_at, strict=True)):
        first = known.setdefault((key, extended, at if at == at else None), number)
        keep.append(first == number)
        marks[first] |= marks[number]
    found = traffic.chosen(keep)
    found.marks = array("B", compress(marks, keep))
    return found


def extremes(column: "array[float]") -> tuple[float, float] | tuple[()]:
    """Smallest and largest value, unknown ones left out."""
    total = sum(column)
    known = column if total == total else array("d", (value for value in column if value == value))
    return (min(known), max(known)) if known else ()
