r"""Access logs: one line a request in a format that its owner chose.

Field names are free, so they are mapped to `$context` variables: exactly, when the stage's own format
string is known (`compile_format`), else by the names that people use (`ALIASES`). Values are strings;
`-`, `-1`, `(none)` and empty say "not applicable", never zero. A quoted `$context.error.messageString`
or an unquoted `-` makes a line that is no JSON exactly on the failing rows: those are read by `loose_pairs`.

>>> loose_pairs('{"status": 504, "error": " "Endpoint request timed out"", "latency":-}')
{'status': '504', 'error': ' "Endpoint request timed out"', 'latency': '-'}
>>> compiled = compile_format('$context.identity.sourceIp [$context.requestTime] $context.status $context.requestId')
>>> compiled.read('10.0.0.1 [01/Mar/2026:10:00:00 +0000] 504 c0ffee00-0000-4000-8000-000000000001')["status"]
'504'
"""

import re
import zlib
from collections.abc import Collection, Mapping
from functools import lru_cache
from itertools import zip_longest

import msgspec

from apigw_doctor.model.ids import EXTENDED, UUID, function_from_uri, trace_root
from apigw_doctor.model.terms import ApiType, EvidenceKind
from apigw_doctor.model.times import from_epoch, parse_time
from apigw_doctor.sources.execution_log import lambda_id_in
from apigw_doctor.sources.requests import Facts, Requests, cite, earliest, first, seen

Context = dict[str, str]
"""`$context` variable (without the `$context.`) -> value as text; absent where it was `-`."""

_ALIAS_GROUPS: dict[str, str] = {
    "requestId": "requestid apigwrequestid apigatewayrequestid contextrequestid gatewayrequestid reqid apirequestid",
    "extendedRequestId": "extendedrequestid extendedid xrequestid apigwid xamzapigwid extrequestid",
    "status": "status responsestatus statuscode httpstatus responsestatuscode httpstatuscode gatewaystatus",
    "responseLatency": (
        "responselatency latency ms responselatencyms latencyms totallatency responsetime responsetimems duration"
        " durationms elapsed elapsedms totaltime requestlatency apilatency gatewaylatency"
    ),
    "integrationLatency": (
        "integrationlatency integrationlatencyms integrationintegrationlatency backendlatency integrationtime"
        " intlatency integrationduration"
    ),
    "integrationStatus": "integrationintegrationstatus integrationservicestatus",
    "integration.error": (
        "integrationerror integrationerrormessage integrationerrormsg interror dynamodberrormessage"
        " contextintegrationerror"
    ),
    "integration.requestId": (
        "awsendpointrequestid integrationrequestid endpointrequestid lambdarequestid awsendpointrequestid2"
        " integrationawsrequestid"
    ),
    "error.message": "errormessage errmessage errormsg gatewayerror gatewayerrormessage error",
    "error.messageString": "errormessagestring",
    "error.responseType": "errorresponsetype responsetype errortype errorcode gatewayresponsetype",
    "authorizer.latency": "authorizerlatency authlatency authorizerintegrationlatency authorizerlatencyms",
    "authorizer.status": "authorizerstatus authstatus authorizerintegrationstatus",
    "authorizer.error": "authorizererror autherror authorizererrormessage",
    "authorizer.requestId": "authorizerrequestid",
    "requestTimeEpoch": "requesttimeepoch epoch requestepoch timestampepoch",
    "requestTime": "requesttime time timestamp datetime date",
    "httpMethod": "httpmethod method verb requestmethod",
    "resourcePath": "resourcepath resource",
    "routeKey": "routekey route",
    "path": "path requestpath uri rawpath",
    "stage": "stage apistage stagename",
    "apiId": "apiid restapiid api httpapiid",
    "connectionId": "connectionid",
    "eventType": "eventtype",
    "identity.sourceIp": "ip sourceip identitysourceip clientip remoteaddr remoteip source",
    "identity.userAgent": "useragent identityuseragent agent",
    "identity.caller": "caller identitycaller",
    "identity.user": "user identityuser",
    "xrayTraceId": "xraytraceid traceid xray tracingid xrayid",
    "endpointType": "endpointtype",
    "responseLength": "responselength bytes responsesize length responsebytes",
    "waf.latency": "waflatency wafintegrationlatency",
    "waf.status": "wafstatus",
    "wafResponseCode": "wafresponsecode",
    "integration.responseTransferMode": "integrationresponsetransfermode responsetransfermode transfermode",
    "integration.timeToFirstContent": "integrationtimetofirstcontent timetofirstcontent",
    "protocol": "protocol",
    "domainName": "domainname domain host",
}
ALIASES: dict[str, str] = {
    alias: variable for variable, aliases in _ALIAS_GROUPS.items() for alias in aliases.split()
} | {re.sub(r"[^a-z0-9]", "", variable.lower()): variable for variable in _ALIAS_GROUPS}
"""Key in lower case without separators -> `$context` variable."""

#: Variables of the same meaning in a stage's format string.
_SAME = {
    "awsEndpointRequestId": "integration.requestId",
    "awsEndpointRequestId2": "integration.requestId",
    "integrationErrorMessage": "integration.error",
    "integration.latency": "integrationLatency",
    "integration.integrationStatus": "integrationStatus",
    "authorizer.integrationLatency": "authorizer.latency",
    "authorizer.integrationStatus": "authorizer.status",
    "error.messageString": "error.message",
}
#: A mapping is an access-log record when it names a request and something that only access logs have.
_IDS = frozenset({"requestId", "extendedRequestId"})
_TELLING = frozenset(
    [
        "status",
        "responseLatency",
        "integrationLatency",
        "integrationStatus",
        "integration.status",
        "integration.error",
        "error.responseType",
        "httpMethod",
        "resourcePath",
        "routeKey",
        "requestTimeEpoch",
        "integration.requestId",
        "apiId",
        "identity.sourceIp",
        "eventType",
    ]
)
EMPTY = frozenset({"", "-", "(none)", "null", "none", "None"})
_MAX_MEANT, _MOST_KEYS = 1_000, 200
_MAX_LOOSE_CHARS = 100_000
_MAX_PAIRS_CHARS = 4_000
_PAIRS_START = re.compile(
    r"\"?[A-Za-z][\w.]{1,40}\"?\s?[:=]\s?\S.{0,3000}\b(?i:request_?id)\"?\s?[:=]|(?i:request_?id)\"?\s?[:=]\s?\S"
)
_PAIR = re.compile(
    r"([A-Za-z][\w.]{1,40})\"?\s?[:=]\s?(\"[^\"]*\"|[^,\s][^,]*?)(?=,?\s+\"?[A-Za-z][\w.]{1,40}\"?\s?[:=]|,?\s*$)"
)


class CompiledFormat(msgspec.Struct, frozen=True):
    """A stage's access-log format, ready to read its lines."""

    text: str
    #: JSON key (dotted where nested) -> variable, for formats that are JSON
    keys: dict[str, str]
    pattern: re.Pattern[str] | None
    variables: tuple[str, ...]

    def read(self, line: str) -> Context | None:
        """The line's variables; None when the line is not of this format."""
        if self.pattern is None or (match := self.pattern.fullmatch(line.strip())) is None:
            return None
        found: Context = {}
        for variable, value in zip(self.variables, match.groups(), strict=True):
            put(found, variable, value)
        return found


def compile_format(text: str) -> CompiledFormat:
    """Make a parser of the very string that the stage logs with (`get-stage`: accessLogSettings.format)."""
    text = text.strip()
    pieces = re.split(r"\$context\.([A-Za-z0-9_.]+[A-Za-z0-9_])", text)
    literals, variables = pieces[0::2], pieces[1::2]
    pattern = _literal(literals[0])
    for number, variable in enumerate(variables):
        pattern += _value_pattern(variable, literals[number], literals[number + 1]) + _literal(literals[number + 1])
    keys = {}
    if text.startswith("{"):
        keys = {
            key: value.removeprefix("$context.")
            for key, value in loose_pairs(text).items()
            if value.startswith("$context.")
        }
    return CompiledFormat(text, keys, re.compile(pattern, re.DOTALL) if variables else None, tuple(variables))


def _literal(text: str) -> str:
    return re.sub(r"(?:\\\s|\s)+", r"\\s*", re.escape(text)) if text.strip() == "" and text else re.escape(text)


#: Values with a blank of their own, where a blank ends others.
_WITH_BLANKS = {
    "routeKey": r"((?:[A-Z]+ (?=/))?\S*)",
    "requestTime": r"(\d{1,2}/[A-Z][a-z]{2}/[\d:]+ [+-]\d{4}|\S*)",
}


def _value_pattern(variable: str, before: str, after: str) -> str:
    # Every alternative excludes its own delimiter, so that a hostile line cannot make the match explode.
    if variable in ("error.messageString", "error.message", "integration.error", "integrationErrorMessage"):
        return r"(.*?)"
    if before.endswith('"') and after.startswith('"'):
        return r'([^"]*)'
    if before.endswith("[") and after.startswith("]"):
        return r"([^\]]*)"
    if after[:1] in (",", "<", "\t", "|", ";"):
        return f"([^{re.escape(after[:1])}]*)"
    if after == "":
        return r"(.*)"
    if variable in _WITH_BLANKS:
        return _WITH_BLANKS[variable]
    return r"(\S*)" if after[:1].isspace() or after[:1] in "})" else r"(.*?)"


def loose_pairs(text: str) -> Context:
    """Key and value texts of something that looks like a flat JSON object but need not be one."""
    marks = list(re.finditer(r'"([A-Za-z_$@][\w.@$ -]{0,80})"\s*:\s*', text[:_MAX_LOOSE_CHARS]))
    found: Context = {}
    for mark, following in zip_longest(marks, marks[1:]):
        end = following.start() if following else text.rfind("}")
        value = text[mark.end() : end if end > mark.end() else len(text)].strip()
        found[mark[1]] = _unquote(value.rstrip(", \t\n" if following else " \t\n"))
    return found


def _unquote(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] == '"':
        return value[1:-1]
    return value


def flatten(value: Mapping[str, object], prefix: str = "", depth: int = 0) -> Context:
    """Nested objects to dotted keys, scalars to text."""
    found: Context = {}
    for key, inner in value.items():
        name = prefix + key
        if type(inner) is str:
            found[name] = inner
        elif isinstance(inner, dict) and depth < 4:
            found |= flatten(inner, f"{name}.", depth + 1)
        elif isinstance(inner, (str, int, float)):
            found[name] = str(inner)
    return found


@lru_cache(maxsize=4096)
def variable_of(key: str) -> str | None:
    """The `$context` variable that a key's name means, guessed by the names that people use."""
    plain = key.removeprefix("$context.").removeprefix("context.")
    squeezed = re.sub(r"[^a-z0-9]", "", plain.lower())
    if squeezed == "integrationstatus":
        # $context.integration.status is the function's own status, $context.integrationStatus the service's.
        return "integration.status" if re.search(r"(?i)integration[._ -]\s*status", plain) else "integrationStatus"
    if squeezed in (
        "integrationstatuscode",
        "backendstatus",
        "functionstatus",
        "functionresponsestatus",
        "lambdastatus",
    ):
        return "integration.status"
    return ALIASES.get(squeezed)


class AccessLog:
    """Reads access-log records into the requests they belong to."""

    def __init__(self, requests: Requests, formats: tuple[str, ...] = ()) -> None:
        self._requests = requests
        self._formats = [compile_format(text) for text in formats]
        #: keys of records met -> what they mean
        self._meant: dict[tuple[str, ...], dict[str, str]] = {}

    def add_format(self, text: str) -> None:
        """Use one more stage's format string from here on."""
        if "$context." in text and all(known.text != text.strip() for known in self._formats):
            self._formats.append(compile_format(text))
            self._meant.clear()

    def mapping(self, value: Mapping[str, object], *, at: float | None, origin: str, text: str) -> bool:
        """Read a record that came as an object; False when it is no access-log record."""
        flat = flatten(value)
        return self._take(self._named(flat), at=at, origin=origin, text=text)

    def line(self, line: str, *, at: float | None, origin: str) -> bool:
        """Read a record that is text: a known format, CLF, XML, or JSON gone wrong."""
        if self.of_known_format(line, at=at, origin=origin):
            return True
        stripped = line.strip()
        if stripped.startswith("{"):
            if not stripped.endswith("}") or _is_json(stripped):
                return False  # good JSON is read as such, by whoever knows its shape
            return self._take(self._named(loose_pairs(stripped)), at=at, origin=origin, text=line)
        found = _clf(stripped) or _xml(stripped) or _csv(stripped) or self._pairs(stripped)
        return found is not None and self._take(found, at=at, origin=origin, text=line)

    def _pairs(self, line: str) -> Context | None:
        """`requestId: x, status: 504, ...` or `requestId=x status=504 ...`, as frameworks and people write it."""
        if _PAIRS_START.match(line) is None:
            return None
        found = {match[1]: match[2].strip('" ') for match in _PAIR.finditer(line[:_MAX_PAIRS_CHARS])}
        return self._named(found)

    def of_known_format(self, line: str, *, at: float | None, origin: str) -> bool:
        """Read a line that one of the given format strings wrote."""
        for known in self._formats:
            if (found := known.read(line)) is not None:
                return self._take(found, at=at, origin=origin, text=line)
        return False

    def variables(self, names: Collection[str]) -> dict[str, str]:
        """Key -> variable, for those keys of a record that mean one."""
        if len(names) > _MOST_KEYS:
            return self._variables(tuple(names))
        found = self._meant.get(key := tuple(names))
        if found is None:
            if len(self._meant) >= _MAX_MEANT:
                self._meant.clear()
            found = self._meant[key] = self._variables(key)
        return found

    def _variables(self, names: tuple[str, ...]) -> dict[str, str]:
        keys: dict[str, str] = {}
        for known in self._formats:
            if known.keys and len(known.keys.keys() & set(names)) * 2 > len(known.keys):
                keys = known.keys
        meant = {name: keys.get(name) or variable_of(name) for name in names}
        return {name: _SAME.get(variable, variable) for name, variable in meant.items() if variable is not None}

    def formats(self) -> tuple[str, ...]:
        """The format strings in use."""
        return tuple(known.text for known in self._formats)

    def _named(self, flat: Context) -> Context:
        found: Context = {}
        for key, variable in self.variables(flat).items():
            put(found, variable, flat[key])
        return found

    def _take(self, context: Context, *, at: float | None, origin: str, text: str) -> bool:
        if not context.keys() & _IDS and not (
            {"requestTime", "requestTimeEpoch"} & context.keys() and "status" in context
        ):
            return False
        if len(context.keys() & _TELLING) < (1 if "status" in context else 2):
            return False
        arrived, exact_ms = arrival_of(context, at)
        request_id, extended_id = context.get("requestId"), context.get("extendedRequestId")
        if extended_id is None and request_id is not None and UUID.fullmatch(request_id) is None:
            extended_id = request_id  # HTTP and WebSocket APIs: both are the same
        if request_id is None and extended_id is None:
            facts: Facts | None = self._requests.anonymous(f"access:{zlib.crc32(text.encode()):x}")
        else:
            facts = self._requests.of_record(request_id, extended_id, arrived)
        if facts is not None:
            fill(facts, context, arrived, exact_ms)
            cite(facts, origin, text)
        return True


def _is_json(text: str) -> bool:
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return False
    return True


def put(found: Context, variable: str, value: str) -> None:
    """Set a variable that no key has set yet, unless the value stands for none."""
    value = value.strip()
    variable = _SAME.get(variable, variable)
    if value not in EMPTY and variable not in found:
        found[variable] = value.strip('" ') if variable == "error.message" else value


def arrival_of(context: Context, at: float | None) -> tuple[float | None, float]:
    """When the request arrived, and how exact that is, in ms; `at` is the time of the log event."""
    # The event time of an access-log line is the arrival of the request (azul#6284), as is requestTimeEpoch.
    if epoch := _number(context.get("requestTimeEpoch")):
        return from_epoch(epoch), 1.0 if epoch > 1e11 else 1000.0
    time = parse_time(context["requestTime"]) if "requestTime" in context else None
    if at is not None and (time is None or abs(at - time) < 1500.0):
        return at, 1.0
    return time, 1000.0


def _number(text: str | None) -> float | None:
    try:
        number = float(text) if text else None
    except ValueError:
        return None
    return number if number is not None and number >= 0 and number < 1e19 else None


def _integer(text: str | None) -> int | None:
    number = _number(text)
    return None if number is None else int(number)


def fill(facts: Facts, context: Context, arrived: float | None, exact_ms: float) -> None:
    """Add what a record tells to what is known of its request."""
    seen(facts, EvidenceKind.ACCESS_LOG)
    if arrived is not None:
        known = facts.get("arrived_at")
        if known is None or exact_ms < facts.get("arrived_within_ms", 1.0):
            facts["arrived_at"], facts["arrived_within_ms"] = arrived, exact_ms
        earliest(facts, "first_line_at", arrived)
    _fill_identity(facts, context)
    for variable, value in context.items():
        if variable in _NUMBERS:
            first(facts, _NUMBERS[variable], _number(value))
        elif variable in _INTEGERS:
            first(facts, _INTEGERS[variable], _integer(value))
        elif variable in _TEXTS:
            first(facts, _TEXTS[variable], value)
    if (error := context.get("integration.error")) is not None and facts.get("failure") is None:
        facts["failure"] = error.removeprefix("Execution failed due to ")


_NUMBERS = {
    "responseLatency": "response_latency_ms",
    "integrationLatency": "integration_latency_ms",
    "authorizer.latency": "authorizer_latency_ms",
    "waf.latency": "waf_latency_ms",
}
_INTEGERS = {
    "status": "status",
    "integration.status": "integration_status",
    "integrationStatus": "service_status",
    "authorizer.status": "authorizer_status",
    "responseLength": "response_bytes",
}
_TEXTS = {
    "error.responseType": "response_type",
    "error.message": "error_message",
    "authorizer.error": "authorizer_error",
    "stage": "stage",
    "apiId": "api_id",
    "connectionId": "connection_id",
    "eventType": "event_type",
    "identity.sourceIp": "client_ip",
    "identity.userAgent": "user_agent",
    "endpointType": "endpoint_type",
    "integration.responseTransferMode": "transfer_mode",
    "path": "path",
}


#: Where these are, the route key is no method and path, but what a message said.
_OF_MESSAGES = frozenset({"eventType", "connectionId"})


def _fill_identity(facts: Facts, context: Context) -> None:
    first(facts, "request_id", context.get("requestId"))
    if (lambda_id := context.get("integration.requestId")) is not None and UUID.fullmatch(lambda_id):
        first(facts, "lambda_request_id", lambda_id)
    elif "integration.error" in context:
        first(facts, "lambda_request_id", lambda_id_in(context["integration.error"]))
    if "xrayTraceId" in context:
        first(facts, "trace_id", trace_root(context["xrayTraceId"]))
    if "integration.uri" in context:
        first(facts, "function", function_from_uri(context["integration.uri"])[0])
    route_key = context.get("routeKey")
    if route_key is not None and " " in route_key and not context.keys() & _OF_MESSAGES:
        method, _, route = route_key.partition(" ")
        first(facts, "method", context.get("httpMethod", method))
        first(facts, "route", route)
    else:
        first(facts, "method", context.get("httpMethod"))
        first(facts, "route", context.get("resourcePath") or route_key)
    _fill_api_type(facts, context)


def _fill_api_type(facts: Facts, context: Context) -> None:
    known = facts.get("api_type", ApiType.UNKNOWN)
    if known is not ApiType.UNKNOWN:
        return
    request_id = context.get("requestId")
    if "connectionId" in context or context.get("eventType") in ("CONNECT", "MESSAGE", "DISCONNECT"):
        facts["api_type"] = ApiType.WEBSOCKET
    elif request_id is not None and UUID.fullmatch(request_id):
        facts["api_type"] = ApiType.REST
    elif request_id is not None and request_id.endswith("=") and len(request_id) <= 24:
        facts["api_type"] = ApiType.WEBSOCKET if (context.get("routeKey") or "").startswith("$c") else ApiType.HTTP
    elif "resourcePath" in context or "xrayTraceId" in context or "endpointType" in context:
        facts["api_type"] = ApiType.REST


#: What the console's formats begin with, and a status.
_TIME = r"(\d{1,2}/[A-Z][a-z]{2}/\d{4}:[\d:]+ [+-]\d{4})"
_WHO_CLF = rf"(\S+) (\S+) (\S+) \[{_TIME}\] ?"
_WHO_CSV = rf'([^,\s]+),([^,]*),([^,]*),"?{_TIME}"?,'
_EVENT = "(CONNECT|MESSAGE|DISCONNECT)"
_STATUS = r"(\d{3}|-)"
_XML = re.compile(r"<request id=\"([^\"]*)\">(.*?)</request>", re.DOTALL)
_WHO = ("identity.sourceIp", "identity.caller", "identity.user", "requestTime")
_OF_REST = (
    *_WHO,
    "httpMethod",
    "resourcePath",
    "protocol",
    "status",
    "responseLength",
    "requestId",
    "extendedRequestId",
)
_OF_WEBSOCKET = (*_WHO, "eventType", "routeKey", "connectionId", "status", "requestId")
_OF_HTTP = tuple(name for name in _OF_REST if name not in ("identity.caller", "identity.user", "extendedRequestId"))
#: Patterns of a line and what their groups are; a WebSocket's line looks like one of REST, so it comes first.
_CLF = (
    (re.compile(rf'{_WHO_CLF}"{_EVENT} ([^"]*) (?!HTTP/)(\S+)" {_STATUS} (\S+)(?: .*)?'), _OF_WEBSOCKET),
    (
        re.compile(rf'{_WHO_CLF}"(\w+) ((?:[A-Z]+ (?=/))?\S*) ([^"]*)" {_STATUS} (\S+)(?: (\S+))?(?: (\S+))?.*'),
        _OF_REST,
    ),
)
_CSV = (
    (re.compile(rf"{_WHO_CSV}{_EVENT},([^,]*),(?!HTTP/)([^,\s]+),{_STATUS},([^,\s]+)(?:,.*)?"), _OF_WEBSOCKET),
    (
        re.compile(rf"{_WHO_CSV}(\w+),([^,]*),([^,]*),{_STATUS},([^,]*),([^,\s]+)(?:,([^,\s]+))?(?:,.*)?"),
        _OF_REST,
    ),
    (
        re.compile(rf'([^,\s]+),"?{_TIME}"?,(\w+),([^,]*),([^,]*),{_STATUS},([^,]*),([^,\s]+)(?:,.*)?'),
        _OF_HTTP,
    ),
)


def _console(line: str, forms: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...]) -> Context | None:
    """What a line of one of the console's formats tells."""
    tried = ((pattern.fullmatch(line), variables) for pattern, variables in forms)
    match, variables = next((found for found in tried if found[0] is not None), (None, ()))
    if match is None:
        return None
    found: Context = {}
    for variable, value in zip(variables, match.groups(), strict=True):
        if variable == "extendedRequestId" and (value is None or EXTENDED.fullmatch(value) is None):
            continue
        name = "routeKey" if variable == "resourcePath" and value and " " in value else variable
        put(found, name, value or "")
    return found


def _clf(line: str) -> Context | None:
    """The console's CLF format: `ip caller user [time] "GET /path HTTP/1.1" status length requestId`."""
    return _console(line, _CLF)


def _csv(line: str) -> Context | None:
    """The console's CSV format, without a header."""
    return _console(line, _CSV)


def _xml(line: str) -> Context | None:
    """The console's XML format: `<request id="..."> <ip>...</ip> ... </request>`."""
    match = _XML.search(line)
    if match is None:
        return None
    found: Context = {}
    put(found, "requestId", match[1])
    for name, value in re.findall(r"<(\w+)>([^<]*)</\1>", match[2]):
        if (variable := variable_of(name)) is not None:
            put(found, variable, value)
    return found
