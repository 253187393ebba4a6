"""FUN105 extension-overhead."""

from apigw_doctor.attribution.timeline import Clocks, Pairing
from apigw_doctor.diagnosis.rule import Answer, Cause, rule
from apigw_doctor.diagnosis.signs import (
    at_the_limit,
    cited,
    cold_ms,
    is_finished_line,
    is_killed,
    last_own_line,
    threshold_ms,
    without_invocation,
)
from apigw_doctor.evidence.tables import GatewayRequest, LambdaInvocation
from apigw_doctor.model.terms import Boundary, Confidence, Layer


@rule(
    "FUN105",
    "extension-overhead",
    layer=Layer.FUNCTION,
    specificity=58,
    fixes=("extension",),
    references=("https://docs.aws.amazon.com/lambda/latest/dg/lambda-extensions.html",),
)
def extension_overhead(
    clocks: Clocks, pairing: Pairing, request: GatewayRequest | None, invocation: LambdaInvocation | None
) -> Answer:
    """The handler was done in time, and an extension kept the invocation open until a timer fired.

    ## What it finds
    Timeouts of functions with a monitoring or secrets extension where the time lies after the handler.

    ## How it decides
    An extension is in the log, and either the platform's `extensionOverhead` span or the stretch from the
    handler's last line (a finished result) to the end holds the time; without it the run would have fitted.

    ## What would mislead it
    After the response was sent the client does not feel an extension: if the gateway has its answer in time
    there is no timeout, whatever Duration says. A last line that starts a call is a stalled call (DEP101).

    ## What to do
    Update, reconfigure or remove the extension; let it send its data asynchronously.
    """
    killed = is_killed(invocation)
    timed_out = at_the_limit(clocks) or clocks.boundary is Boundary.FUNCTION_TIMEOUT or (request is None and killed)
    if not timed_out:
        return None
    if invocation is None:
        return without_invocation(request, pairing)
    run_ms = invocation.duration_ms
    held_ms, measured = _held_ms(invocation)
    if run_ms is None or held_ms is None:
        return None
    limit_ms = threshold_ms(clocks) if at_the_limit(clocks) else invocation.timeout_ms or run_ms
    wait_ms = cold_ms(invocation, request) if at_the_limit(clocks) else 0.0
    handler_ms = max(run_ms - held_ms, 0.0)
    passed = killed or wait_ms + run_ms > limit_ms
    # Less than half of the run is no holding: the handler itself was slow as well.
    if not passed or wait_ms + handler_ms >= limit_ms or held_ms < run_ms / 2:
        return None
    return Cause(
        summary=(
            f"extension overhead: the handler was done after {handler_ms:.0f} ms, an extension held the"
            f" invocation for another {held_ms:.0f} ms"
        ),
        confidence=Confidence.PROVEN if measured else Confidence.LIKELY,
        spent_ms=held_ms,
        cites=cited(request, invocation, last_own_line(invocation)),
        why_not=(("backend-slower-than-limit", f"the handler itself took only {handler_ms:.0f} ms"),),
    )


def _held_ms(invocation: LambdaInvocation) -> tuple[float | None, bool]:
    """How long an extension held the invocation, and whether the platform measured it."""
    if invocation.extension_overhead_ms is not None:
        return invocation.extension_overhead_ms, True
    if not invocation.extensions and not any(line.extension for line in invocation.lines):
        return None, False
    last, ended_at = last_own_line(invocation), invocation.finished_at
    if last is None or last.at is None or ended_at is None or not is_finished_line(last.text):
        return None, False
    return ended_at - last.at, False
