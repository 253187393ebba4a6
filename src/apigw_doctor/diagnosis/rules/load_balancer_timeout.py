"""NET106 load-balancer-timeout."""

from apigw_doctor.attribution.timeline import Clocks
from apigw_doctor.diagnosis.rule import Answer, Cause, NotDecidable, rule
from apigw_doctor.diagnosis.signs import is_unexplained
from apigw_doctor.evidence.tables import GatewayRequest, LoadBalancerRequest
from apigw_doctor.limits.table import value
from apigw_doctor.model.terms import Boundary, Confidence, EvidenceKind, Kind, Layer, LimitBasis

_GATEWAY_TIMEOUT = 504
_ABOUT_MS = 1500.0


@rule(
    "NET106",
    "load-balancer-timeout",
    layer=Layer.NETWORK,
    specificity=64,
    fixes=("load-balancer-idle-timeout", "fix-application"),
    references=(
        "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html",
    ),
)
def load_balancer_timeout(
    clocks: Clocks, request: GatewayRequest | None, load_balancer: LoadBalancerRequest | None
) -> Answer:
    """The load balancer behind the gateway gave up on its target first.

    ## What it finds
    A private integration whose load balancer has a shorter idle timeout than the gateway has patience: the
    gateway passes the load balancer's 504 on.

    ## How it decides
    The load balancer's access log holds a 504 without a status of the target, before the integration's
    limit, and its time is that of its idle timer rather than of its connect timer.

    ## What would mislead it
    460 means that the gateway closed the connection first: then the integration timeout is the boundary.
    A 504 after ten seconds without any connection is NET101.

    ## What to do
    Set the idle timeout above the slowest answer that is allowed, or make the target answer sooner.
    """
    if clocks.kind is not Kind.FAILED or clocks.boundary is Boundary.INTEGRATION_TIMEOUT:
        return None
    if load_balancer is None:
        behind = request is not None and request.function is None and request.status == _GATEWAY_TIMEOUT
        return NotDecidable(missing=("LoadBalancerRequest",)) if behind and is_unexplained(request) else None
    if load_balancer.status != _GATEWAY_TIMEOUT or load_balancer.target_status is not None:
        return None
    whole = _whole_ms(load_balancer)
    if whole is None:
        whole = clocks.integration_ms
    if whole is not None and abs(whole - value("alb-connect")) <= _ABOUT_MS and load_balancer.target_ms is None:
        return None  # nobody answered the connect: NET101
    timer = _round_seconds(whole)
    before = whole is not None and whole < clocks.limit_ms
    if not before and timer is not None and clocks.limit_basis is not LimitBasis.DEFAULT:
        return None  # the gateway's own limit would have come first
    return Cause(
        summary=(
            "load balancer timeout: it gave up on "
            + (f"target {load_balancer.target}" if load_balancer.target else "its target")
            + (f" after {whole:.0f} ms" if whole is not None else "")
            + (f", before the integration's limit of {clocks.limit_ms:.0f} ms" if before else "")
        ),
        boundary=Boundary.LOAD_BALANCER_TIMEOUT,
        timer_ms=timer,
        confidence=_confidence(before=before, timed=whole is not None, same=_same_request(request, load_balancer)),
        spent_ms=whole,
        cites=load_balancer.cites,
        why_not=(("integration-timeout-too-low", "the gateway did not cut; the load balancer answered 504"),),
    )


def _confidence(*, before: bool, timed: bool, same: bool) -> Confidence:
    """Longer than the default limit: then the limit was raised, to a value that nobody told."""
    if before and same:
        return Confidence.PROVEN
    return Confidence.LIKELY if timed else Confidence.POSSIBLE


def _same_request(request: GatewayRequest | None, line: LoadBalancerRequest) -> bool:
    """The line is all there is, or carries the request's trace id; by time and path it is only likely."""
    if request is None or EvidenceKind.LOAD_BALANCER_LOG in request.sources[:1]:
        return True
    return line.trace_id is not None and line.trace_id == request.trace_id


def _whole_ms(line: LoadBalancerRequest) -> float | None:
    if line.created_at is not None and line.ended_at > line.created_at:
        return line.ended_at - line.created_at
    return line.target_ms


def _round_seconds(whole_ms: float | None) -> float | None:
    """Idle timers are set in whole seconds."""
    return None if whole_ms is None else float(int(whole_ms / 1000.0 + 0.02)) * 1000.0 or None
