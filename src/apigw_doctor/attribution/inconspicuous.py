"""Which invocations need no row of their own, and what of them is kept in columns (the sister of `unremarkable`)."""

from array import array
from functools import lru_cache

from apigw_doctor.attribution.calls import names_call, shape
from apigw_doctor.attribution.silence import after_last_line_ms
from apigw_doctor.attribution.surroundings import is_silent
from apigw_doctor.evidence.crowd import Crowd, FunctionTold
from apigw_doctor.evidence.tables import LambdaInvocation
from apigw_doctor.evidence.traffic import id64
from apigw_doctor.model.terms import Outcome

_NEVER = float("inf")


def inconspicuous(row: LambdaInvocation) -> bool:
    """It ended well and says nothing of errors."""
    return row.outcome is Outcome.SUCCESS and row.error_text is None and row.error_type is None


def note(crowd: Crowd, row: LambdaInvocation) -> None:
    """Put an inconspicuous invocation into the columns."""
    number = crowd.number(row.function)
    told = crowd.functions[number]
    own_ms = (row.duration_ms or 0.0) + (row.init_ms or 0.0) + (row.restore_ms or 0.0)
    crowd.add(
        id64(row.request_id.lower()),
        number,
        row.begun_at,
        row.started_at,
        row.finished_at,
        row.duration_ms,
        own_ms,
        row.first_in_stream,
    )
    if row.init_type is not None:
        told.init_types.add(row.init_type)
    lines = [(line.at, line.text) for line in row.lines if line.at is not None and not line.extension]
    tail_told(told, after_last_line_ms(row), row.duration_ms)
    last = row.lines[-1].at if row.lines else None
    if last is not None and (told.until is None or last > told.until):
        told.until = last
    calls_told(told, lines, row.finished_at)


def tail_told(told: FunctionTold, tail_ms: float | None, duration_ms: float | None) -> None:
    """Count the silence at the end of an invocation."""
    if tail_ms is not None and duration_ms:
        told.with_tail += 1
        told.silent_tail += is_silent(tail_ms, duration_ms)


def calls_told(told: FunctionTold, lines: list[tuple[float, str]], finished_at: float | None) -> None:
    """Note how long every call that a line announces took until anything followed."""
    for number, (at, text) in enumerate(lines):
        called = call_shape(text)
        if called is None:
            continue
        after = lines[number + 1][0] if number + 1 < len(lines) else finished_at
        told.calls.setdefault(called, array("d")).append(_NEVER if after is None else after - at)


@lru_cache(maxsize=50_000)
def call_shape(text: str) -> str | None:
    """The shape of a line that announces a call, to gather its times by; None for any other line."""
    return shape(text) if names_call(text) else None
