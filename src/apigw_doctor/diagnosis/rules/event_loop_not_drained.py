"""FUN103 event-loop-not-drained."""

from apigw_doctor.attribution.timeline import Clocks, Pairing, Surroundings
from apigw_doctor.diagnosis.rule import Answer, Cause, rule
from apigw_doctor.diagnosis.signs import (
    cited,
    is_finished_line,
    is_killed,
    last_own_line,
    without_invocation,
)
from apigw_doctor.evidence.tables import FunctionSettings, GatewayRequest, LambdaInvocation
from apigw_doctor.model.terms import Boundary, Confidence, Layer

#: The silence must hold most of the run; a slow handler that logs its result at last is none of this.
_MOST = 0.5


@rule(
    "FUN103",
    "event-loop-not-drained",
    layer=Layer.FUNCTION,
    specificity=55,
    fixes=("fix-application",),
    references=("https://docs.aws.amazon.com/lambda/latest/dg/nodejs-context.html",),
)
def event_loop_not_drained(
    clocks: Clocks,
    surroundings: Surroundings,
    pairing: Pairing,
    request: GatewayRequest | None,
    invocation: LambdaInvocation | None,
    settings: FunctionSettings | None,
) -> Answer:
    """The handler had its result, but an open handle kept the invocation alive until it was killed.

    ## What it finds
    Node functions that log a finished response and then wait: an open database socket or timer keeps the
    event loop from draining, and Lambda holds the answer back.

    ## How it decides
    The function's last line is the finished result, silence follows for most of the run, and the
    invocation is killed. `likely` when every invocation of the function ends so, else `possible`.

    ## What would mislead it
    A last line that starts a call is a stalled call (DEP101), also when it looks like success otherwise.
    With an extension in the log the extension may hold the invocation (FUN105). Runtimes other than Node
    do not wait for an event loop.

    ## What to do
    Set `context.callbackWaitsForEmptyEventLoop = false`, or use an async handler; close what stays open.
    """
    lambda_only = request is None and is_killed(invocation)
    if not (lambda_only or clocks.boundary in (Boundary.FUNCTION_TIMEOUT, Boundary.INTEGRATION_TIMEOUT)):
        return None
    if invocation is None:
        return without_invocation(request, pairing)
    if settings is not None and settings.runtime is not None and not settings.runtime.startswith("nodejs"):
        return None
    last, ended_at, run_ms = last_own_line(invocation), invocation.finished_at, invocation.duration_ms
    if not is_killed(invocation) or last is None or last.at is None or ended_at is None or not run_ms:
        return None
    if any(line.extension for line in invocation.lines) or not is_finished_line(last.text):
        return None
    silent_ms = ended_at - last.at
    if silent_ms < _MOST * run_ms:
        return None
    always = surroundings.always_silent_after_last_line
    return Cause(
        summary=(
            f"event loop not drained: the result was logged after {max(run_ms - silent_ms, 0.0):.0f} ms, then the"
            f" function was silent for {silent_ms:.0f} ms until it was killed"
            + (", as in every invocation" if always else "")
        ),
        confidence=Confidence.LIKELY if always else Confidence.POSSIBLE,
        spent_ms=silent_ms,
        cites=cited(request, invocation, last),
        why_not=(("stalled-call", "the last line is the finished result and starts no call"),),
    )
