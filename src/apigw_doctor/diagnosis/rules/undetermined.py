"""UNK000 undetermined."""

from apigw_doctor.attribution.timeline import Clocks
from apigw_doctor.diagnosis.rule import Answer, Cause, rule
from apigw_doctor.diagnosis.signs import cited
from apigw_doctor.evidence.tables import ClientReply, EdgeRequest, GatewayRequest, LambdaInvocation
from apigw_doctor.model.terms import Boundary, Confidence, Kind, Layer, LimitBasis, Outcome


@rule(
    "UNK000",
    "undetermined",
    layer=Layer.UNKNOWN,
    specificity=0,
    fixes=(),
    references=("https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html",),
)
def undetermined(
    clocks: Clocks,
    request: GatewayRequest | None,
    invocation: LambdaInvocation | None,
    client: ClientReply | None,
    edge: EdgeRequest | None,
) -> Answer:
    """The evidence shows that the request failed and does not show why.

    ## What it finds
    Failed requests, and requests near their limit, that no other rule explains.

    ## How it decides
    It does not: it states the facts that are known and leaves the cause open. What would decide it stands
    under the missing evidence of the verdict.

    ## What would mislead it
    Nothing; but a guess here would mislead you. A gateway timeout without the backend's log may be a slow
    run, a hung call, a cold start or a limit that is too low.

    ## What to do
    Supply the missing evidence that the verdict names, for instance the function's log, and ask again.
    """
    seen_from_outside = request is not None or client is not None or edge is not None
    if not seen_from_outside and invocation is not None and invocation.outcome is Outcome.SUCCESS:
        return None
    return Cause(
        summary=f"{_known(clocks, request)}; what took the time or failed is not in this evidence",
        confidence=Confidence.UNDETERMINED,
        layer=Layer.UNKNOWN,
        cites=cited(request, invocation) or (() if client is None else client.cites),
    )


def _known(clocks: Clocks, request: GatewayRequest | None) -> str:
    after = "" if clocks.elapsed_ms is None else f" after {clocks.elapsed_ms:.0f} ms"
    if clocks.kind is Kind.NEAR_LIMIT:
        return f"answered{after}, near the limit of {clocks.limit_ms:.0f} ms"
    if clocks.cut_by_gateway:
        if clocks.limit_basis is LimitBasis.DEFAULT:
            return (
                f"the gateway stopped waiting{after}; {clocks.limit_ms:.0f} ms is the default, what is set is not known"
            )
        return f"the gateway stopped waiting{after}, its integration timeout is {clocks.limit_ms:.0f} ms"
    if clocks.boundary not in (Boundary.NONE, Boundary.UNKNOWN):
        return f"the {clocks.boundary.value.replace('-', ' ')} fired{after}"
    status = "" if request is None or request.status is None else f" with status {request.status}"
    return f"the request failed{status}{after}, and which clock ran out, if any, is unknown"
