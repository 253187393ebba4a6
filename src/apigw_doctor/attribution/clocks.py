"""Which timer ended the request, and how long everything took.

Order of belief: what the gateway says in words (responseType, error text), then elapsed against limit, and
the status code last.
"""

import re

from apigw_doctor.attribution.effective_limit import ABOUT_MS, Limit, stated_timeout
from apigw_doctor.attribution.timeline import Clocks
from apigw_doctor.evidence.tables import ClientReply, GatewayRequest, LambdaInvocation
from apigw_doctor.model.terms import ApiType, Boundary, ElapsedBasis, EvidenceKind, Kind, LimitBasis, Outcome

#: Over this share of its limit an answered request counts as a near miss.
NEAR_LIMIT_SHARE = 0.8
#: What the gateway itself adds at the most; no integration fits into it unseen.
_OVERHEAD_MS = 50.0
_FUNCTION_TIMED_OUT = re.compile(r"Task timed out after (\d{1,9}(?:\.\d+)?) seconds|Sandbox\.Timedout")
_FUNCTION_SAID = re.compile(r"(?i)customer function error|Lambda function returned the following error")
_THROTTLED = re.compile(
    r"Rate Exceeded|TooManyRequestsException|ConcurrentInvocationLimitExceeded|InvocationRateLimitExceeded"
    r"|LambdaLimitExceeded|invocation failed with status: ?429",
    re.IGNORECASE,
)


def words_of(request: GatewayRequest) -> str:
    """Everything that the gateway's evidence says about the failure."""
    parts = (request.failure, request.error_message, request.endpoint_body, request.authorizer_error)
    return "\n".join(part for part in parts if part)


def kind_of(request: GatewayRequest, limit: Limit) -> Kind | None:
    """Failed, near its limit, or None for all the others."""
    status = request.status
    if status is not None and status >= 500:
        return Kind.FAILED
    if request.error_frame or stated_timeout(request) or function_throttled(request):
        return Kind.FAILED
    if status is None and (request.failure or request.function_error) and not request.completed_well:
        return Kind.FAILED
    integration_ms = integration_time_ms(request)
    if limit.basis is LimitBasis.DEFAULT and integration_ms is not None and integration_ms > limit.limit_ms + ABOUT_MS:
        return None  # answered long after the default: the limit was raised, to a value that nobody told
    if integration_ms is not None and status is not None and integration_ms > NEAR_LIMIT_SHARE * limit.limit_ms:
        return Kind.NEAR_LIMIT
    return None


def never_called(request: GatewayRequest) -> bool:
    """The authorizer failed, so the integration was not called at all."""
    if request.was_sent or request.integration_latency_ms is not None or request.integration_status is not None:
        return False
    if (request.response_type or "").startswith("AUTHORIZER_") or (request.authorizer_status or 0) >= 500:
        return True
    if request.authorizer_latency_ms is not None and request.response_latency_ms is not None and request.status == 500:
        return request.response_latency_ms - request.authorizer_latency_ms < _OVERHEAD_MS
    started = request.authorizer_started_at is not None and request.authorizer_completed_at is None
    return started and request.started_at is None


def function_throttled(request: GatewayRequest) -> bool:
    """The Lambda service refused the invocation; a gateway's own 429 is not meant."""
    if request.service_status == 429:
        return True
    if request.response_type == "THROTTLED" or request.function_error or _FUNCTION_SAID.search(words_of(request)):
        return False  # the gateway's own 429, or a throttle of something that the function called
    body = request.endpoint_body or ""
    # A body with a status code is the function's answer, whatever it says.
    spoken = "\n".join(filter(None, (request.failure, request.error_message, "" if "statusCode" in body else body)))
    return _THROTTLED.search(spoken) is not None


def integration_time_ms(request: GatewayRequest) -> float | None:
    """The time that counts against the limit: from sending until the answer or the cut."""
    if request.integration_latency_ms is not None:
        return request.integration_latency_ms
    end = request.failed_at if request.failed_at is not None else request.received_at
    if end is None:
        end = request.completed_at
    begin = request.sending_at if request.sending_at is not None else request.started_at
    if end is not None and begin is not None and not request.test_invoke:
        return end - begin
    if request.response_latency_ms is not None:
        before = (request.authorizer_latency_ms or 0.0) + (request.waf_latency_ms or 0.0)
        return max(request.response_latency_ms - before, 0.0)
    return end - begin if end is not None and begin is not None else None


def elapsed(request: GatewayRequest, client: ClientReply | None) -> tuple[float | None, ElapsedBasis | None]:
    """T, from arrival to answer at the gateway, and how it is known."""
    if request.response_latency_ms is not None:
        return request.response_latency_ms, ElapsedBasis.MEASURED
    end = request.completed_at if request.completed_at is not None else request.failed_at
    if end is not None and request.arrived_at is not None and end >= request.arrived_at:
        measured = request.saw_info or request.saw_trace
        return end - request.arrived_at, ElapsedBasis.MEASURED if measured else ElapsedBasis.INFERRED
    if request.integration_latency_ms is not None:
        return request.integration_latency_ms, ElapsedBasis.INFERRED
    if client is not None and client.elapsed_ms is not None:
        return client.elapsed_ms, ElapsedBasis.CLIENT
    return None, None


def clocks_of(
    request: GatewayRequest, limit: Limit, kind: Kind, client: ClientReply | None, invocation: LambdaInvocation | None
) -> Clocks:
    """The clocks of one request, its invocation (if any was joined) included."""
    total, basis = elapsed(request, client)
    integration_ms = integration_time_ms(request)
    if integration_ms is None and basis is ElapsedBasis.CLIENT:
        integration_ms = total
    boundary, reason, stated, timer = Boundary.NONE, "the request was answered", True, None
    if kind is Kind.FAILED:
        boundary, reason, stated, timer = _boundary(request, limit, integration_ms, invocation)
    return Clocks(
        kind=kind,
        boundary=boundary,
        boundary_reason=reason,
        boundary_stated=stated,
        limit_ms=limit.limit_ms,
        limit_basis=limit.basis,
        default_limit_ms=limit.default_ms,
        elapsed_ms=total,
        elapsed_basis=basis,
        integration_ms=integration_ms,
        cut_at=cut_at(request, limit, total, boundary),
        timer_ms=timer,
        authorizer_ms=authorizer_time_ms(request),
    )


def authorizer_time_ms(request: GatewayRequest) -> float | None:
    """Time in the authorizer, from the access log or the execution log's lines."""
    if request.authorizer_latency_ms is not None:
        return request.authorizer_latency_ms
    if request.authorizer_started_at is None:
        return None
    end = request.authorizer_completed_at
    if end is None and request.sending_at is None and request.started_at is None:
        end = request.failed_at if request.failed_at is not None else request.completed_at
    return None if end is None else end - request.authorizer_started_at


def cut_at(request: GatewayRequest, limit: Limit, total_ms: float | None, boundary: Boundary) -> float | None:
    """When the gateway stopped waiting (or had its answer); None when nothing tells."""
    for at in (request.failed_at, request.received_at, request.completed_at):
        if at is not None:
            return at
    if request.arrived_at is None:
        return None
    if total_ms is not None:
        return request.arrived_at + total_ms
    if boundary is not Boundary.INTEGRATION_TIMEOUT and request.status not in _timeout_statuses(request):
        return None
    return request.arrived_at + (authorizer_time_ms(request) or 0.0) + limit.limit_ms


Boundaries = tuple[Boundary, str, bool, float | None]


def _boundary(
    request: GatewayRequest, limit: Limit, integration_ms: float | None, invocation: LambdaInvocation | None
) -> Boundaries:
    if stated_timeout(request):
        return Boundary.INTEGRATION_TIMEOUT, "the gateway says so in words", True, limit.limit_ms
    words = words_of(request)
    if function_throttled(request):
        return Boundary.NONE, "the function was throttled", True, None
    if match := _FUNCTION_TIMED_OUT.search(words):
        timer = float(int(float(match[1]))) * 1000.0 if match[1] else (invocation.timeout_ms if invocation else None)
        if invocation is not None and invocation.timeout_ms is not None:
            timer = invocation.timeout_ms
        return Boundary.FUNCTION_TIMEOUT, "the function's own timeout stands in the error text", True, timer
    if invocation is not None and invocation.outcome is Outcome.TIMEOUT and _answered_by(invocation, request, limit):
        return (
            Boundary.FUNCTION_TIMEOUT,
            "the Lambda log says that the function was killed",
            True,
            invocation.timeout_ms,
        )
    if request.lambda_request_id is not None and EvidenceKind.ACCESS_LOG in request.sources:
        # $context.integration.requestId is "-" on exactly the gateway's own timeouts.
        return Boundary.NONE, "the function answered: the gateway knows its request id", False, None
    if request.completed_well and request.received_at is not None:
        return Boundary.NONE, "the integration answered, and the gateway passed it on", True, None
    if invocation is not None and _outran(invocation, limit) and request.status in _timeout_statuses(request):
        return Boundary.INTEGRATION_TIMEOUT, "the invocation was still running at the limit", False, limit.limit_ms
    if _answered_otherwise(request, words):
        return Boundary.NONE, "an error was answered; no timer is named", bool(words), None
    at_limit = integration_ms is not None and -ABOUT_MS <= integration_ms - limit.limit_ms <= 2 * ABOUT_MS
    if at_limit and request.status in _timeout_statuses(request):
        return Boundary.INTEGRATION_TIMEOUT, "the elapsed time is the limit", False, limit.limit_ms
    if integration_ms is not None and integration_ms < limit.limit_ms - ABOUT_MS and request.status != 504:
        return Boundary.NONE, "the answer came well before the limit", False, None
    return Boundary.UNKNOWN, "no record says which timer fired", False, None


_TIMEOUT_STATUS = {ApiType.REST: (504,), ApiType.HTTP: (503, 504), ApiType.WEBSOCKET: (500, 502, 503, 504)}


def _timeout_statuses(request: GatewayRequest) -> tuple[int, ...]:
    return _TIMEOUT_STATUS.get(request.api_type, (503, 504))


def _outran(invocation: LambdaInvocation, limit: Limit) -> bool:
    """With its init, the run took longer than the gateway waits."""
    if invocation.duration_ms is None:
        return False
    return invocation.duration_ms + (invocation.init_ms or 0.0) > limit.limit_ms - ABOUT_MS


def _answered_by(invocation: LambdaInvocation, request: GatewayRequest, limit: Limit) -> bool:
    """The killed invocation is what the gateway answered with: its timer ended before the limit."""
    if invocation.timeout_ms is None or (limit.basis is LimitBasis.DEFAULT and request.status == 504):
        return False
    return invocation.timeout_ms + (invocation.init_ms or 0.0) <= limit.limit_ms + ABOUT_MS and request.status != 504


def _answered_otherwise(request: GatewayRequest, words: str) -> bool:
    if (
        request.integration_status is not None
        and request.integration_status >= 500
        and request.integration_status != 504
    ):
        return True
    if request.response_type in ("AUTHORIZER_FAILURE", "AUTHORIZER_CONFIGURATION_ERROR"):
        return False
    # "Internal server error", "Service Unavailable" and "Network error ..." name no timer either way.
    telling = re.sub(r"(?i)internal server error|service unavailable|null", "", words).strip()
    return bool(telling) and not re.search(r"(?i)timed? ?out|internal error while executing|Authorizer error", telling)
