"""What functions call: calls that never answer, that are slow, that are tried again, that wait for their turn."""

from apigw_doctor.lab.scenarios.course import Part
from apigw_doctor.lab.scenarios.incident import Draw, Incident, Service, scenario
from apigw_doctor.lab.scenarios.kit import (
    HTTP_LIMIT_MS,
    NEVER,
    REST_LIMIT_MS,
    dependency,
    function,
    init,
    lambda_clocks,
    route,
    setup,
    work,
)
from apigw_doctor.lab.scenarios.traffic import Traffic, merged, note, some
from apigw_doctor.model.terms import ApiType, Layer

_DYNAMODB = Service(name="dynamodb", host="dynamodb.eu-west-1.amazonaws.com")
_SEARCH = Service(name="search", host="vpc-catalog-k3x7.eu-west-1.es.amazonaws.com")
_PRICING = Service(name="pricing", host="pricing.example.com")
_PAYMENTS = Service(name="payments", host="payments.example.com")


@scenario(
    "stalled-call", "Now and then one DynamoDB call never answers, and the gateway gives up first.", ("stalled-call",)
)
def stalled_call(draw: Draw) -> Incident:
    """Random, warm, and the same call answers all others; a few calls are slow and answer."""
    orders = function("orders-fn")
    traffic = Traffic(draw, orders, lambda_clocks(orders), "GET", "/orders")
    stalls, slow = some(draw, 0.05), some(draw, 0.06)
    for number, at_ms in enumerate(draw.times(draw.requests, 480_000.0)):
        words = f"Calling DynamoDB GetItem on table orders, key {draw.chance.randrange(10_000, 99_999)}"
        if number in stalls:
            call = dependency("dynamodb", words, NEVER, cause="stalled-call", normal_ms=20.0)
        else:
            ms = draw.between(2_500, 9_000) if number in slow else draw.between(8, 90)
            call = dependency("dynamodb", words, ms, done="DynamoDB GetItem returned 1 item")
        traffic.add(at_ms, note(f"GET /orders by customer {number % 17}"), call, path=f"/orders/{number}")
    routes = (route("GET", "/orders/{id}", "orders-fn"),)
    return Incident(setup=setup(orders, routes=routes), calls=merged(traffic), services=(_DYNAMODB,))


@scenario(
    "stalled-call-killed",
    "A search request is never answered, and the function's own 10 s end it.",
    ("stalled-call",),
)
def stalled_call_killed(draw: Draw) -> Incident:
    """F lies below L: killed, and the killed environment is replaced by a new one."""
    one = function("repository-fn", timeout_ms=10_000.0, log_form="text-old")
    traffic = Traffic(draw, one, lambda_clocks(one), "HEAD", "/files", init=(900, 1_900))
    stalls = some(draw, 0.06)
    for number, at_ms in enumerate(draw.times(draw.requests, 480_000.0)):
        words = f"Making HEAD request to https://{_SEARCH.host}/files/_doc/{number}"
        if number in stalls:
            call = dependency("search", words, NEVER, cause="stalled-call", normal_ms=40.0)
        else:
            ms = draw.between(15, 700)
            call = dependency("search", words, ms, done=f"Got 200 response after {ms / 1000:.3f} s from HEAD")
        traffic.add(at_ms, call, work(draw.between(5, 60)), path=f"/files/{number}")
    routes = (route("HEAD", "/files/{id}", "repository-fn"),)
    return Incident(setup=setup(one, routes=routes), calls=merged(traffic), services=(_SEARCH,))


@scenario(
    "retry-product",
    "A client waits 10 s three times for a service that stays silent; together that is more than the gateway allows.",
    ("retry-product",),
)
def retry_product(draw: Draw) -> Incident:
    """Each attempt looks harmless; a few calls need one retry and come through."""
    one = function("assistant-fn", timeout_ms=60_000.0, log_form="json")
    traffic = Traffic(draw, one, lambda_clocks(one), "POST", "/answers")
    silent, once = some(draw, 0.06), some(draw, 0.05)
    words = f"POST https://{_PRICING.host}/v1/quotes"
    failed = "attempt {attempt} of {attempts} failed: read timeout after 10 s (" + _PRICING.host + "): {failure}"
    for number, at_ms in enumerate(draw.times(draw.requests, 480_000.0)):
        if number in silent:
            parts: tuple[Part, ...] = (
                dependency(
                    "pricing", words, 30_000.0, cause="retry-product", normal_ms=250.0,
                    done="", failed=failed, attempts=3, timeout_s=10.0, sent_ms=1e8,
                ),
            )  # fmt: skip
        elif number in once:
            lost = dependency(
                "pricing", words, 10_000.0, done="", failed=failed.replace("{attempts}", "3"),
                timeout_s=10.0, sent_ms=1e8, swallow=True,
            )  # fmt: skip
            parts = (lost, dependency("pricing", words, draw.between(150, 800)))
        else:
            parts = (dependency("pricing", words, draw.between(120, 1_900)),)
        traffic.add(at_ms, note("quote requested"), *parts, body='{"sku": "B-1143", "quantity": 2}')
    routes = (route("POST", "/answers", "assistant-fn"),)
    return Incident(setup=setup(one, routes=routes), calls=merged(traffic), services=(_PRICING,))


@scenario(
    "retry-product-killed",
    "Four attempts of 8 s each want 32 s of a function that has 27; the log tells of each attempt's start only.",
    ("retry-product",),
)
def retry_product_killed(draw: Draw) -> Incident:
    """An HTTP API; F lies below L."""
    one = function("notify-fn", timeout_ms=27_000.0)
    clocks = lambda_clocks(one, HTTP_LIMIT_MS)
    traffic = Traffic(draw, one, clocks, "POST", "/notify")
    silent = some(draw, 0.05)
    words = f"PUT https://{_PAYMENTS.host}/v1/messages"
    for number, at_ms in enumerate(draw.times(draw.requests, 480_000.0)):
        if number in silent:
            calls = [
                dependency(
                    "payments", f"{words} (attempt {attempt} of 4)", 8_000.0, cause="retry-product", done="",
                    timeout_s=8.0, sent_ms=1e8, swallow=True,
                )
                for attempt in range(1, 5)
            ]  # fmt: skip
        else:
            calls = [dependency("payments", f"{words} (attempt 1 of 4)", draw.between(60, 3_200))]
        traffic.add(at_ms, *calls, body='{"to": "+49"}')
    api = setup(one, routes=(route("POST", "/notify", "notify-fn"),), api_type=ApiType.HTTP)
    return Incident(setup=api, calls=merged(traffic), services=(_PAYMENTS,))


@scenario(
    "stalled-call-http-api",
    "On an HTTP API a call that stalls is a 503 without a word; the function's log has the call.",
    ("stalled-call",),
)
def stalled_call_http_api(draw: Draw) -> Incident:
    """L is 30 s there."""
    one = function("sessions-fn", timeout_ms=32_000.0, log_form="json")
    traffic = Traffic(draw, one, lambda_clocks(one, HTTP_LIMIT_MS), "GET", "/sessions")
    stalls = some(draw, 0.05)
    words = "Calling cognito-idp AdminGetUser"
    for number, at_ms in enumerate(draw.times(draw.requests, 480_000.0)):
        if number in stalls:
            call = dependency("cognito", words, NEVER, cause="stalled-call", normal_ms=80.0)
        else:
            call = dependency("cognito", words, draw.between(25, 1_200), done="AdminGetUser -> CONFIRMED")
        traffic.add(at_ms, note("session requested"), call)
    api = setup(one, routes=(route("GET", "/sessions", "sessions-fn"),), api_type=ApiType.HTTP)
    service = Service(name="cognito", host="cognito-idp.eu-west-1.amazonaws.com")
    return Incident(setup=api, calls=merged(traffic), services=(service,))


@scenario(
    "dependency-slow-traced",
    "One downstream call holds most of the time; X-Ray has its subsegment, the log has nothing.",
    ("dependency-slow",),
)
def dependency_slow_traced(draw: Draw) -> Incident:
    """The call returns, too late; AWS's X-Ray SDK tells of it."""
    one = function("checkout-fn", timeout_ms=60_000.0, tracing=True)
    traffic = Traffic(draw, one, lambda_clocks(one), "POST", "/checkout", init=(700, 1_300))
    late = some(draw, 0.06)
    for number, at_ms in enumerate(draw.times(draw.requests, 480_000.0)):
        ms = draw.between(30_500, 44_000) if number in late else draw.between(60, 3_800)
        cause = "dependency-slow" if number in late else None
        call = dependency("payments", "", ms, cause=cause, normal_ms=400.0, trace=_PAYMENTS.host, done="")
        traffic.add(at_ms, work(draw.between(20, 300), say="checkout received"), call, body='{"cart": 93}')
    api = setup(one, routes=(route("POST", "/checkout", "checkout-fn"),), tracing=True)
    return Incident(setup=api, calls=merged(traffic), services=(_PAYMENTS,), sdk=True)


@scenario(
    "dependency-slow",
    "A pricing service answers after half a minute; the application logs how long it took.",
    ("dependency-slow",),
)
def dependency_slow(draw: Draw) -> Incident:
    """A burst: an overload of the service makes neighbouring calls slow together."""
    one = function("quotes-fn", timeout_ms=60_000.0)
    traffic = Traffic(draw, one, lambda_clocks(one), "GET", "/quotes")
    words = f"GET https://{_PRICING.host}/v2/prices"
    late = some(draw, 0.06)
    for number, at_ms in enumerate(draw.times(draw.requests, 480_000.0)):
        ms = draw.between(30_200, 52_000) if number in late else draw.between(90, 6_500)
        cause = "dependency-slow" if number in late else None
        call = dependency("pricing", words, ms, cause=cause, normal_ms=400.0, done=f"{words} -> 200 in {ms:.0f} ms")
        traffic.add(at_ms, call, work(draw.between(10, 90), done="3 offers"))
    routes = (route("GET", "/quotes", "quotes-fn"),)
    return Incident(setup=setup(one, routes=routes), calls=merged(traffic), services=(_PRICING,))


@scenario(
    "dependency-resuming",
    "A database that pauses when nobody asks needs half a minute for the first request afterwards.",
    ("dependency-resuming",),
)
def dependency_resuming(draw: Draw) -> Incident:
    """Two stretches of traffic with five idle minutes between; the environments stay warm.

    The first request afterwards comes alone, or others come while the database wakes up and wait with it.
    """
    one = function("reports-fn", timeout_ms=60_000.0)
    traffic = Traffic(draw, one, lambda_clocks(one), "GET", "/reports")
    half = max(draw.requests // 2, 1)
    pause_ms = 305_000.0
    moments = draw.times(half, 110_000.0)
    starts_ms = moments[-1] + pause_ms
    alone_ms = draw.chance.choice((0.0, 45_000.0))
    moments += [starts_ms, *draw.times(draw.requests - half - 1, 110_000.0, from_ms=starts_ms + 2_000.0 + alone_ms)]
    ready_ms = None
    words = "SELECT on cluster reports-db.cluster-c9x1.eu-west-1.rds.amazonaws.com"
    for number, at_ms in enumerate(moments):
        if number == half:
            ready_ms = at_ms + draw.between(33_000, 38_000)
        own_ms = draw.between(20, 900)
        waits_ms = 0.0 if ready_ms is None else max(ready_ms - at_ms, 0.0)
        ms = own_ms + waits_ms
        cause = "dependency-resuming" if waits_ms else None
        call = dependency("database", words, ms, cause=cause, normal_ms=own_ms, done="query returned 12 rows")
        traffic.add(at_ms, note("report requested"), call)
    service = Service(name="database", host="reports-db.cluster-c9x1.eu-west-1.rds.amazonaws.com")
    routes = (route("GET", "/reports", "reports-fn"),)
    return Incident(setup=setup(one, routes=routes), calls=merged(traffic), services=(service,))


@scenario(
    "database-paused",
    "The Data API says that the database is resuming, and the application tries again until it is too late.",
    ("dependency-resuming",),
)
def database_paused(draw: Draw) -> Incident:
    """The log has the exception's words; the requests afterwards are fast."""
    one = function("ingest-fn", log_form="json")
    traffic = Traffic(draw, one, lambda_clocks(one), "POST", "/granules")
    half = max(draw.requests // 2, 1)
    moments = draw.times(half, 100_000.0)
    starts_ms = moments[-1] + 310_000.0
    moments += [starts_ms, *draw.times(draw.requests - half - 1, 110_000.0, from_ms=starts_ms + 46_000.0)]
    words = "ExecuteStatement on cluster ingest-db"
    failed = (
        "DatabaseResumingException: The Aurora DB instance db-QZ5XWKQPGTH6YUO7NJBQ is resuming after being auto-paused."
        " Please wait a few seconds and try again."
    )
    for number, at_ms in enumerate(moments):
        parts: list[Part] = []
        if number == half:
            for attempt in range(1, 12):
                parts.append(dependency("data-api", words, 40.0, done=failed))
                parts.append(_waiting(3_000.0, f"waiting 3 s before attempt {attempt + 1}"))
        parts.append(dependency("data-api", words, draw.between(20, 800), done="1 row"))
        traffic.add(at_ms, *parts, body='{"granule": "G-2931"}')
    service = Service(name="data-api", host="rds-data.eu-west-1.amazonaws.com")
    routes = (route("POST", "/granules", "ingest-fn"),)
    return Incident(setup=setup(one, routes=routes), calls=merged(traffic), services=(service,))


def _waiting(ms: float, words: str) -> Part:
    step: dict[str, object] = {"do": "work", "ms": ms, "say": words}
    return Part(layer=Layer.DEPENDENCY, name="database resumes", ms=ms, cause="dependency-resuming", step=step)


@scenario(
    "connection-pool-exhausted",
    "In rushes of requests more functions want a database connection than the proxy's pool has.",
    ("connection-pool-exhausted",),
)
def connection_pool_exhausted(draw: Draw) -> Incident:
    """The pool is a queue: who finds no free connection waits until one of those before him is done."""
    one = function("bookings-fn", timeout_ms=60_000.0)
    traffic = Traffic(draw, one, lambda_clocks(one), "POST", "/bookings")
    rush = max(min(round(draw.requests * 0.17), 12), 5)
    calm = draw.times(draw.requests - rush, 420_000.0)
    at = draw.between(200_000, 260_000)
    moments = sorted([(ms, False) for ms in calm] + [(at + ms, True) for ms in draw.times(rush, 2_600.0, gap_ms=160.0)])
    free = [0.0, 0.0]
    for at_ms, rushed in moments:
        query_ms = draw.between(8_000, 9_500) if rushed else draw.between(30, 700)
        slot = free.index(min(free))
        waits_ms = round(max(free[slot] - at_ms, 0.0))
        parts: list[Part] = []
        if waits_ms:
            busy = traffic.running(at_ms)
            parts.append(
                dependency(
                    "proxy", f"waiting for a connection from the pool (size 2, in use 2, {busy} waiting)", waits_ms,
                    cause="connection-pool-exhausted", done=f"got a connection after {waits_ms} ms",
                )
            )  # fmt: skip
        parts.append(dependency("proxy", "INSERT INTO bookings", query_ms, done="1 row inserted"))
        call = traffic.add(at_ms, *parts, body='{"room": 12}', plan={"log_request_id": True})
        free[slot] = call.at_ms + waits_ms + query_ms + 20.0
    service = Service(name="proxy", host="bookings.proxy-c9x1.eu-west-1.rds.amazonaws.com")
    routes = (route("POST", "/bookings", "bookings-fn"),)
    return Incident(setup=setup(one, routes=routes), calls=merged(traffic), services=(service,))


@scenario(
    "cold-start-and-slow-dependency",
    "A deployment and a slow pricing service in the same minutes: some requests fail by one, some by the other.",
    ("cold-start", "dependency-slow"),
)
def cold_start_and_slow_dependency(draw: Draw) -> Incident:
    """Cold and slow fall on different requests, and on a few on the same one."""
    one = function("offers-fn", timeout_ms=60_000.0, memory_mb=1024)
    clocks = lambda_clocks(one)
    traffic = Traffic(draw, one, clocks, "GET", "/offers")
    words = f"GET https://{_PRICING.host}/v2/prices"
    trouble = sorted(some(draw, 0.12, least=4))
    kinds = {number: place % 4 for place, number in enumerate(trouble)}
    for number, at_ms in enumerate(draw.times(draw.requests, 480_000.0)):
        kind = kinds.get(number)
        call_ms, own_ms, cause = draw.between(90, 2_500), draw.between(100, 1_200), None
        load_ms = draw.between(4_200, 5_200)
        if kind == 0:  # cold, and much of its own work
            own_ms = draw.between(25_400, 26_600)
        elif kind == 1:  # slow, warm
            call_ms, cause = draw.between(30_500, 40_000), "dependency-slow"
        elif kind == 2:  # cold and slow; alone the slow call would have been enough
            call_ms, cause = draw.between(31_000, 36_000), "dependency-slow"
        elif kind == 3:  # cold, but light: survives
            own_ms = draw.between(2_000, 6_000)
        call = dependency(
            "pricing", words, call_ms, cause=cause, normal_ms=400.0, done=f"{words} -> 200 in {call_ms:.0f} ms"
        )
        traffic.add(
            at_ms,
            call,
            work(own_ms, say="ranking offers", done="offers ranked"),
            init=(init(load_ms, cause="cold-start"),),
            new=kind in (0, 2, 3),
        )
    routes = (route("GET", "/offers", "offers-fn"),)
    return Incident(setup=setup(one, routes=routes), calls=merged(traffic), services=(_PRICING,))


@scenario(
    "retry-storm",
    "One caller repeats every 504 at once: a stalled call makes one failed request into many.",
    ("stalled-call",),
)
def retry_storm(draw: Draw) -> Incident:
    """The same route, body and address again and again, each about L after the one before."""
    one = function("exports-fn")
    traffic = Traffic(draw, one, lambda_clocks(one), "POST", "/exports")
    words = f"Calling POST https://{_PAYMENTS.host}/v1/statements"
    repeats = min(max(round(draw.requests * 0.1), 2), 8)
    began = draw.between(60_000, 140_000)
    storm = [(began + number * (REST_LIMIT_MS + 300.0), True) for number in range(repeats)]
    calm = [(at_ms, False) for at_ms in draw.times(draw.requests - repeats, 480_000.0)]
    for number, (at_ms, repeated) in enumerate(sorted(calm + storm)):
        if repeated:
            call = dependency("payments", words, NEVER, cause="stalled-call", normal_ms=300.0)
            traffic.add(
                at_ms, call, body='{"account": "7741", "month": "2026-09"}', source_ip="198.51.100.23", caller=1
            )
        else:
            call = dependency("payments", words, draw.between(100, 2_400))
            traffic.add(at_ms, call, body=f'{{"account": "{number:04d}", "month": "2026-09"}}')
    routes = (route("POST", "/exports", "exports-fn"),)
    return Incident(setup=setup(one, routes=routes), calls=merged(traffic), services=(_PAYMENTS,))
