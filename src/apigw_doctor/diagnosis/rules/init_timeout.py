"""INI102 init-timeout."""

from apigw_doctor.attribution.timeline import Clocks, Pairing
from apigw_doctor.diagnosis.rule import Answer, Cause, rule
from apigw_doctor.diagnosis.signs import (
    ABOUT_MS,
    at_the_limit,
    cited,
    is_killed,
    threshold_ms,
    without_invocation,
)
from apigw_doctor.evidence.tables import GatewayRequest, InitReport, LambdaInvocation
from apigw_doctor.limits.table import value
from apigw_doctor.model.terms import Boundary, Confidence, Layer

_TIMERS = (Boundary.FUNCTION_TIMEOUT, Boundary.INIT_TIMEOUT)
#: START follows a failed init at once; a longer pause means that nobody was waiting.
_AT_ONCE_MS = 2000.0


@rule(
    "INI102",
    "init-timeout",
    layer=Layer.INIT,
    specificity=70,
    fixes=("reduce-package", "provisioned-concurrency", "snapstart", "memory"),
    references=("https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html",),
)
def init_timeout(
    clocks: Clocks, pairing: Pairing, request: GatewayRequest | None, invocation: LambdaInvocation | None
) -> Answer:
    """The init phase ran into its own time limit and was run again inside the invocation.

    ## What it finds
    Requests that paid for the init twice: once for nothing, once more inside Duration.

    ## How it decides
    An INIT_REPORT of phase init with status timeout, about as long as Lambda allows for the init phase,
    stands just before this START in the same log stream. The failed init and the run together passed the
    limit, or the run was killed. The boundary stays that of the timer which ended the request.

    ## What would mislead it
    A failed init of another stream, of an earlier environment or of a pre-warmed one cost this request
    nothing. Status error is a crash (NOT101). A later init that succeeded is inside Init Duration (INI101).

    ## What to do
    Make the init shorter: a smaller package, lazy imports, more memory. Provisioned concurrency and
    SnapStart allow a longer init and do it before the request.
    """
    timer = at_the_limit(clocks) or clocks.boundary in _TIMERS
    if not timer and not (request is None and is_killed(invocation)):
        return None
    if invocation is None:
        return without_invocation(request, pairing)
    report = next((report for report in invocation.init_reports if _failed(report, invocation)), None)
    if report is None or invocation.init_ms is not None or invocation.first_in_stream is False:
        return None
    lost_ms, run_ms = report.duration_ms or value("lambda-init"), invocation.duration_ms or 0.0
    if not is_killed(invocation) and lost_ms + run_ms <= threshold_ms(clocks) - ABOUT_MS:
        return None
    fits_alone = not is_killed(invocation) and run_ms <= threshold_ms(clocks)
    return Cause(
        summary=(
            f"init timeout: the init was cut after {lost_ms:.0f} ms and run again inside the invocation, which"
            f" {'was killed after' if is_killed(invocation) else 'took'} {run_ms:.0f} ms"
        ),
        confidence=Confidence.PROVEN if fits_alone else Confidence.LIKELY,
        spent_ms=lost_ms,
        cites=cited(request, invocation),
        why_not=(
            ("cold-start", "the init did not succeed, it was cut and repeated"),
            (
                "backend-slower-than-limit",
                f"the run of {run_ms:.0f} ms fits the limit without the failed init"
                if fits_alone
                else "the run passed its limit too, but it contains the repeated init",
            ),
        ),
    )


def _failed(report: InitReport, invocation: LambdaInvocation) -> bool:
    if report.phase != "init" or report.status != "timeout" or report.init_type not in (None, "on-demand"):
        return False
    if report.duration_ms is not None and abs(report.duration_ms - value("lambda-init")) > ABOUT_MS:
        return False
    started_at = invocation.started_at
    if started_at is None and invocation.finished_at is not None:
        started_at = invocation.finished_at - (invocation.duration_ms or 0.0)
    if report.at is None or started_at is None:
        return report.at is None
    return -ABOUT_MS <= started_at - report.at <= _AT_ONCE_MS
