"""The longest stretch without a line inside an invocation: the commonest signature of a stalled call."""

from itertools import pairwise

from apigw_doctor.attribution.timeline import Silence
from apigw_doctor.evidence.tables import AppLine, LambdaInvocation
from apigw_doctor.model.terms import Outcome

#: Shorter gaps say nothing.
_MIN_GAP_MS = 1000.0
_MIN_SHARE = 0.2
_EQUAL_SHARE, _EQUAL_MS = 0.1, 500.0


def longest_silence(
    invocation: LambdaInvocation, cut_at: float | None, log_until: float | None = None
) -> Silence | None:
    """The longest gap between lines, from START until END, kill or cut; None when none stands out.

    `log_until` is the last moment that the function's log speaks of: what lies beyond is no silence.
    """
    if invocation.finished_at is None and cut_at is not None and (log_until is None or log_until < cut_at):
        return None
    points = _points(invocation, cut_at)
    times = [point.at for point in points if point.at is not None]
    if len(points) < 2 or len(times) < len(points):
        return None
    gaps = [(after - before, number) for number, (before, after) in enumerate(pairwise(times))]
    length, number = max(gaps)
    whole = times[-1] - times[0]
    if length < _MIN_GAP_MS or length < _MIN_SHARE * whole:
        return None
    before, after = points[number], points[number + 1]
    killed = after is points[-1] and invocation.outcome in (Outcome.TIMEOUT, Outcome.UNKNOWN)
    return Silence(
        started_at=times[number],
        ended_at=times[number + 1],
        last_line=before.text,
        last_origin=before.origin,
        next_line=None if killed else after.text,
        next_origin=None if killed else after.origin,
        equal_gaps_ms=_equal_run([gap for gap, _ in gaps], number),
    )


def after_last_line_ms(invocation: LambdaInvocation) -> float | None:
    """Time from the function's last line to the end of the invocation."""
    times = [line.at for line in invocation.lines if line.at is not None and not line.extension]
    if not times or invocation.finished_at is None:
        return None
    return invocation.finished_at - max(times)


def _points(invocation: LambdaInvocation, cut_at: float | None) -> list[AppLine]:
    start, end = invocation.started_at, invocation.finished_at
    lines = [line for line in invocation.lines if line.at is not None and not line.extension]
    if end is not None:
        lines = [line for line in lines if line.at is not None and line.at <= end + 5.0]
    origin = invocation.cites[0].origin if invocation.cites else ""
    points: list[AppLine] = []
    if start is not None:
        points.append(AppLine(at=start, text="START", origin=origin))
    points.extend(sorted(lines, key=lambda line: line.at or 0.0))
    if end is None:
        end = cut_at if cut_at is not None and points and cut_at > (points[-1].at or 0.0) else None
    if end is not None:
        last = invocation.cites[-1].origin if invocation.cites else ""
        points.append(AppLine(at=end, text="END", origin=last))
    return points


def _equal_run(gaps: list[float], number: int) -> tuple[float, ...]:
    """The gap and its neighbours in a row that are about as long."""
    longest = gaps[number]
    allowed = max(_EQUAL_SHARE * longest, _EQUAL_MS)
    low = number
    while low > 0 and abs(gaps[low - 1] - longest) <= allowed:
        low -= 1
    high = number
    while high + 1 < len(gaps) and abs(gaps[high + 1] - longest) <= allowed:
        high += 1
    # Short lines between equal waits ("retrying ...") make tiny gaps: step over them.
    run = [gap for gap in gaps[max(low - 4, 0) : high + 5] if abs(gap - longest) <= allowed]
    return tuple(run)
