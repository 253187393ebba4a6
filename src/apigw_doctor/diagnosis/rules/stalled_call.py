"""DEP101 stalled-call."""

from apigw_doctor.attribution.calls import names_call, names_incoming, reports_return
from apigw_doctor.attribution.timeline import Clocks, Pairing, Silence, Surroundings
from apigw_doctor.diagnosis.rule import Answer, Cause, rule
from apigw_doctor.diagnosis.signs import gave_up_waiting, is_finished_line, is_killed, without_invocation
from apigw_doctor.diagnosis.stalls import call_of, concerns_stall, stalled_until_the_end
from apigw_doctor.evidence.tables import Cite, GatewayRequest, LambdaInvocation
from apigw_doctor.model.terms import Confidence, Layer

_NEARLY_ALL = 0.8
#: So many other invocations must all have hung before that says something about the network.
_ALL = 2


@rule(
    "DEP101",
    "stalled-call",
    layer=Layer.DEPENDENCY,
    specificity=40,
    fixes=("client-timeouts", "retry-transient", "keep-alive"),
    references=("https://repost.aws/knowledge-center/lambda-function-retry-timeout-sdk",),
)
def stalled_call(
    clocks: Clocks,
    pairing: Pairing,
    surroundings: Surroundings,
    request: GatewayRequest | None,
    invocation: LambdaInvocation | None,
    silence: Silence | None,
) -> Answer:
    """The function started one call to something outside, and nothing came back until it was cut or killed.

    ## What it finds
    The commonest signature of all: a log line that starts an outbound call, then silence until the end. A
    client without a short read timeout (botocore waits 60 s, axios for ever) spends the whole budget on it.

    ## How it decides
    The longest stretch without a line reaches the kill or passes the cut, and the line before it names a
    call. `proven` when that stretch is nearly the whole run, which was killed in the end. A
    line after the cut that only says that the call timed out is no return.

    ## What would mislead it
    A finished result before the silence is an event loop that does not drain (FUN103). A line that only says
    that a request came in names no call: then this is merely `possible`. Where no call to the target ever
    succeeded it is the network (NET102, NET103); several equal gaps are retries (DEP102).

    ## What to do
    Set connect and read timeouts on the client named in the evidence, so that one attempt and one retry fit
    into the gateway's limit; log the end of every call.
    """
    if not concerns_stall(clocks, request, invocation):
        return None
    if invocation is None:
        return without_invocation(request, pairing)
    if silence is None and is_killed(invocation):
        return _without_times(invocation)
    if silence is None or not stalled_until_the_end(silence, clocks) or is_finished_line(silence.last_line):
        return None
    if silence.next_line is not None and not gave_up_waiting(silence.next_line):
        return None  # it came to its end in time of its own: slow, not stalled
    call = call_of(silence)
    if call is None:
        return _only_possible(silence)
    share = silence.duration_ms / max(invocation.duration_ms or silence.duration_ms, 1.0)
    killed = is_killed(invocation)
    sure = (killed or silence.next_line is not None) and share >= _NEARLY_ALL and names_call(silence.last_line)
    returned = surroundings.same_target_returned
    return Cause(
        summary=(
            f"stalled call: after '{call}' nothing was logged for {silence.duration_ms:.0f} ms"
            + _end(silence, killed=killed)
            + (f"; {returned} other such call{'s' if returned != 1 else ''} did return" if returned else "")
        ),
        confidence=_confidence(surroundings, sure=sure),
        spent_ms=silence.duration_ms,
        cites=(Cite(origin=silence.last_origin, text=silence.last_line),),
        why_not=(("function-hung", "the last line before the silence names the call"),),
    )


def _end(silence: Silence, *, killed: bool) -> str:
    if silence.next_line is not None:
        return f" until '{' '.join(silence.next_line.split())[:60]}'"
    return " until the kill" if killed else ", and the log shows no end of the run"


def _confidence(surroundings: Surroundings, *, sure: bool) -> Confidence:
    """Where every invocation hung and no call ever came back, the network may be the cause as well (NET102)."""
    all_hung = surroundings.same_function_slow == surroundings.same_function >= _ALL
    if all_hung and not surroundings.same_target_returned + surroundings.other_targets_returned:
        return Confidence.POSSIBLE
    return Confidence.PROVEN if sure else Confidence.LIKELY


def _without_times(invocation: LambdaInvocation) -> Answer:
    """Without the times of START and END only the order of lines is known, and the last one names the call."""
    lines = [line for line in invocation.lines if not line.extension]
    if not lines or invocation.finished_at is not None or not names_call(lines[-1].text):
        return None
    call = " ".join(lines[-1].text.split())[:80]
    return Cause(
        summary=(
            f"stalled call: '{call}' is the last line before the function was killed"
            " (the log has no times of START and END)"
        ),
        confidence=Confidence.LIKELY,
        cites=(Cite(origin=lines[-1].origin, text=lines[-1].text),),
        why_not=(("function-hung", "the last line names the call"),),
    )


def _only_possible(silence: Silence) -> Answer:
    if silence.last_line == "START" or names_incoming(silence.last_line) or reports_return(silence.last_line):
        return None
    return Cause(
        summary=(
            f"perhaps a stalled call: the function was silent for {silence.duration_ms:.0f} ms after"
            f" '{' '.join(silence.last_line.split())[:80]}', which names no call"
        ),
        confidence=Confidence.POSSIBLE,
        spent_ms=silence.duration_ms,
        cites=(Cite(origin=silence.last_origin, text=silence.last_line),),
    )
