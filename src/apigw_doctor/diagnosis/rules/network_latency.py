"""NET105 network-latency."""

from apigw_doctor.attribution.timeline import Clocks, Pairing
from apigw_doctor.diagnosis.rule import Answer, Cause, rule
from apigw_doctor.diagnosis.signs import at_the_limit, without_invocation
from apigw_doctor.evidence.tables import GatewayRequest, LambdaInvocation, LoadBalancerRequest
from apigw_doctor.model.terms import Confidence, Join, Layer, Outcome

_MOST = 0.5
_WORTH_MS = 1000.0


@rule(
    "NET105",
    "network-latency",
    layer=Layer.NETWORK,
    specificity=44,
    fixes=("network-path", "keep-alive", "retry-transient"),
    references=(
        "https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html",
    ),
)
def network_latency(
    clocks: Clocks,
    pairing: Pairing,
    request: GatewayRequest | None,
    invocation: LambdaInvocation | None,
    load_balancer: LoadBalancerRequest | None,
) -> Answer:
    """The backend was quick; the time was lost on the way to it or back.

    ## What it finds
    Requests whose backend finished early, by its own log, while the gateway still waited: placement,
    network, a lost answer.

    ## How it decides
    The integration's time less the backend's own (init + duration, or the load balancer's target time)
    holds more than half of it, and more than a second. The backend's record must be joined by an id.

    ## What would mislead it
    The wrong invocation joined by time window looks just like this, so such a join never counts. A
    function that answers late because an extension holds it shows that in its duration (FUN105).

    ## What to do
    Compare with other requests of the same minute; look at placement (concurrency, VPC) and at the path.
    """
    if not at_the_limit(clocks) or clocks.integration_ms is None or request is None:
        return None
    if load_balancer is not None and load_balancer.target_ms is not None and load_balancer.target_status is not None:
        own_ms = sum(
            part or 0.0 for part in (load_balancer.request_ms, load_balancer.target_ms, load_balancer.response_ms)
        )
        return _judged(clocks.integration_ms, own_ms, "the load balancer's own time", Confidence.LIKELY)
    if invocation is None:
        return without_invocation(request, pairing)
    if (
        pairing.join in (None, Join.TIME_WINDOW)
        or invocation.outcome is not Outcome.SUCCESS
        or invocation.duration_ms is None
    ):
        return None
    own_ms = invocation.duration_ms + (invocation.init_ms or 0.0) + (invocation.restore_ms or 0.0)
    sure = pairing.offset_ms is not None and abs(pairing.offset_ms) < clocks.integration_ms
    confidence = Confidence.LIKELY if sure else Confidence.POSSIBLE
    return _judged(clocks.integration_ms, own_ms, "the function's own time", confidence)


def _judged(integration_ms: float, own_ms: float, what: str, confidence: Confidence) -> Answer:
    lost = integration_ms - own_ms
    if lost < _WORTH_MS or lost <= _MOST * integration_ms:
        return None
    return Cause(
        summary=f"lost on the way: the gateway waited {integration_ms:.0f} ms, {what} was {own_ms:.0f} ms",
        confidence=confidence,
        spent_ms=lost,
        why_not=(("backend-slower-than-limit", f"the backend needed only {own_ms:.0f} ms"),),
    )
