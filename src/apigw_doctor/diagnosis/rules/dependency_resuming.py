"""DEP104 dependency-resuming."""

import re

from apigw_doctor.attribution.timeline import Clocks, Pairing, Surroundings
from apigw_doctor.diagnosis.rule import Answer, Cause, rule
from apigw_doctor.diagnosis.signs import cold_ms, without_invocation
from apigw_doctor.diagnosis.stalls import all_text, concerns_stall
from apigw_doctor.evidence.tables import GatewayRequest, LambdaInvocation
from apigw_doctor.model.terms import Confidence, Layer, Outcome

#: The shortest pause after which databases and indexes are known to go to sleep.
_IDLE_MS = 240_000.0
_RESUMING = re.compile(
    r"(?i)\b(?:database|db|cluster|aurora|instance|warehouse|endpoint|model|serverless)\b.{0,60}"
    r"\b(?:resum(?:e|ing)|paused|waking|wak(?:e|ing)[- ]?up|auto-?paus\w+)\b"
    r"|\b(?:resuming|waking(?: up)?) (?:the )?(?:database|db|cluster|aurora|instance|warehouse|endpoint|model)\b"
    r"|cold (?:index|cache)|DatabaseResuming|Communications link failure"
)
_SOME_INIT_MS = 1000.0
#: Of so many other runs none is slow: that the one slow run is the first after the pause is hardly chance.
_MANY = 20


@rule(
    "DEP104",
    "dependency-resuming",
    layer=Layer.DEPENDENCY,
    specificity=46,
    fixes=("alarms", "client-timeouts", "async-conversion"),
    references=("https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-serverless-v2-auto-pause.html",),
)
def dependency_resuming(
    clocks: Clocks,
    pairing: Pairing,
    surroundings: Surroundings,
    request: GatewayRequest | None,
    invocation: LambdaInvocation | None,
) -> Answer:
    """The container was warm; what it called had gone to sleep.

    ## What it finds
    The first request after a pause is slow, in an environment that was running all along, and the next ones
    are fast: a paused database, an unloaded index, a cold cache.

    ## How it decides
    No init on this invocation, at least four minutes since the function last worked, and the following
    invocations are fast. It is `likely` when words such as "resuming" stand in the log, or the run ended
    well and it happened more than once or no other of twenty runs and more was slow; else `possible`.

    ## What would mislead it
    A cold start after a pause looks the same from outside (INI101): there an init stands in the log. A
    single stalled call may fall on a first request by chance (DEP101).

    ## What to do
    Keep the dependency awake (minimum capacity, a scheduled touch) where the first caller must not wait.
    """
    if not concerns_stall(clocks, request, invocation):
        return None
    if invocation is None:
        return without_invocation(request, pairing)
    idle = surroundings.idle_before_ms
    # Who comes while it wakes up may need a new environment; what was slow in a warm one as well is no matter of that.
    warm = invocation.first_in_stream is not True or surroundings.laters_slow > 0
    warm = warm and cold_ms(invocation, request) < _SOME_INIT_MS
    if not warm or not surroundings.fast_afterwards or idle is None or idle < _IDLE_MS:
        return None
    if surroundings.same_function_slow and surroundings.same_function_slow > surroundings.same_function // 3:
        return None
    text = all_text(None, invocation)
    said = _RESUMING.search(text) is not None
    finished = invocation.outcome is Outcome.SUCCESS
    again = surroundings.same_function_slow > 0
    if not said and not finished and not again:
        return None  # killed, once, after a pause: a stalled call looks just so
    sure = said or (finished and (again or surroundings.same_function >= _MANY))
    return Cause(
        summary=(
            f"dependency woke up: first call after {idle / 60_000:.0f} min of rest in a warm container took"
            f" {invocation.duration_ms or 0:.0f} ms, the next ones were fast"
        ),
        confidence=Confidence.LIKELY if sure else Confidence.POSSIBLE,
        spent_ms=invocation.duration_ms,
        cites=invocation.cites,
        why_not=(("cold-start", "the environment was warm: no init on this invocation"),),
    )
