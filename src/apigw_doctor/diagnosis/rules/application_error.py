"""NOT101 application-error."""

from apigw_doctor.attribution.clocks import function_throttled
from apigw_doctor.attribution.effective_limit import ABOUT_MS
from apigw_doctor.attribution.timeline import Clocks
from apigw_doctor.diagnosis.rule import Answer, Cause, NotDecidable, rule
from apigw_doctor.diagnosis.signs import (
    GATEWAY_REASON,
    cited,
    is_function_error,
    is_too_large,
    is_unexplained,
    known_lambda,
    no_timer_fired,
    stated_timeout_ms,
    words,
)
from apigw_doctor.evidence.tables import GatewayRequest, LambdaInvocation, LoadBalancerRequest
from apigw_doctor.model.terms import Boundary, Confidence, Layer, Outcome

_OK = 200
_FAILED = 500
#: An authorizer's own timer is not shorter.
_AT_ONCE_MS = 900.0
#: Codes that a proxy between the gateway and the application makes up as well.
_OF_PROXIES = frozenset({502, 503, 504})


@rule(
    "NOT101",
    "application-error",
    layer=Layer.FUNCTION,
    specificity=30,
    fixes=("fix-application",),
    references=("https://repost.aws/knowledge-center/malformed-502-api-gateway",),
)
def application_error(
    clocks: Clocks,
    request: GatewayRequest | None,
    invocation: LambdaInvocation | None,
    load_balancer: LoadBalancerRequest | None,
) -> Answer:
    """The application itself failed or said so: no clock ran out.

    ## What it finds
    Unhandled exceptions (also of an authorizer), crashes of the runtime, malformed proxy responses, and a 5xx
    that the function or the HTTP target answered itself.

    ## How it decides
    The gateway speaks of a customer function error or a malformed response, or the integration answered
    with the 5xx that the client got, or the invocation ended with an error.

    ## What would mislead it
    `Task timed out` inside a function error is the function's timer (FUN102). A throttle (CAP101) and a
    response that is too large (NOT103) wear the same words. A 502 to 504 of another target may be made by a
    load balancer on the way (NET106, NET107), so without its log it is only `possible`.

    ## What to do
    Read the exception in the evidence and fix the application.
    """
    if not no_timer_fired(clocks):
        return None
    said = words(request)
    if (
        (request is not None and function_throttled(request))
        or is_too_large(said)
        or stated_timeout_ms(said) is not None
    ):
        return None
    raised = invocation is not None and invocation.outcome is Outcome.ERROR
    kind = (invocation.error_type if raised and invocation is not None else None) or "an error"
    layer, confidence = Layer.FUNCTION, Confidence.PROVEN
    if is_function_error(request):
        what = f"the function raised {kind}"
    elif "Malformed Lambda proxy response" in said:
        what = "the function's answer is no valid proxy response"
    elif request is not None and _authorizer_failed(clocks, request, said):
        what, layer, confidence = "the authorizer's function failed", Layer.AUTHORIZER, Confidence.LIKELY
    elif request is not None and (own := _own_answer(request, invocation, load_balancer)) is not None:
        what, layer, confidence = own
    elif raised and invocation is not None and (request is None or (request.status or 0) >= _FAILED):
        what = f"the invocation ended with {kind}"
        confidence = Confidence.PROVEN if invocation.error_type else Confidence.LIKELY
        if request is None and (invocation.duration_ms or 0.0) >= clocks.default_limit_ms - ABOUT_MS:
            # A gateway would have cut before: what the caller saw was then its timeout.
            confidence = Confidence.POSSIBLE
    elif is_unexplained(request) and load_balancer is None:
        return NotDecidable(missing=(GATEWAY_REASON,))
    else:
        return None
    after = "" if clocks.elapsed_ms is None else f" after {clocks.elapsed_ms:.0f} ms"
    unwatched = request is None and confidence is Confidence.POSSIBLE
    rest = "a gateway would have cut before, but no gateway log tells" if unwatched else "no timeout was involved"
    return Cause(
        summary=f"application error: {what}{after}; {rest}",
        confidence=confidence,
        boundary=Boundary.NONE if confidence is not Confidence.POSSIBLE else None,
        layer=layer,
        cites=cited(request, invocation),
    )


def _authorizer_failed(clocks: Clocks, request: GatewayRequest, said: str) -> bool:
    """The gateway asked the authorizer and had an error instead of a policy at once: no timer did that (AUT101)."""
    if "Authorizer error" not in said or request.was_sent or request.sending_at is not None:
        return False
    spent_ms = clocks.authorizer_ms if clocks.authorizer_ms is not None else clocks.elapsed_ms
    return spent_ms is not None and spent_ms < _AT_ONCE_MS


def _own_answer(
    request: GatewayRequest, invocation: LambdaInvocation | None, load_balancer: LoadBalancerRequest | None
) -> tuple[str, Layer, Confidence] | None:
    """What answered with the 5xx itself, on which layer, and how sure that is."""
    status = request.status or 0
    if status < _FAILED or request.failure is not None:
        return None
    answered = request.integration_status or 0
    of_lambda = known_lambda(request, invocation)
    if of_lambda or (request.service_status == _OK and answered >= _FAILED):
        own = answered >= _FAILED or (request.completed_well and request.response_type is None)
        return (f"the function answered {status} itself", Layer.FUNCTION, Confidence.PROVEN) if own else None
    if load_balancer is not None:
        own = (load_balancer.target_status or 0) >= _FAILED
        return (f"the target answered {status} itself", Layer.BACKEND, Confidence.PROVEN) if own else None
    if answered < _FAILED:
        return None
    confidence = Confidence.POSSIBLE if answered in _OF_PROXIES else Confidence.LIKELY
    return f"the integration answered {status} itself", Layer.BACKEND, confidence
