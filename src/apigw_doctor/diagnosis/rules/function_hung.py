"""FUN106 function-hung."""

from apigw_doctor.attribution.timeline import Clocks, Pairing
from apigw_doctor.diagnosis.rule import Answer, Cause, NotDecidable, rule
from apigw_doctor.diagnosis.signs import (
    ABOUT_MS,
    REPORT_LINE,
    cited,
    is_killed,
    last_own_line,
    without_invocation,
)
from apigw_doctor.evidence.tables import GatewayRequest, LambdaInvocation
from apigw_doctor.model.terms import Confidence, Layer, Outcome


@rule(
    "FUN106",
    "function-hung",
    layer=Layer.FUNCTION,
    specificity=12,
    fixes=("client-timeouts", "fix-application"),
    references=("https://repost.aws/knowledge-center/lambda-troubleshoot-invocation-timeouts",),
)
def function_hung(
    clocks: Clocks, pairing: Pairing, request: GatewayRequest | None, invocation: LambdaInvocation | None
) -> Answer:
    """The gateway gave up, the function never ended, and nothing says what it was waiting for.

    ## What it finds
    Requests cut at the integration timeout whose invocation was killed later, at the function's own timeout.

    ## How it decides
    The boundary is the integration timeout, the invocation was killed, and the function's timeout is not
    below the gateway's limit. `likely` when the function fell silent, `possible` when it logged to the end:
    then it may have been busy and not hung.

    ## What would mislead it
    Every rule that knows why wins over it: a named call (DEP101), a blocked network (NET102), a finished
    result (FUN103), full memory (FUN104), a failed init (INI102). A function timeout below the limit is
    FUN102; a run that ended by itself is FUN101.

    ## What to do
    Log before and after every outbound call and give each a timeout below the limit; then the next one
    tells its name.
    """
    if not clocks.cut_by_gateway:
        return None
    if invocation is None:
        return without_invocation(request, pairing)
    if not is_killed(invocation):
        unfinished = invocation.outcome is Outcome.UNKNOWN and invocation.duration_ms is None
        return NotDecidable(missing=(REPORT_LINE,)) if unfinished else None
    killed_ms = invocation.timeout_ms or invocation.duration_ms
    if killed_ms is None or killed_ms < clocks.limit_ms - ABOUT_MS:
        return None
    last, ended_at = last_own_line(invocation), invocation.finished_at
    silent_ms = ended_at - last.at if last is not None and last.at is not None and ended_at is not None else None
    busy = silent_ms is not None and silent_ms < killed_ms / 2
    return Cause(
        summary=(
            f"function hung: cut by the gateway at {clocks.limit_ms:.0f} ms, killed by Lambda at {killed_ms:.0f} ms; "
            + ("it logged until then, and " if busy else "")
            + "nothing in its log says why it did not end"
        ),
        confidence=Confidence.POSSIBLE if busy else Confidence.LIKELY,
        spent_ms=silent_ms,
        cites=cited(request, invocation),
        why_not=(("backend-slower-than-limit", "the run did not end by itself, it was killed"),),
    )
