"""What the gateway does or is set to do: authorizers, permissions, throttles, its own answers, its other types."""

from typing import Any

import msgspec

from apigw_doctor.lab.gateway.throttle import Bucket
from apigw_doctor.lab.scenarios.course import Course, Ending
from apigw_doctor.lab.scenarios.incident import Call, Draw, Incident, scenario
from apigw_doctor.lab.scenarios.kit import (
    HTTP_LIMIT_MS,
    NEVER,
    check,
    function,
    init,
    lambda_clocks,
    route,
    setup,
    work,
)
from apigw_doctor.lab.setup import GatewayResponse, LabAuthorizer, LabFunction
from apigw_doctor.limits.table import value
from apigw_doctor.model.terms import ApiType, Layer

_AUTH_MS = 5_000.0
#: what callers of authorizers send
TOKEN = {"Authorization": "Bearer eyJsb2ciOiJsYWIifQ.e30."}


def authorizing(name: str, timeout_ms: float = _AUTH_MS) -> LabFunction:
    """A function that authorizes."""
    return msgspec.structs.replace(function(name, timeout_ms=timeout_ms), handler="authorizer.handler")


@scenario(
    "authorizer-timeout",
    "The authorizer's key server hangs now and then, until the authorizer's own 5 s end it.",
    ("authorizer-timeout",),
)
def authorizer_timeout(draw: Draw) -> Incident:
    """Slow authorizers that answer in time are no failure, and their time is not the integration's."""
    orders, guard = function("orders-fn"), authorizing("auth-fn")
    clocks = lambda_clocks(orders, authorizer_ms=_AUTH_MS)
    hung_ones = draw.some(0.07)
    calls = []
    for number, at_ms in enumerate(draw.times(draw.requests, 300_000.0)):
        chance = draw.chance.random() if number else 1.0
        if number in hung_ones:
            checked = check(NEVER, cause="authorizer-timeout", normal_ms=20.0)
        else:
            checked = check(draw.between(2_500, 4_300) if chance < 0.15 else draw.between(8, 60))
        # Some slow runs behind a slow authorizer: more than 29 s in all, and no timeout.
        long = chance < 0.15 and draw.chance.random() < 0.4
        work_ms = draw.between(26_000, 27_500) if long else draw.between(30, 1_200)
        course = Course(
            clocks=clocks, authorizer=(checked,), run=(work(work_ms, say="reading order", done="order read"),)
        )
        calls.append(Call(at_ms=at_ms, method="GET", path="/orders", course=course, cold=number == 0, headers=TOKEN))
    routes = (route("GET", "/orders", "orders-fn", authorizer="auth01"),)
    authorizers = (LabAuthorizer(id="auth01", name="tokens", function="auth-fn"),)
    return Incident(setup=setup(orders, guard, routes=routes, authorizers=authorizers), calls=tuple(calls))


@scenario(
    "authorizer-failure",
    "The authorizer raises on some tokens: 500 at once, and no request reaches the function.",
    ("application-error",),
)
def authorizer_failure(draw: Draw) -> Incident:
    """The log calls it a configuration error; it is an exception in the authorizer's code."""
    orders, guard = function("orders-fn"), authorizing("auth-fn")
    clocks = lambda_clocks(orders, authorizer_ms=_AUTH_MS)
    failed_ones = draw.some(0.07)
    calls = []
    for number, at_ms in enumerate(draw.times(draw.requests, 240_000.0)):
        fails = number in failed_ones
        more: dict[str, Any] = {"fail": "KeyError: 'kid'"} if fails else {}
        slow = not fails and draw.chance.random() < 0.08
        checked = check(draw.between(1_500, 3_000) if slow else draw.between(8, 60), **more)
        course = Course(
            clocks=clocks,
            authorizer=(checked,),
            run=() if fails else (work(draw.between(30, 1_500), say="reading order", done="order read"),),
            ending=Ending(cause="application-error", layer=Layer.AUTHORIZER) if fails else None,
            invoked=not fails,
        )
        calls.append(Call(at_ms=at_ms, method="GET", path="/orders", course=course, cold=number == 0, headers=TOKEN))
    routes = (route("GET", "/orders", "orders-fn", authorizer="auth01"),)
    authorizers = (LabAuthorizer(id="auth01", name="tokens", function="auth-fn"),)
    return Incident(setup=setup(orders, guard, routes=routes, authorizers=authorizers), calls=tuple(calls))


@scenario(
    "configuration-error",
    "After a deployment the gateway may not call one function, nor one route's authorizer.",
    ("configuration-error",),
)
def configuration_error(draw: Draw) -> Incident:
    """Two routes fail at once and always; the others do not notice."""
    orders = function("orders-fn")
    clocks = lambda_clocks(orders)
    exported_ones = draw.some(0.05)
    calls = []
    for number, at_ms in enumerate(draw.times(draw.requests, 240_000.0)):
        if number in exported_ones:
            path, layer = "/exports", Layer.GATEWAY
        elif number > 0 and draw.chance.random() < 0.04:
            path, layer = "/admin", Layer.AUTHORIZER
        else:
            path, layer = "/orders", None
        course = Course(
            clocks=clocks,
            run=(work(draw.between(30, 2_500), say="reading order", done="order read"),) if layer is None else (),
            ending=None if layer is None else Ending(cause="configuration-error", layer=layer),
            invoked=layer is None,
        )
        calls.append(Call(at_ms=at_ms, method="GET", path=path, course=course, cold=number == 0, headers=TOKEN))
    routes = (
        route("GET", "/orders", "orders-fn"),
        route("GET", "/exports", "exports-fn"),
        route("GET", "/admin", "orders-fn", authorizer="auth02"),
    )
    authorizers = (LabAuthorizer(id="auth02", name="admins", function="admin-auth-fn"),)
    return Incident(setup=setup(orders, routes=routes, authorizers=authorizers), calls=tuple(calls))


@scenario(
    "gateway-throttles",
    "One caller runs into its route's throttle; what really fails is the report function's own 8 s.",
    ("function-timeout",),
)
def gateway_throttles(draw: Draw) -> Incident:
    """429 is the gateway's answer to too many at once, and no failure of anything behind it."""
    report, prices = function("reports-fn", timeout_ms=8_000.0), function("prices-fn")
    bursts = max(draw.requests // 12, 1)
    single = draw.requests - bursts * 6
    slow_ones = draw.some(0.08, among=range(single))
    calls = []
    for number, at_ms in enumerate(draw.times(max(single, 1), 300_000.0)):
        slow = number in slow_ones
        work_ms = draw.between(9_000, 16_000) if slow else draw.between(300, 5_500)
        cause = "function-timeout" if slow else None
        course = Course(
            clocks=lambda_clocks(report), run=(work(work_ms, cause=cause, normal_ms=2_000.0, pages=1_100.0),)
        )
        calls.append(Call(at_ms=at_ms, method="POST", path="/reports", course=course, cold=number == 0, body="{}"))
    bucket = Bucket(rate=0.5, burst=3, now_ms=0.0)
    for burst, from_ms in enumerate(draw.times(bursts, 290_000.0, gap_ms=12_000.0, from_ms=4_000.0)):
        for number in range(6):
            at_ms = from_ms + number * 70.0
            passes = bucket.admits(at_ms)
            course = Course(
                clocks=lambda_clocks(prices), run=(work(draw.between(20, 300)),) if passes else (), invoked=passes
            )
            first = burst == number == 0
            calls.append(
                Call(at_ms=at_ms, method="GET", path="/prices", course=course, cold=first, source_ip="203.0.113.99")
            )
    calls.sort(key=lambda call: call.at_ms)
    routes = (
        route("POST", "/reports", "reports-fn"),
        route("GET", "/prices", "prices-fn", throttle_rate=0.5, throttle_burst=3),
    )
    return Incident(setup=setup(report, prices, routes=routes), calls=tuple(calls))


@scenario(
    "customised-responses",
    "A timeout is shown as 202 and every other failure as 500: status codes tell nothing.",
    ("backend-slower-than-limit", "function-timeout"),
)
def customised_responses(draw: Draw) -> Incident:
    """The API's owner changed INTEGRATION_TIMEOUT and DEFAULT_5XX."""
    export, mail = function("exports-fn", timeout_ms=90_000.0), function("mails-fn", timeout_ms=6_000.0)
    bad_ones = draw.some(0.05, among=range(2, draw.requests, 2)) | draw.some(0.05, among=range(3, draw.requests, 2))
    calls = []
    for number, at_ms in enumerate(draw.times(draw.requests, 500_000.0)):
        exported = number % 2 == 0
        bad = number in bad_ones
        if exported:
            work_ms = draw.between(32_000, 60_000) if bad else draw.between(2_000, 18_000)
            part = work(work_ms, cause="backend-slower-than-limit" if bad else None, normal_ms=8_000.0, pages=1_500.0)
        else:
            work_ms = draw.between(7_000, 12_000) if bad else draw.between(200, 3_500)
            part = work(work_ms, cause="function-timeout" if bad else None, normal_ms=900.0, pages=700.0)
        course = Course(clocks=lambda_clocks(export if exported else mail), run=(part,))
        path = "/exports" if exported else "/mails"
        calls.append(Call(at_ms=at_ms, method="POST", path=path, course=course, cold=number < 2, body='{"all": true}'))
    responses = (
        GatewayResponse(
            response_type="INTEGRATION_TIMEOUT", status=202, body='{"state":"pending","id":"$context.requestId"}'
        ),
        GatewayResponse(response_type="DEFAULT_5XX", status=500, body='{"error":$context.error.messageString}'),
    )
    routes = (route("POST", "/exports", "exports-fn"), route("POST", "/mails", "mails-fn"))
    return Incident(setup=setup(export, mail, routes=routes, gateway_responses=responses), calls=tuple(calls))


@scenario(
    "streaming-route",
    "A streamed route may take minutes; only the function's own 60 s end some answers.",
    ("function-timeout",),
)
def streaming_route(draw: Draw) -> Incident:
    """Answers of 35 to 55 s are in order here: 29 s is not the limit of a streamed route."""
    chat = function("chat-fn", timeout_ms=60_000.0)
    clocks = lambda_clocks(chat, 300_000.0)
    bad_ones = draw.some(0.08)
    calls = []
    for number, at_ms in enumerate(draw.times(draw.requests, 480_000.0)):
        bad = number in bad_ones
        long = draw.chance.random() < 0.2
        work_ms = draw.between(64_000, 90_000) if bad else draw.between(*((32_000, 55_000) if long else (900, 20_000)))
        part = work(work_ms, cause="function-timeout" if bad else None, normal_ms=12_000.0, pages=2_500.0)
        course = Course(clocks=clocks, run=(part,))
        calls.append(Call(at_ms=at_ms, method="POST", path="/chat", course=course, cold=number == 0, body='{"q": 1}'))
    routes = (route("POST", "/chat", "chat-fn", stream=True, timeout_ms=300_000.0),)
    return Incident(setup=setup(chat, routes=routes), calls=tuple(calls))


# --- HTTP APIs


def _http(
    *functions: LabFunction,
    path: str,
    method: str,
    calls: list[Call],
    authorizer: str | None = None,
    authorizers: tuple[LabAuthorizer, ...] = (),
) -> Incident:
    routes = (route(method, path, functions[0].name, payload_format="2.0", authorizer=authorizer),)
    made = setup(*functions, routes=routes, api_type=ApiType.HTTP, stage="$default", authorizers=authorizers)
    return Incident(setup=made, calls=tuple(calls))


@scenario(
    "cold-start-http-api",
    "An HTTP API answers 503 after 30 s where a cold start comes before a heavy search.",
    ("cold-start",),
)
def cold_start_http_api(draw: Draw) -> Incident:
    """As with REST, a second later and with another status."""
    search = function("search-fn", memory_mb=1024, timeout_ms=32_000.0)
    clocks = lambda_clocks(search, HTTP_LIMIT_MS)
    unlucky_ones = draw.some(0.06)
    calls = []
    for number, at_ms in enumerate(draw.times(draw.requests, 600_000.0)):
        cold = number == 0 or number in unlucky_ones or draw.chance.random() < 0.03
        heavy = number in unlucky_ones or (number > 0 and not cold and draw.chance.random() < 0.04)
        work_ms = draw.between(27_000, 28_600) if heavy else draw.between(180, 1_900)
        course = Course(
            clocks=clocks,
            init=(init(draw.between(3_200, 4_300), cause="cold-start"),) if cold else (),
            run=(work(work_ms, say="search started", done="search done"),),
        )
        calls.append(Call(at_ms=at_ms, method="GET", path="/search", course=course, cold=cold))
    return _http(search, path="/search", method="GET", calls=calls)


@scenario(
    "function-timeout-http-api",
    "An HTTP API answers 500 where the function's own 10 s end its work.",
    ("function-timeout",),
)
def function_timeout_http_api(draw: Draw) -> Incident:
    """Killed at F, far below the 30 s."""
    report = function("reports-fn", timeout_ms=10_000.0)
    clocks = lambda_clocks(report, HTTP_LIMIT_MS)
    slow_ones = draw.some(0.08)
    calls = []
    for number, at_ms in enumerate(draw.times(draw.requests, 400_000.0)):
        slow = number in slow_ones
        work_ms = draw.between(11_000, 19_000) if slow else draw.between(400, 7_000)
        part = work(work_ms, cause="function-timeout" if slow else None, normal_ms=3_000.0, pages=900.0)
        course = Course(clocks=clocks, run=(part,))
        calls.append(Call(at_ms=at_ms, method="POST", path="/reports", course=course, cold=number == 0, body="{}"))
    return _http(report, path="/reports", method="POST", calls=calls)


@scenario(
    "backend-slower-http-api",
    "An HTTP API answers 503 after 30 s to reports that take longer, and finish unseen.",
    ("backend-slower-than-limit",),
)
def backend_slower_http_api(draw: Draw) -> Incident:
    """The function works on and finishes after the cut."""
    report = function("reports-fn", timeout_ms=90_000.0)
    clocks = lambda_clocks(report, HTTP_LIMIT_MS)
    slow_ones = draw.some(0.08)
    calls = []
    for number, at_ms in enumerate(draw.times(draw.requests, 500_000.0)):
        slow = number in slow_ones
        work_ms = draw.between(33_000, 65_000) if slow else draw.between(1_000, 14_000)
        part = work(work_ms, cause="backend-slower-than-limit" if slow else None, normal_ms=5_000.0, pages=1_500.0)
        course = Course(clocks=clocks, run=(part,))
        calls.append(Call(at_ms=at_ms, method="POST", path="/reports", course=course, cold=number == 0, body="{}"))
    return _http(report, path="/reports", method="POST", calls=calls)


@scenario(
    "authorizer-timeout-http-api",
    "An HTTP API gives its authorizer 10 s; some checks take longer, and end unseen.",
    ("authorizer-timeout",),
)
def authorizer_timeout_http_api(draw: Draw) -> Incident:
    """No log of the gateway tells an HTTP API's authorizer latency; only its function's log does."""
    orders, guard = function("orders-fn"), authorizing("auth-fn", timeout_ms=20_000.0)
    clocks = lambda_clocks(orders, HTTP_LIMIT_MS, authorizer_ms=value("http-authorizer-timeout"))
    hung_ones = draw.some(0.07)
    calls = []
    for number, at_ms in enumerate(draw.times(draw.requests, 300_000.0)):
        if number in hung_ones:
            checked = check(draw.between(11_500, 18_000), cause="authorizer-timeout", normal_ms=20.0)
        else:
            checked = check(draw.between(2_500, 8_000) if draw.chance.random() < 0.1 else draw.between(8, 60))
        run = (work(draw.between(30, 1_200), say="reading order", done="order read"),)
        course = Course(clocks=clocks, authorizer=(checked,), run=run)
        calls.append(Call(at_ms=at_ms, method="GET", path="/orders", course=course, cold=number == 0, headers=TOKEN))
    authorizers = (LabAuthorizer(id="auth01", name="tokens", function="auth-fn", kind="REQUEST"),)
    return _http(orders, guard, path="/orders", method="GET", calls=calls, authorizer="auth01", authorizers=authorizers)
