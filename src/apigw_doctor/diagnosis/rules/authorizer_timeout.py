"""AUT101 authorizer-timeout."""

import re

from apigw_doctor.attribution.timeline import Clocks
from apigw_doctor.diagnosis.rule import Answer, Cause, NotDecidable, rule
from apigw_doctor.diagnosis.signs import stated_timeout_ms, words
from apigw_doctor.evidence.tables import GatewayRequest
from apigw_doctor.limits.table import value
from apigw_doctor.model.terms import ApiType, Boundary, Confidence, Kind, Layer

#: A failing authorizer that answers within this time ran into no timer.
_QUICK_MS = 2500.0
_ABOUT_MS = 500.0
_FAILED = 500
_AUTHORIZER_WORDS = re.compile(r"(?i)Authorizer error|authorizer.{0,40}(?:timed? ?out|timeout)")
_FAST_WORDS = re.compile(
    r"(?i)Could not parse policy|Invalid permissions|not authorized to perform|doesn't have permissions"
)


@rule(
    "AUT101",
    "authorizer-timeout",
    layer=Layer.AUTHORIZER,
    specificity=70,
    fixes=("authorizer-cache", "client-timeouts", "function-timeout"),
    references=("https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-use-lambda-authorizer.html",),
)
def authorizer_timeout(clocks: Clocks, request: GatewayRequest | None) -> Answer:
    """The authorizer never answered; the integration was not even called.

    ## What it finds
    500 (or 504) after seconds spent in a Lambda authorizer: a key server or database behind it hung until the
    authorizer's own timeout. The integration timeout does not hold for authorizers.

    ## How it decides
    The execution log starts the authorizer and never completes it, nothing was sent to the integration, and
    seconds passed; or an HTTP API failed at the fixed limit of its authorizers without an integration; or
    the access log has an authorizer latency of seconds, a failing authorizer status and no integration. An
    authorizer that fails at once ran into no timer.

    ## What would mislead it
    "configuration error: Authorizer error" sounds like configuration. A policy that cannot be parsed really
    is (NOT102). With the access log alone, a slow authorizer that then raised looks the same.

    ## What to do
    Cache the authorizer's answer, give its own clients short timeouts, and its function a timeout of a few
    seconds.
    """
    if clocks.kind is not Kind.FAILED or request is None or request.was_sent or request.sending_at is not None:
        return None
    if request.integration_latency_ms is not None or request.integration_status is not None:
        return None
    if clocks.boundary is Boundary.INTEGRATION_TIMEOUT or _authorized(request):
        return None
    spoken = words(request)
    if _FAST_WORDS.search(spoken):
        return None
    started = request.authorizer_started_at is not None and request.authorizer_completed_at is None
    failed_status = (request.authorizer_status or 0) >= _FAILED
    fixed = _at_the_fixed_limit(clocks, request)
    if not (started or failed_status or fixed or _AUTHORIZER_WORDS.search(spoken) or _nothing_else(clocks)):
        return None
    spent = clocks.authorizer_ms if clocks.authorizer_ms is not None else clocks.elapsed_ms
    if spent is None:
        return NotDecidable(missing=("$context.authorizer.latency in the access log",))
    if spent < _QUICK_MS:
        return None
    stated = stated_timeout_ms(f"{spoken}\n{request.authorizer_error or ''}")
    timer = stated if stated is not None else _timer_ms(request, spent)
    sure = started and (stated is not None or timer is not None)
    return Cause(
        summary=(
            f"authorizer timeout: the authorizer ran {spent:.0f} ms without an answer; the integration was never called"
        ),
        boundary=Boundary.AUTHORIZER_TIMEOUT,
        timer_ms=timer,
        confidence=Confidence.PROVEN if sure and _AUTHORIZER_WORDS.search(spoken) else _otherwise(started=started),
        spent_ms=spent,
        why_not=(("configuration-error", "seconds passed before it failed"),),
    )


def _otherwise(*, started: bool) -> Confidence:
    return Confidence.LIKELY if started else Confidence.POSSIBLE


def _authorized(request: GatewayRequest) -> bool:
    """The authorizer answered, so it was not the one that failed."""
    return request.authorizer_completed_at is not None or 0 < (request.authorizer_status or 0) < _FAILED


def _at_the_fixed_limit(clocks: Clocks, request: GatewayRequest) -> bool:
    """An HTTP API answered 500 just when its authorizers' fixed limit ran out, and called no integration before.

    Where it cannot reach an integration it answers 503, and that may take as long. A function's own timeout of as many
    seconds gives the same 500, and an access log without the integration's fields does not tell: never more than
    possible.
    """
    if request.api_type is not ApiType.HTTP or clocks.elapsed_ms is None or request.status != _FAILED:
        return False
    return 0.0 <= clocks.elapsed_ms - value("http-authorizer-timeout") <= _ABOUT_MS


def _nothing_else(clocks: Clocks) -> bool:
    """Seconds passed in the authorizer, and none after it."""
    if clocks.authorizer_ms is None or clocks.authorizer_ms < _QUICK_MS:
        return False
    return clocks.elapsed_ms is None or clocks.elapsed_ms - clocks.authorizer_ms <= _ABOUT_MS


def _timer_ms(request: GatewayRequest, spent_ms: float) -> float | None:
    """The whole second that the authorizer's timer was set to; the HTTP API's own is fixed."""
    fixed = value("http-authorizer-timeout")
    if request.api_type is ApiType.HTTP and abs(spent_ms - fixed) <= _ABOUT_MS:
        return fixed
    whole = round(spent_ms / 1000.0) * 1000.0
    return whole if 0.0 <= spent_ms - whole <= _ABOUT_MS else None
