"""Invocations that ended well, in columns: what the failed ones are compared with.

The sister of `traffic`: times and durations of every unremarkable invocation, and of each function what its
lines told of calls, silences and inits.
"""

from array import array
from collections.abc import Iterator
from itertools import compress

import msgspec

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
_NAN = float("nan")


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
    reported: int = 0
    init_types: set[str] = set()

    def join(self, other: "FunctionTold") -> None:
        """Add what another reading told."""
        for shape, gaps in other.calls.items():
            self.calls.setdefault(shape, array("d")).extend(gaps)
        self.with_tail += other.with_tail
        self.silent_tail += other.silent_tail
        self.reported += other.reported
        self.init_types |= other.init_types
        if other.until is not None:
            self.until = other.until if self.until is None else max(self.until, other.until)


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

    def __len__(self) -> int:
        return len(self.ident)

    def number(self, name: str | None) -> int:
        """The function's number in the column `function`."""
        found = self._numbers.get(name)
        if found is None:
            found = self._numbers[name] = len(self.functions)
            self.functions.append(FunctionTold(name))
        return found

    def add(  # noqa: PLR0913 - one value a column
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

    def extend(self, other: "Crowd") -> None:
        """All invocations of `other`, whose functions may be numbered differently."""
        numbers = [self.number(told.name) for told in other.functions]
        for number, told in zip(numbers, other.functions, strict=True):
            self.functions[number].join(told)
        for name in COLUMNS:
            if name != "function":
                getattr(self, name).extend(getattr(other, name))
        self.function.extend(array("I", map(numbers.__getitem__, other.function)))

    def names(self) -> set[str | None]:
        """Functions that have invocations here."""
        return {self.functions[number].name for number in set(self.function)}

    def told(self, name: str | None) -> FunctionTold | None:
        """What is known of the function with this name."""
        number = self._numbers.get(name)
        return None if number is None else self.functions[number]

    def of(self, name: str | None, column: str, *, first: int | None = None) -> "array[float]":
        """Known values of one column for one function; with `first` only where that column has this value."""
        number = self._numbers.get(name)
        values: array[float] = getattr(self, column)
        if number is None:
            return array("d")
        if first is None:
            mine = [at == number for at in self.function]
        else:
            mine = [at == number and is_first == first for at, is_first in zip(self.function, self.first, strict=True)]
        return array("d", (value for value in compress(values, mine) if value == value))

    def records(self) -> Iterator[tuple[object, ...]]:
        """Every invocation as a tuple, its function's name written out; for comparisons."""
        for row in zip(*(getattr(self, name) for name in COLUMNS), strict=True):
            yield (row[0], self.functions[row[1]].name, *(None if value != value else value for value in row[2:]))
