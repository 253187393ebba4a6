"""FUN102 function-timeout."""

from apigw_doctor.attribution.timeline import Clocks, Silence
from apigw_doctor.diagnosis.rule import Answer, Cause, NotDecidable, rule
from apigw_doctor.diagnosis.signs import (
    ABOUT_MS,
    cited,
    is_killed,
    is_unexplained,
    known_not_lambda,
    may_hide_a_call,
    no_timer_fired,
    stated_timeout_ms,
    words,
)
from apigw_doctor.evidence.tables import FunctionSettings, GatewayRequest, LambdaInvocation
from apigw_doctor.model.terms import Boundary, Confidence, Layer


@rule(
    "FUN102",
    "function-timeout",
    layer=Layer.FUNCTION,
    specificity=10,
    fixes=("function-timeout", "memory", "client-timeouts"),
    references=("https://docs.aws.amazon.com/lambda/latest/dg/configuration-timeout.html",),
)
def function_timeout(
    clocks: Clocks,
    request: GatewayRequest | None,
    invocation: LambdaInvocation | None,
    settings: FunctionSettings | None,
    silence: Silence | None,
) -> Answer:
    """Lambda killed the function at its own timeout while the gateway was still waiting.

    ## What it finds
    502 (REST) or 500 (HTTP API) after as many seconds as the function's timeout, and killed invocations
    for which no gateway evidence was given.

    ## How it decides
    The gateway or the Lambda log says `Task timed out after N seconds` or `Status: timeout`, and the
    function's timeout lies below the integration timeout. The init phase comes on top of it.

    ## What would mislead it
    It says which clock ran out, not who spent the time: every rule that knows more (a stalled call, a
    blocked network, a failed init, an event loop, full memory) wins over it. `Read timed out` in an
    exception is a client's timer (NOT101). Killed after the gateway's cut is FUN106.

    ## What to do
    A function timeout just above the integration timeout; timeouts on the function's own calls below both.
    """
    killed = is_killed(invocation)
    stated_ms = stated_timeout_ms(words(request))
    own_ms = invocation.timeout_ms if invocation is not None and killed else stated_ms
    own_ms = own_ms or (None if settings is None else settings.timeout_ms)
    if clocks.boundary is Boundary.FUNCTION_TIMEOUT:
        sure = request is not None and invocation is not None and killed and not may_hide_a_call(invocation, silence)
    elif killed and (_nobody_seen_waiting(clocks, request) or _below_the_limit(clocks, own_ms)):
        sure = False
    elif no_timer_fired(clocks) and is_unexplained(request) and invocation is None and not known_not_lambda(request):
        return NotDecidable(missing=(LambdaInvocation.__name__,))
    else:
        return None
    own_ms = own_ms or clocks.timer_ms
    limit = "an unknown limit" if own_ms is None else f"{own_ms:.0f} ms"
    init_ms = (invocation.init_ms or 0.0) if invocation is not None else 0.0
    if request is None:
        rest = "no gateway log tells who waited for it"
        if own_ms is not None and own_ms >= clocks.default_limit_ms:
            rest += ", and a gateway would have cut before"
    elif clocks.cut_by_gateway:
        rest = f"{init_ms:.0f} ms of init before it carried the request past the gateway's {clocks.limit_ms:.0f} ms"
    else:
        rest = f"the gateway would have waited {clocks.limit_ms:.0f} ms"
    return Cause(
        summary=f"function timeout: Lambda killed the function at its own timeout of {limit}; {rest}",
        confidence=_confidence(clocks, request, own_ms, sure),
        boundary=None if clocks.cut_by_gateway else Boundary.FUNCTION_TIMEOUT,
        timer_ms=None if clocks.cut_by_gateway else own_ms,
        spent_ms=None if invocation is None else invocation.duration_ms,
        cites=cited(request, invocation),
        why_not=() if invocation is not None else (("stalled-call", "only the function's log could show a call"),),
    )


def _nobody_seen_waiting(clocks: Clocks, request: GatewayRequest | None) -> bool:
    return request is None and no_timer_fired(clocks)


def _below_the_limit(clocks: Clocks, own_ms: float | None) -> bool:
    """The gateway cut a moment before the kill, because the init came on top of a shorter timeout."""
    return clocks.cut_by_gateway and own_ms is not None and own_ms < clocks.limit_ms - ABOUT_MS


def _confidence(clocks: Clocks, request: GatewayRequest | None, own_ms: float | None, sure: bool) -> Confidence:
    if request is None and own_ms is not None and own_ms >= clocks.default_limit_ms:
        return Confidence.POSSIBLE
    return Confidence.PROVEN if sure else Confidence.LIKELY
