"""Words in application lines: a call to something outside, its return, an incoming request.

These recognise how libraries and people log; no rule decides by them alone.

>>> names_call("dynamodb GetItem table=orders"), names_call("dynamodb GetItem table=orders -> 200")
(True, False)
>>> names_call("search index: GET /orders/_search"), names_call("Received GET /orders/42"), names_call("GET /orders/42")
(True, False, False)
>>> names_call("Making HEAD request to vpc-index"), names_call("writing sheet 1 of 3"), names_call("loading basket 7")
(True, False, False)
"""

import re

_METHOD = r"(?:GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS)"
_SERVICES = (
    r"dynamodb|s3|sqs|sns|ssm|kms|sts|secrets ?manager|parameter ?store|rds|aurora|redshift|athena|bedrock|cognito"
    r"|kinesis|event ?bridge|step ?functions|opensearch|elastic ?search|elasticache|redis|memcached|valkey"
    r"|postgres(?:ql)?|mysql|mariadb|oracle|mongo(?:db)?|documentdb|neptune|kafka|msk|rabbitmq|ldap|smtp|database"
    r"|the db|upstream|downstream"
)
_OPERATION = (
    r"(?:Get|Put|List|Describe|Batch|Query|Scan|Invoke|Send|Publish|Create|Update|Delete|Start|Head|Copy|Receive|Post"
    r"|Assume|Decrypt|Encrypt|Upload|Download|Transact)[A-Z][A-Za-z]+"
    r"|(?:get|put|post|send|list|query|scan|start|update|delete|batch\w*)(?:Items?|Objects?|Message|ToConnection|Secret"
    r"|SecretValue|Parameters?|Execution|QueryExecution|Records?)"
)
_TARGET = re.compile(
    rf"https?://|\b(?:{_OPERATION})\b|(?i:\b(?:{_SERVICES})\b)|\.amazonaws\.com|\b{_METHOD} request\b"
    rf"|\w[\w -]*[:>] ?{_METHOD} /|\bS(?:ELECT|elect)\b.+\b(?:FROM|from)\b|(?i:\bwaiting for\b)"
    r"|(?i:\b(?:making|sending|starting|opening|awaiting)\b.{0,40}\b(?:request|call|connection|query)\b)"
    r"|(?i:\b(?:calling|querying|invoking|fetching|connecting|requesting|contacting|polling|publishing|dialing)\b)"
    r"|(?i:\b(?:call|query|request|connect|connection|invoke|fetch|lookup|publish|post|send|write|read)"
    r"(?:ing)? (?:to|from|on|against)\b)"
)
_INCOMING = re.compile(
    r"(?i:\b(?:received|incoming|handling|processing|serving)\b.{0,40}\b(?:request|event)\b)"
    rf"|(?i:received) {_METHOD}\b|(?i:\bevent(?: received)?\s*[:=])|^{_METHOD} /"
)
_RETURN = re.compile(
    r"(?i)-> ?\S+\s*$|\b\d{3} in [\d.]+ ?m?s\b|\b(?:ok|took|returned|done|finished|completed|succeeded|connected)\b"
    r"|\b(?:response|answer|reply)\b.{0,30}\b[1-5]\d\d\b|\breceived (?:response|answer|reply)\b"
    r"|\b(?:got|received) \d+\b"
)
_FINISHED = re.compile(
    r"(?i)\b(?:finished|completed|complete|done|returning|returned|response sent|success|succeeded|result)\b"
    r"|\bstatusCode\b|\bresponse\s*[:={]"
)
_VARIABLE = re.compile(
    r"[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|\b[0-9a-fA-F]{12,}\b|\d+(?:\.\d+)?|'[^']{0,80}'|\"[^\"]{0,80}\""
)
#: Longer lines are cut before they are looked at.
_LOOK_CHARS = 400


def mentions_target(text: str) -> bool:
    """The line speaks of something outside the function, be it a call or its return."""
    return _TARGET.search(text[:_LOOK_CHARS]) is not None and not names_incoming(text)


def names_call(text: str) -> bool:
    """The line announces a call to something outside the function."""
    return mentions_target(text) and not reports_return(text)


def reports_return(text: str) -> bool:
    """The line says that a call came back."""
    return _RETURN.search(text[:_LOOK_CHARS]) is not None


def names_incoming(text: str) -> bool:
    """The line only says that the request arrived."""
    return _INCOMING.search(text[:_LOOK_CHARS]) is not None


def names_result(text: str) -> bool:
    """The line reports a finished result."""
    return _FINISHED.search(text[:_LOOK_CHARS]) is not None


def shape(text: str) -> str:
    """The line without what varies from call to call, to compare calls with one another."""
    return _VARIABLE.sub("#", text[:_LOOK_CHARS])[:80].strip().lower()
