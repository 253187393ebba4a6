"""INI103 lazy-initialization."""

from apigw_doctor.attribution.timeline import Clocks, Pairing, Surroundings
from apigw_doctor.diagnosis.rule import Answer, Cause, NotDecidable, rule
from apigw_doctor.diagnosis.signs import at_the_limit, cited, cold_ms, is_killed, threshold_ms, without_invocation
from apigw_doctor.evidence.tables import GatewayRequest, LambdaInvocation
from apigw_doctor.model.terms import Boundary, Confidence, Layer

#: So many warm invocations must be fast before "the first one is slow" means anything.
_ENOUGH = 3
#: An init longer than this share of the run is no small one.
_SMALL = 0.25


@rule(
    "INI103",
    "lazy-initialization",
    layer=Layer.INIT,
    specificity=50,
    fixes=("move-work-to-init", "reduce-package"),
    references=("https://docs.aws.amazon.com/lambda/latest/dg/best-practices.html",),
)
def lazy_initialization(
    clocks: Clocks,
    surroundings: Surroundings,
    pairing: Pairing,
    request: GatewayRequest | None,
    invocation: LambdaInvocation | None,
) -> Answer:
    """The first request of every new environment does the work that belongs into the init phase.

    ## What it finds
    Timeouts that only ever hit the first invocation of a log stream, while the init itself is short.

    ## How it decides
    This is the first invocation of its stream, its duration passed the limit without the init, the first
    invocations of other streams are slow too, and at least three later ones are fast and none is slow.
    With one stream only it is `possible`.

    ## What would mislead it
    A large init is in Init Duration (INI101). In a warm environment it is a resuming dependency (DEP104).
    If warm invocations are slow as well, the function simply is slower than the limit (FUN101).

    ## What to do
    Load models, clients and pools outside the handler. Provisioned concurrency and SnapStart do not help
    before the work has moved there.
    """
    if not at_the_limit(clocks) and clocks.boundary is not Boundary.FUNCTION_TIMEOUT:
        return None
    if invocation is None:
        return without_invocation(request, pairing)
    run_ms, wait_ms = invocation.duration_ms, cold_ms(invocation, request)
    if invocation.first_in_stream is not True or run_ms is None or wait_ms > _SMALL * run_ms:
        return None
    if not is_killed(invocation) and run_ms <= threshold_ms(clocks):
        return None
    if any(report.status in ("timeout", "error") for report in invocation.init_reports):
        return None
    if surroundings.laters_slow or surroundings.firsts_slow * 2 <= surroundings.firsts:
        return None
    if surroundings.laters < _ENOUGH:
        return NotDecidable(missing=(f"{_ENOUGH} or more later invocations of the same environments",))
    all_slow = surroundings.firsts >= 2 and surroundings.firsts_slow == surroundings.firsts
    return Cause(
        summary=(
            f"lazy initialization: the first invocation of the environment took {run_ms:.0f} ms after only"
            f" {wait_ms:.0f} ms of init; {surroundings.firsts_slow} of {surroundings.firsts} first invocations are"
            f" slow, none of {surroundings.laters} later ones"
        ),
        confidence=Confidence.LIKELY if all_slow else Confidence.POSSIBLE,
        spent_ms=run_ms,
        cites=cited(request, invocation),
        why_not=(
            ("cold-start", f"the init took only {wait_ms:.0f} ms"),
            ("backend-slower-than-limit", "warm invocations of the function are fast"),
        ),
    )
