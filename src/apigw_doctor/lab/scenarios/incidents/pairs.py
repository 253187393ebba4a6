"""Two faults in one minute: each request has one of them, and the other is its red herring."""

from apigw_doctor.lab.scenarios.course import Course
from apigw_doctor.lab.scenarios.incident import Call, Draw, Incident, Service, scenario
from apigw_doctor.lab.scenarios.incidents.gateway import TOKEN, authorizing
from apigw_doctor.lab.scenarios.kit import (
    NEVER,
    REST_LIMIT_MS,
    backend,
    check,
    function,
    http_clocks,
    init,
    lambda_clocks,
    route,
    setup,
    work,
)
from apigw_doctor.lab.setup import LabAuthorizer, LabBalancer

_EDGE_MS = 30_000.0
_RAISED_MS = 120_000.0


@scenario(
    "load-balancer-and-slow-backend",
    "In one minute a load balancer gives up on one route's targets, and the gateway on another's.",
    ("load-balancer-timeout", "backend-slower-than-limit"),
)
def load_balancer_and_slow_backend(draw: Draw) -> Incident:
    """Two load balancers: one with an idle timer of 15 s, one with 60 s; 504 from both routes."""
    short = LabBalancer(name="app/orders/2f1d7c2b9f4e0a11", idle_timeout_ms=15_000.0)
    long = LabBalancer(name="app/reports/7b91c07de2a84f55")
    cut_ones = draw.some(0.05, among=range(0, draw.requests, 2))
    slow_ones = draw.some(0.05, among=range(1, draw.requests, 2))
    calls = []
    for number, at_ms in enumerate(draw.times(draw.requests, 300_000.0)):
        ordering = number % 2 == 0
        clocks = http_clocks(balancer_ms=(short if ordering else long).idle_timeout_ms)
        part = backend(draw.between(40, 9_000))
        if number in cut_ones:
            part = backend(draw.between(17_000, 26_000))
        elif number in slow_ones:
            part = backend(draw.between(32_000, 50_000), cause="backend-slower-than-limit", normal_ms=4_000.0)
        # The slow ones of both routes come in the same minute.
        if number in cut_ones | slow_ones:
            at_ms = 120_000.0 + draw.between(0, 60_000)
        course = Course(clocks=clocks, run=(part,), lambda_target=False)
        calls.append(
            Call(at_ms=at_ms, method="POST", path="/orders" if ordering else "/reports", course=course, body="{}")
        )
    calls.sort(key=lambda call: call.at_ms)
    services = (
        Service(
            name="orders",
            host="internal-orders-1422670711.eu-west-1.elb.amazonaws.com",
            kind="balancer",
            balancer=short,
        ),
        Service(
            name="reports",
            host="internal-reports-2011845369.eu-west-1.elb.amazonaws.com",
            kind="balancer",
            balancer=long,
        ),
    )
    routes = tuple(
        route(
            "POST",
            path,
            kind="http-proxy",
            url=f"lab:/{path}{path}",
            vpc_link=True,
            load_balancer=balancer.name,
        )
        for path, balancer in (("/orders", short), ("/reports", long))
    )
    return Incident(setup=setup(routes=routes, balancers=(short, long)), calls=tuple(calls), services=services)


@scenario(
    "authorizer-and-cold-start",
    "A slow authorizer before cold starts: its seconds do not count against the integration, its own 5 s do.",
    ("authorizer-timeout", "cold-start"),
)
def authorizer_and_cold_start(draw: Draw) -> Incident:
    """Slow authorizers before cold starts that fit are no failure, although the sum passes 29 s."""
    search, guard = function("search-fn", memory_mb=1024), authorizing("auth-fn")
    clocks = lambda_clocks(search, authorizer_ms=guard.timeout_ms)
    hung_ones = draw.some(0.05)
    cold_ones = draw.some(0.05, among=set(range(draw.requests)) - hung_ones)
    near_ones = draw.some(0.04, among=set(range(draw.requests)) - hung_ones - cold_ones)
    calls = []
    for number, at_ms in enumerate(draw.times(draw.requests, 480_000.0)):
        cold = number == 0 or number in cold_ones or draw.chance.random() < 0.03
        slow = number in near_ones or number in cold_ones
        checked = check(draw.between(2_200, 4_200) if slow else draw.between(8, 60))
        work_ms = draw.between(200, 1_900)
        if number in hung_ones:
            cold, checked = False, check(NEVER, cause="authorizer-timeout", normal_ms=20.0)
        elif number in cold_ones:
            work_ms = draw.between(26_300, 27_400)
        elif number in near_ones:
            cold, work_ms = False, draw.between(26_300, 27_400)
        course = Course(
            clocks=clocks,
            authorizer=(checked,),
            init=(init(draw.between(3_200, 4_200), cause="cold-start"),) if cold else (),
            run=(work(work_ms, say="search started", done="search done"),),
        )
        calls.append(Call(at_ms=at_ms, method="GET", path="/search", course=course, cold=cold, headers=TOKEN))
    routes = (route("GET", "/search", "search-fn", authorizer="auth01"),)
    authorizers = (LabAuthorizer(id="auth01", name="tokens", function="auth-fn"),)
    return Incident(setup=setup(search, guard, routes=routes, authorizers=authorizers), calls=tuple(calls))


@scenario(
    "edge-and-low-limit",
    "Behind one edge: a route whose limit was set to 5 s, and one whose limit was raised beyond the edge's 30 s.",
    ("integration-timeout-too-low", "edge-timeout"),
)
def edge_and_low_limit(draw: Draw) -> Incident:
    """504 from both; one the edge only passes on, the other is its own."""
    low_ms = 5_000.0
    quote, convert = function("quote-fn"), function("convert-fn", timeout_ms=122_000.0)
    low_ones = draw.some(0.06, among=range(2, draw.requests, 2))
    long_ones = draw.some(0.05, among=range(3, draw.requests, 2))
    calls = []
    for number, at_ms in enumerate(draw.times(draw.requests, 420_000.0)):
        quoting = number % 2 == 0
        if quoting:
            clocks = lambda_clocks(quote, low_ms, proper_limit_ms=REST_LIMIT_MS, edge_ms=_EDGE_MS)
            work_ms = draw.between(5_800, 11_000) if number in low_ones else draw.between(200, 3_800)
            part = work(work_ms, say="pricing", done="priced")
        else:
            clocks = lambda_clocks(convert, _RAISED_MS, edge_ms=_EDGE_MS)
            work_ms = draw.between(34_000, 58_000) if number in long_ones else draw.between(800, 14_000)
            part = work(work_ms, say="conversion started", pages=2_000.0)
        course = Course(clocks=clocks, run=(part,))
        path = "/quotes" if quoting else "/videos"
        calls.append(Call(at_ms=at_ms, method="POST", path=path, course=course, cold=number < 2, edge=True, body="{}"))
    routes = (
        route("POST", "/quotes", "quote-fn", timeout_ms=low_ms),
        route("POST", "/videos", "convert-fn", timeout_ms=_RAISED_MS),
    )
    return Incident(setup=setup(quote, convert, routes=routes), calls=tuple(calls), edge_timeout_ms=_EDGE_MS)
