"""The calls to a function in the order of time, and what they meet: environments, and limits of concurrency."""

import msgspec

from apigw_doctor.lab.scenarios import kit
from apigw_doctor.lab.scenarios.course import Clocks, Course, Ending, Part
from apigw_doctor.lab.scenarios.incident import Call, Draw
from apigw_doctor.lab.setup import LabFunction
from apigw_doctor.model.terms import Layer


def unreachable(service: str, words: str, *, cause: str, **step: object) -> Part:
    """A call whose connection is never made: the service's relay must have a `BlackHole`."""
    part = kit.dependency(service, words, kit.NEVER, cause=cause, **step)  # type: ignore[arg-type]
    return msgspec.structs.replace(part, layer=Layer.NETWORK)


def note(text: str) -> Part:
    """A line in the log that takes no time."""
    return kit.work(0.0, say=text)


class Traffic:
    """The calls to one function in the order of their times; knows which of them begin in a new environment.

    It keeps book of environments as the function host does: an idle one is taken again, one that was killed or whose
    process ended is gone, and above the reserved concurrency Lambda refuses. A call that would arrive just when an
    environment becomes free comes a little later, so that the outcome does not hang on milliseconds.
    """

    _APART_MS, _CLEAR_MS = 150.0, 400.0
    THROTTLED = Ending(cause="function-throttled", layer=Layer.CAPACITY)

    def __init__(
        self,
        draw: Draw,
        one: LabFunction,
        clocks: Clocks,
        method: str,
        path: str,
        *,
        init: tuple[float, float] = (180, 420),
    ) -> None:
        self.calls: list[Call] = []
        self._draw, self._function, self._clocks = draw, one, clocks
        self._method, self._path, self._init = method, path, init
        self._last_ms = 0.0
        #: until when environments are busy, and whether they are there afterwards
        self._busy: list[tuple[float, bool]] = []
        self._idle = one.provisioned_concurrency

    def add(
        self,
        at_ms: float,
        *run: Part,
        init: tuple[Part, ...] | None = None,
        first: tuple[Part, ...] = (),
        new: bool = False,
        ending: Ending | None = None,
        exits: bool = False,
        **fields: object,
    ) -> Call:
        """A call.

        `init` and `first` are what a new environment does before and within the invocation; `new` makes sure that it
        is one; `exits`: its process ends.
        """
        at_ms = self._clear(at_ms)
        call: dict[str, object] = {"at_ms": at_ms, "method": self._method, "path": self._path} | fields
        reserved = self._function.reserved_concurrency
        if reserved is not None and len(self._busy) >= reserved:
            course = Course(clocks=self._clocks, invoked=False, ending=self.THROTTLED)
            return self._append(Call(course=course, **call))  # type: ignore[arg-type]
        cold = new or not self._idle
        begins = (kit.init(self._draw.between(*self._init)),) if init is None else init
        course = Course(
            clocks=self._clocks, init=begins if cold else (), run=(*first, *run) if cold else run, ending=ending
        )
        self._idle -= not cold
        self._busy.append(self._ends(at_ms, course, exits=exits))
        return self._append(Call(course=course, cold=cold, **call))  # type: ignore[arg-type]

    def running(self, at_ms: float) -> int:
        """How many environments are at work then."""
        return sum(until_ms > at_ms for until_ms, _ in self._busy)

    def _append(self, call: Call) -> Call:
        self.calls.append(call)
        return call

    def _ends(self, at_ms: float, course: Course, *, exits: bool) -> tuple[float, bool]:
        init_ms, run_ms = sum(part.ms for part in course.init), sum(part.ms for part in course.run)
        if course.clocks.init_ms is not None and init_ms > course.clocks.init_ms:
            init_ms, run_ms = course.clocks.init_ms, init_ms + run_ms
        # An extension's work counts against the function's timeout, too.
        spent_ms = run_ms + self._function.extension_ms
        most_ms = spent_ms if course.clocks.function_ms is None else course.clocks.function_ms
        return at_ms + init_ms + min(spent_ms, most_ms), spent_ms <= most_ms and not exits

    def _clear(self, at_ms: float) -> float:
        """The moment, put off while it lies next to an end or to the call before."""
        at_ms = max(at_ms, self._last_ms + self._APART_MS)
        while any(abs(at_ms - until_ms) < self._CLEAR_MS for until_ms, _ in self._busy):
            at_ms += self._CLEAR_MS / 2
        self._last_ms = at_ms
        self._idle += sum(lasts for until_ms, lasts in self._busy if until_ms <= at_ms)
        self._busy = [one for one in self._busy if one[0] > at_ms]
        return at_ms


def some(draw: Draw, share: float, *, least: int = 2, after: int = 3) -> frozenset[int]:
    """The numbers of the calls that fail: a share of all, `least` of them, and not the first."""
    numbers = range(min(after, draw.requests - 1), draw.requests)
    return frozenset(draw.chance.sample(numbers, min(max(round(draw.requests * share), least), len(numbers))))


def merged(*traffic: Traffic) -> tuple[Call, ...]:
    """The calls of several functions in one order of time."""
    return tuple(sorted((call for one in traffic for call in one.calls), key=lambda call: call.at_ms))
