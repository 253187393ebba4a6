"""FUN101 backend-slower-than-limit."""

from apigw_doctor.attribution.timeline import Clocks, Pairing, Silence
from apigw_doctor.diagnosis.rule import Answer, Cause, NotDecidable, rule
from apigw_doctor.diagnosis.signs import (
    ABOUT_MS,
    REPORT_LINE,
    at_the_limit,
    cited,
    cold_ms,
    is_killed,
    may_hide_a_call,
    threshold_ms,
    without_invocation,
)
from apigw_doctor.evidence.tables import GatewayRequest, LambdaInvocation, LoadBalancerRequest
from apigw_doctor.model.terms import Confidence, Kind, Layer, Outcome

_CLIENT_CLOSED = 460


@rule(
    "FUN101",
    "backend-slower-than-limit",
    layer=Layer.FUNCTION,
    specificity=20,
    fixes=("async-conversion", "quota-increase", "memory", "response-streaming", "fix-application"),
    references=("https://repost.aws/knowledge-center/api-gateway-504-errors",),
)
def backend_slower_than_limit(
    clocks: Clocks,
    pairing: Pairing,
    request: GatewayRequest | None,
    invocation: LambdaInvocation | None,
    load_balancer: LoadBalancerRequest | None,
    silence: Silence | None,
) -> Answer:
    """The backend did its work and ended by itself, but only after the gateway had given up.

    ## What it finds
    Requests cut by the integration timeout whose backend finished later than any limit of the API type's
    default would have allowed.

    ## How it decides
    The invocation ended by itself and its duration alone passed the limit. For another target, the load
    balancer's line tells that the target answered after the cut, or (460) had not answered at the cut.

    ## What would mislead it
    A run that was killed did not finish (FUN102, FUN106). If the run alone fits and only the init pushes
    it over, it is a cold start (INI101). If the default limit would have been enough, the limit is too
    low (GTW101). The work was done although the client got an error: a retry did it twice.

    ## What to do
    Make the work shorter or take it out of the request; raise the quota where the API type allows it.
    Retries after such a timeout double the work unless the function is idempotent.
    """
    if not at_the_limit(clocks):
        return None
    if invocation is None:
        found = None if load_balancer is None else _slow_target(clocks, request, load_balancer)
        return found or without_invocation(request, pairing)
    run_ms = invocation.duration_ms
    if is_killed(invocation):
        return None
    if run_ms is None:
        return NotDecidable(missing=(REPORT_LINE,))
    total_ms = run_ms + cold_ms(invocation, request)
    over = run_ms > threshold_ms(clocks)
    late = total_ms == run_ms and _ended_late(clocks, invocation, run_ms)
    if not (over or late) or _default_is_enough(clocks, total_ms):
        return None
    sure = over and invocation.outcome is Outcome.SUCCESS and not may_hide_a_call(invocation, silence)
    ended = "raised" if invocation.outcome is Outcome.ERROR else "finished"
    return Cause(
        summary=(
            f"slow backend: the function {ended} after {run_ms:.0f} ms, the integration timeout is"
            f" {clocks.limit_ms:.0f} ms"
            + ("" if clocks.kind is Kind.NEAR_LIMIT else "; its work was done all the same")
        ),
        confidence=Confidence.PROVEN if sure else Confidence.LIKELY,
        layer=Layer.FUNCTION,
        spent_ms=run_ms,
        cites=cited(request, invocation),
        why_not=(("function-timeout", "the run ended by itself and was not killed"),),
    )


def _ended_late(clocks: Clocks, invocation: LambdaInvocation, run_ms: float) -> bool:
    """Just under the limit by its own clock, and still running when the gateway cut."""
    ended_at = invocation.finished_at
    if not clocks.cut_by_gateway or ended_at is None or clocks.cut_at is None:
        return False
    return run_ms > clocks.limit_ms - ABOUT_MS and ended_at > clocks.cut_at


def _default_is_enough(clocks: Clocks, total_ms: float) -> bool:
    return clocks.limit_ms < clocks.default_limit_ms - ABOUT_MS and total_ms <= clocks.default_limit_ms


def _slow_target(clocks: Clocks, request: GatewayRequest | None, load_balancer: LoadBalancerRequest) -> Cause | None:
    target_ms = load_balancer.target_ms
    if target_ms is not None and load_balancer.target_status is not None and target_ms > threshold_ms(clocks):
        if _default_is_enough(clocks, target_ms):
            return None
        summary = f"slow backend: the load balancer's target answered after {target_ms:.0f} ms"
        confidence = Confidence.LIKELY
    elif load_balancer.status == _CLIENT_CLOSED and load_balancer.target is not None and clocks.cut_by_gateway:
        summary = "slow backend: the load balancer's target had not answered when the gateway hung up (460)"
        confidence = Confidence.POSSIBLE
    else:
        return None
    return Cause(
        summary=f"{summary}; the integration timeout is {clocks.limit_ms:.0f} ms",
        confidence=confidence,
        layer=Layer.BACKEND,
        spent_ms=target_ms if confidence is Confidence.LIKELY else None,
        cites=(*cited(request), *load_balancer.cites),
    )
