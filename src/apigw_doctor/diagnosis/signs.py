r"""Signs that several rules read in the same way.

>>> is_finished_line("response: {\"statusCode\": 200}"), is_finished_line("connecting to db:3306")
(True, False)
"""

import re

from apigw_doctor.attribution.calls import names_call
from apigw_doctor.attribution.clocks import NEAR_LIMIT_SHARE, words_of
from apigw_doctor.attribution.effective_limit import ABOUT_MS as _ABOUT_MS
from apigw_doctor.attribution.timeline import Clocks, Pairing, Silence
from apigw_doctor.diagnosis.rule import NotDecidable
from apigw_doctor.evidence.tables import AppLine, Cite, GatewayRequest, LambdaInvocation
from apigw_doctor.model.terms import Boundary, Kind, Outcome

#: "About": so far may a measured time lie from a limit (gateway cuts seen at 29.004 to 29.230 s).
ABOUT_MS = _ABOUT_MS
_MOST = 0.5
#: Named as missing where several invocations fit one request, or the joined one has no end yet.
JOINING_ID = "an id that joins the request to one of the invocations that fit"
REPORT_LINE = "the invocation's REPORT line"
#: What the gateway itself says about a 5xx; named as missing by every rule that would read it.
GATEWAY_REASON = "the gateway's reason: execution log, or $context.integration.error in the access log"

_LAMBDA_URI = re.compile(r"//lambda\.|:lambda:|/functions/arn:")
_TASK_TIMED_OUT = re.compile(r"Task timed out after (\d{1,9}(?:\.\d+)?) seconds")
_FUNCTION_ERROR = re.compile(r"customer function error|function returned the following error", re.IGNORECASE)
_TOO_LARGE = re.compile(
    r"payload size exceeded maximum|ResponseSizeTooLarge|body size is too long|"
    r"Failed to post handler success response",
    re.IGNORECASE,
)

_PREFIX = re.compile(
    r"^(?:\[?(?:INFO|DEBUG|WARN(?:ING)?|LOG|TRACE)\]?[\s:]+|\d{4}-\d\d-\d\dT\S+\s+|[0-9a-f-]{36}\s+)+", re.IGNORECASE
)
_FROM_A_CALL = re.compile(r"\b(?:response|result|answer)s? from\b|\b(?:received|got|awaiting|waiting)\b", re.IGNORECASE)
_FINISHED = re.compile(
    r'^\W*"?statusCode"?\s*[:=]'
    r'|\b(?:response|result|returning|returned)\b.{0,24}"statusCode"'
    r"|^(?:response|result)\s*[:=]"
    r"|\b(?:returning|returned|sending|sent) (?:the )?(?:response|result|answer|\d{3}\b)"
    r"|^returning\b"
    r"|\b(?:handler|request|execution|invocation|lambda) (?:is |has )?"
    r"(?:finished|done|completed?|leaving|returned|returns|succeeded|ended)\b"
    r"|^(?:all )?(?:done|finished|completed?|success|succeeded)(?:[.!]*$|,)",
    re.IGNORECASE,
)
_RESPONSE_FIRST = re.compile(r"^(?:response|result|returning)\b", re.IGNORECASE)
_GAVE_UP_WAITING = re.compile(
    r"\btimed[ -]?out\b|\bE(?:SOCKET)?TIMEDOUT\b|Time(?:d)?OutE(?:rror|xception)|\btimeout of \d+ ?ms exceeded"
    r"|\bdeadline exceeded\b|\b(?:Read|Connect)Timeout\b",
    re.IGNORECASE,
)
_CALL = re.compile(r"https?://|\b(?:connecting|calling|requesting|sending request|fetching|querying)\b", re.IGNORECASE)


def at_the_limit(clocks: Clocks) -> bool:
    """The gateway's integration timeout fired, or the answer came near it."""
    return clocks.cut_by_gateway or clocks.kind is Kind.NEAR_LIMIT


def threshold_ms(clocks: Clocks) -> float:
    """What a backend had to pass to matter here: the limit, or the near-limit share of it."""
    return clocks.limit_ms * (NEAR_LIMIT_SHARE if clocks.kind is Kind.NEAR_LIMIT else 1.0)


def no_timer_fired(clocks: Clocks) -> bool:
    """The request failed and no clock on its path is known to have run out."""
    return clocks.kind is Kind.FAILED and clocks.boundary in (Boundary.NONE, Boundary.UNKNOWN)


def is_killed(invocation: LambdaInvocation | None) -> bool:
    """Lambda ended the run at the function's own timeout."""
    return invocation is not None and invocation.outcome is Outcome.TIMEOUT


def cold_ms(invocation: LambdaInvocation, request: GatewayRequest | None = None) -> float:
    """Init or restore that this very request waited for.

    A SnapStart `initReport` is the build of the snapshot, and a pre-warmed environment was ready
    before: an init that does not fit between the request's sending and START cost it nothing.
    """
    restore_ms = invocation.restore_ms or 0.0
    if invocation.init_type in ("provisioned-concurrency", "snap-start") or not invocation.init_ms:
        return restore_ms
    asked_at = None if request is None else request.sending_at or request.arrived_at
    if request is not None and asked_at is not None and invocation.started_at is not None:
        waited_ms = invocation.started_at - asked_at + ABOUT_MS + request.arrived_within_ms
        # START well before the sending means that the two clocks disagree, and nothing follows.
        if 0.0 <= waited_ms < invocation.init_ms:
            return restore_ms
    return invocation.init_ms + restore_ms


def known_not_lambda(request: GatewayRequest | None) -> bool:
    """The integration's address is known and is no Lambda function."""
    if request is None or request.function is not None or request.endpoint_uri is None:
        return False
    return _LAMBDA_URI.search(request.endpoint_uri) is None


def known_lambda(request: GatewayRequest | None, invocation: LambdaInvocation | None) -> bool:
    """Something names a Lambda function behind the request."""
    if invocation is not None or request is None:
        return invocation is not None
    if request.function is not None or request.function_error:
        return True
    return request.endpoint_uri is not None and _LAMBDA_URI.search(request.endpoint_uri) is not None


def without_invocation(request: GatewayRequest | None, pairing: Pairing) -> NotDecidable | None:
    """What is missing when no invocation was joined; None when no Lambda log could tell more."""
    if pairing.candidates > 1:
        return NotDecidable(missing=(JOINING_ID,))
    if known_not_lambda(request) or pairing.log_covers:
        return None
    return NotDecidable(missing=(LambdaInvocation.__name__,))


def words(request: GatewayRequest | None) -> str:
    """Everything that the gateway's logs say in words about the failure."""
    return "" if request is None else words_of(request)


def is_unexplained(request: GatewayRequest | None) -> bool:
    """A 5xx (or an error frame) about which the gateway's logs give no reason at all."""
    if request is None or request.failure or request.function_error or request.completed_well:
        return False
    if request.integration_status is not None or request.service_status is not None:
        return False
    return request.error_frame or (request.status is not None and request.status >= 500)


def is_function_error(request: GatewayRequest | None) -> bool:
    """The gateway says that the function itself raised."""
    return request is not None and (request.function_error or _FUNCTION_ERROR.search(request.failure or "") is not None)


def is_too_large(text: str) -> bool:
    """The words that stand for a response over the payload limit."""
    return _TOO_LARGE.search(text) is not None


def stated_timeout_ms(text: str) -> float | None:
    """F as `Task timed out after N seconds` tells it; 3.02 means 3, limits are whole seconds.

    >>> stated_timeout_ms("Task timed out after 3.02 seconds")
    3000.0
    """
    if (match := _TASK_TIMED_OUT.search(text)) is None:
        return None
    seconds = float(match[1])
    return float(int(seconds + 0.001) or seconds) * 1000.0


def is_finished_line(text: str) -> bool:
    """The line is the handler's result or its end, not a step and not the start of a call.

    >>> [is_finished_line(text) for text in ("done, sending response with 31 rows", "handler finished", "finished")]
    [True, True, True]
    >>> [is_finished_line(text) for text in ("rendition 1 done", "done loading rules", "success: connected",
    ...     "Sending request to payments", "response from payments: 200", 'payments said {"statusCode": 200}')]
    [False, False, False, False, False, False]
    """
    text = _PREFIX.sub("", text.strip())
    if _FINISHED.search(text) is None or _FROM_A_CALL.search(text):
        return False
    return _RESPONSE_FIRST.match(text) is not None or _CALL.search(text) is None


def may_hide_a_call(invocation: LambdaInvocation, silence: Silence | None) -> bool:
    """Most of the run is a silence that began with a call: somebody else may have spent the time."""
    if silence is None or silence.duration_ms < _MOST * (invocation.duration_ms or 0.0):
        return False
    return names_call(silence.last_line)


def gave_up_waiting(text: str | None) -> bool:
    """A client's own timer ended a call: what it waited for never came.

    >>> gave_up_waiting("TimeoutError: Connection timed out after 120000ms"), gave_up_waiting("read timeout=60")
    (True, False)
    """
    return text is not None and _GAVE_UP_WAITING.search(text) is not None


def last_own_line(invocation: LambdaInvocation) -> AppLine | None:
    """The function's last line with a time; lines of extensions are not its own."""
    return next((line for line in reversed(invocation.lines) if not line.extension and line.at is not None), None)


def cited(*rows: GatewayRequest | LambdaInvocation | AppLine | None) -> tuple[Cite, ...]:
    """The places that an answer rests on, in the order given."""
    found: list[Cite] = []
    for row in rows:
        if isinstance(row, AppLine):
            found.append(Cite(origin=row.origin, text=row.text))
        elif row is not None:
            found.extend(row.cites)
    return tuple(dict.fromkeys(found))
