"""What the rules about stalled, repeated and slow calls have in common."""

import re

from apigw_doctor.attribution.calls import names_call
from apigw_doctor.attribution.effective_limit import ABOUT_MS
from apigw_doctor.attribution.timeline import Clocks, Silence
from apigw_doctor.diagnosis.signs import at_the_limit, is_killed, last_own_line
from apigw_doctor.evidence.tables import GatewayRequest, LambdaInvocation
from apigw_doctor.model.terms import Boundary

#: The stretch must hold at least this share of the time until the cut.
_MOST = 0.5
_CALL_CHARS = 90
_PUBLIC = re.compile(r"(?i)\bsecrets?|\bssm\b|parameter ?store")
_PRIVATE = re.compile(
    r"(?i)(?<![\w.])(?:10|192\.168|172\.(?:1[6-9]|2\d|3[01]))\.\d{1,3}\.\d{1,3}"
    r"|[\w-]\.(?:internal|local|corp|lan)\b|\.(?:rds|cache|docdb|neptune|kafka|redshift)\.\S{1,60}amazonaws\.com"
    r"|\b(?:postgres(?:ql)?|mysql|mariadb|redis|memcached|valkey|elasticache|database)\b"
)
_OWN_MARKS = re.compile(
    r"^(?:\d{4}-\d\d-\d\d[T ][\d:.,]+Z?\s+|\[?(?:INFO|DEBUG|WARN(?:ING)?|ERROR|TRACE|LOG|NOTICE)\]?[\s:|-]+|\d+ ---\s+"
    r"|\[(?!cached since|generated in|raw sql|AWS |Axios)[\w .:#-]{1,40}\]\s*|[\w.$/-]{1,80}\s[:-]\s+"
    r"|[a-z][\w.]{1,60}\s(?=(?:Making|Calling|Sending|Starting)\b))+"
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


def is_private(text: str) -> bool:
    """The line names something inside the network, which needs no way out of it.

    >>> [is_private(text) for text in ("connecting to 10.20.3.14:5432", "GET http://ledger.internal/", "redis GET k")]
    [True, True, True]
    >>> [is_private(text) for text in ("dynamodb GetItem", "https://api.example.com/v1.10.2.3", "secret of database")]
    [False, False, False]
    """
    return _PRIVATE.search(text) is not None and _PUBLIC.search(text) is None


def beside_the_end(invocation: LambdaInvocation, silence: Silence | None, words: str) -> bool:
    """The words stand in the function's last line, or next to its longest silence."""
    last = last_own_line(invocation)
    ends = (last.text if last is not None else "", invocation.error_text or "")
    around = (silence.last_line, silence.next_line or "") if silence is not None else ()
    return any(words in text for text in (*ends, *around))


def may_hold(text: str, words: tuple[str, ...]) -> bool:
    """One of the words (in small letters) stands in the text, or it is not certain that none does.

    Much quicker than a pattern with many branches, which need then not be tried on most texts. Beyond ASCII
    other letters may count as equal where case does not matter.

    >>> [may_hold(text, ("pool",)) for text in ("QueuePool limit of size 5", "page 1 written", "écrit")]
    [True, False, True]
    """
    lowered = text.lower()
    return any(word in lowered for word in words) or not text.isascii()


def all_text(request: GatewayRequest | None, invocation: LambdaInvocation | None) -> str:
    """Every word that the gateway and the function left about this request."""
    parts: list[str] = []
    if request is not None:
        parts.extend(filter(None, (request.failure, request.error_message, request.endpoint_body)))
    if invocation is not None:
        parts.extend(line.text for line in invocation.lines)
        parts.extend(filter(None, (invocation.error_text,)))
    return "\n".join(parts)
