"""NET104 dns-stall."""

import re

from apigw_doctor.attribution.timeline import Clocks, Pairing, Silence
from apigw_doctor.diagnosis.rule import Answer, Cause, rule
from apigw_doctor.diagnosis.signs import without_invocation
from apigw_doctor.diagnosis.stalls import all_text, beside_the_end, concerns_stall, may_hold
from apigw_doctor.evidence.tables import Cite, GatewayRequest, LambdaInvocation
from apigw_doctor.model.terms import Boundary, Confidence, Kind, Layer

_WORDS = re.compile(
    r"EAI_\w+|UnknownHost\w*|Temporary failure in name resolution|getaddrinfo ENOTFOUND|Name or service not known"
    r"|NameResolutionError|[Cc]ould not resolve host|nodename nor servname|gaierror|ENOTFOUND|[Ff]ailed to resolve '"
    r"|could not translate host name|No address associated with hostname|No such host is known"
    r"|\bquery\w{0,8} (?:ETIMEOUT|ESERVFAIL|ECONNREFUSED)"
    r"|\blookup \S{1,255}(?: on \S{1,60})?: (?:no such host|i/o timeout|server misbehaving|read udp)"
)
#: Each of them holds one of these.
_HINTS = (
    "eai_", "unknownhost", "resol", "notfound", "not known", "nodename", "gaierror", "host name", "hostname",
    "such host", "query", "lookup",
)  # fmt: skip


@rule(
    "NET104",
    "dns-stall",
    layer=Layer.NETWORK,
    specificity=56,
    fixes=("network-path", "client-timeouts"),
    references=("https://docs.aws.amazon.com/vpc/latest/userguide/vpc-dns.html",),
)
def dns_stall(
    clocks: Clocks,
    pairing: Pairing,
    request: GatewayRequest | None,
    invocation: LambdaInvocation | None,
    silence: Silence | None,
) -> Answer:
    """A name could not be resolved, so the call was never even made.

    ## What it finds
    Look-ups that hang or fail: a resolver that is blocked by a security group, overrun, or asked for a name
    that does not exist.

    ## How it decides
    The log names it: `EAI_AGAIN`, `UnknownHostException`, "Temporary failure in name resolution" and their
    like. `proven` when it failed again and again until a timer fired, `likely` when it failed next to the time
    that was lost or the function answered with the error itself, `possible` when it failed once, long before.

    ## What would mislead it
    A call that hangs after the name was resolved is the network or the target (NET102, NET103, DEP101).
    A look-up error that the function caught and survived may have nothing to do with the failure.

    ## What to do
    Check the VPC's DNS settings, the security group towards the resolver and the name; cache look-ups.
    """
    failing = clocks.kind is Kind.FAILED and clocks.boundary in (Boundary.NONE, Boundary.UNKNOWN)
    timed = concerns_stall(clocks, request, invocation)
    if not timed and not failing:
        return None
    text = all_text(request, invocation)
    match = _WORDS.search(text) if may_hold(text, _HINTS) else None
    if match is None:
        return without_invocation(request, pairing) if timed and invocation is None else None
    line = next((row for row in (invocation.lines if invocation else ()) if match[0] in row.text), None)
    times = sum(match[0] in row.text for row in (invocation.lines if invocation else ()))
    return Cause(
        summary=(
            f"name resolution failed: {match[0]}"
            + (f", {times} times" if times > 1 else "")
            + ("" if timed else "; the function answered with the error, no timer fired")
        ),
        confidence=_confidence(invocation, silence, match[0], times) if timed else Confidence.LIKELY,
        cites=(Cite(origin=line.origin, text=line.text),) if line else (),
        why_not=(("stalled-call", "the name was never resolved, so no call was made"),),
    )


def _confidence(invocation: LambdaInvocation | None, silence: Silence | None, said: str, times: int) -> Confidence:
    """How sure it is that the look-ups spent the time, and not a call that followed them."""
    near = invocation is None or beside_the_end(invocation, silence, said)
    if times > 1:
        return Confidence.PROVEN if near else Confidence.LIKELY
    return Confidence.LIKELY if near else Confidence.POSSIBLE
