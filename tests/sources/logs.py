"""Logs made up for tests: requests of every course, interleaved, and the accidents that happen to files."""

import json
from collections.abc import Callable
from random import Random

from apigw_doctor.model.times import iso

START_MS = 1_772_359_200_250.0
_HEX = "0123456789abcdef"
_BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
LAMBDA_URI = (
    "https://lambda.us-east-1.amazonaws.com/2015-03-31/functions/"
    "arn:aws:lambda:us-east-1:123456789012:function:{}/invocations"
)
Event = tuple[float, str]
"""When a line was written, and what it says behind its time."""


def uuid(draw: Random) -> str:
    digits = "".join(draw.choices(_HEX, k=32))
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def extended_id(draw: Random) -> str:
    return "".join(draw.choices(_BASE64, k=15)) + "="


def _trace_root(draw: Random) -> str:
    return f"1-69a40e21-{''.join(draw.choices(_HEX, k=24))}"


# execution logs


class Course:
    """The events of one request, in the order in which the gateway writes them."""

    def __init__(self, draw: Random, request_id: str, at: float) -> None:
        self.draw = draw
        self.at = at
        self.request_id = request_id
        self.events: list[Event] = []

    def say(self, words: str, after_ms: float = 0.0) -> None:
        self.at += after_ms + self.draw.choice((0, 0, 0, 1, 1, 2, 7))
        self.events.append((self.at, f"({self.request_id}) {words}"))

    def maybe(self, share: float) -> bool:
        return self.draw.random() < share

    def either(self, *texts: str) -> str:
        return self.draw.choice(texts)


def body(draw: Random, request_id: str) -> str:
    """What a request or an answer may hold: also log lines, and JSON over several lines."""
    return draw.choice(
        (
            "",
            '{"orders": 3}',
            '{\n  "orders": [\n    1,\n    2.5\n  ],\n  "ok": true\n}',
            '{\n  "log": "(' + request_id + ') Method completed with status: 504"\n}',
            "first\n(" + request_id + ") Method completed with status: 500",
            "Method completed with status: 500",
            '{"errorMessage": "2026-03-01T10:00:00.250Z ' + uuid(draw) + ' Task timed out after 3.00 seconds"}',
            '{"errorMessage": "Rate Exceeded.", "Type": "User"}',
            "RequestId: " + uuid(draw) + " Error: Runtime exited",
            '"text\nwith more\n  lines',
            "é [TRUNCATED]",
        )
    )


def execution(draw: Random, at: float, request_id: str | None = None) -> list[Event]:
    """One request of a REST or WebSocket API."""
    socket = request_id is None and draw.random() < 0.05
    course = Course(draw, request_id or (extended_id(draw) if socket else uuid(draw)), at)
    if (request_id is not None or course.maybe(0.85)) and not socket:
        course.say(f"Extended Request Id: {extended_id(draw)}")
    if course.maybe(0.25):
        _authorizer(course)
    if course.maybe(0.7):
        stage = course.either("a1b2c3d4e5/prod", "a1b2c3d4e5/prod", "*/prod", "z9y8x7w6v5/test")
        course.say(f"Verifying Usage Plan for request: {course.request_id}. API Key:  API Stage: {stage}")
    if course.maybe(0.7):
        route = course.either("GET /orders/{id}", "POST /orders", "GET /")
        course.say(
            f"API Key  authorized because method '{route}' does not require API Key. Request will not contribute"
        )
        course.say("Usage Plan check succeeded for API Key  and API Stage a1b2c3d4e5/prod")
    course.say(f"Starting execution for request: {course.request_id}")
    if course.maybe(0.9):
        course.say(
            f"HTTP Method: {course.either('GET', 'POST')}, Resource Path: {course.either('/orders/{id}', '/orders', '')}"
        )
    traced = course.maybe(0.8)
    if traced:
        _request_trace(course)
    {
        "lambda": _by_lambda,
        "http": _by_http,
        "mock": _by_mock,
        "timeout": _timeout,
        "failure": _failure,
        "function error": _function_error,
    }[draw.choices(("lambda", "http", "mock", "timeout", "failure", "function error"), (10, 3, 2, 1, 1, 1))[0]](
        course, traced
    )
    return course.events


def _authorizer(course: Course) -> None:
    course.say(f"Starting authorizer: 4hugyv for request: {course.request_id}")
    course.say("Incoming identity: **********PbSZG7")
    if course.maybe(0.8):
        course.say("Endpoint request URI: " + LAMBDA_URI.format("authorizer-fn"))
        course.say('Endpoint request body after transformations: {"type":"TOKEN","authorizationToken":"Bearer x"}')
    if course.maybe(0.2):
        course.say("Sending request to " + LAMBDA_URI.format("authorizer-fn"))
    if course.maybe(0.3):
        course.say("Authorizer result body before parsing: " + body(course.draw, course.request_id))
    course.say("Using valid authorizer policy for principal: ******2492", course.draw.choice((3, 40, 2100)))
    course.say("Successfully completed authorizer execution")


def _request_trace(course: Course) -> None:
    course.say("Method request path: {id=56963}")
    course.say("Method request query string: {page=1}")
    trace = course.either(
        "", f", X-Amzn-Trace-Id=Root={_trace_root(course.draw)}", f", x-amzn-trace-id=Root={_trace_root(course.draw)}"
    )
    course.say(f"Method request headers: {{Accept=*/*, User-Agent=curl/8.5.0{trace}, X-Forwarded-For=203.0.113.63}}")
    course.say("Method request body before transformations: " + body(course.draw, course.request_id))


def _latency(course: Course) -> int:
    return course.draw.choice((3, 40, 128, 900, 1999, 2000, 2001, 3500, 22_000, 24_000, 28_990, 29_010, 45_000))


def _send(course: Course, traced: bool, uri: str) -> None:
    if traced:
        course.say(f"Endpoint request URI: {uri}{course.either('', '', ' [TRUNCATED]')}")
        trace = course.either("", f", X-Amzn-Trace-Id=Root={_trace_root(course.draw)}")
        course.say(f"Endpoint request headers: {{Accept=application/json{trace}, X-Amz-Security-Token=IQoJ [TRUNCATED]")
        course.say("Endpoint request body after transformations: " + body(course.draw, course.request_id))
        course.say(f"Sending request to {uri}")


def _by_lambda(course: Course, traced: bool) -> None:
    _send(course, traced, LAMBDA_URI.format(course.either("orders-fn", "orders-fn", "orders-fn:live", "payments-fn")))
    lambda_id = uuid(course.draw)
    if traced:
        _answer(course, lambda_id)
    _end(course)
    if course.maybe(0.8):
        course.say(f"AWS Integration Endpoint RequestId : {lambda_id if course.maybe(0.9) else uuid(course.draw)}")
    if course.maybe(0.3):
        course.say(f"X-ray Tracing ID : {_trace_root(course.draw)}")


def _answer(course: Course, lambda_id: str) -> None:
    took = _latency(course)
    status = course.either("200", "200", "200", "404", "500", "429", "")
    told = f" Status: {status}," if status else ""
    course.say(f"Received response.{told} Integration latency: {took} ms", took)
    name = course.either("x-amzn-RequestId", "x-amzn-RequestId", "X-Amzn-Requestid")
    error = course.either("", "", "", ", X-Amz-Function-Error=Unhandled")
    named = f"{name}={lambda_id}, " if course.maybe(0.8) else ""
    course.say(f"Endpoint response headers: {{Content-Type=application/json, {named}Connection=keep-alive{error}}}")
    course.say("Endpoint response body before transformations: " + body(course.draw, course.request_id))
    course.say("Method response body after transformations: " + body(course.draw, course.request_id))
    course.say("Method response headers: {Content-Type=application/json}")


def _by_http(course: Course, traced: bool) -> None:
    _send(course, traced, "https://backend.example.com/orders")
    if traced:
        _answer(course, uuid(course.draw))
    _end(course)


def _by_mock(course: Course, traced: bool) -> None:
    if traced:
        course.say("Method response body after transformations: {}")
    _end(course)


def _end(course: Course) -> None:
    if course.maybe(0.95):
        course.say("Successfully completed execution")
    course.say(f"Method completed with status: {course.either('200', '200', '201', '404', '429', '502', '')}")


def _timeout(course: Course, traced: bool) -> None:
    _send(course, True, LAMBDA_URI.format("orders-fn"))
    course.say("Execution failed due to a timeout error", 29_000)
    if course.maybe(0.5):
        course.say("Gateway response type: INTEGRATION_TIMEOUT with status code: 504")
        course.say('Gateway response body: {"message": "Endpoint request timed out"}')
        course.say("Gateway response headers: {Content-Type=application/json}")
    course.say("Method completed with status: 504")


def _failure(course: Course, traced: bool) -> None:
    course.say(
        course.either(
            "Execution failed due to configuration error: Malformed Lambda proxy response",
            "Execution failed: something",
            "Execution failed due to an internal error",
            "Lambda invocation failed with status: 429. Lambda request id: " + uuid(course.draw),
            "Key throttle limit exceeded for Usage Plan ID x",
        )
    )
    course.say(f"Method completed with status: {course.either('502', '500', '429', '200')}")


def _function_error(course: Course, traced: bool) -> None:
    _send(course, traced, LAMBDA_URI.format("orders-fn"))
    course.say(
        "Lambda execution failed with status 200 due to customer function error: "
        + course.either("boom", f"{uuid(course.draw)} Task timed out after 3.00 seconds", '{\n  "a": 1\n}')
        + f". Lambda request id: {uuid(course.draw)}"
    )
    course.say("Method completed with status: 502")


def execution_log(draw: Random, requests: int, again: float, *, in_order: bool) -> list[str]:
    """Lines of a uniform execution log, the courses of its requests interleaved.

    A share of the requests has the plain id of an earlier one.
    """
    events: list[Event] = []
    known: list[tuple[str, float]] = []
    at = START_MS
    for _ in range(requests):
        at += draw.choice((0, 1, 30, 400, 5000))
        if known and draw.random() < again:
            known_id, ended_at = known.pop(draw.randrange(len(known)))
            found = execution(draw, max(at, ended_at) + draw.choice((10.0, 17 * 60_000.0)), known_id)
        else:
            found = execution(draw, at)
        events.extend(found)
        if "Extended" in found[0][1]:
            known.append((found[0][1][1:].partition(")")[0], found[-1][0]))
    if in_order or draw.random() < 0.8:
        events.sort(key=lambda event: event[0])
    front = draw.choice((_front_z, _front_z, _front_z, _front_offset, _front_none, _front_stream))
    return [line for when, text in events for line in f"{front(when)}{text}".split("\n")]


def _front_z(at: float) -> str:
    return f"{iso(at)} "


def _front_offset(at: float) -> str:
    return f"{iso(at + 3_600_000)[:-1]}+01:00\t"


def _front_none(at: float) -> str:
    return ""


def _front_stream(at: float) -> str:
    return f"{iso(at)} 8c25cb3686462e9a86d2883c5688a22f "


# lines that do not belong


def strangers(draw: Random) -> list[str]:
    """Lines of other logs, and of none."""
    name = uuid(draw)
    return draw.choice(
        (
            [f"2026-03-01T10:00:00.250Z START RequestId: {name} Version: $LATEST"],
            [f"START RequestId: {name} Version: $LATEST", f"END RequestId: {name}"],
            ['{"requestId": "' + name + '", "status": "504", "httpMethod": "GET", "resourcePath": "/x"}'],
            ["what is this"],
            ["", "  "],
            ["2026-03-01T10:00:00.250Z what is this"],
            ["{", '  "events": []', "}"],
            ["> GET /orders HTTP/2", "< HTTP/2 504"],
            ['  "orders": 3,'],
            ["}"],
            [f"2026-03-01T10:00:00.250Z ({extended_id(draw)}) Method completed with status: 504"],
            [f"2026-03-01T10:00:00.250Z ({name}) Method completed with status: 504"],
            [f"({name}) Execution failed due to a timeout error"],
            [f"2026-03-01T10:00:00.250Z   ({name}) Method completed with status: 200"],
            [f"  2026-03-01T10:00:00.250Z ({name}) Method completed with status: 200"],
        )
    )


# accidents


def damaged(draw: Random, lines: list[str], *, doubled: bool = True) -> bytes:
    """The lines as a file, after some accidents of transport."""
    data = [line.encode("utf-8") for line in lines]
    for _ in range(draw.choice((0, 1, 1, 2, 3, 6))):
        if data:
            accident = draw.choice(_ACCIDENTS)
            data = accident(draw, data) if doubled or accident is not _doubled else data
    whole = b"\n".join(data)
    return whole if draw.random() < 0.2 else whole + b"\n"


Accident = Callable[[Random, list[bytes]], list[bytes]]


def _dropped(draw: Random, lines: list[bytes]) -> list[bytes]:
    at = draw.randrange(len(lines))
    return lines[:at] + lines[at + draw.choice((1, 1, 3, 12)) :]


def _doubled(draw: Random, lines: list[bytes]) -> list[bytes]:
    at, count = draw.randrange(len(lines)), draw.choice((1, 1, 4, 30))
    return [*lines[: at + count], *lines[at : at + count], *lines[at + count :]]


def _swapped(draw: Random, lines: list[bytes]) -> list[bytes]:
    at, other = draw.randrange(len(lines)), draw.randrange(len(lines))
    found = list(lines)
    found[at], found[other] = found[other], found[at]
    return found


def _truncated(draw: Random, lines: list[bytes]) -> list[bytes]:
    at = draw.randrange(len(lines))
    return [*lines[:at], lines[at][: draw.randrange(len(lines[at]) + 1)], *lines[at + 1 :]]


def _split(draw: Random, lines: list[bytes]) -> list[bytes]:
    at = draw.randrange(len(lines))
    cut = draw.randrange(len(lines[at]) + 1)
    return [*lines[:at], lines[at][:cut], lines[at][cut:], *lines[at + 1 :]]


def _joined(draw: Random, lines: list[bytes]) -> list[bytes]:
    at = draw.randrange(len(lines))
    return [*lines[:at], b"".join(lines[at : at + 2]), *lines[at + 2 :]]


def _garbled(draw: Random, lines: list[bytes]) -> list[bytes]:
    at = draw.randrange(len(lines))
    line = bytearray(lines[at])
    for _ in range(draw.choice((1, 1, 1, 4))):
        if line:
            line[draw.randrange(len(line))] = draw.choice(b'0aZ(){}":\\ \t\r\0\xe9\xff\x1b|')
    return [*lines[:at], bytes(line), *lines[at + 1 :]]


def _carriage(draw: Random, lines: list[bytes]) -> list[bytes]:
    at = draw.randrange(len(lines))
    return [*lines[:at], lines[at] + b"\r", *lines[at + 1 :]]


def _blank(draw: Random, lines: list[bytes]) -> list[bytes]:
    at = draw.randrange(len(lines))
    return [*lines[:at], draw.choice((b"", b" ", b"\t", b"\0", b"\xe9")), *lines[at:]]


def _strange(draw: Random, lines: list[bytes]) -> list[bytes]:
    at = draw.randrange(len(lines))
    return [*lines[:at], *(line.encode() for line in strangers(draw)), *lines[at:]]


def _shuffled(draw: Random, lines: list[bytes]) -> list[bytes]:
    at, count = draw.randrange(len(lines)), draw.choice((3, 10, 200))
    part = lines[at : at + count]
    return [*lines[:at], *draw.sample(part, len(part)), *lines[at + count :]]


def _cut_off(draw: Random, lines: list[bytes]) -> list[bytes]:
    at = draw.randrange(len(lines))
    return lines[:at] if draw.random() < 0.5 else lines[at:]


_ACCIDENTS: tuple[Accident, ...] = (
    _dropped,
    _doubled,
    _swapped,
    _truncated,
    _split,
    _joined,
    _garbled,
    _garbled,
    _carriage,
    _blank,
    _strange,
    _strange,
    _shuffled,
    _cut_off,
)


# access logs


_OPTIONAL_KEYS = (
    *("extendedRequestId", "requestTime", "path", "integrationStatus", "integration.status", "integrationRequestId"),
    *("responseLatency", "integrationLatency", "authorizerLatency", "errorMessage", "errorResponseType", "ip", "stage"),
    *("apiId", "xrayTraceId", "userAgent", "integrationErrorMessage", "wafLatency", "message", "endpointType"),
)


def access_log(draw: Random, requests: int, again: float) -> list[str]:
    """Records of one stage: JSON, each key on every line. A share of them has the plain id of an earlier one."""
    http = draw.random() < 0.3
    quoted = draw.random() < 0.7
    optional = [key for key in _OPTIONAL_KEYS if draw.random() < 0.6]
    keys = ["requestId", "routeKey" if http else "resourcePath", "httpMethod", "status", *optional]
    if draw.random() < 0.7 or "requestTime" not in keys:
        keys.append("requestTimeEpoch")
    draw.shuffle(keys)
    lines: list[str] = []
    known: list[dict[str, str]] = []
    at = START_MS
    for _ in range(requests):
        at += draw.choice((0, 1, 400, 5000))
        values = _record(draw, at, http=http)
        if known and "extendedRequestId" in keys and not http and draw.random() < again:
            values["requestId"] = draw.choice(known)["requestId"]
        known.append(values)
        lines.append(_as_json(draw, {key: values[key] for key in keys}, quoted=quoted))
    return lines


def _record(draw: Random, at: float, *, http: bool) -> dict[str, str]:
    status = draw.choice(("200",) * 8 + ("404", "429", "500", "502", "504", "-"))
    took = draw.choice((3, 40, 128, 1999, 2000, 3500, 24_000, 28_990, 29_010, 45_000))
    failed = status in ("504", "502", "500")
    request_id = extended_id(draw) if http else uuid(draw)
    return {
        "requestId": request_id if draw.random() < 0.97 else "-",
        "extendedRequestId": request_id if http else extended_id(draw),
        "requestTimeEpoch": f"{at:.0f}" if draw.random() < 0.95 else draw.choice(("-", f"{at / 1000:.0f}", "soon")),
        "requestTime": "01/Mar/2026:10:00:00 +0000",
        "httpMethod": draw.choice(("GET", "POST")),
        "resourcePath": draw.choice(("/orders/{id}", "/orders", "-")),
        "routeKey": draw.choice(("GET /orders/{id}", "$default")),
        "path": draw.choice(("/prod/orders/1", "/prod/orders/2", "-")),
        "status": status,
        "responseLatency": draw.choice((f"{took + 5}", f"{took + 5}", "-", "-1", "")),
        "integrationLatency": draw.choice((f"{took}", f"{took}", "-", f"{took}.5", " 7")),
        "authorizerLatency": draw.choice(("-", "12", "2100")),
        "wafLatency": draw.choice(("-", "3")),
        "integrationStatus": draw.choice(("200", "200", "-", "429", "502") if failed else ("200", "200", "-", "429")),
        "integration.status": draw.choice(("200", "-", "404", "500")),
        "integrationRequestId": draw.choice((uuid(draw), uuid(draw).upper(), "-", "none")),
        "errorMessage": "Endpoint request timed out" if failed else draw.choice(("-",) * 9 + ("Forbidden",)),
        "errorResponseType": "INTEGRATION_TIMEOUT" if failed else draw.choice(("-",) * 9 + ("THROTTLED",)),
        "integrationErrorMessage": "Execution failed due to a timeout error" if failed else "-",
        "ip": "203.0.113.9",
        "stage": "prod",
        "apiId": "a1b2c3d4e5",
        "xrayTraceId": draw.choice(("-", f"Root={_trace_root(draw)}", _trace_root(draw))),
        "userAgent": draw.choice(("curl/8.5.0", 'Mozilla "x"', "é\t")),
        "message": draw.choice(("-", "START RequestId: x", "all well")),
        "endpointType": draw.choice(("REGIONAL", "-")),
    }


def _as_json(draw: Random, values: dict[str, str], *, quoted: bool) -> str:
    if values.get("errorMessage", "-") != "-" and draw.random() < 0.3:
        # $context.error.messageString comes with quotes of its own
        fields = ", ".join(f'"{key}": "{value}"' for key, value in values.items())
        return (
            "{" + fields.replace('"Endpoint request', '""Endpoint request').replace('timed out"', 'timed out""') + "}"
        )
    given: dict[str, object] = dict(values)
    if not quoted:
        given |= {key: int(value) for key, value in values.items() if value.isdigit() and "Id" not in key}
    return json.dumps(given, ensure_ascii=draw.random() < 0.5)


# Lambda streams


def lambda_log(draw: Random, invocations: int) -> list[str]:
    """One stream of a function: every event behind its time."""
    at = START_MS
    events: list[Event] = []
    cold = draw.random() < 0.7
    runtime = draw.choice((_node_line, _python_line, _plain_line))
    for _ in range(invocations):
        at += draw.choice((5, 400, 60_000))
        found, at, cold = _invocation(draw, at, runtime, cold=cold)
        events += found
    return [line for when, text in events for line in f"{iso(when)} {text}".split("\n")]


Runtime = Callable[[Random, float, str], str]


def _node_line(draw: Random, at: float, request_id: str) -> str:
    level = draw.choice(("INFO", "INFO", "WARN", "ERROR"))
    return f"{iso(at)}\t{request_id}\t{level}\t{_said(draw, request_id)}"


def _python_line(draw: Random, at: float, request_id: str) -> str:
    level = draw.choice(("INFO", "INFO", "DEBUG", "WARNING", "ERROR"))
    return f"[{level}]\t{iso(at)}\t{request_id}\t{_said(draw, request_id)}"


def _plain_line(draw: Random, at: float, request_id: str) -> str:
    return _said(draw, request_id)


def _said(draw: Random, request_id: str) -> str:
    return draw.choice(
        (
            "calling https://payments.example.com/charge",
            "DynamoDB GetItem table=orders",
            "done in 12 ms",
            "first line\n  second line",
            'Traceback (most recent call last):\n  File "/var/task/app.py", line 3, in handler\nValueError: x',
            '{"level": "INFO", "message": "hello", "requestId": "' + request_id + '"}',
            '{"a": 1}',
            "request id " + uuid(draw) + " and " + extended_id(draw),
            f"trace {_trace_root(draw)}",
            "Error: something failed",
            "[NR_EXT] New Relic",
            "é",
            "",
            "END of work",
            "REPORT RequestId: x",
            "Task timed out after 3.00 seconds",
            f"{uuid(draw)} Task timed out after 3.00 seconds",
            "Billed Duration: 1000 ms",
        )
    )


def _invocation(draw: Random, at: float, runtime: Runtime, *, cold: bool) -> tuple[list[Event], float, bool]:
    request_id = uuid(draw)
    events: list[Event] = []
    init_ms = 0.0
    if cold:
        init_ms = draw.choice((84.1, 180.0, 2600.55))
        if draw.random() < 0.8:
            events.append((at, "INIT_START Runtime Version: python:3.12.v1\tRuntime Version ARN: arn:aws:lambda:x"))
        at += init_ms if draw.random() < 0.9 else 9000.0
    begun = at
    events.append((at, f"START RequestId: {request_id} Version: {draw.choice(('$LATEST', '7'))}"))
    for _ in range(draw.choice((0, 1, 2, 5))):
        at += draw.choice((0, 1, 40, 1500))
        events.append((at, runtime(draw, at, request_id)))
    at += draw.choice((0, 1, 40, 2500))
    outcome = draw.choices(("well", "timeout", "old timeout", "crash", "cut"), (10, 1, 1, 1, 1))[0]
    events += _end_of(draw, at, request_id, outcome, at - begun, init_ms)
    return events, at, outcome in ("timeout", "old timeout", "crash") and draw.random() < 0.8


def _end_of(draw: Random, at: float, request_id: str, outcome: str, took: float, init_ms: float) -> list[Event]:
    if outcome == "cut":
        return [] if draw.random() < 0.5 else [(at, f"END RequestId: {request_id}")]
    if outcome in ("timeout", "old timeout"):
        took = 3000.0
    init = f"\tInit Duration: {init_ms:.2f} ms" if init_ms and draw.random() < 0.9 else ""
    status = {"timeout": "\tStatus: timeout", "crash": "\tStatus: error\tError Type: Runtime.ExitError"}.get(
        outcome, ""
    )
    report = (
        f"REPORT RequestId: {request_id}\tDuration: {took + (1.5 if outcome == 'old timeout' else 0):.2f} ms"
        f"\tBilled Duration: {int(took) + 1 if outcome == 'well' else 3000} ms\tMemory Size: 128 MB\tMax Memory Used: 71 MB{init}{status}\t"
    )
    events = [(at, f"END RequestId: {request_id}"), (at + draw.choice((0, 1)), report)]
    if draw.random() < 0.3:
        events[-1] = (
            events[-1][0],
            f"{report}\nXRAY TraceId: {_trace_root(draw)}\tSegmentId: 0123456789abcdef\tSampled: true\t",
        )
    if outcome == "old timeout":
        events.append((at + 1, f"{iso(at + 1)} {request_id} Task timed out after 3.00 seconds"))
    if outcome == "crash":
        events.insert(0, (at, f"RequestId: {request_id} Error: Runtime exited with error: exit status 1"))
    return events
