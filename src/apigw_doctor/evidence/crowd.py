"""Invocations that ended well, in columns: what the failed ones are compared with.

The sister of `traffic`: times and durations of every unremarkable invocation, and of each function what its
lines told of calls, silences and inits.
"""

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator
from itertools import compress
from operator import eq

import msgspec

from apigw_doctor.evidence.traffic import extremes

#: Column -> type code of `array`; times are epoch ms, durations ms, NaN where unknown. `first` tells whether the
#: invocation was the first of its stream: 1 yes, 0 no, 2 not known.
COLUMNS = {
    "ident": "Q",
    "function": "I",
    "begun_at": "d",
    "started_at": "d",
    "finished_at": "d",
    "duration_ms": "d",
    "own_ms": "d",
    "first": "B",
}
_NAN, _NEVER = float("nan"), float("inf")


class FunctionTold(msgspec.Struct):
    """What all unremarkable invocations of one function told together."""

    name: str | None
    #: shape of a line that announces a call -> times until anything followed, ms
    calls: dict[str, "array[float]"] = {}
    #: invocations with lines of their own, and of those: the ones that ended in a silence holding most of their time
    with_tail: int = 0
    silent_tail: int = 0
    #: last moment that a line of its log spoke of
    until: float | None = None
    init_types: set[str] = set()

    def join(self, other: "FunctionTold") -> None:
        """Add what another reading told."""
        for shape, gaps in other.calls.items():
            self.calls.setdefault(shape, array("d")).extend(gaps)
        self.with_tail += other.with_tail
        self.silent_tail += other.silent_tail
        self.init_types |= other.init_types
        if other.until is not None:
            self.until = other.until if self.until is None else max(self.until, other.until)


class Members(msgspec.Struct):
    """The unremarkable invocations of one function, in order of begin; NaN where unknown."""

    begun_at: "array[float]" = msgspec.field(default_factory=lambda: array("d"))
    started_at: "array[float]" = msgspec.field(default_factory=lambda: array("d"))
    finished_at: "array[float]" = msgspec.field(default_factory=lambda: array("d"))
    duration_ms: "array[float]" = msgspec.field(default_factory=lambda: array("d"))
    own_ms: "array[float]" = msgspec.field(default_factory=lambda: array("d"))
    first: "array[int]" = msgspec.field(default_factory=lambda: array("B"))

    def own_where(self, first: int) -> Iterator[float]:
        """Own times of those whose place in the stream is this: 1 first, 0 later."""
        return (own for own, is_first in zip(self.own_ms, self.first, strict=True) if is_first == first)


class Crowd:
    """Columns of unremarkable invocations, and what is known of their functions."""

    def __init__(self) -> None:
        self.functions: list[FunctionTold] = []
        self._numbers: dict[str | None, int] = {}
        self.ident = array("Q")
        self.function = array("I")
        self.begun_at = array("d")
        self.started_at = array("d")
        self.finished_at = array("d")
        self.duration_ms = array("d")
        self.own_ms = array("d")
        self.first = array("B")
        #: the columns by function, and for how many invocations they were made
        self._members: tuple[int, dict[str | None, Members]] | None = None

    def __len__(self) -> int:
        return len(self.ident)

    def number(self, name: str | None) -> int:
        """The function's number in the column `function`."""
        found = self._numbers.get(name)
        if found is None:
            found = self._numbers[name] = len(self.functions)
            self.functions.append(FunctionTold(name))
        return found

    def add(
        self,
        ident: int,
        function: int,
        begun_at: float | None,
        started_at: float | None,
        finished_at: float | None,
        duration_ms: float | None,
        own_ms: float,
        first: bool | None,
    ) -> None:
        """One more invocation."""
        self.ident.append(ident)
        self.function.append(function)
        self.begun_at.append(_NAN if begun_at is None else begun_at)
        self.started_at.append(_NAN if started_at is None else started_at)
        self.finished_at.append(_NAN if finished_at is None else finished_at)
        self.duration_ms.append(_NAN if duration_ms is None else duration_ms)
        self.own_ms.append(own_ms)
        self.first.append(2 if first is None else first)

    def add_columns(
        self,
        function: int,
        ident: bytes,
        begun_at: bytes,
        started_at: bytes,
        finished_at: bytes,
        duration_ms: bytes,
        own_ms: bytes,
        first: bytes,
    ) -> None:
        """More invocations of one function, as the bytes of the columns."""
        self.ident.frombytes(ident)
        self.function.extend([function] * len(first))
        self.begun_at.frombytes(begun_at)
        self.started_at.frombytes(started_at)
        self.finished_at.frombytes(finished_at)
        self.duration_ms.frombytes(duration_ms)
        self.own_ms.frombytes(own_ms)
        self.first.frombytes(first)

    def extend(self, other: "Crowd") -> None:
        """All invocations of `other`, whose functions may be numbered differently."""
        numbers = [self.number(told.name) for told in other.functions]
        for number, told in zip(numbers, other.functions, strict=True):
            self.functions[number].join(told)
        for name in COLUMNS:
            if name != "function":
                getattr(self, name).extend(getattr(other, name))
        self.function.extend(array("I", map(numbers.__getitem__, other.function)))

    def within(self, holds: Callable[[float | None], bool]) -> "Crowd":
        """The invocations whose begin `holds` accepts; what their functions told stays."""
        return self._chosen(bytes(holds(None if at != at else at) for at in self.begun_at))

    def without(self, idents: set[int]) -> "Crowd":
        """Every invocation once, and none of these."""
        if len(set(self.ident)) == len(self) and idents.isdisjoint(self.ident):
            return self
        known = set(idents)
        keep = bytearray()
        for ident in self.ident:
            keep.append(ident not in known)
            known.add(ident)
        return self._chosen(bytes(keep))

    def _chosen(self, keep: bytes) -> "Crowd":
        found = Crowd()
        found.functions, found._numbers = self.functions, self._numbers
        for name, code in COLUMNS.items():
            setattr(found, name, array(code, compress(getattr(self, name), keep)))
        return found

    def span(self) -> tuple[float, float] | None:
        """First and last moment spoken of."""
        times = [at for column in (self.begun_at, self.finished_at) for at in extremes(column)]
        return (min(times), max(times)) if times else None

    def reported(self) -> int:
        """How many have a duration, which only REPORT tells."""
        return sum(map(eq, self.duration_ms, self.duration_ms))

    def names(self) -> set[str | None]:
        """Functions that have invocations here."""
        return {self.functions[number].name for number in set(self.function)}

    def told(self, name: str | None) -> FunctionTold | None:
        """What is known of the function with this name."""
        number = self._numbers.get(name)
        return None if number is None else self.functions[number]

    def members(self) -> dict[str | None, "Members"]:
        """The columns by function, each in order of begin."""
        if self._members is None or self._members[0] != len(self):
            self._members = len(self), self._by_function()
        return self._members[1]

    def _by_function(self) -> dict[str | None, "Members"]:
        begins = array("d", (at if at == at else _NEVER for at in self.begun_at))
        order = sorted(range(len(self)), key=begins.__getitem__)
        order.sort(key=self.function.__getitem__)
        columns = {name: array(code, map(getattr(self, name).__getitem__, order)) for name, code in COLUMNS.items()}
        found: dict[str | None, Members] = {}
        first = 0
        while first < len(order):
            number = columns["function"][first]
            last = bisect_right(columns["function"], number, lo=first)
            parts = {name: column[first:last] for name, column in columns.items() if name not in ("ident", "function")}
            found[self.functions[number].name] = Members(**parts)
            first = last
        return found

    def records(self) -> Iterator[tuple[object, ...]]:
        """Every invocation as a tuple, its function's name written out; for comparisons."""
        for row in zip(*(getattr(self, name) for name in COLUMNS), strict=True):
            yield (row[0], self.functions[row[1]].name, *(None if value != value else value for value in row[2:]))
