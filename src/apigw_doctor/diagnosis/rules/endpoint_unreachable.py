"""NET101 endpoint-unreachable."""

import re

from apigw_doctor.attribution.timeline import Clocks
from apigw_doctor.diagnosis.rule import Answer, Cause, NotDecidable, rule
from apigw_doctor.diagnosis.signs import GATEWAY_REASON, is_unexplained, words
from apigw_doctor.evidence.tables import GatewayRequest, LoadBalancerRequest
from apigw_doctor.limits.table import value
from apigw_doctor.model.terms import Boundary, Confidence, Kind, Layer

_NETWORK = re.compile(r"(?i)network error communicating with endpoint")
_INTERNAL = re.compile(r"(?i)There was an internal error while executing your request")
#: How far from ten seconds a connect failure was seen.
_ABOUT_MS = 1500.0
_AT_ONCE_MS = 3000.0


@rule(
    "NET101",
    "endpoint-unreachable",
    layer=Layer.NETWORK,
    specificity=65,
    fixes=("network-path", "configuration"),
    references=(
        "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html",
        "https://github.com/aws/apprunner-roadmap/issues/193",
    ),
)
def endpoint_unreachable(
    clocks: Clocks, request: GatewayRequest | None, load_balancer: LoadBalancerRequest | None
) -> Answer:
    """The gateway, or the load balancer behind it, could not reach the endpoint at all.

    ## What it finds
    A closed port, a dead target, a VPC link without healthy targets: nobody worked on the request. It wears
    the same 504 as a timeout, or a 500 that speaks of a configuration error.

    ## How it decides
    The words decide: "Network error communicating with endpoint" (no timer when it comes at once, the
    connect timer when it comes after about ten seconds), or "There was an internal error while executing
    your request" about ten seconds after sending. In a load balancer's log: 504 at the connect timer with a
    request that was never handed to a target.

    ## What would mislead it
    The same internal-error words at once are a configuration error (NOT102). A load balancer that waited for
    an answer, rather than for a connection, is NET106. Always far below the integration's limit.

    ## What to do
    Check target health, security groups and the VPC link's status; then retry: the backend did no work.
    """
    if clocks.kind is not Kind.FAILED or request is None:
        return None
    said = words(request)
    waited = clocks.integration_ms if clocks.integration_ms is not None else clocks.elapsed_ms
    connect_ms = value("private-integration-connect")
    slow = waited is not None and abs(waited - connect_ms) <= _ABOUT_MS
    if _NETWORK.search(said):
        return _cause(request, waited, timer_ms=connect_ms if slow else None, confidence=Confidence.PROVEN)
    if _INTERNAL.search(said):
        if slow:
            return _cause(request, waited, timer_ms=connect_ms, confidence=Confidence.LIKELY)
        return None if waited is not None else NotDecidable(missing=("the time between sending and failure",))
    if load_balancer is not None and _never_connected(load_balancer):
        return _cause(request, waited, timer_ms=value("alb-connect"), confidence=Confidence.LIKELY)
    if is_unexplained(request) and load_balancer is None and request.function is None:
        return NotDecidable(missing=(GATEWAY_REASON,))
    return None


def _never_connected(line: LoadBalancerRequest) -> bool:
    """504 at the connect timer, and no target ever had the request."""
    if line.status != 504 or line.target_status is not None or line.target_ms is not None:
        return False
    if line.created_at is None:
        return False
    return abs(line.ended_at - line.created_at - value("alb-connect")) <= _ABOUT_MS


def _cause(
    request: GatewayRequest, waited_ms: float | None, *, timer_ms: float | None, confidence: Confidence
) -> Cause:
    waited = "" if waited_ms is None else f" after {waited_ms:.0f} ms"
    if timer_ms:
        how = f", the connect timer of about {timer_ms:.0f} ms"
    else:
        how = ", at once: no timer fired" if (waited_ms or 0.0) < _AT_ONCE_MS else ", no timer is known to have fired"
    return Cause(
        summary=f"endpoint unreachable: the connection to {request.endpoint_uri or 'the endpoint'} failed{waited}"
        + (how if waited_ms is not None or timer_ms else ""),
        boundary=Boundary.CONNECT_TIMEOUT if timer_ms else Boundary.NONE,
        timer_ms=timer_ms,
        confidence=confidence,
        spent_ms=waited_ms,
        why_not=(("backend-slower-than-limit", "no connection was made, so the backend did no work"),),
    )
