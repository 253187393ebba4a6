"""NOT104 never-invoked."""

from apigw_doctor.attribution.timeline import Clocks, Pairing
from apigw_doctor.diagnosis.rule import Answer, Cause, NotDecidable, rule
from apigw_doctor.diagnosis.signs import ABOUT_MS, GATEWAY_REASON, cited, is_unexplained, no_timer_fired, threshold_ms
from apigw_doctor.evidence.tables import GatewayRequest, LambdaInvocation
from apigw_doctor.model.terms import Confidence, Layer

#: Gateway responses that say nothing about why; every other type names its own reason.
_MUTE_TYPES = (None, "DEFAULT_5XX", "INTEGRATION_FAILURE")


@rule(
    "NOT104",
    "never-invoked",
    layer=Layer.NETWORK,
    specificity=25,
    fixes=("retry-transient",),
    references=("https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html",),
)
def never_invoked(
    clocks: Clocks, pairing: Pairing, request: GatewayRequest | None, invocation: LambdaInvocation | None
) -> Answer:
    """The gateway failed the request without ever calling the integration.

    ## What it finds
    Rare 5xx answers for which the backend has no record, because the request never left the gateway.

    ## How it decides
    The execution log of the request is complete at data-trace level and holds no `Sending request` line and
    no reason: `proven` when the function's log covers the time and has no invocation, else `likely`. With
    the access log alone it is `possible` at best, and only beside such a function log.

    ## What would mislead it
    Without data trace no request shows a Sending line, so its absence means nothing. A failing authorizer,
    WAF or configuration stops a request too, and says so (AUT101, NOT102). Lines without times cannot
    show what is absent.

    ## What to do
    Retry with a pause; the call did nothing, so a retry is safe. If it comes in bursts, ask AWS Support
    with the extended request ids.
    """
    if request is None or invocation is not None or not no_timer_fired(clocks) or not is_unexplained(request):
        return None
    if request.lambda_request_id or request.response_type not in _MUTE_TYPES or _sent(request) or _stopped(request):
        return None
    if clocks.elapsed_ms is not None and clocks.elapsed_ms > threshold_ms(clocks) - ABOUT_MS:
        return None
    nothing_ran = pairing.log_covers and pairing.candidates == 0
    if request.saw_trace and request.saw_info and request.last_line_at is not None:
        confidence = Confidence.PROVEN if nothing_ran else Confidence.LIKELY
        sign = "its complete log holds no Sending line"
    elif nothing_ran and not request.saw_info and request.response_latency_ms is not None:
        confidence, sign = Confidence.POSSIBLE, "the gateway names no integration"
    else:
        return NotDecidable(missing=(GATEWAY_REASON,))
    after = "" if clocks.elapsed_ms is None else f" after {clocks.elapsed_ms:.0f} ms"
    return Cause(
        summary=(
            f"never invoked: the gateway answered {request.status or 'with an error'}{after} without calling the"
            f" integration; {sign}" + (" and the function's log has no invocation" if nothing_ran else "")
        ),
        confidence=confidence,
        cites=cited(request),
    )


def _sent(request: GatewayRequest) -> bool:
    return (
        request.sending_at is not None
        or request.received_at is not None
        or (request.integration_latency_ms or 0.0) > 0.0
        or request.endpoint_body is not None
    )


def _stopped(request: GatewayRequest) -> bool:
    """The authorizer did not let it pass."""
    refused = request.authorizer_error is not None or (request.authorizer_status or 0) >= 400
    unfinished = request.authorizer_started_at is not None and request.authorizer_completed_at is None
    return refused or unfinished
