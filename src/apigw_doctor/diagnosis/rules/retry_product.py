"""DEP102 retry-product."""

import re

from apigw_doctor.attribution.calls import reports_return
from apigw_doctor.attribution.timeline import Clocks, Pairing, Silence
from apigw_doctor.diagnosis.rule import Answer, Cause, rule
from apigw_doctor.diagnosis.signs import is_finished_line, without_invocation
from apigw_doctor.diagnosis.stalls import all_text, concerns_stall
from apigw_doctor.evidence.tables import Cite, GatewayRequest, LambdaInvocation
from apigw_doctor.model.terms import Confidence, Layer

_READ_TIMEOUT = re.compile(
    r"(?i)(?:read|socket|request|command)[ _-]?timeout\W{0,4}(\d{1,9}(?:\.\d+)?)(?!\d)"
    r"|timeout as \(\d+(?:\.\d+)?, ?(\d{1,9}(?:\.\d+)?)\)"
    r"|timeout of (\d{1,9})ms|(?<!Task )timed out after (\d{1,9}(?:\.\d+)?) ?s"
)
_ATTEMPTS = re.compile(r"(?i)\battempts?(?: number)?\W{0,3}\d|\bretr(?:y|ies|ying)\b|max[_ ]attempts|\btry \d")
_FAILED = re.compile(r"(?i)fail|refused|timed? ?-?out|error|exception|unreachable")
_FEW, _MANY = 2, 10
_SHARE, _ABOUT_MS = 0.03, 1500.0
#: A multiple tells nothing where the tolerance comes near the timeout itself.
_UNIT_SHARE = 0.15
#: The waits must hold at least this share of the time.
_MOST = 0.5
#: No client waits for so many seconds inside Lambda: such a number is milliseconds.
_MANY_SECONDS = 1000.0
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
    least_ms = _MOST * (clocks.integration_ms or invocation.duration_ms or 0.0)
    return _several_waits(silence, told, least_ms) or _one_multiple(silence, told, text)


def _several_waits(silence: Silence, told: list[float], least_ms: float) -> Cause | None:
    """Equal waits in a row, of the length of a named timeout or between lines about attempts."""
    gaps = silence.equal_gaps_ms
    if len(gaps) < _FEW or sum(gaps) < least_ms or _reports_result(silence.last_line):
        return None
    each, count = sum(gaps) / len(gaps), len(gaps)
    measured = any(_about(each, 1, timeout) for timeout in told)
    spoken = _ATTEMPTS.search(f"{silence.last_line}\n{silence.next_line or ''}") is not None
    if not measured and not spoken:
        return None
    summary = f"retries: {count} equal waits of about {each:.0f} ms each ate {sum(gaps):.0f} ms"
    return _cause(silence, summary, sum(gaps), sure=measured and spoken)


def _one_multiple(silence: Silence, told: list[float], text: str) -> Cause | None:
    """One silence as long as several tries, where the log speaks of tries."""
    if _ATTEMPTS.search(text) is None:
        return None
    for timeout in told:
        times = round(silence.duration_ms / timeout) if timeout >= _WORTH_MS else 0
        if _FEW <= times <= _MANY and _about(silence.duration_ms, times, timeout):
            summary = (
                f"retries: one silence of {silence.duration_ms:.0f} ms is {times} x the client's read timeout of"
                f" {timeout:.0f} ms"
            )
            return _cause(silence, summary, silence.duration_ms, sure=False)
    return None


def _reports_result(text: str) -> bool:
    """A step that went well; a try that failed leads to the next."""
    return _FAILED.search(text) is None and (reports_return(text) or is_finished_line(text))


def _cause(silence: Silence, summary: str, spent_ms: float, *, sure: bool) -> Cause:
    return Cause(
        summary=summary,
        confidence=Confidence.PROVEN if sure else Confidence.LIKELY,
        spent_ms=spent_ms,
        cites=(Cite(origin=silence.last_origin, text=silence.last_line),),
        why_not=(("stalled-call", "the waiting has the length of whole tries"),),
    )


def _named_timeouts_ms(text: str) -> list[float]:
    found = []
    for match in _READ_TIMEOUT.finditer(text):
        number, pair, milliseconds, after = match.groups()
        value = float(milliseconds or number or pair or after)
        found.append(value if milliseconds or value >= _MANY_SECONDS else value * 1000.0)
    return list(dict.fromkeys(found))


def _about(measured_ms: float, times: int, timeout_ms: float) -> bool:
    """The time is that of so many tries, back-off between them included."""
    expected_ms = times * timeout_ms
    allowed_ms = max(_SHARE * expected_ms, min(_ABOUT_MS, _UNIT_SHARE * timeout_ms))
    return abs(measured_ms - expected_ms) <= allowed_ms
