"""DEP102 retry-product."""

import re

from apigw_doctor.attribution.calls import names_result
from apigw_doctor.attribution.timeline import Clocks, Pairing, Silence
from apigw_doctor.diagnosis.rule import Answer, Cause, rule
from apigw_doctor.diagnosis.signs import without_invocation
from apigw_doctor.diagnosis.stalls import all_text, concerns_stall, lone_boundary
from apigw_doctor.evidence.tables import Cite, GatewayRequest, LambdaInvocation
from apigw_doctor.model.terms import Confidence, Layer

_READ_TIMEOUT = re.compile(
    r"(?i)read[ _-]?timeout\W{0,4}(\d+(?:\.\d+)?)|timeout as \(\d+(?:\.\d+)?, ?(\d+(?:\.\d+)?)\)"
    r"|timeout of (\d+)ms|timed out after (\d+(?:\.\d+)?) ?s"
)
_ATTEMPTS = re.compile(r"(?i)\battempts?\W{0,3}\d|\bretr(?:y|ies|ying)\b|max[_ ]attempts|\btry \d")
_FEW, _MANY = 2, 10
_SHARE, _ABOUT_MS = 0.03, 1500.0
_WORTH_MS = 1000.0


@rule(
    "DEP102",
    "retry-product",
    layer=Layer.DEPENDENCY,
    specificity=48,
    fixes=("client-timeouts",),
    references=("https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html",),
)
def retry_product(
    clocks: Clocks,
    pairing: Pairing,
    request: GatewayRequest | None,
    invocation: LambdaInvocation | None,
    silence: Silence | None,
) -> Answer:
    """A client's retries multiplied its timeout until nothing was left of the gateway's limit.

    ## What it finds
    One call, tried several times inside the client, each try waiting its whole read timeout: 3 x 10 s is
    longer than 29 s, though each single timeout looks harmless.

    ## How it decides
    Several stretches of silence of the same length follow one another; or one stretch is a whole multiple of
    a read timeout that the log names, and the log speaks of attempts or retries.

    ## What would mislead it
    A loop that works steadily also logs at equal distances: lines that report results are no retries. A
    single stretch without a named timeout is a stalled call (DEP101).

    ## What to do
    Attempts x (connect + read timeout), over all calls of the request, must stay below the limit: fewer
    attempts, a shorter read timeout, or a deadline handed down to the client.
    """
    if not concerns_stall(clocks, request, invocation):
        return None
    if invocation is None:
        return without_invocation(request, pairing)
    if silence is None or silence.duration_ms < _WORTH_MS:
        return None
    text = all_text(None, invocation)
    told = _named_timeouts_ms(text)
    gaps, beside = silence.equal_gaps_ms, f"{silence.last_line}\n{silence.next_line or ''}"
    if len(gaps) >= _FEW and not names_result(silence.last_line) and (_ATTEMPTS.search(beside) or told):
        each, count = sum(gaps) / len(gaps), len(gaps)
        sure = any(_about(each, timeout) for timeout in told)
        summary = f"retries: {count} equal waits of about {each:.0f} ms each ate {sum(gaps):.0f} ms"
        return _cause(clocks, request, invocation, silence, summary, sum(gaps), sure=sure)
    for timeout in told:
        times = round(silence.duration_ms / timeout) if timeout >= _WORTH_MS else 0
        if _FEW <= times <= _MANY and _about(silence.duration_ms, times * timeout) and _ATTEMPTS.search(text):
            summary = (
                f"retries: one silence of {silence.duration_ms:.0f} ms is {times} x the client's read timeout of"
                f" {timeout:.0f} ms"
            )
            return _cause(clocks, request, invocation, silence, summary, silence.duration_ms, sure=False)
    return None


def _cause(
    clocks: Clocks,
    request: GatewayRequest | None,
    invocation: LambdaInvocation,
    silence: Silence,
    summary: str,
    spent_ms: float,
    *,
    sure: bool,
) -> Cause:
    boundary, timer_ms = lone_boundary(clocks, request, invocation)
    return Cause(
        summary=summary,
        boundary=boundary,
        timer_ms=timer_ms,
        confidence=Confidence.PROVEN if sure else Confidence.LIKELY,
        spent_ms=spent_ms,
        cites=(Cite(origin=silence.last_origin, text=silence.last_line),),
        why_not=(("stalled-call", "the waiting has the length of whole tries"),),
    )


def _named_timeouts_ms(text: str) -> list[float]:
    found = []
    for match in _READ_TIMEOUT.finditer(text):
        seconds, pair, milliseconds, after = match.groups()
        found.append(float(milliseconds) if milliseconds else float(seconds or pair or after) * 1000.0)
    return [value if value < 3_600_000.0 else value / 1000.0 for value in dict.fromkeys(found)]


def _about(measured_ms: float, expected_ms: float) -> bool:
    return abs(measured_ms - expected_ms) <= max(_SHARE * expected_ms, _ABOUT_MS)
