"""NET107 keep-alive-mismatch."""

from apigw_doctor.attribution.timeline import Clocks
from apigw_doctor.diagnosis.rule import Answer, Cause, NotDecidable, rule
from apigw_doctor.diagnosis.signs import is_unexplained
from apigw_doctor.evidence.tables import GatewayRequest, LoadBalancerRequest
from apigw_doctor.model.terms import Boundary, Confidence, Kind, Layer

_BAD_GATEWAY = 502
_SHORT_MS = 10_000.0
#: A connection that the target had closed fails on the first packet; later it may be a crash as well.
_AT_ONCE_MS = 1000.0


@rule(
    "NET107",
    "keep-alive-mismatch",
    layer=Layer.NETWORK,
    specificity=63,
    fixes=("keep-alive",),
    references=(
        "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html",
    ),
)
def keep_alive_mismatch(
    clocks: Clocks, request: GatewayRequest | None, load_balancer: LoadBalancerRequest | None
) -> Answer:
    """The target closed a kept-alive connection just as the load balancer used it again.

    ## What it finds
    Steady, quick 502s that grow rarer as traffic grows: the target's keep-alive (often 5 s) is shorter than
    the load balancer's idle timeout (60 s).

    ## How it decides
    The load balancer's access log shows 502 without a status of the target and with `-1` as a time.

    ## What would mislead it
    A target that crashes or resets for other reasons leaves the same line, so the answer is never more than
    `likely`, and after more than a second `possible`. A 502 that the target sent itself has a target status,
    and a Lambda target leaves an error reason.

    ## What to do
    Set the target's keep-alive above the load balancer's idle timeout.
    """
    if clocks.kind is not Kind.FAILED:
        return None
    if load_balancer is None:
        behind = request is not None and request.function is None and request.status == _BAD_GATEWAY
        return NotDecidable(missing=("LoadBalancerRequest",)) if behind and is_unexplained(request) else None
    if load_balancer.status != _BAD_GATEWAY or load_balancer.target_status is not None or load_balancer.error_reason:
        return None
    if load_balancer.target_ms is not None and load_balancer.response_ms is not None:
        return None
    waited = load_balancer.target_ms or 0.0
    if waited > _SHORT_MS:
        return None
    known = request is not None and request.api_id is not None
    return Cause(
        summary=(
            "keep-alive mismatch: the load balancer lost its connection to "
            + (load_balancer.target or "the target")
            + f" after {waited:.0f} ms and answered 502; the target sent no status"
        ),
        boundary=Boundary.NONE,
        confidence=Confidence.LIKELY if known and waited <= _AT_ONCE_MS else Confidence.POSSIBLE,
        cites=load_balancer.cites,
        why_not=(("endpoint-unreachable", "a connection to the target was open"),),
    )
