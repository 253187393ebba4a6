"""Words in application lines: the start of an outbound call, and a finished result.

These recognise how libraries and people log; they never decide alone.
"""

import re

_CALL = re.compile(
    r"(?i)\b(?:GET|POST|PUT|PATCH|DELETE|HEAD)\b[^\n]{0,30}\bhttps?://|\bmaking \w* ?(?:\w+ )?(?:request|call)\b"
    r"|\b(?:calling|querying|invoking|fetching|connecting|requesting|loading|reading|writing|sending|executing|running|waiting)\b"
    r"|\b(?:call|query|request|connect|connection|invoke|fetch|scan|lookup|publish|select|insert|update) (?:to|for|from|on|against|into)\b"
    r"|starting new https? connection|\bhttps?://|\bSELECT\b.+\bFROM\b|\bdynamodb|\.amazonaws\.com|\b(?:GetItem|PutItem|Query|Scan|Invoke|StartQuery)\b"
)
_INCOMING = re.compile(
    r"(?i)\b(?:received|incoming|handling|processing) (?:\w+ ){0,2}(?:request|event)\b|\bevent(?: received)?\s*[:=]"
)
_FINISHED = re.compile(
    r"(?i)\b(?:finished|completed|complete|done|returning|returned|response sent|success|succeeded|result)\b|\bstatusCode\b|\bresponse\s*[:={]"
)
_VARIABLE = re.compile(
    r"[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|\b[0-9a-fA-F]{12,}\b|\d+(?:\.\d+)?|'[^']{0,80}'|\"[^\"]{0,80}\""
)


def names_call(text: str) -> bool:
    """The line announces a call to something outside the function."""
    return _CALL.search(text) is not None and _INCOMING.search(text) is None


def names_incoming(text: str) -> bool:
    """The line only says that the request arrived."""
    return _INCOMING.search(text) is not None


def names_result(text: str) -> bool:
    """The line reports a finished result."""
    return _FINISHED.search(text) is not None and not (
        _CALL.search(text) and not re.search(r"(?i)statusCode|done|finished|completed|return", text)
    )


def shape(text: str) -> str:
    """The line without what varies from call to call, to compare calls with one another."""
    return _VARIABLE.sub("#", text)[:80].strip().lower()
