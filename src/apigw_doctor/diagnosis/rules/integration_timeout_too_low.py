"""GTW101 integration-timeout-too-low."""

from apigw_doctor.attribution.timeline import Clocks, Pairing, Surroundings
from apigw_doctor.diagnosis.rule import Answer, Cause, NotDecidable, rule
from apigw_doctor.diagnosis.signs import (
    ABOUT_MS,
    REPORT_LINE,
    at_the_limit,
    cited,
    cold_ms,
    threshold_ms,
)
from apigw_doctor.evidence.tables import GatewayRequest, LambdaInvocation, LoadBalancerRequest
from apigw_doctor.model.terms import Confidence, Kind, Layer, LimitBasis, Outcome


@rule(
    "GTW101",
    "integration-timeout-too-low",
    layer=Layer.GATEWAY,
    specificity=22,
    fixes=("integration-timeout",),
    references=(
        "https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html",
        "https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html",
    ),
)
def integration_timeout_too_low(
    clocks: Clocks,
    surroundings: Surroundings,
    pairing: Pairing,
    request: GatewayRequest | None,
    invocation: LambdaInvocation | None,
    load_balancer: LoadBalancerRequest | None,
) -> Answer:
    """The gateway stopped waiting earlier than the API type allows, and the backend was nearly there.

    ## What it finds
    Requests cut at an integration timeout that somebody set below the default of the API type.

    ## How it decides
    The limit is below the default, and the backend answered after the limit but inside the default: init
    and duration of the invocation, the load balancer's times, or other calls of the same route. With no
    backend evidence at all the low limit is `possible`, and no more.

    ## What would mislead it
    A backend that needs longer than the default would have failed there too (FUN101). One that was killed
    or raised never answered, so nothing shows that a higher limit would have helped (FUN106). A measured
    limit is only known to half a second.

    ## What to do
    Set the integration timeout back to the default of the API type, and deploy a REST API again.
    """
    tolerance_ms = 0.0 if clocks.limit_basis is LimitBasis.CONFIGURED else ABOUT_MS
    if not at_the_limit(clocks) or clocks.limit_ms >= clocks.default_limit_ms - tolerance_ms:
        return None
    low = f"the integration timeout is {clocks.limit_ms:.0f} ms, the API type allows {clocks.default_limit_ms:.0f} ms"
    if invocation is not None and invocation.outcome in (Outcome.TIMEOUT, Outcome.ERROR):
        return None
    if invocation is not None and invocation.duration_ms is None:
        return NotDecidable(missing=(REPORT_LINE,))
    needed_ms = _backend_ms(request, invocation, load_balancer)
    if needed_ms is not None:
        if not threshold_ms(clocks) < needed_ms <= clocks.default_limit_ms:
            return None
        verb = "nearly missed" if clocks.kind is Kind.NEAR_LIMIT else "missed"
        return Cause(
            summary=f"limit too low: {low}; the backend needed {needed_ms:.0f} ms and {verb} it",
            confidence=Confidence.PROVEN if invocation is not None else Confidence.LIKELY,
            layer=Layer.GATEWAY,
            spent_ms=needed_ms,
            cites=cited(request, invocation),
            why_not=(("backend-slower-than-limit", f"{needed_ms:.0f} ms fit the default limit"),),
        )
    if clocks.kind is Kind.NEAR_LIMIT or (pairing.log_covers and pairing.candidates == 0):
        return None
    return _without_backend(clocks, surroundings, low, request)


def _backend_ms(
    request: GatewayRequest | None, invocation: LambdaInvocation | None, load_balancer: LoadBalancerRequest | None
) -> float | None:
    if invocation is not None and invocation.duration_ms is not None:
        return invocation.duration_ms + cold_ms(invocation, request)
    if load_balancer is None or load_balancer.target_status is None or (load_balancer.target_ms or -1.0) < 0.0:
        return None
    times = (load_balancer.request_ms, load_balancer.target_ms, load_balancer.response_ms)
    return sum(time for time in times if time is not None and time > 0.0)


def _without_backend(clocks: Clocks, surroundings: Surroundings, low: str, request: GatewayRequest | None) -> Cause:
    others_ms = surroundings.same_route_max_ok_ms or 0.0
    others_fit = clocks.limit_ms < others_ms <= clocks.default_limit_ms
    known = (
        f"other calls of the route were answered after {others_ms:.0f} ms" if others_fit else "no backend log is here"
    )
    return Cause(
        summary=f"limit possibly too low: {low}, and the request was cut there; {known}",
        confidence=Confidence.LIKELY if others_fit else Confidence.POSSIBLE,
        cites=cited(request),
        why_not=(
            ("backend-slower-than-limit", "the backend's log would tell whether the default had been enough"),
            ("undetermined", "only the low limit is known, not how long the backend needed"),
        ),
    )
