"""INI101 cold-start."""

from apigw_doctor.attribution.timeline import Clocks
from apigw_doctor.diagnosis.rule import Answer, Cause, rule
from apigw_doctor.evidence.tables import LambdaInvocation
from apigw_doctor.model.terms import Boundary, Confidence, Layer


@rule(
    "INI101",
    "cold-start",
    layer=Layer.INIT,
    specificity=60,
    fixes=("provisioned-concurrency", "snapstart", "reduce-package", "memory"),
    references=("https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html",),
)
def cold_start(clocks: Clocks, invocation: LambdaInvocation) -> Answer:
    """The init phase used up the margin to the integration timeout.

    ## What it finds
    Requests that hit the integration timeout, and would not have, had the function been warm.

    ## How it decides
    `Init Duration` (or `Restore Duration`) stands beside `Duration` in the REPORT line, not inside it.
    The request is charged to the cold start when the duration alone fits the limit and both together do not.

    ## What would mislead it
    Placement and code download are in neither field, so a cold request that ends just under the limit
    is left to UNK000. A SnapStart `initReport` describes the build of the snapshot, and a pre-warmed
    environment was initialised before the request came: neither cost this request anything. A first
    call that is slow for other reasons is inside the duration (INI103, DEP104).

    ## What to do
    Provisioned concurrency or SnapStart for the alias behind the integration, or a shorter init phase.
    """
    cold_ms = (invocation.init_ms or 0.0) + (invocation.restore_ms or 0.0)
    if clocks.boundary is not Boundary.INTEGRATION_TIMEOUT or not cold_ms or invocation.duration_ms is None:
        return None
    if not invocation.duration_ms < clocks.limit_ms <= cold_ms + invocation.duration_ms:
        return None
    return Cause(
        summary=(
            f"cold start: {cold_ms:.0f} ms init + {invocation.duration_ms:.0f} ms run passed the"
            f" {clocks.limit_ms:.0f} ms integration timeout; the run alone would have fitted"
        ),
        confidence=Confidence.PROVEN,
        spent_ms=cold_ms,
        cites=invocation.cites,
        why_not=(("backend-slower-than-limit", "the run alone stays below the limit"),),
    )
