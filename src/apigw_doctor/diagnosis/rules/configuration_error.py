"""NOT102 configuration-error."""

import re

from apigw_doctor.attribution.clocks import function_throttled
from apigw_doctor.attribution.timeline import Clocks
from apigw_doctor.diagnosis.rule import Answer, Cause, NotDecidable, rule
from apigw_doctor.diagnosis.signs import (
    GATEWAY_REASON,
    cited,
    is_function_error,
    is_too_large,
    is_unexplained,
    no_timer_fired,
    words,
)
from apigw_doctor.evidence.tables import GatewayRequest, LambdaInvocation
from apigw_doctor.model.terms import Boundary, Confidence, Layer

#: What the gateway says, and how to say it at night.
_KNOWN = (
    ("Invalid permissions on Lambda function", "the gateway may not invoke the Lambda function"),
    ("does not have permission to assume the provided role", "the gateway may not assume the integration's role"),
    ("doesn't have permissions to call the integration", "the gateway may not call the integration"),
    ("doesn't have permissions to call the authorizer", "the gateway may not call the authorizer"),
    ("Output mapping refers to an invalid method response", "a response mapping points to a missing method response"),
    ("does not match the certificate subject", "the backend's certificate does not carry the name that is called"),
    ("Invalid endpoint address", "the integration's address is invalid"),
    ("Could not parse policy", "the authorizer's policy cannot be parsed"),
    ("AuthorizerConfigurationException", "the authorizer is set up wrongly"),
)
_OF_OTHERS = re.compile(
    r"Malformed Lambda proxy response|internal error while executing your request"
    r"|configuration error: Authorizer error"
)
_AUTHORIZER = re.compile(r"authorizer|Could not parse policy|AuthorizerConfiguration", re.IGNORECASE)
_TYPES = ("API_CONFIGURATION_ERROR", "AUTHORIZER_CONFIGURATION_ERROR")


@rule(
    "NOT102",
    "configuration-error",
    layer=Layer.GATEWAY,
    specificity=35,
    fixes=("configuration",),
    references=("https://repost.aws/knowledge-center/api-gateway-internal-server-error",),
)
def configuration_error(clocks: Clocks, request: GatewayRequest | None, invocation: LambdaInvocation | None) -> Answer:
    """The gateway could not do its part: a permission, a mapping, a name or an address is wrong.

    ## What it finds
    5xx answers that no retry and no longer timeout will heal, usually since the last deployment.

    ## How it decides
    The gateway's words name the fault: permissions, role, output mapping, certificate name, endpoint
    address, authorizer policy. Other words after `configuration error:` are `likely`, the response type
    alone is `possible`.

    ## What would mislead it
    A throttle inside a configuration error (CAP101), a malformed response (NOT101), `Authorizer error`
    (AUT101) and `There was an internal error while executing your request` (NET101) carry the same label.

    ## What to do
    Correct the setting that the evidence names, and deploy the stage again.
    """
    if request is None or not no_timer_fired(clocks):
        return None
    said = words(request)
    if function_throttled(request) or is_function_error(request) or is_too_large(said) or _OF_OTHERS.search(said):
        return None
    plain = next((plain for text, plain in _KNOWN if text.lower() in said.lower()), None)
    if plain is not None:
        confidence = Confidence.PROVEN
    elif "configuration error" in (request.failure or ""):
        confidence, plain = (
            Confidence.LIKELY,
            "the gateway calls it a configuration error, see its words in the evidence",
        )
    elif request.response_type in _TYPES and invocation is None:
        confidence, plain = Confidence.POSSIBLE, f"the response type is {request.response_type}, without further words"
    elif is_unexplained(request) and invocation is None:
        return NotDecidable(missing=(GATEWAY_REASON,))
    else:
        return None
    return Cause(
        summary=f"configuration error: {plain}; no timeout was involved",
        confidence=confidence,
        boundary=Boundary.NONE if confidence is not Confidence.POSSIBLE else None,
        layer=Layer.AUTHORIZER if _in_the_authorizer(request, said) else Layer.GATEWAY,
        cites=cited(request),
    )


def _in_the_authorizer(request: GatewayRequest, said: str) -> bool:
    if _AUTHORIZER.search(said) or (request.response_type or "").startswith("AUTHORIZER_"):
        return True
    stuck = request.authorizer_started_at is not None and request.authorizer_completed_at is None
    return stuck and request.sending_at is None
