"""Ids as they stand in logs: request ids, trace roots, functions in URIs.

>>> trace_root("root=1-60664208-52C510E19934133A3C7F7DCC;sampled=0")
'1-60664208-52c510e19934133a3c7f7dcc'
>>> trace_root("606642085 2c5") is None
True
>>> function_from_uri("https://lambda.us-east-1.amazonaws.com/2015-03-31/functions/"
...                   "arn:aws:lambda:us-east-1:123456789012:function:orders:live/invocations")
('orders', 'live')
"""

import re

UUID_PATTERN = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
#: extended request ids, WebSocket and HTTP API request ids: base64-like, padded
EXTENDED_PATTERN = r"[A-Za-z0-9_+/-]{11,22}={1,2}"
UUID = re.compile(UUID_PATTERN)
EXTENDED = re.compile(EXTENDED_PATTERN)
_TRACE = re.compile(r"(?<![0-9a-fA-F])1-([0-9a-fA-F]{8})-([0-9a-fA-F]{24})(?![0-9a-fA-F])")
_HEX_TRACE = re.compile(r"[0-9a-fA-F]{32}")
_FUNCTION_ARN = re.compile(r"arn:[\w-]+:lambda:[\w-]*:\d*:function:([\w-]+)(?::([\w$-]+))?")
_FUNCTION_GROUP = re.compile(r"/?aws[/_.-]lambda[/_.-]([A-Za-z0-9_.-]+?)(?=/|$)")
_EXECUTION_GROUP = re.compile(r"API-Gateway-Execution-Logs[_/-]([a-z0-9*]+)[/_-]([\w*-]+)", re.IGNORECASE)


def trace_root(text: str) -> str | None:
    """The normalised X-Ray root (`1-8hex-24hex`, lower case) from a header, a bare id or 32 hex digits."""
    if match := _TRACE.search(text):
        return f"1-{match[1]}-{match[2]}".lower()
    if _HEX_TRACE.fullmatch(text.strip()):
        digits = text.strip().lower()
        return f"1-{digits[:8]}-{digits[8:]}"
    return None


def function_from_uri(uri: str) -> tuple[str | None, str | None]:
    """Function name and qualifier (alias or version) from a Lambda ARN or an integration URI."""
    match = _FUNCTION_ARN.search(uri)
    if not match:
        return None, None
    return match[1], match[2]


def function_from_group(group: str) -> str | None:
    """Function name from `/aws/lambda/NAME`, also where a path writes it with other separators."""
    match = _FUNCTION_GROUP.search(group)
    return match[1] if match else None


def api_from_group(group: str) -> tuple[str | None, str | None]:
    """API id and stage from an execution log group's name, any case, `_` or `/`."""
    match = _EXECUTION_GROUP.search(group)
    return (match[1], match[2]) if match else (None, None)
