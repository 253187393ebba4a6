"""What the other invocations and requests tell about one: comparisons that single rows cannot make.

Everything that all requests share is counted once, into sorted lists; each question is then a look-up.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable
from statistics import median

import msgspec

from apigw_doctor.attribution.calls import names_call, shape
from apigw_doctor.attribution.effective_limit import RouteKey, route_key, stated_timeout
from apigw_doctor.attribution.silence import after_last_line_ms
from apigw_doctor.attribution.timeline import Silence, Surroundings
from apigw_doctor.evidence.tables import Evidence, GatewayRequest, LambdaInvocation
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

    values: list[float]

    @classmethod
    def of(cls, rows: Iterable[LambdaInvocation]) -> "_Times":
        return cls(sorted(_time(row) for row in rows))

    def slow_beside(self, own: LambdaInvocation, *, own_included: bool) -> int:
        least = _SLOW_SHARE * max(_own_time(own), 1.0)
        count = len(self.values) - bisect_left(self.values, least)
        return count - (1 if own_included and _time(own) >= least else 0)


class _Function(msgspec.Struct):
    """All invocations of one function, by begin."""

    rows: list[LambdaInvocation]
    begins: list[float]
    ends: list[float]
    until: float | None
    times: _Times
    firsts: _Times
    laters: _Times
    well_ms: list[float]
    usual_concurrency: float | None
    always_silent: bool
    #: shape of a call line -> how long until anything followed, sorted
    calls: dict[str, list[float]]
    all_calls: list[float]


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
        self._functions = {name: _prepare(rows) for name, rows in by_function.items()}
        self._routes: dict[RouteKey, _Route] = defaultdict(_Route)
        for request in evidence.requests:
            _add(self._routes[route_key(request)], request)

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


def _prepare(rows: list[LambdaInvocation]) -> _Function:
    ordered = sorted(rows, key=lambda row: row.begun_at if row.begun_at is not None else _NEVER)
    begins = [row.begun_at for row in ordered if row.begun_at is not None]
    ends = sorted(row.finished_at for row in ordered if row.finished_at is not None)
    counts = [_running(begins, ends, row.begun_at) for row in ordered if row.begun_at is not None and _well(row)]
    calls = _calls(rows)
    return _Function(
        rows=ordered,
        begins=begins,
        ends=ends,
        until=max([*ends, *begins, *(line.at for row in rows for line in row.lines[-1:] if line.at)], default=None),
        times=_Times.of(rows),
        firsts=_Times.of(row for row in rows if row.first_in_stream),
        laters=_Times.of(row for row in rows if row.first_in_stream is False),
        well_ms=sorted(row.duration_ms for row in rows if _well(row) and row.duration_ms is not None),
        usual_concurrency=float(median(counts)) if counts else None,
        always_silent=_always_silent(rows),
        calls=calls,
        all_calls=sorted(gap for gaps in calls.values() for gap in gaps),
    )


def _calls(rows: list[LambdaInvocation]) -> dict[str, list[float]]:
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
    for gaps in found.values():
        gaps.sort()
    return dict(found)


def _running(begins: list[float], ends: list[float], at: float) -> int:
    """How many run at that moment, one that begins then included."""
    return bisect_right(begins, at) - bisect_left(ends, at)


def _always_silent(rows: list[LambdaInvocation]) -> bool:
    """Every invocation with lines of its own ends in a silence that holds most of its time."""
    tails = [
        (tail, row.duration_ms or 0.0)
        for row in rows
        if (tail := after_last_line_ms(row)) is not None and row.duration_ms
    ]
    return len(tails) >= 2 and all(tail > SILENT_FROM_MS and tail > STALL_SHARE * duration for tail, duration in tails)


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
    if _well(own) and own.duration_ms is not None:
        durations = list(durations)
        durations.remove(own.duration_ms)
    following = _following(function, own)
    return msgspec.structs.replace(
        found,
        same_function=len(function.rows) - 1,
        same_function_slow=function.times.slow_beside(own, own_included=True),
        same_function_median_ms=float(median(durations)) if durations else None,
        same_function_max_ms=durations[-1] if durations else None,
        idle_before_ms=begun - function.ends[before - 1] if begun is not None and before else None,
        fast_afterwards=None if not following else not any(_slow(row, own) for row in following),
        concurrency=_running(function.begins, function.ends, begun + _SOON_MS) if begun is not None else None,
        usual_concurrency=function.usual_concurrency,
        always_silent_after_last_line=function.always_silent,
        firsts=len(function.firsts.values),
        firsts_slow=function.firsts.slow_beside(own, own_included=False),
        laters=len(function.laters.values),
        laters_slow=function.laters.slow_beside(own, own_included=False),
    )


def _following(function: _Function, own: LambdaInvocation) -> list[LambdaInvocation]:
    if own.begun_at is None:
        return []
    start = bisect_right(function.begins, own.begun_at)
    return [row for row in function.rows[start : start + _NEXT] if row.begun_at is not None]


def _slow(row: LambdaInvocation, beside: LambdaInvocation) -> bool:
    return _time(row) >= _SLOW_SHARE * max(_own_time(beside), 1.0)


def _targets(found: Surroundings, function: _Function, own: LambdaInvocation, silence: Silence) -> Surroundings:
    """Count calls of other invocations, to the same target and to others, that returned or stalled."""
    enough = STALL_SHARE * silence.duration_ms
    same = function.calls.get(shape(silence.last_line), [])
    returned = bisect_left(same, enough)
    # The silence's own line is among the stalled ones when it names a call.
    stalled = len(same) - returned - (1 if names_call(silence.last_line) else 0)
    return msgspec.structs.replace(
        found,
        same_target_returned=returned,
        same_target_stalled=max(stalled, 0),
        other_targets_returned=bisect_left(function.all_calls, enough) - returned,
    )
