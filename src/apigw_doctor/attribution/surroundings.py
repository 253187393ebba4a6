"""What the other invocations and requests tell about one: comparisons that single rows cannot make.

Everything that all requests share is counted once, into sorted lists; each question is then a look-up.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import repeat
from operator import sub
from statistics import median

import msgspec

from apigw_doctor.attribution.calls import names_call, shape
from apigw_doctor.attribution.effective_limit import RouteKey, route_key, stated_timeout
from apigw_doctor.attribution.silence import after_last_line_ms
from apigw_doctor.attribution.timeline import Silence, Surroundings
from apigw_doctor.evidence.crowd import FunctionTold, Members
from apigw_doctor.evidence.tables import Evidence, GatewayRequest, LambdaInvocation
from apigw_doctor.evidence.traffic import LATENCY, Traffic
from apigw_doctor.model.terms import Outcome

#: An invocation that took this share of another's time counts as slow beside it.
_SLOW_SHARE = 0.5
STALL_SHARE = 0.5
#: A shorter silence at the end of an invocation says nothing.
SILENT_FROM_MS = 1000.0
_NEXT = 3
#: Requests that arrive together begin within this time of one another.
_SOON_MS = 500.0
_NEVER = float("inf")


class _Times(msgspec.Struct):
    """Sorted times of a group of invocations; a killed one took for ever."""

    values: Sequence[float]

    @classmethod
    def of(cls, rows: Iterable[LambdaInvocation], others: Iterable[float]) -> "_Times":
        return cls(_sorted([*map(_time, rows), *others]))

    def slow_beside(self, own: LambdaInvocation, *, own_included: bool) -> int:
        least = _SLOW_SHARE * max(_own_time(own), 1.0)
        count = len(self.values) - bisect_left(self.values, least)
        return count - (1 if own_included and _time(own) >= least else 0)


class _Function(msgspec.Struct):
    """All invocations of one function, those with rows and the unremarkable ones."""

    #: begins and times of those with rows, by begin, as far as it is known
    row_begins: Sequence[float]
    row_times: Sequence[float]
    members: Members
    begins: Sequence[float]
    ends: Sequence[float]
    until: float | None
    times: _Times
    firsts: _Times
    laters: _Times
    well_ms: Sequence[float]
    usual_concurrency: float | None
    always_silent: bool
    #: shape of a call line -> how long until anything followed, sorted
    calls: dict[str, Sequence[float]]
    all_calls: Sequence[float]


class _Route(msgspec.Struct):
    """All requests of one route."""

    well: int = 0
    timed_out: int = 0
    #: the two longest integration times of well-answered requests
    longest: list[float] = []


class Neighbourhood:
    """Answers for every request of one evidence; indexes are made once."""

    def __init__(self, evidence: Evidence) -> None:
        by_function: dict[str | None, list[LambdaInvocation]] = defaultdict(list)
        for row in evidence.invocations:
            by_function[row.function].append(row)
        members = evidence.crowd.members()
        self._functions = {
            name: _prepare(rows, members.get(name) or Members(), evidence.crowd.told(name) or FunctionTold(name))
            for name, rows in by_function.items()
        }
        self._routes: dict[RouteKey, _Route] = defaultdict(_Route)
        for request in evidence.requests:
            _add(self._routes[route_key(request)], request)
        self._add_traffic(evidence.traffic)

    def _add_traffic(self, traffic: Traffic) -> None:
        longest: dict[int, float] = {}
        for number, took, marks in zip(traffic.place, traffic.integration_ms, traffic.marks, strict=True):
            if marks & LATENCY and took > longest.get(number, -1.0):
                longest[number] = took
        for number, count in Counter(traffic.place).items():
            place = traffic.places[number]
            route = self._routes[(place.api_id, place.stage, place.method, place.route or place.function)]
            route.well += count
            if number in longest:
                # The request that asks is not among them: one longest is enough.
                route.longest = sorted([*route.longest, longest[number]], reverse=True)[:2]

    def of(
        self, request: GatewayRequest | None, invocation: LambdaInvocation | None, silence: Silence | None
    ) -> Surroundings:
        """The surroundings of one request and its invocation."""
        found = Surroundings()
        if request is not None:
            found = self._route(found, request)
        if invocation is not None:
            function = self._functions[invocation.function]
            found = _function(found, function, invocation)
            if silence is not None:
                found = _targets(found, function, invocation, silence)
        return found

    def log_until(self, invocation: LambdaInvocation) -> float | None:
        """The last moment that the log of the invocation's function speaks of."""
        return self._functions[invocation.function].until

    def _route(self, found: Surroundings, request: GatewayRequest) -> Surroundings:
        route = self._routes[route_key(request)]
        own_well, own_timeout = _answered_well(request), stated_timeout(request)
        longest = list(route.longest)
        if own_well and request.integration_latency_ms in longest:
            longest.remove(request.integration_latency_ms)
        return msgspec.structs.replace(
            found,
            same_route_ok=route.well - own_well,
            same_route_timed_out=route.timed_out - own_timeout,
            same_route_max_ok_ms=longest[0] if longest else None,
        )


def _add(route: _Route, request: GatewayRequest) -> None:
    route.timed_out += stated_timeout(request)
    if not _answered_well(request):
        return
    route.well += 1
    if request.integration_latency_ms is not None:
        route.longest = sorted([*route.longest, request.integration_latency_ms], reverse=True)[:2]


def _answered_well(request: GatewayRequest) -> bool:
    return request.status is not None and request.status < 500 and not stated_timeout(request)


def _prepare(rows: list[LambdaInvocation], members: Members, told: FunctionTold) -> _Function:
    known = [(begun, row) for row in rows if (begun := row.begun_at) is not None]
    known.sort(key=lambda item: item[0])
    row_begins = array("d", (begun for begun, _ in known))
    begins = _sorted([*row_begins, *_known(members.begun_at)])
    ends = _sorted([*(ended for row in rows if (ended := row.finished_at) is not None), *_known(members.finished_at)])
    well_begins = [*(begun for begun, row in known if _well(row)), *_known(members.begun_at)]
    begun_by_then = map(bisect_right, repeat(begins), well_begins)
    ended_before = map(bisect_left, repeat(ends), well_begins)
    counts = list(map(sub, begun_by_then, ended_before))
    calls = _calls(rows, told)
    lasts = [line.at for row in rows for line in row.lines[-1:] if line.at]
    durations = [row.duration_ms for row in rows if _well(row) and row.duration_ms is not None]
    return _Function(
        row_begins=row_begins,
        row_times=array("d", (_time(row) for _, row in known)),
        members=members,
        begins=begins,
        ends=ends,
        until=max([*ends[-1:], *begins[-1:], *lasts, *([told.until] if told.until is not None else [])], default=None),
        times=_Times.of(rows, members.own_ms),
        firsts=_Times.of((row for row in rows if row.first_in_stream), members.own_where(1)),
        laters=_Times.of((row for row in rows if row.first_in_stream is False), members.own_where(0)),
        well_ms=_sorted([*durations, *_known(members.duration_ms)]),
        usual_concurrency=float(median(counts)) if counts else None,
        always_silent=_always_silent(rows, told),
        calls=calls,
        all_calls=_sorted([gap for gaps in calls.values() for gap in gaps]),
    )


def _sorted(values: list[float]) -> Sequence[float]:
    """In order, in eight bytes each."""
    return array("d", sorted(values))


def _known(column: "array[float]") -> Iterable[float]:
    return (value for value in column if value == value)


def _calls(rows: list[LambdaInvocation], told: FunctionTold) -> dict[str, Sequence[float]]:
    found: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        lines = [line for line in row.lines if not line.extension and line.at is not None]
        for number, line in enumerate(lines):
            if not names_call(line.text):
                continue
            at = line.at or 0.0
            if number + 1 < len(lines):
                gap = (lines[number + 1].at or 0.0) - at
            else:
                gap = row.finished_at - at if _well(row) and row.finished_at is not None else _NEVER
            found[shape(line.text)].append(gap)
    for called, gaps in told.calls.items():
        found[called].extend(gaps)
    return {called: _sorted(gaps) for called, gaps in found.items()}


def _running(begins: Sequence[float], ends: Sequence[float], at: float) -> int:
    """How many run at that moment, one that begins then included."""
    return bisect_right(begins, at) - bisect_left(ends, at)


def _always_silent(rows: list[LambdaInvocation], told: FunctionTold) -> bool:
    """Every invocation with lines of its own ends in a silence that holds most of its time."""
    tails = [
        (tail, row.duration_ms or 0.0)
        for row in rows
        if (tail := after_last_line_ms(row)) is not None and row.duration_ms
    ]
    silent = sum(is_silent(tail, duration) for tail, duration in tails) + told.silent_tail
    return len(tails) + told.with_tail >= 2 and silent == len(tails) + told.with_tail


def is_silent(tail_ms: float, duration_ms: float) -> bool:
    """The silence at an invocation's end holds most of its time."""
    return tail_ms > SILENT_FROM_MS and tail_ms > STALL_SHARE * duration_ms


def _well(row: LambdaInvocation) -> bool:
    return row.outcome is Outcome.SUCCESS


def _own_time(row: LambdaInvocation) -> float:
    return (row.duration_ms or 0.0) + (row.init_ms or 0.0) + (row.restore_ms or 0.0)


def _time(row: LambdaInvocation) -> float:
    return _NEVER if row.outcome is Outcome.TIMEOUT else _own_time(row)


def _function(found: Surroundings, function: _Function, own: LambdaInvocation) -> Surroundings:
    begun = own.begun_at
    before = bisect_right(function.ends, begun) if begun is not None else 0
    durations = function.well_ms
    own_place = bisect_left(durations, own.duration_ms) if _well(own) and own.duration_ms is not None else None
    following = _following(function, own)
    least = _SLOW_SHARE * max(_own_time(own), 1.0)
    return msgspec.structs.replace(
        found,
        same_function=len(function.times.values) - 1,
        same_function_slow=function.times.slow_beside(own, own_included=True),
        same_function_median_ms=_median(durations, own_place),
        same_function_max_ms=_longest(durations, own_place),
        idle_before_ms=begun - function.ends[before - 1] if begun is not None and before else None,
        fast_afterwards=None if not following else not any(time >= least for time in following),
        concurrency=_running(function.begins, function.ends, begun + _SOON_MS) if begun is not None else None,
        usual_concurrency=function.usual_concurrency,
        always_silent_after_last_line=function.always_silent,
        firsts=len(function.firsts.values),
        firsts_slow=function.firsts.slow_beside(own, own_included=False),
        laters=len(function.laters.values),
        laters_slow=function.laters.slow_beside(own, own_included=False),
    )


def _median(values: Sequence[float], without: int | None) -> float | None:
    """The median of sorted values, one of them left out."""
    count = len(values) - (without is not None)
    if count < 1:
        return None

    def at(place: int) -> float:
        return values[place + 1 if without is not None and place >= without else place]

    return float(at(count // 2) if count % 2 else (at(count // 2 - 1) + at(count // 2)) / 2.0)


def _longest(values: Sequence[float], without: int | None) -> float | None:
    last = len(values) - 1
    last -= last == without
    return values[last] if last >= 0 else None


def _following(function: _Function, own: LambdaInvocation) -> list[float]:
    """Times of the next invocations after this one, by begin; a killed one took for ever.

    What began while this one ran met the same trouble, and says nothing of afterwards.
    """
    begun = own.begun_at
    if begun is None:
        return []
    over = max(begun, own.finished_at or begun)
    start = bisect_right(function.row_begins, over)
    last = start + _NEXT
    near = list(zip(function.row_begins[start:last], function.row_times[start:last], strict=True))
    members = function.members
    start = bisect_right(members.begun_at, over)
    near += [
        (members.begun_at[place], members.own_ms[place])
        for place in range(start, min(start + _NEXT, len(members.begun_at)))
        if members.begun_at[place] == members.begun_at[place]
    ]
    near.sort(key=lambda item: item[0])
    return [time for _, time in near[:_NEXT]]


def _targets(found: Surroundings, function: _Function, own: LambdaInvocation, silence: Silence) -> Surroundings:
    """Count calls of other invocations, to the same target and to others, that returned or stalled."""
    enough = STALL_SHARE * silence.duration_ms
    same = function.calls.get(shape(silence.last_line), ())
    returned = bisect_left(same, enough)
    # The silence's own line is among the stalled ones when it names a call.
    stalled = len(same) - returned - (1 if names_call(silence.last_line) else 0)
    return msgspec.structs.replace(
        found,
        same_target_returned=returned,
        same_target_stalled=max(stalled, 0),
        other_targets_returned=bisect_left(function.all_calls, enough) - returned,
    )
