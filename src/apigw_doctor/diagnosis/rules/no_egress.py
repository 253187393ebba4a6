"""NET102 no-egress."""

from apigw_doctor.attribution.timeline import Clocks, Pairing, Silence, Surroundings
from apigw_doctor.diagnosis.rule import Answer, Cause, NotDecidable, rule
from apigw_doctor.diagnosis.signs import without_invocation
from apigw_doctor.diagnosis.stalls import call_of, concerns_stall, is_private, stalled_until_the_end
from apigw_doctor.evidence.tables import FunctionSettings, GatewayRequest, LambdaInvocation
from apigw_doctor.model.terms import Confidence, Layer

#: So many invocations must all have hung before "every call" is more than a word.
_LEAST = 2


@rule(
    "NET102",
    "no-egress",
    layer=Layer.NETWORK,
    specificity=54,
    fixes=("vpc-endpoint", "client-timeouts"),
    references=("https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc-internet.html",),
)
def no_egress(
    clocks: Clocks,
    pairing: Pairing,
    surroundings: Surroundings,
    request: GatewayRequest | None,
    invocation: LambdaInvocation | None,
    silence: Silence | None,
    settings: FunctionSettings | None,
) -> Answer:
    """The function sits in a VPC without a way out, so every call to the world hangs.

    ## What it finds
    Functions attached to private subnets without a NAT gateway or VPC endpoint: calls to AWS services and
    the internet are sent and never answered, all of them, since the deployment.

    ## How it decides
    The configuration says that the function is in a VPC; every invocation of it hung in a call; not one
    outbound call in the whole log ever returned.

    ## What would mislead it
    One stalled call among many that return is DEP101. One target that hangs while others answer is NET103;
    so is one inside the network (a database, a private address), which needs no way out. Without the
    function's configuration this cannot be decided.

    ## What to do
    A gateway endpoint for S3 and DynamoDB, interface endpoints for other services, a NAT gateway for the
    internet; or take the function out of the VPC.
    """
    if not concerns_stall(clocks, request, invocation):
        return None
    if invocation is None:
        return without_invocation(request, pairing)
    if silence is None or not stalled_until_the_end(silence, clocks):
        return None
    all_hung = surroundings.same_function_slow == surroundings.same_function >= _LEAST
    returned = surroundings.same_target_returned + surroundings.other_targets_returned
    if not all_hung or returned or is_private(silence.last_line):
        return None
    if settings is None or settings.in_vpc is None:
        return NotDecidable(missing=("FunctionSettings",))
    if not settings.in_vpc:
        return None
    call = call_of(silence)
    return Cause(
        summary=(
            f"no way out of the VPC: all {surroundings.same_function + 1} invocations hung in a call"
            + (f", here '{call}'" if call else "")
            + f", for {silence.duration_ms:.0f} ms; none ever returned"
        ),
        confidence=Confidence.LIKELY if call else Confidence.POSSIBLE,
        spent_ms=silence.duration_ms,
        cites=settings.cites,
        why_not=(("stalled-call", "it is every call of every invocation, not one"),),
    )
