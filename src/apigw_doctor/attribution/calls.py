r"""Words in application lines: a call to something outside, its return, an incoming request.

These recognise how libraries and people log; no rule decides by them alone. Texts that differ only in ids and in the
digits of numbers have to mean the same (`alike` in `native/stream.c`): no pattern asks for certain digits, but for `s3`
and for the first digit of a status.

>>> names_call("dynamodb GetItem table=orders"), names_call("dynamodb GetItem table=orders -> 200")
(True, False)
>>> names_call("search index: GET /orders/_search"), names_call("Received GET /orders/42"), names_call("GET /orders/42")
(True, False, False)
>>> names_call("Making HEAD request to vpc-index"), names_call("writing sheet 1 of 3"), names_call("loading basket 7")
(True, False, False)
>>> names_call("https://dynamodb.eu-west-1.amazonaws.com:443 \"POST / HTTP/1.1\" 200 22")
False
>>> names_call("Retrying (Retry(total=2)) after connection broken by 'ReadTimeoutError(...)': /v1/orders")
True
>>> names_call("[AWS dynamodb 200 0.052s 0 retries] getItem({})"), names_call("[cached since 3.1s ago] {'id': 5}")
(False, True)
"""

import re
from functools import lru_cache

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
#: What client libraries themselves write when a call starts: urllib3, httpcore, OkHttp, Apache HttpClient,
#: SQLAlchemy (its parameters come last), EF Core, knex, mongoose and MongoDB drivers, HikariCP.
_LIBRARIES = (
    r"\bhttp-outgoing-\d+ >>|(?:^|\s)-{2,3}> (?:[A-Z]{3,7} https?:|END\b)|\bresetting dropped connection\b"
    r"|\b(?:connect_\w+|start_tls|send_request_\w+|receive_response_\w+)\.(?:started|complete)\b"
    r"|\[(?:generated in [\d.]+s|cached since [\d.]+s ago|raw sql)\]"
    r"|\bexecuting (?:DbCommand|request|exchange|query|statement|prepared|\()|\b(?:knex:query|mongoose:)"
    r"|\b(?:command|checkout|server selection) started\b|\bHikariPool-\d+ - (?:starting|added)\b"
)
_SQL = (
    r"\bS(?:ELECT|elect)\b[\s\S]+\b(?:FROM|from)\b|\bselect (?:\*|[\"'`(]|[\w.]+(?:,| as | from )|distinct )"
    r"|(?i:\binsert into\b|\bdelete from\b|\bupdate [\w.\"`]+ set\b)"
)
_TARGET = re.compile(
    rf"https?://|\b(?:{_OPERATION})\b|(?i:\b(?:{_SERVICES})\b)|\.amazonaws\.com|\b{_METHOD} request\b"
    rf"|\w[\w -]*[:>] ?{_METHOD} /|{_SQL}|(?i:{_LIBRARIES})|(?i:\bwaiting for\b|\bretrying\b|\bwill retry\b)"
    r"|(?i:\b(?:making|sending|starting|opening|awaiting|acquiring|obtaining)\b.{0,40}"
    r"\b(?:request|call|connection|query)\b)"
    r"|(?i:\b(?:calling|querying|invoking|fetching|connecting|requesting|contacting|polling|publishing|dialing)\b)"
    r"|(?i:\b(?:call|query|request|connect|connection|invoke|fetch|lookup|publish|post|send|write|read)"
    r"(?:ing)? (?:to|from|on|against)\b)"
)
#: Steps inside botocore, which neither start nor end a call.
_INTERNAL = re.compile(r"\bEvent [\w.*-]+: calling handler\b|\bSetting [\w-]+ timeout as\b")
_INCOMING = re.compile(
    r"(?i:\b(?:received|incoming|handling|(?<!start )processing|serving)\b.{0,40}\b(?:request|event)\b)"
    rf"|(?i:received) {_METHOD}\b|(?i:\bevent(?: received)?\s*[:=]|\brequest starting http)"
    rf"|(?:^|\b(?:INFO|DEBUG|LOG|TRACE)\W{{1,4}}){_METHOD} /"
    r"|[\"'](?:requestContext|routeKey|httpMethod|multiValueHeaders)[\"']\s*:|\bAWS_LAMBDA_FUNCTION_NAME\b"
)
#: A failed try that the client repeats by itself: the next call starts here.
_AGAIN = re.compile(r"(?i)\bretrying\b|\bwill retry\b")
_ANSWER = r"(?<!waiting )(?<!waiting for )(?<!waiting for a )(?<!waiting for the )(?<!no )\b(?:response|answer|reply)\b"
_RETURN = re.compile(
    r"(?i)(?:^|\s)-> ?(?:(?!https?:|connecting\b)[^\s:/]+\s*$)|-> ?\d+\b(?![.:](?:\d|[0-9a-fA-F]{12}))"
    r"|\b\d{3} in [\d.]+ ?m?s\b"
    r"|\b(?:ok|took|returned|done|finished|completed|succeeded|connected|established|failed|refused|timed out)\b"
    rf"|{_ANSWER}.{{0,30}}\b[1-5]\d\d\b|\breceived (?:response|answer|reply)\b|\b(?:got|received) \d+\b"
    r"|\bHTTP/\d(?:\.\d)?[\"']?\s+[1-5]\d\d\b|(?:^|\s)<-{1,3} ?(?:HTTP|\d{3}|END|ERROR)\b|\bhttp-outgoing-\d+ <<"
    r"|\[AWS \w+ \w+ [\d.]+s \d+ retr|\bhttpStatusCode\b|\[response\]|^response (?:headers|body)\b"
    r"|\b\w+\.complete return_value|\bexecuted (?:DbCommand|\()|\bend processing http request\b|\bprisma:query\b"
    r"|\bconnection (?:leased|released|acquired|checked out)\b|\bacquired connection\b|\badded connection\b"
    r"|\bno retry needed\b"
)
_VARIABLE = re.compile(
    r"[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|\b[0-9a-fA-F]{12,}\b|\d+(?:\.\d+)?|'[^']{0,80}'|\"[^\"]{0,80}\""
)
#: Longer lines are cut before they are looked at.
_LOOK_CHARS = 400
#: The same lines come again and again.
_REMEMBERED = 20_000


@lru_cache(maxsize=_REMEMBERED)
def mentions_target(text: str) -> bool:
    """The line speaks of something outside the function, be it a call or its return."""
    look = text[:_LOOK_CHARS]
    return _TARGET.search(look) is not None and not names_incoming(look) and _INTERNAL.search(look) is None


@lru_cache(maxsize=_REMEMBERED)
def names_call(text: str) -> bool:
    """The line announces a call to something outside the function."""
    return mentions_target(text) and not reports_return(text)


@lru_cache(maxsize=_REMEMBERED)
def reports_return(text: str) -> bool:
    """The line says that a call came back."""
    look = text[:_LOOK_CHARS]
    return _RETURN.search(look) is not None and _AGAIN.search(look) is None


@lru_cache(maxsize=_REMEMBERED)
def names_incoming(text: str) -> bool:
    """The line only says that the request arrived."""
    return _INCOMING.search(text[:_LOOK_CHARS]) is not None


@lru_cache(maxsize=_REMEMBERED)
def shape(text: str) -> str:
    """The line without what varies from call to call, to compare calls with one another."""
    return _VARIABLE.sub("#", text[:_LOOK_CHARS])[:80].strip().lower()
