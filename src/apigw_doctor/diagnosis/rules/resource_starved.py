"""FUN104 resource-starved."""

from apigw_doctor.attribution.timeline import Clocks, Pairing
from apigw_doctor.diagnosis.rule import Answer, Cause, rule
from apigw_doctor.diagnosis.signs import (
    at_the_limit,
    cited,
    cold_ms,
    is_killed,
    threshold_ms,
    without_invocation,
    words,
)
from apigw_doctor.evidence.tables import GatewayRequest, LambdaInvocation
from apigw_doctor.model.terms import Boundary, Confidence, Layer

#: "Max Memory Used about Memory Size"
_FULL = 0.95
#: The smallest size; a CPU share so small that a heavy runtime takes seconds to start.
_TINY_MB = 128
_HEAVY_INIT_MS = 3000.0


@rule(
    "FUN104",
    "resource-starved",
    layer=Layer.FUNCTION,
    specificity=45,
    fixes=("memory",),
    references=("https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html",),
)
def resource_starved(
    clocks: Clocks, pairing: Pairing, request: GatewayRequest | None, invocation: LambdaInvocation | None
) -> Answer:
    """The function ran out of memory, or was slow because its memory (and the CPU with it) was full.

    ## What it finds
    Runs that passed a timeout, or were ended by the system, with nearly all of their memory in use.

    ## How it decides
    `Runtime.OutOfMemory` and `signal: killed` say it in words. Otherwise the run passed its limit or was
    killed, and Max Memory Used is at least 95 % of Memory Size: `likely`. The smallest size with an init of
    several seconds is `possible`.

    ## What would mislead it
    Max Memory Used is the peak of the environment, so an earlier invocation may have left it there. A
    run that fits without its init is a cold start (INI101), with this as the alternative.

    ## What to do
    More memory brings more CPU in proportion; measure with two sizes before settling.
    """
    killed_alone = request is None and is_killed(invocation)
    timed_out = at_the_limit(clocks) or clocks.boundary is Boundary.FUNCTION_TIMEOUT or killed_alone
    if _crashed(request, invocation) and not at_the_limit(clocks):
        return _out_of_memory(request, invocation)
    if not timed_out:
        return None
    if invocation is None:
        return without_invocation(request, pairing)
    wait_ms, run_ms = cold_ms(invocation, request), invocation.duration_ms or 0.0
    if not is_killed(invocation) and wait_ms + run_ms <= threshold_ms(clocks):
        return None
    size_mb, used_mb = invocation.memory_mb, invocation.max_memory_mb
    if size_mb and used_mb and used_mb >= _FULL * size_mb:
        confidence, sign = Confidence.LIKELY, f"{used_mb} of {size_mb} MB memory in use"
    elif size_mb and size_mb <= _TINY_MB and wait_ms >= _HEAVY_INIT_MS:
        confidence, sign = Confidence.POSSIBLE, f"only {size_mb} MB of memory and {wait_ms:.0f} ms of init"
    else:
        return None
    ended = "was killed" if is_killed(invocation) else "ended"
    return Cause(
        summary=f"starved of memory and CPU: {sign} when the run {ended} after {run_ms:.0f} ms",
        confidence=confidence,
        spent_ms=run_ms,
        cites=cited(request, invocation),
    )


def _crashed(request: GatewayRequest | None, invocation: LambdaInvocation | None) -> bool:
    told = words(request)
    if invocation is not None:
        told += f"\n{invocation.error_type or ''}\n{invocation.error_text or ''}"
    return "Runtime.OutOfMemory" in told or "signal: killed" in told


def _out_of_memory(request: GatewayRequest | None, invocation: LambdaInvocation | None) -> Cause:
    size = "" if invocation is None or invocation.memory_mb is None else f" of {invocation.memory_mb} MB"
    stated = "OutOfMemory" in words(request) or "OutOfMemory" in (invocation.error_type or "" if invocation else "")
    return Cause(
        summary=f"out of memory: the function needed more than its memory{size}, and its process was killed",
        confidence=Confidence.PROVEN if stated else Confidence.LIKELY,
        cites=cited(request, invocation),
        why_not=(("application-error", "the process was ended from outside, for want of memory"),),
    )
