"""NET103 blocked-target."""

import re

from apigw_doctor.attribution.timeline import Clocks, Pairing, Silence, Surroundings
from apigw_doctor.diagnosis.rule import Answer, Cause, rule
from apigw_doctor.diagnosis.signs import gave_up_waiting, without_invocation
from apigw_doctor.diagnosis.stalls import all_text, call_of, concerns_stall, is_private, stalled_until_the_end
from apigw_doctor.evidence.tables import GatewayRequest, LambdaInvocation
from apigw_doctor.model.terms import Confidence, Layer

_CONNECT = re.compile(
    r"(?i)Handshake inactivity timeout|connect ETIMEDOUT|Connect_?Timeout|connect(?:ion)? time(?:d )?out"
    r"|EHOSTUNREACH|ENETUNREACH|No route to host|Network is unreachable|could not connect|\(connect timeout=\d"
    r"|dial tcp [\d.]+:\d+: (?:i/o timeout|connect:)|ServerSelectionTimeout|buffering timed out|failed: timeout expired"
    r"|Can't connect to MySQL server|Connection attempt failed|Communications link failure"
)
_CONNECTING = re.compile(
    r"(?i)\b(?:connect(?:ing|ion)?|opening|handshake|dial(?:l?ing)?|connect_tcp|HikariPool-\d+ - starting"
    r"|server selection started)\b"
)
#: Waiting for one's turn is no connecting.
_QUEUE = re.compile(r"(?i)waiting for|acquir|\bpool\b|checkout")
_LEAST = 1


@rule(
    "NET103",
    "blocked-target",
    layer=Layer.NETWORK,
    specificity=52,
    fixes=("network-path", "client-timeouts"),
    references=("https://docs.aws.amazon.com/lambda/latest/dg/troubleshooting-networking.html",),
)
def blocked_target(
    clocks: Clocks,
    pairing: Pairing,
    surroundings: Surroundings,
    request: GatewayRequest | None,
    invocation: LambdaInvocation | None,
    silence: Silence | None,
) -> Answer:
    """One target never let the function in, while others answered.

    ## What it finds
    A security group, a network ACL or a missing route between the function and one database or service:
    connecting to it hangs, every time, and nothing else does.

    ## How it decides
    The silence follows the start of a connection, or one attempt to connect after the other ran into the client's
    own timer; no such line in the whole log was ever followed by anything; calls to other targets did
    return. Where there were no other calls, or the log only says in words that the connection timed out, it
    is `possible`.

    ## What would mislead it
    If the same connection came up in other requests this one call stalled (DEP101). If every call hangs
    there is no way out at all (NET102). Waiting for a pooled connection is DEP105.

    ## What to do
    Check the target's security group, the subnet's network ACLs and the route; set a connect timeout.
    """
    if not concerns_stall(clocks, request, invocation):
        return None
    if invocation is None:
        return without_invocation(request, pairing)
    if silence is None or surroundings.same_target_returned:
        return None
    tries = _failed_connects(silence)
    if not stalled_until_the_end(silence, clocks) and not tries:
        return None
    if _QUEUE.search(silence.last_line):
        return None
    call = call_of(silence) or " ".join(silence.last_line.split())[:80]
    said = _CONNECT.search(all_text(None, invocation))
    again = surroundings.same_target_stalled >= _LEAST or (tries > 0 and surroundings.same_function_slow >= _LEAST)
    never = again and surroundings.other_targets_returned > 0
    # Every call to the one target inside the network hung: blocked, or down.
    only = not never and surroundings.same_target_stalled >= _LEAST and is_private(silence.last_line)
    if not (never or said or only) or _CONNECTING.search(silence.last_line) is None:
        return None
    tried = surroundings.same_target_stalled + max(tries, 1)
    return Cause(
        summary=(
            f"blocked target: '{call}' never got through in {tried} of {tried} tries"
            f" ({silence.duration_ms:.0f} ms here)"
            + (f"; {surroundings.other_targets_returned} calls to other targets returned" if never else "")
        ),
        confidence=Confidence.LIKELY if never else Confidence.POSSIBLE,
        spent_ms=silence.duration_ms,
        why_not=(("stalled-call", "no call to this target ever returned"),),
    )


def _failed_connects(silence: Silence) -> int:
    """How many attempts to connect ran into the client's own timer, one after the other; 0 for other waits."""
    connecting = _CONNECTING.search(silence.last_line) is not None
    failed = silence.next_line is not None and gave_up_waiting(silence.next_line)
    return len(silence.equal_gaps_ms) if connecting and failed and len(silence.equal_gaps_ms) > 1 else 0
