"""NOT103 response-too-large."""

import re

from apigw_doctor.attribution.clocks import function_throttled
from apigw_doctor.attribution.timeline import Clocks, Pairing
from apigw_doctor.diagnosis.rule import Answer, Cause, rule
from apigw_doctor.diagnosis.signs import (
    cited,
    is_too_large,
    no_timer_fired,
    stated_timeout_ms,
    without_invocation,
    words,
)
from apigw_doctor.evidence.tables import AppLine, GatewayRequest, LambdaInvocation
from apigw_doctor.limits.table import value
from apigw_doctor.model.terms import Boundary, Confidence, Layer, Outcome

_LOGGED_SIZE = re.compile(r"\b(?:body|response|payload)\b\D{0,40}?(\d{7,12}) ?(?:bytes|B)\b", re.IGNORECASE)
_FAILED = 500


@rule(
    "NOT103",
    "response-too-large",
    layer=Layer.FUNCTION,
    specificity=75,
    fixes=("response-streaming", "fix-application"),
    references=("https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html",),
)
def response_too_large(
    clocks: Clocks, pairing: Pairing, request: GatewayRequest | None, invocation: LambdaInvocation | None
) -> Answer:
    """The function finished well, and its answer was too large to be delivered.

    ## What it finds
    502 answers of functions that did their work in time and returned more bytes than Lambda or the gateway
    lets through.

    ## How it decides
    The gateway or the runtime says it in words, or the gateway calls the response malformed and the
    function logged a body over the payload limit.

    ## What would mislead it
    A large body within the limit that came after the cut is slow, not too large (FUN101). A malformed
    response without a logged size is the application's (NOT101).

    ## What to do
    Page the answer, compress it, stream it, or hand out a link to an object in S3.
    """
    if not no_timer_fired(clocks):
        return None
    if request is not None and ((request.status or _FAILED) < _FAILED or function_throttled(request)):
        return None
    lines = () if invocation is None else invocation.lines
    said = "\n".join((words(request), *(line.text for line in lines)))
    limit_bytes = value("lambda-payload-sync")
    size, line = _largest_logged(lines)
    over = size > limit_bytes
    malformed = request is not None and "Malformed Lambda proxy response" in (request.failure or "")
    if stated_timeout_ms(said) is not None:
        return None
    if is_too_large(said):
        confidence = Confidence.PROVEN
    elif malformed and invocation is not None and over and invocation.outcome is Outcome.SUCCESS:
        confidence = Confidence.LIKELY
    elif malformed and invocation is None and request is not None and request.endpoint_body is None:
        return without_invocation(request, pairing)
    else:
        return None
    told = f"a body of {size:.0f} bytes" if over else "a body"
    return Cause(
        summary=f"response too large: the function returned {told} over the limit of {limit_bytes:.0f} bytes",
        confidence=confidence,
        boundary=Boundary.NONE,
        cites=cited(request, invocation, line if over else None),
        why_not=(("application-error", "the function finished well; only the size of its answer was refused"),),
    )


def _largest_logged(lines: tuple[AppLine, ...]) -> tuple[float, AppLine | None]:
    found = [(float(match[1]), line) for line in lines if (match := _LOGGED_SIZE.search(line.text))]
    return max(found, key=lambda pair: pair[0], default=(0.0, None))
