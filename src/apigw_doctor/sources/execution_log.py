r"""Execution logs of REST and WebSocket APIs, and console Test transcripts.

One event is `(<request id>) <words>`; the words come from a small vocabulary, told apart by how they
begin. Bodies and header maps follow a colon, are cut at 1,024 bytes (` [TRUNCATED]`), and may run over
several lines, which then carry no prefix of their own.

>>> requests = Requests()
>>> log = ExecutionLog(requests)
>>> for line in ("(c0ffee00-0000-4000-8000-000000000001) Sending request to https://example.com/a",
...              "(c0ffee00-0000-4000-8000-000000000001) Execution failed due to a timeout error",
...              "(c0ffee00-0000-4000-8000-000000000001) Method completed with status: 504"):
...     _ = log.line(line, at=None, origin="x:1")
>>> [row] = requests.rows()
>>> row.failure, row.status
('a timeout error', 504)
"""

import re
import zlib
from collections.abc import Callable

from apigw_doctor.model.ids import EXTENDED_PATTERN, UUID_PATTERN, api_from_group, trace_root
from apigw_doctor.model.terms import ApiType, EvidenceKind
from apigw_doctor.sources.requests import Facts, Requests, cite, earliest, first, latest, seen
from apigw_doctor.sources.spool import Label

_LINE = re.compile(rf"\(({UUID_PATTERN}|{EXTENDED_PATTERN}|[A-Za-z0-9_-]{{8,64}}={{0,2}})\) ?(.*)", re.DOTALL)
_RESPONSE_BODY = "Endpoint response body before transformations:"
#: What may follow the status of a request.
_TRAILING = ("Method completed", "AWS Integration Endpoint", "X-ray Tracing")
#: Longer events are no words that a mailer wrapped.
_WRAPPED_CHARS = 400
_SUCCESS_BELOW = 500
_MOST_CALLS, _MOST_FAILURES = 1000, 100
_BODY_CHARS = 600

Handler = Callable[[Facts, str, float | None], bool]
"""Takes facts, the text after the words, and the time; True when the line is worth citing."""


class ExecutionLog:
    """Reads execution-log lines into the requests they belong to."""

    def __init__(self, requests: Requests) -> None:
        self._requests = requests
        #: the request whose response body may go on over the next lines
        self._body_of: Facts | None = None
        #: the last event, while its words may go on
        self._wrapped: tuple[Facts, str, float | None, str] | None = None

    def continues(self, text: str) -> None:
        """A further physical line: of interest inside the endpoint's response body, and where a mailer wrapped."""
        if self._wrapped is not None:
            facts, words, at, origin = self._wrapped
            joined = f"{words.rstrip()} {text.strip()}"
            if find_handler(joined) is not None:
                read_words(facts, joined, at, origin)
            self._wrapped = (facts, joined, at, origin) if len(joined) < _WRAPPED_CHARS else None
        if self._body_of is not None and len(self._body_of.get("endpoint_body") or "") < _BODY_CHARS:
            self._body_of["endpoint_body"] = f"{self._body_of.get('endpoint_body') or ''}\n{text.strip()}"

    def line(self, message: str, *, at: float | None, origin: str, group: str | None = None) -> bool | None:
        """Read one event; None when it is none of this log, True when its value may run over more lines."""
        found = parse_event(message)
        if found is None:
            return None
        request_id, words = found
        if words.startswith("Extended Request Id: "):
            facts = self._requests.extended(request_id, words[21:].strip())
        else:
            facts = self._requests.of_line(request_id)
        self._know_place(facts, request_id, group)
        self._body_of = facts if words.startswith(_RESPONSE_BODY) else None
        short = len(words) < _WRAPPED_CHARS and " body " not in words and "headers" not in words
        self._wrapped = (facts, words, at, origin) if short else None
        return read_words(facts, words, at, origin)

    def request(
        self, request_id: str, events: list[tuple[Label, str, float | None]], *, name: str, group: str | None = None
    ) -> None:
        """Read the events of one request: the number of its line in the input `name` (or an origin), words, time.

        The same as `line` for each of them, at a third of the cost.
        """
        self._body_of, self._wrapped = None, None
        facts: Facts | None = None
        told: list[tuple[Facts, float | None]] = []
        for label, words, at in events:
            if words.startswith("Extended Request Id: "):
                facts = self._requests.extended(request_id, words[21:].strip())
                self._know_place(facts, request_id, group)
            elif facts is None:
                facts = self._requests.of_line(request_id)
                self._know_place(facts, request_id, group)
            told.append((facts, at))
            found = find_handler(words)
            if found is not None and found[1] is not _nothing and found[1](facts, words[len(found[0]) :], at):
                cite(facts, label if isinstance(label, str) else f"{name}:{label}", words)
        for facts, at in told:
            earliest(facts, "first_line_at", at)
            earliest(facts, "log_first_at", at)
            latest(facts, "last_line_at", at)

    def _know_place(self, facts: Facts, request_id: str, group: str | None) -> None:
        """What every event tells of its request, whatever its words are."""
        seen(facts, EvidenceKind.EXECUTION_LOG)
        if request_id.endswith("="):
            self._requests.is_extended(facts, request_id)
            facts["api_type"] = ApiType.WEBSOCKET
        elif facts.get("api_type") is not ApiType.WEBSOCKET:
            facts["api_type"] = ApiType.REST
        if group is not None:
            api_id, stage = api_from_group(group)
            first(facts, "api_id", api_id)
            first(facts, "stage", stage)


class Passing(ExecutionLog):
    """Recognises events and leaves them to somebody who knows more lines of their requests."""

    def __init__(self, requests: Requests) -> None:
        super().__init__(requests)
        #: the last event: its request's id, its words, its time, its log group
        self.event: tuple[str, str, float | None, str | None] | None = None
        #: the line goes on with the value of the event before it
        self.went_on = False

    def continues(self, text: str) -> None:
        """A further physical line of an event."""
        self.went_on = True

    def line(self, message: str, *, at: float | None, origin: str, group: str | None = None) -> bool | None:
        """What `ExecutionLog.line` says of the event."""
        found = parse_event(message)
        if found is None:
            return None
        self.event = (*found, at, group)
        return value_may_continue(found[1])


class TestTranscript:
    """A console Test transcript: the same words without a request id, at a resolution of one second."""

    __test__ = False

    def __init__(self, requests: Requests) -> None:
        self._requests = requests
        self._facts: Facts | None = None

    def header(self, line: str) -> bool:
        """`Execution log for request <id>` opens a transcript."""
        match = re.match(rf"Execution log for request ({UUID_PATTERN}|\S+)\s*$", line)
        if match is None:
            return False
        self._facts = self._requests.of_line(match[1])
        return True

    def line(self, words: str, *, at: float | None, origin: str) -> bool | None:
        """Read one line after its date; None when its words are not of the vocabulary."""
        if find_handler(words) is None:
            return None
        started = re.match(rf"Starting execution for request: ({UUID_PATTERN})", words)
        if started and (self._facts is None or self._facts.get("request_id") not in (None, started[1])):
            self._facts = self._requests.of_line(started[1])
        over = self._facts is not None and self._facts.get("status") is not None and not words.startswith(_TRAILING)
        if self._facts is None or over:
            self._facts = self._requests.anonymous(f"test:{at}:{zlib.crc32(words.encode()):x}")
        facts = self._facts
        if started and facts.get("request_id") is None:
            facts["request_id"] = started[1]
        facts["test_invoke"] = True
        facts["line_resolution_ms"] = 1000.0
        facts.setdefault("api_type", ApiType.REST)
        return read_words(facts, words, at, origin)


UUID_LIKE = re.compile(rf"{UUID_PATTERN}|[A-Za-z0-9_+/-]{{11,22}}={{1,2}}")


def parse_event(message: str) -> tuple[str, str] | None:
    """Request id and words of an event; None for anything else."""
    match = _LINE.match(message)
    if match is None:
        return None
    request_id, words = match[1], match[2]
    if UUID_LIKE.fullmatch(request_id) is None and find_handler(words) is None and words[:9] != "WebSocket":
        return None
    return request_id, words


def read_words(facts: Facts, words: str, at: float | None, origin: str) -> bool:
    """Read one event's words; True when its value may run over more lines."""
    seen(facts, EvidenceKind.EXECUTION_LOG)
    earliest(facts, "first_line_at", at)
    earliest(facts, "log_first_at", at)
    latest(facts, "last_line_at", at)
    found = find_handler(words)
    if found is None:
        return True
    start, handler = found
    if handler(facts, words[len(start) :], at):
        cite(facts, origin, words)
    return _may_continue(start)


def value_may_continue(words: str) -> bool:
    """The value behind these words may run over more lines."""
    found = find_handler(words)
    return found is None or _may_continue(found[0])


def _may_continue(start: str) -> bool:
    return " body " in start or " headers" in start or "failed" in start


def find_handler(words: str) -> tuple[str, Handler] | None:
    """The entry of the vocabulary that these words begin with."""
    for start, handler in _BY_KEY.get(words[:_KEY], ()):
        if words.startswith(start):
            return start, handler
    return None


def _nothing(facts: Facts, rest: str, at: float | None) -> bool:
    return False


def _info(facts: Facts, rest: str, at: float | None) -> bool:
    facts["saw_info"] = True
    return False


def _trace_level(facts: Facts, rest: str, at: float | None) -> bool:
    facts["saw_trace"] = True
    return False


def _starting_execution(facts: Facts, rest: str, at: float | None) -> bool:
    facts["saw_info"] = True
    earliest(facts, "started_at", at)
    return False


def _method_and_path(facts: Facts, rest: str, at: float | None) -> bool:
    if match := re.match(r"(\w+), Resource Path: (\S*)", rest):
        first(facts, "method", match[1])
        first(facts, "route", match[2])
    return False


def _api_key_line(facts: Facts, rest: str, at: float | None) -> bool:
    if match := re.search(r"method '(\w+) (\S+)'", rest):
        first(facts, "method", match[1])
        first(facts, "route", match[2])
    return _info(facts, rest, at)


def _usage_plan(facts: Facts, rest: str, at: float | None) -> bool:
    if match := re.search(r"API Stage:? ([\w*]+)/([\w*-]+)", rest):
        if "*" not in match[1]:
            first(facts, "api_id", match[1])
        first(facts, "stage", match[2])
    return _info(facts, rest, at)


def _authorizer_start(facts: Facts, rest: str, at: float | None) -> bool:
    earliest(facts, "authorizer_started_at", at)
    return True


def _authorizer_end(facts: Facts, rest: str, at: float | None) -> bool:
    latest(facts, "authorizer_completed_at", at)
    return False


def _request_headers(facts: Facts, rest: str, at: float | None) -> bool:
    facts["saw_trace"] = True
    if match := re.search(r"X-Amzn-Trace-Id=([^,}]+)", rest, re.IGNORECASE):
        first(facts, "trace_id", trace_root(match[1]))
    if match := re.search(r"User-Agent=(.*?)(?:, [\w-]+=|\}|$| \[TRUNC)", rest):
        first(facts, "user_agent", match[1])
    if match := re.search(r"X-Forwarded-For=([0-9a-fA-F.:]+)", rest):
        first(facts, "client_ip", match[1])
    return False


def _endpoint_headers(facts: Facts, rest: str, at: float | None) -> bool:
    facts["saw_trace"] = True
    if match := re.search(r"X-Amzn-Trace-Id=([^,}]+)", rest, re.IGNORECASE):
        first(facts, "trace_id", trace_root(match[1]))
    if match := re.search(rf"x-amzn-lambda-integration-tag=({UUID_PATTERN})", rest):
        first(facts, "request_id", match[1])
    return False


def _endpoint_uri(facts: Facts, rest: str, at: float | None) -> bool:
    facts["saw_trace"] = True
    _called(facts, "uris", at, rest)
    return False


def _sending(facts: Facts, rest: str, at: float | None) -> bool:
    facts["saw_trace"] = True
    _called(facts, "sends", at, rest)
    return True


def _called(facts: Facts, field: str, at: float | None, rest: str) -> None:
    """Note an endpoint and when it was called; of very many the last one counts."""
    calls: list[tuple[float | None, str]] = facts.setdefault(field, [])
    calls.append((at, rest.split(" [TRUNCATED]")[0].strip()))
    if len(calls) > _MOST_CALLS:
        # The first of the latest, as `_settle` chooses it.
        calls[:] = sorted(calls, key=lambda call: call[0] or 0.0, reverse=True)[:1]


_RECEIVED = re.compile(r"(?: Status: (\d{1,9}),)? Integration latency: (\d{1,12}) ms")


def _received(facts: Facts, rest: str, at: float | None) -> bool:
    facts["saw_trace"] = True
    latest(facts, "received_at", at)
    if match := _RECEIVED.match(rest):
        first(facts, "integration_latency_ms", float(match[2]))
        first(facts, "received_status", int(match[1]) if match[1] else None)
    return True


def _response_headers(facts: Facts, rest: str, at: float | None) -> bool:
    facts["saw_trace"] = True
    if match := re.search(rf"x-amzn-RequestId=({UUID_PATTERN})", rest, re.IGNORECASE):
        first(facts, "lambda_request_id", match[1])
    if match := re.search(r"X-Amzn-Trace-Id=([^,}]+)", rest, re.IGNORECASE):
        first(facts, "trace_id", trace_root(match[1]))
    if re.search(r"X-Amz-Function-Error=", rest, re.IGNORECASE):
        facts["function_error"] = True
    return False


def _response_body(facts: Facts, rest: str, at: float | None) -> bool:
    facts["saw_trace"] = True
    first(facts, "endpoint_body", rest[:_BODY_CHARS])
    first(facts, "lambda_request_id", lambda_id_in(rest[:_BODY_CHARS]))
    return '"errorMessage"' in rest or '"Reason"' in rest or "Task timed out" in rest


def id_in_body(words: str) -> str | None:
    """The invocation's id in the words that give the endpoint's answer."""
    return lambda_id_in(words[len(_RESPONSE_BODY) :][:_BODY_CHARS])


_LAMBDA_ID = re.compile(
    rf"Lambda request id: ({UUID_PATTERN})|({UUID_PATTERN}) Task timed out|RequestId: ({UUID_PATTERN}) Error"
)


def lambda_id_in(text: str) -> str | None:
    """The Lambda request id that an error text names."""
    match = _LAMBDA_ID.search(text)
    return next(filter(None, match.groups()), None) if match else None


def _failed(facts: Facts, rest: str, at: float | None) -> bool:
    earliest(facts, "failed_at", at)
    first(facts, "lambda_request_id", lambda_id_in(rest))
    failures: set[tuple[float, str]] = facts.setdefault("failures", set())
    if len(failures) < _MOST_FAILURES:
        failures.add((at or 0.0, rest.strip()))
    return True


def _gateway_response(facts: Facts, rest: str, at: float | None) -> bool:
    if match := re.match(r"(\w+) with status code: (\d+)", rest.strip()):
        first(facts, "response_type", match[1])
    return True


def _completed_well(facts: Facts, rest: str, at: float | None) -> bool:
    facts["completed_well"] = True
    return False


def _completed(facts: Facts, rest: str, at: float | None) -> bool:
    if (match := re.match(r"\s*(\d{3})", rest)) is None:
        return False
    first(facts, "status", int(match[1]))
    latest(facts, "completed_at", at)
    facts["answered"] = True
    if int(match[1]) < _SUCCESS_BELOW and not facts.get("failures") and facts.get("response_type") is None:
        facts.pop("cites", None)  # healthy: nothing to prove
        return False
    return True


def _lambda_id(facts: Facts, rest: str, at: float | None) -> bool:
    if match := re.search(UUID_PATTERN, rest):
        first(facts, "lambda_request_id", match[0])
    return False


def _trace_id(facts: Facts, rest: str, at: float | None) -> bool:
    if root := trace_root(rest):
        facts["own_trace_id"] = root  # before any that a header names
    return False


def _connection(facts: Facts, rest: str, at: float | None) -> bool:
    if match := re.search(r"Connection Id: ([\w+/=-]+)", rest):
        first(facts, "connection_id", match[1])
    return False


def _route_key(facts: Facts, rest: str, at: float | None) -> bool:
    first(facts, "route", rest.strip())
    return False


def _failed_lambda(facts: Facts, rest: str, at: float | None) -> bool:
    facts["function_error"] = True
    return _failed(facts, "Lambda execution failed with status" + rest, at)


def _failed_invocation(facts: Facts, rest: str, at: float | None) -> bool:
    return _failed(facts, "Lambda invocation failed with status:" + rest, at)


def _failure_text(facts: Facts, rest: str, at: float | None) -> bool:
    return _failed(facts, rest, at)


def _authorizer_failed(facts: Facts, rest: str, at: float | None) -> bool:
    first(facts, "authorizer_error", rest.strip())
    return _failed(facts, "AuthorizerConfigurationException" + rest, at)


VOCABULARY: tuple[tuple[str, Handler], ...] = (
    ("Extended Request Id: ", _info),
    ("Starting authorizer: ", _authorizer_start),
    ("Incoming identity: ", _nothing),
    ("Authorizer result body before parsing: ", _trace_level),
    ("Using valid authorizer policy for principal: ", _authorizer_end),
    ("Successfully completed authorizer execution", _authorizer_end),
    ("Unauthorized request: ", _authorizer_end),
    ("AuthorizerConfigurationException", _authorizer_failed),
    ("Verifying Usage Plan for request: ", _usage_plan),
    ("API Key authorized because ", _api_key_line),
    ("API Key  authorized because ", _api_key_line),
    ("API Key ID: ", _nothing),
    ("API Key: ", _nothing),
    ("API Key", _api_key_line),
    ("Usage Plan check succeeded", _usage_plan),
    ("Key throttle limit exceeded", _usage_plan),
    ("Starting execution for request: ", _starting_execution),
    ("HTTP Method: ", _method_and_path),
    ("Method request path: ", _trace_level),
    ("Method request query string: ", _trace_level),
    ("Method request headers: ", _request_headers),
    ("Method request body before transformations:", _trace_level),
    ("Method request model validation", _nothing),
    ("Request body does not match model", _nothing),
    ("Endpoint request URI: ", _endpoint_uri),
    ("Endpoint request headers: ", _endpoint_headers),
    ("Endpoint request body after transformations:", _trace_level),
    ("Sending request to ", _sending),
    ("Received response.", _received),
    ("Endpoint response headers: ", _response_headers),
    (_RESPONSE_BODY, _response_body),
    ("Method response body after transformations:", _trace_level),
    ("Method response headers: ", _trace_level),
    ("Gateway response type: ", _gateway_response),
    ("Gateway response body", _trace_level),
    ("Gateway response headers", _trace_level),
    ("Execution failed due to ", _failure_text),
    ("Lambda execution failed with status", _failed_lambda),
    ("Lambda invocation failed with status:", _failed_invocation),
    ("Execution failed: ", _failure_text),
    ("Execution aborted", _failure_text),
    ("Successfully completed execution", _completed_well),
    ("Method completed with status:", _completed),
    ("AWS Integration Endpoint RequestId", _lambda_id),
    ("X-ray Tracing ID", _trace_id),
    ("WebSocket API ", _connection),
    ("Route key: ", _route_key),
    ("Route Key: ", _route_key),
    ("Connection Id: ", _connection),
    ("WAF ", _nothing),
)
"""How an event's words begin, and what to read from the rest. Source: recorded AWS logs 2017-2026."""

_KEY = 4
_BY_KEY: dict[str, tuple[tuple[str, Handler], ...]] = {}
for _entry in VOCABULARY:
    _BY_KEY[_entry[0][:_KEY]] = (*_BY_KEY.get(_entry[0][:_KEY], ()), _entry)
