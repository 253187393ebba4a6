"""What the other invocations and requests tell about one: comparisons that single rows cannot make."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from statistics import median

import msgspec

from apigw_doctor.attribution.calls import names_call, shape
from apigw_doctor.attribution.effective_limit import RouteKey, route_key, stated_timeout
from apigw_doctor.attribution.silence import after_last_line_ms
from apigw_doctor.attribution.timeline import Silence, Surroundings
from apigw_doctor.evidence.tables import AppLine, Evidence, GatewayRequest, LambdaInvocation
from apigw_doctor.model.terms import Outcome

#: An invocation that took this share of another's time counts as slow beside it.
_SLOW_SHARE = 0.5
_STALL_SHARE = 0.5
_NEXT = 3
#: Requests that arrive together begin within this time of one another.
_SOON_MS = 500.0


class _Function(msgspec.Struct):
    """All invocations of one function, by begin."""

    rows: list[LambdaInvocation]
    begins: list[float]
    ends: list[float]
    usual_concurrency: float | None
    always_silent: bool


class Neighbourhood:
    """Answers for every request of one evidence; indexes are made once."""

    def __init__(self, evidence: Evidence) -> None:
        by_function: dict[str | None, list[LambdaInvocation]] = defaultdict(list)
        for row in evidence.invocations:
            by_function[row.function].append(row)
        self._functions = {name: _prepare(rows) for name, rows in by_function.items()}
        self._routes: dict[RouteKey, list[GatewayRequest]] = defaultdict(list)
        for request in evidence.requests:
            self._routes[route_key(request)].append(request)

    def of(
        self, request: GatewayRequest | None, invocation: LambdaInvocation | None, silence: Silence | None
    ) -> Surroundings:
        """The surroundings of one request and its invocation."""
        found = Surroundings()
        if request is not None:
            found = self._route(found, request)
        if invocation is not None:
            function = self._functions[invocation.function]
            found = _streams(_function(found, function, invocation), function, invocation)
            if silence is not None:
                found = _targets(found, function, invocation, silence)
        return found

    def _route(self, found: Surroundings, request: GatewayRequest) -> Surroundings:
        others = [row for row in self._routes[route_key(request)] if row.key != request.key]
        well = [row for row in others if row.status is not None and row.status < 500 and not stated_timeout(row)]
        times = [row.integration_latency_ms for row in well if row.integration_latency_ms is not None]
        return msgspec.structs.replace(
            found,
            same_route_ok=len(well),
            same_route_timed_out=sum(stated_timeout(row) for row in others),
            same_route_max_ok_ms=max(times, default=None),
        )


def _prepare(rows: list[LambdaInvocation]) -> _Function:
    ordered = sorted(rows, key=lambda row: row.begun_at if row.begun_at is not None else float("inf"))
    begins = [row.begun_at for row in ordered if row.begun_at is not None]
    ends = sorted(row.finished_at for row in ordered if row.finished_at is not None)
    counts = [_running(begins, ends, row.begun_at) for row in ordered if row.begun_at is not None and _well(row)]
    return _Function(ordered, begins, ends, float(median(counts)) if counts else None, _always_silent(rows))


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
    return len(tails) >= 2 and all(tail > 1000.0 and tail > _STALL_SHARE * duration for tail, duration in tails)


def _well(row: LambdaInvocation) -> bool:
    return row.outcome is Outcome.SUCCESS


def _time(row: LambdaInvocation) -> float:
    return (row.duration_ms or 0.0) + (row.init_ms or 0.0) + (row.restore_ms or 0.0)


def _slow(row: LambdaInvocation, beside: LambdaInvocation) -> bool:
    return row.outcome is Outcome.TIMEOUT or _time(row) >= _SLOW_SHARE * max(_time(beside), 1.0)


def _function(found: Surroundings, function: _Function, own: LambdaInvocation) -> Surroundings:
    others = [row for row in function.rows if row.request_id != own.request_id]
    durations = sorted(row.duration_ms for row in others if _well(row) and row.duration_ms is not None)
    begun = own.begun_at
    before = [end for end in function.ends if begun is not None and end <= begun]
    following = [row for row in others if begun is not None and row.begun_at is not None and row.begun_at > begun]
    following = following[:_NEXT]
    return msgspec.structs.replace(
        found,
        same_function=len(others),
        same_function_slow=sum(_slow(row, own) for row in others),
        same_function_median_ms=float(median(durations)) if durations else None,
        same_function_max_ms=durations[-1] if durations else None,
        idle_before_ms=begun - before[-1] if begun is not None and before else None,
        fast_afterwards=None if not following else not any(_slow(row, own) for row in following),
        concurrency=_running(function.begins, function.ends, begun + _SOON_MS) if begun is not None else None,
        usual_concurrency=function.usual_concurrency,
        always_silent_after_last_line=function.always_silent,
    )


def _streams(found: Surroundings, function: _Function, own: LambdaInvocation) -> Surroundings:
    firsts = [row for row in function.rows if row.first_in_stream]
    laters = [row for row in function.rows if row.first_in_stream is False]
    return msgspec.structs.replace(
        found,
        firsts=len(firsts),
        firsts_slow=sum(_slow(row, own) for row in firsts),
        laters=len(laters),
        laters_slow=sum(_slow(row, own) for row in laters),
    )


def _targets(found: Surroundings, function: _Function, own: LambdaInvocation, silence: Silence) -> Surroundings:
    """Count calls of other invocations, to the same target and to others, that returned or stalled."""
    wanted = shape(silence.last_line)
    returned = stalled = other_returned = 0
    for row in function.rows:
        lines = [line for line in row.lines if not line.extension and line.at is not None]
        for number, line in enumerate(lines):
            if row.request_id == own.request_id and line.text[:200] == silence.last_line[:200]:
                continue
            same = shape(line.text) == wanted
            if not same and not names_call(line.text):
                continue
            came_back = _came_back(row, lines, number, silence.duration_ms)
            if same:
                returned += came_back
                stalled += not came_back
            else:
                other_returned += came_back
    return msgspec.structs.replace(
        found, same_target_returned=returned, same_target_stalled=stalled, other_targets_returned=other_returned
    )


def _came_back(row: LambdaInvocation, lines: list[AppLine], number: int, gap_ms: float) -> bool:
    at = lines[number].at or 0.0
    if number + 1 < len(lines):
        return (lines[number + 1].at or 0.0) - at < _STALL_SHARE * gap_ms
    return _well(row) and row.finished_at is not None and row.finished_at - at < _STALL_SHARE * gap_ms
