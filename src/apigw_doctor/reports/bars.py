"""A request's milliseconds as bars to scale, and the moment its clock fired.

Everything counts from the request's arrival. Where a clock started is not in the answer; it follows from what
each clock watches, and never lies after the request's own end.
"""

from typing import NamedTuple

from apigw_doctor.diagnosis.verdict import TimeSegment, Verdict
from apigw_doctor.model.terms import Boundary, Kind, Layer
from apigw_doctor.reports.units import exact

#: What passes before the gateway calls the integration, and its clock starts.
_BEFORE_INTEGRATION = (Layer.CLIENT, Layer.EDGE, Layer.AUTHORIZER, Layer.GATEWAY)
_INSIDE_FUNCTION = (Layer.INIT, Layer.FUNCTION, Layer.DEPENDENCY)
#: A limit further off than this many times the request's own length would squeeze the bars.
_LIMIT_IN_SIGHT = 3.0
#: An invocation that ran on is drawn up to this many times the request's length.
_RAN_ON_IN_SIGHT = 1.5
_WORTH_DRAWING = 0.005


class Glyphs(NamedTuple):
    """The characters of a drawing."""

    measured: str
    inferred: str
    clock: str
    foot: str
    beyond: str


UNICODE = Glyphs("█", "░", "│", "▲", "▶")
ASCII = Glyphs("#", ".", "|", "^", ">")


class Bar(NamedTuple):
    """One row of the drawing."""

    layer: str
    name: str
    start_ms: float
    duration_ms: float
    is_measured: bool


class Clock(NamedTuple):
    """A moment to mark: a timer that fired, or the limit that was near."""

    at_ms: float
    told: str


class Drawing(NamedTuple):
    """Bars, the clock and the milliseconds that the full width stands for."""

    bars: tuple[Bar, ...]
    clock: Clock | None
    scale_ms: float


def drawing_of(verdict: Verdict) -> Drawing | None:
    """What there is to draw; None where the evidence holds no stretch of time."""
    bars = [
        Bar(item.layer.value, item.name, item.start_ms, item.duration_ms, item.basis == "measured")
        for item in verdict.segments
    ]
    if not bars:
        return None
    end = max([bar.start_ms + bar.duration_ms for bar in bars] + [verdict.elapsed_ms or 0.0])
    clock = _clock(verdict, end)
    scale = max(end, clock.at_ms) if clock is not None else end
    ran_on = _ran_on(verdict, end)
    if ran_on is not None:
        bars.append(ran_on)
        scale = max(scale, min(ran_on.start_ms + ran_on.duration_ms, _RAN_ON_IN_SIGHT * end))
    return Drawing(tuple(bars), clock, scale) if scale > 0 else None


def row(bar: Bar, drawing: Drawing, width: int, glyphs: Glyphs) -> str:
    """The bar to scale, at least one character long, and the line of the clock.

    The clock stands on the first character after what ended with it; it never hides a bar of one character.
    """
    per_column = ms_per_column(drawing, width)
    first = min(round(max(bar.start_ms, 0.0) / per_column), width - 1)
    last = max(min(round((bar.start_ms + bar.duration_ms) / per_column), width), first + 1)
    cells = [" "] * width
    cells[first:last] = (glyphs.measured if bar.is_measured else glyphs.inferred) * (last - first)
    if drawing.clock is not None:
        at = column(drawing.clock, drawing, width)
        if cells[at] == " " or last - first > 1:
            cells[at] = glyphs.clock
    if bar.start_ms + bar.duration_ms > drawing.scale_ms * (1 + _WORTH_DRAWING):
        cells[-1] = glyphs.beyond
    return "".join(cells)


def ms_per_column(drawing: Drawing, width: int) -> float:
    """The scale; the last column is kept for a clock at the very end."""
    return drawing.scale_ms / (width - 1)


def column(clock: Clock, drawing: Drawing, width: int) -> int:
    """Where the line of the clock stands."""
    return min(round(clock.at_ms / ms_per_column(drawing, width)), width - 1)


def _clock(verdict: Verdict, end: float) -> Clock | None:
    if verdict.timed_out:
        begin = _clock_start(verdict)
        fired = min(begin + verdict.timer_ms, end) if verdict.timer_ms is not None else end
        length = f" of {exact(verdict.timer_ms)}" if verdict.timer_ms is not None else ""
        return Clock(fired, f"{verdict.boundary.value}{length} fired at {exact(fired)}")
    if verdict.kind is Kind.NEAR_LIMIT and verdict.limit_ms is not None:
        at = _start_of_integration(verdict.segments) + verdict.limit_ms
        if at <= _LIMIT_IN_SIGHT * end:
            return Clock(at, f"limit of {exact(verdict.limit_ms)}, not reached")
    return None


def _clock_start(verdict: Verdict) -> float:
    match verdict.boundary:
        case Boundary.INTEGRATION_TIMEOUT | Boundary.CONNECT_TIMEOUT | Boundary.LOAD_BALANCER_TIMEOUT:
            return _start_of_integration(verdict.segments)
        case Boundary.FUNCTION_TIMEOUT:
            return _first(verdict.segments, tuple(layer for layer in _INSIDE_FUNCTION if layer is not Layer.INIT))
        case Boundary.INIT_TIMEOUT:
            return _first(verdict.segments, _INSIDE_FUNCTION)
        case Boundary.AUTHORIZER_TIMEOUT:
            return _first(verdict.segments, (Layer.AUTHORIZER,))
        case _:
            return 0.0


def _start_of_integration(segments: tuple[TimeSegment, ...]) -> float:
    at = 0.0
    for segment in segments:
        if segment.layer not in _BEFORE_INTEGRATION:
            return segment.start_ms
        at = segment.start_ms + segment.duration_ms
    return at if len(segments) > 1 else 0.0


def _first(segments: tuple[TimeSegment, ...], layers: tuple[Layer, ...]) -> float:
    return next((segment.start_ms for segment in segments if segment.layer in layers), 0.0)


def _ran_on(verdict: Verdict, end: float) -> Bar | None:
    """The invocation after the request's end: work that nobody waited for any more."""
    invocation = verdict.invocation
    if invocation is None or invocation.duration_ms is None or invocation.offset_ms is None or not verdict.timed_out:
        return None
    finish = invocation.offset_ms + (invocation.init_ms or 0.0) + invocation.duration_ms
    if finish - end <= max(_WORTH_DRAWING * end, 10.0):
        return None
    name = f"ran on unseen ({invocation.outcome.value})"
    return Bar(Layer.FUNCTION.value, name, end, finish - end, is_measured=True)
