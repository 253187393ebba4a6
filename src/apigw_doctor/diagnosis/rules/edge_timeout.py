"""EDG101 edge-timeout."""

from apigw_doctor.attribution.timeline import Clocks
from apigw_doctor.diagnosis.rule import Answer, Cause, NotDecidable, rule
from apigw_doctor.evidence.tables import EdgeRequest, GatewayRequest
from apigw_doctor.limits.table import limit, value
from apigw_doctor.model.terms import Boundary, Confidence, Kind, Layer

_GATEWAY_TIMEOUT = 504
_ABOUT_MS = 1000.0
_FAILED = 500


@rule(
    "EDG101",
    "edge-timeout",
    layer=Layer.EDGE,
    specificity=72,
    fixes=("edge-timeout", "async-conversion"),
    references=("https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/DownloadDistValuesOrigin.html",),
)
def edge_timeout(clocks: Clocks, request: GatewayRequest | None, edge: EdgeRequest | None) -> Answer:
    """The distribution in front gave up before the gateway did.

    ## What it finds
    A CloudFront distribution (30 s by default) before an API whose limit was raised, or whose authorizer
    adds to it: the viewer has a 504 from the edge, the gateway finishes later.

    ## How it decides
    The edge's log holds a 504 at about its own timer (or, for GET and HEAD, two or three times that: it tries
    again), and the gateway's evidence for the same request shows an answer, or its own code later than that.
    The two are joined by time and path, so this is at most `likely`.

    ## What would mislead it
    An edge-optimised API always carries CloudFront's headers, also for the gateway's own 504. An edge that
    merely passed on the gateway's 504 has the gateway's time, not its own. A gateway that had answered long
    before the edge gave up lost its answer on the way, or is another request: then it is only `possible`.

    ## What to do
    Set the origin response timeout above the API's limit (up to 120 s), or make the work asynchronous.
    """
    if clocks.kind is not Kind.FAILED or edge is None or edge.status != _GATEWAY_TIMEOUT:
        return None
    taken = edge.time_taken_ms
    if taken is None:
        return None if clocks.cut_by_gateway else NotDecidable(missing=("time-taken in the CloudFront log",))
    known = request is not None and (request.status is not None and request.status < _FAILED)
    timer = value("cloudfront-origin-response")
    tries = _tries(edge, taken, timer)
    waited, own_ms = taken / (tries or 1), clocks.elapsed_ms
    quicker = own_ms is not None and own_ms < waited - _ABOUT_MS
    slower = own_ms is not None and own_ms > waited
    refused = request is not None and request.status == _GATEWAY_TIMEOUT and request.api_id is not None
    own_code = clocks.cut_by_gateway or refused
    later_code = own_code and tries > 0 and own_ms is not None and own_ms > waited + _ABOUT_MS
    if (own_code and not later_code) or not (known or tries):
        return None
    sure = later_code or (known and not quicker and (tries > 0 or slower))
    whole = round(taken / 1000.0) * 1000.0
    later = ""
    if request is not None and (known or later_code) and clocks.elapsed_ms is not None:
        later = f"; the gateway answered {request.status} after {clocks.elapsed_ms:.0f} ms"
    return Cause(
        summary=f"edge timeout: CloudFront gave up after {taken:.0f} ms"
        + (f" ({tries} tries of {timer:.0f} ms)" if tries > 1 else "")
        + later,
        boundary=Boundary.EDGE_TIMEOUT,
        timer_ms=timer if tries else whole,
        confidence=Confidence.LIKELY if sure else Confidence.POSSIBLE,
        spent_ms=taken,
        cites=edge.cites,
        why_not=(("backend-slower-than-limit", "the edge gave up before the gateway did"),),
    )


def _tries(edge: EdgeRequest, taken_ms: float, timer_ms: float) -> int:
    """How often the edge waited its whole timer; 0 when the time is none of its own."""
    most = int(limit("cloudfront-origin-attempts").maximum or 1.0) if edge.method in ("GET", "HEAD") else 1
    return next((count for count in range(1, most + 1) if abs(taken_ms - count * timer_ms) <= count * _ABOUT_MS), 0)
