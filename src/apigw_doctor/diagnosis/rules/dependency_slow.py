"""DEP103 dependency-slow."""

import re
from functools import lru_cache

from apigw_doctor.attribution.calls import mentions_target, reports_return
from apigw_doctor.attribution.timeline import Clocks, Pairing, Silence, Trace
from apigw_doctor.diagnosis.rule import Answer, Cause, NotDecidable, rule
from apigw_doctor.diagnosis.signs import gave_up_waiting, known_not_lambda, without_invocation
from apigw_doctor.diagnosis.stalls import call_of, concerns_stall
from apigw_doctor.evidence.tables import AppLine, Cite, GatewayRequest, LambdaInvocation, TraceSegment
from apigw_doctor.model.terms import Confidence, Layer, Outcome

_MOST = 0.5
_TIMING = re.compile(
    r"(?i)\b(?:took|in|after|duration\w*|elapsed\w*|latency\w*|time(?: taken)?|within)\b\W{0,4}"
    r"(\d{1,9}(?:\.\d{1,9})?) ?(ms|milliseconds|s|sec|seconds)\b"
    r"|\b(?:duration|elapsed|latency|took|time)(?:_?ms|Ms)\W{0,3}(\d{1,9}(?:\.\d+)?)(?!\d)"
    r"|[\s(](\d{4,6})(?:\.\d+)? ?ms\b"
    r"|(\[AWS \w+ \d{3} )(\d{1,9}(?:\.\d+)?)s\b"
)
#: Settings and plans have times too.
_NO_TIMING = re.compile(
    r"(?i)time-?out|deadline|\blimit|expire|\bttl\b|\bretry|\bwill\b|cached since"
    r"|timed out|remaining|budget|\bleft\b|back-?off|\bdelay"
)
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?:\D|$))")
_ANSWERED = re.compile(r"(?i)\b(?:answered|received|got|status|rows)\b")
_GATEWAY = "AWS::ApiGateway"
_PLATFORM_PARTS = frozenset(
    {"Initialization", "Invocation", "Overhead", "Restore", "Lambda", "Dwell Time", "Attempt #1", "Init", "## handler"}
)


@rule(
    "DEP103",
    "dependency-slow",
    layer=Layer.DEPENDENCY,
    specificity=42,
    fixes=("client-timeouts", "async-conversion", "fix-application"),
    references=("https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html",),
)
def dependency_slow(
    clocks: Clocks,
    pairing: Pairing,
    request: GatewayRequest | None,
    invocation: LambdaInvocation | None,
    silence: Silence | None,
    trace: Trace | None,
) -> Answer:
    """One call to something outside took most of the time, and did return.

    ## What it finds
    A slow query, a slow partner API, a slow upload: the function waited for one answer, got it, and was
    late.

    ## How it decides
    An X-Ray subsegment of a downstream call that ended holds more than half of the time; or the function's
    own log says how long a call took; or the longest silence follows a line that starts a call and is broken
    by a line that reports its return. A subsegment that ended in an error without a status is `likely`.

    ## What would mislead it
    A call that never came back is a stalled call (DEP101). Progress lines of the function's own work are
    not calls. Subsegments of the platform (Initialization, Invocation) are no dependency.

    ## What to do
    Look at the named dependency at that time. Give the call a deadline below the limit, or answer 202 and
    fetch the result later.
    """
    if not concerns_stall(clocks, request, invocation):
        return None
    whole = clocks.integration_ms or (invocation.duration_ms if invocation else None)
    if whole is None:
        return None if invocation or trace else NotDecidable(missing=("Trace",))
    slow = _slow_segment(trace, _MOST * whole) if trace is not None else None
    if slow is not None:
        spent_ms = (slow.ended_at or 0.0) - slow.started_at
        failed = slow.status is None and (slow.fault or slow.error)
        ended = "ended in an error without an answer" if failed else "did return"
        return Cause(
            summary=f"slow dependency: the call to {slow.name} took {spent_ms:.0f} ms of {whole:.0f} ms and {ended}",
            confidence=Confidence.LIKELY if failed else Confidence.PROVEN,
            spent_ms=spent_ms,
            cites=slow.cites,
            why_not=(("stalled-call", "the call came to an end"),),
        )
    if invocation is None:
        return None if known_not_lambda(request) else without_invocation(request, pairing)
    told = _told(invocation, silence, _MOST * whole)
    if told is None:
        return None
    call, spent_ms, line = told
    return Cause(
        summary=f"slow dependency: '{call}' took {spent_ms:.0f} ms of {whole:.0f} ms and did return",
        confidence=Confidence.LIKELY,
        spent_ms=spent_ms,
        cites=(Cite(origin=line.origin, text=line.text),),
        why_not=(("stalled-call", "the call returned"),),
    )


def _slow_segment(trace: Trace, least_ms: float) -> TraceSegment | None:
    by_id = {row.id: row for row in trace.segments}
    calls = [
        row
        for row in trace.segments
        if row.namespace in ("aws", "remote")
        and row.name not in _PLATFORM_PARTS
        and not _of_the_gateway(by_id.get(row.parent_id or ""))
        and row.parent_id is not None
        and row.ended_at is not None
        and not row.in_progress
        and row.ended_at - row.started_at > least_ms
    ]
    return max(calls, key=lambda row: (row.ended_at or 0.0) - row.started_at, default=None)


def _of_the_gateway(parent: TraceSegment | None) -> bool:
    """The call is the integration itself, not one that the backend made."""
    return parent is not None and (parent.origin or "").startswith(_GATEWAY)


def _told(invocation: LambdaInvocation, silence: Silence | None, least_ms: float) -> tuple[str, float, AppLine] | None:
    """The call that the function's own lines show to have been slow."""
    if silence is not None and silence.next_line not in (None, "END", "START") and silence.duration_ms > least_ms:
        call = call_of(silence)
        after = _line_after(invocation, silence)
        if call is not None and after is not None and _reports(after.text, silence):
            return call, silence.duration_ms, after
    if invocation.outcome is Outcome.TIMEOUT:
        return None
    for line in invocation.lines:
        spent = _timing_ms(line.text)
        if (
            spent is not None
            and spent > least_ms
            and mentions_target(line.text)
            and spent <= 1.1 * (invocation.duration_ms or spent)
        ):
            return " ".join(line.text.split())[:80], spent, line
    return None


def _line_after(invocation: LambdaInvocation, silence: Silence) -> AppLine | None:
    """The line that broke the silence; the same words may stand earlier too."""
    same = [line for line in invocation.lines if line.text == silence.next_line]
    return next((line for line in same if line.at == silence.ended_at), same[0] if same else None)


def _reports(text: str, silence: Silence) -> bool:
    """The line after the silence tells of the call's return: by its time, or by naming the same thing."""
    if gave_up_waiting(text):
        return False
    spent = _timing_ms(text)
    if spent is not None and abs(spent - silence.duration_ms) <= max(500.0, 0.1 * silence.duration_ms):
        return True
    return reports_return(text) or _ANSWERED.search(text) is not None


@lru_cache(maxsize=20_000)
def _timing_ms(text: str) -> float | None:
    best = None
    if _NO_TIMING.search(text) is not None:
        return None
    for match in _TIMING.finditer(_THOUSANDS.sub("", text)):
        number, unit, plain, bare, of_sdk, seconds = match.groups()
        value = float(number or plain or bare or seconds)
        if of_sdk or (unit is not None and unit.lower().startswith("s")):
            value *= 1000.0
        best = value if best is None else max(best, value)
    return best
