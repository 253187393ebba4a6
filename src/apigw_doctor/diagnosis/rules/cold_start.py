"""INI101 cold-start."""

from apigw_doctor.attribution.timeline import Clocks, Pairing
from apigw_doctor.diagnosis.rule import Answer, Cause, rule
from apigw_doctor.diagnosis.signs import (
    ABOUT_MS,
    at_the_limit,
    cited,
    cold_ms,
    threshold_ms,
    without_invocation,
)
from apigw_doctor.evidence.tables import GatewayRequest, LambdaInvocation
from apigw_doctor.model.terms import Confidence, Kind, Layer, Outcome


@rule(
    "INI101",
    "cold-start",
    layer=Layer.INIT,
    specificity=60,
    fixes=("provisioned-concurrency", "snapstart", "reduce-package", "memory"),
    references=("https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html",),
)
def cold_start(
    clocks: Clocks, pairing: Pairing, request: GatewayRequest | None, invocation: LambdaInvocation | None
) -> Answer:
    """The init phase used up the margin to the integration timeout.

    ## What it finds
    Requests that hit the integration timeout, and would not have, had the function been warm.

    ## How it decides
    `Init Duration` (or `Restore Duration`) stands beside `Duration` in the REPORT line, not inside it.
    The request is charged to the cold start when the duration alone fits the limit and both together do
    not. Just under the limit it is charged too if the run ended after the cut: placement is in neither
    number. For a request that only came near the limit, the near-limit share of it takes its place.

    ## What would mislead it
    A SnapStart `initReport` describes the build of the snapshot, and a pre-warmed environment was
    initialised before the request came: neither cost this request anything. A run that was killed or that
    raised would have failed warm as well (FUN102, FUN106, NOT101). A first call that is slow for other
    reasons is inside the duration (INI103, DEP104).

    ## What to do
    Provisioned concurrency or SnapStart for the alias behind the integration, or a shorter init phase.
    """
    if not at_the_limit(clocks):
        return None
    if invocation is None:
        return without_invocation(request, pairing)
    wait_ms = cold_ms(invocation, request)
    run_ms = invocation.duration_ms
    if not wait_ms or run_ms is None or invocation.outcome in (Outcome.TIMEOUT, Outcome.ERROR):
        return None
    limit_ms, total_ms = threshold_ms(clocks), wait_ms + run_ms
    if run_ms >= limit_ms or (total_ms < limit_ms and not _ended_after_the_cut(clocks, invocation, total_ms)):
        return None
    passed = total_ms >= limit_ms
    near = clocks.kind is Kind.NEAR_LIMIT
    verb = "came near" if near else "passed" if passed else "and placement passed"
    return Cause(
        summary=(
            f"cold start: {wait_ms:.0f} ms init + {run_ms:.0f} ms run {verb} the {clocks.limit_ms:.0f} ms"
            f" integration timeout; the run alone {'stays clear of it' if near else 'would have fitted'}"
        ),
        confidence=Confidence.PROVEN if passed and invocation.outcome is Outcome.SUCCESS else Confidence.LIKELY,
        spent_ms=wait_ms,
        cites=cited(request, invocation),
        why_not=(("backend-slower-than-limit", f"the run alone took {run_ms:.0f} ms and stays below the limit"),),
    )


def _ended_after_the_cut(clocks: Clocks, invocation: LambdaInvocation, total_ms: float) -> bool:
    ended_at = invocation.finished_at
    return (
        clocks.cut_by_gateway
        and total_ms > clocks.limit_ms - ABOUT_MS
        and ended_at is not None
        and clocks.cut_at is not None
        and ended_at > clocks.cut_at
    )
