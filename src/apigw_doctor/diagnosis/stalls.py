"""What the rules about stalled, repeated and slow calls have in common."""

import re

from apigw_doctor.attribution.calls import names_call
from apigw_doctor.attribution.effective_limit import ABOUT_MS
from apigw_doctor.attribution.timeline import Clocks, Silence
from apigw_doctor.diagnosis.signs import at_the_limit, is_killed
from apigw_doctor.evidence.tables import GatewayRequest, LambdaInvocation
from apigw_doctor.model.terms import Boundary

#: The stretch must hold at least this share of the time until the cut.
_MOST = 0.5
_CALL_CHARS = 90
_OWN_MARKS = re.compile(
    r"^(?:\d{4}-\d\d-\d\d[T ][\d:.,]+Z?\s+|\[?(?:INFO|DEBUG|WARN(?:ING)?|ERROR|TRACE|LOG|NOTICE)\]?[\s:|-]+|\d+ ---\s+"
    r"|\[[\w .:#-]{1,40}\]\s*|[\w.$/-]{1,80}\s[:-]\s+|[a-z][\w.]{1,60}\s(?=(?:Making|Calling|Sending|Starting)\b))+"
)


def concerns_stall(clocks: Clocks, request: GatewayRequest | None, invocation: LambdaInvocation | None) -> bool:
    """A timer ended the request (or nearly did), or the Lambda log alone shows a kill."""
    if at_the_limit(clocks) or clocks.boundary is Boundary.FUNCTION_TIMEOUT:
        return True
    return request is None and is_killed(invocation)


def stalled_until_the_end(silence: Silence, clocks: Clocks) -> bool:
    """The silence reaches the kill, or passes the moment of the cut, and holds most of the time before it."""
    end = clocks.cut_at if clocks.cut_at is not None else silence.ended_at
    if silence.next_line is not None and silence.ended_at < end - ABOUT_MS:
        return False
    began_before = silence.started_at <= end
    until = min(end, silence.ended_at) - silence.started_at
    whole = clocks.integration_ms or silence.duration_ms
    return began_before and until >= _MOST * min(whole, silence.duration_ms)


def call_of(silence: Silence) -> str | None:
    """The call that the last line before the silence names, shortened; None when it names none."""
    text = " ".join(_OWN_MARKS.sub("", " ".join(silence.last_line.split())).split())
    if not names_call(text):
        return None
    return text if len(text) <= _CALL_CHARS else f"{text[:_CALL_CHARS]}..."


def lone_boundary(
    clocks: Clocks, request: GatewayRequest | None, invocation: LambdaInvocation | None
) -> tuple[Boundary | None, float | None]:
    """The kill as boundary where the Lambda log is all there is and F lies below any gateway limit."""
    if request is not None or invocation is None or not is_killed(invocation) or invocation.timeout_ms is None:
        return None, None
    if invocation.timeout_ms + ABOUT_MS >= clocks.default_limit_ms:
        return None, None
    return Boundary.FUNCTION_TIMEOUT, invocation.timeout_ms


def all_text(request: GatewayRequest | None, invocation: LambdaInvocation | None) -> str:
    """Every word that the gateway and the function left about this request."""
    parts: list[str] = []
    if request is not None:
        parts.extend(filter(None, (request.failure, request.error_message, request.endpoint_body)))
    if invocation is not None:
        parts.extend(line.text for line in invocation.lines)
        parts.extend(filter(None, (invocation.error_text,)))
    return "\n".join(parts)
