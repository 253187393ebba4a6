"""CAP101 function-throttled."""

from apigw_doctor.attribution.clocks import function_throttled as refused
from apigw_doctor.attribution.timeline import Clocks, Trace
from apigw_doctor.diagnosis.rule import Answer, Cause, NotDecidable, rule
from apigw_doctor.diagnosis.signs import (
    GATEWAY_REASON,
    cited,
    is_unexplained,
    known_not_lambda,
    no_timer_fired,
)
from apigw_doctor.evidence.tables import GatewayRequest, LambdaInvocation
from apigw_doctor.model.terms import Boundary, Confidence, Layer

_TOO_MANY = 429
_FAILED = 500


@rule(
    "CAP101",
    "function-throttled",
    layer=Layer.CAPACITY,
    specificity=80,
    fixes=("concurrency", "retry-transient", "client-timeouts"),
    references=("https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html",),
)
def function_throttled(
    clocks: Clocks, request: GatewayRequest | None, invocation: LambdaInvocation | None, trace: Trace | None
) -> Answer:
    """Lambda refused the call because the function or the account was out of concurrency.

    ## What it finds
    Requests that failed within milliseconds because no environment was free, under whatever status.

    ## How it decides
    The words say it: `Rate Exceeded.`, `Lambda invocation failed with status: 429`,
    `TooManyRequestsException`, `...ConcurrentInvocationLimitExceeded`, or Lambda's own status 429, also
    inside a "configuration error" or a "Malformed Lambda proxy response".

    ## What would mislead it
    A function that raises because an API it calls is throttled was invoked (NOT101), and so was one that
    answers 429 itself. A 429 of the gateway (usage plan, route, account) is no failure.

    ## What to do
    More reserved or account concurrency, shorter runs, and clients that retry with a pause. If calls
    stalled just before, they ate the concurrency: heal those first.
    """
    if request is None or not no_timer_fired(clocks):
        return None
    if refused(request):
        by_status = request.service_status == _TOO_MANY
        confidence = Confidence.PROVEN
        said = "Lambda answered the gateway with 429" if by_status else "the gateway's record says so in words"
    elif invocation is None and trace is not None and _throttled_segment(trace):
        confidence, said = Confidence.LIKELY, "the X-Ray segment of the function is marked as throttled"
    elif is_unexplained(request) and invocation is None and not known_not_lambda(request):
        return NotDecidable(missing=(GATEWAY_REASON,))
    else:
        return None
    after = "" if clocks.elapsed_ms is None else f" after {clocks.elapsed_ms:.0f} ms"
    return Cause(
        summary=f"function throttled: Lambda had no free concurrency and refused the call{after}; {said}",
        confidence=confidence,
        boundary=Boundary.NONE,
        cites=cited(request),
        why_not=(("configuration-error", "the gateway words it so, but the function was only short of concurrency"),)
        if "configuration error" in (request.failure or "")
        else (),
    )


def _throttled_segment(trace: Trace) -> bool:
    return any(segment.throttle and (segment.origin or "").startswith("AWS::Lambda") for segment in trace.segments)
