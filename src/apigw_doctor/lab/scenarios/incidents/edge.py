"""Whoever stands before the gateway has less patience than it."""

from apigw_doctor.lab.scenarios.course import Course
from apigw_doctor.lab.scenarios.incident import Call, Draw, Incident, scenario
from apigw_doctor.lab.scenarios.kit import function, lambda_clocks, route, setup, work

_EDGE_MS = 30_000.0
_RAISED_MS = 120_000.0


@scenario(
    "edge-timeout",
    "The API's limit was raised to 120 s; the distribution in front of it still waits 30 s.",
    ("edge-timeout",),
)
def edge_timeout(draw: Draw) -> Incident:
    """Long conversions fail for viewers only; who calls the API itself gets every answer."""
    convert = function("convert-fn", timeout_ms=122_000.0)
    long_ones = draw.some(0.08)
    direct_ones = draw.some(0.04, among=set(range(draw.requests)) - long_ones)
    calls = []
    for number, at_ms in enumerate(draw.times(draw.requests, 500_000.0)):
        viewer = number not in direct_ones
        long = number in long_ones or not viewer
        clocks = lambda_clocks(convert, _RAISED_MS, edge_ms=_EDGE_MS if viewer else None)
        work_ms = draw.between(34_000, 62_000) if long else draw.between(400, 12_000)
        course = Course(clocks=clocks, run=(work(work_ms, say="conversion started", pages=2_000.0),))
        body = f'{{"video": {number}}}'
        calls.append(
            Call(at_ms=at_ms, method="POST", path="/videos", course=course, cold=number == 0, edge=viewer, body=body)
        )
    routes = (route("POST", "/videos", "convert-fn", timeout_ms=_RAISED_MS),)
    return Incident(setup=setup(convert, routes=routes), calls=tuple(calls), edge_timeout_ms=_EDGE_MS)


@scenario(
    "edge-timeout-repeated",
    "The edge tries a GET three times for 30 s each: one viewer waits 90 s, and the search runs three times.",
    ("edge-timeout",),
)
def edge_timeout_repeated(draw: Draw) -> Incident:
    """The gateway answers every attempt with 200; its log holds more requests than viewers made."""
    search = function("search-fn", timeout_ms=122_000.0)
    clocks = lambda_clocks(search, _RAISED_MS, edge_ms=_EDGE_MS)
    long_ones = draw.some(0.06)
    calls = []
    for number, at_ms in enumerate(draw.times(draw.requests, 480_000.0, gap_ms=3_000.0)):
        work_ms = draw.between(34_000, 50_000) if number in long_ones else draw.between(300, 9_000)
        course = Course(clocks=clocks, run=(work(work_ms, say="search started", pages=2_500.0),))
        path = f"/search/{number}"
        calls.append(Call(at_ms=at_ms, method="GET", path=path, course=course, cold=number == 0, edge=True))
    routes = (route("GET", "/search/{id}", "search-fn", timeout_ms=_RAISED_MS),)
    return Incident(setup=setup(search, routes=routes), calls=tuple(calls), edge_timeout_ms=_EDGE_MS)


@scenario(
    "client-gave-up", "One caller waits 5 s for reports that take up to 12 s; all others wait.", ("client-gave-up",)
)
def client_gave_up(draw: Draw) -> Incident:
    """The gateway answers 200 to everybody, also to those who have gone."""
    report = function("reports-fn")
    left_ones = draw.some(0.07)
    slow_ones = left_ones | draw.some(0.15)
    calls = []
    for number, at_ms in enumerate(draw.times(draw.requests, 400_000.0)):
        impatient = number in left_ones or (number not in slow_ones and draw.chance.random() < 0.3)
        slow = number in slow_ones
        clocks = lambda_clocks(report, client_ms=5_000.0 if impatient else None)
        work_ms = draw.between(6_000, 12_000) if slow else draw.between(150, 3_800)
        course = Course(clocks=clocks, run=(work(work_ms, say="report started", done="report done"),))
        ip = "203.0.113.50" if impatient else "203.0.113.7"
        calls.append(Call(at_ms=at_ms, method="GET", path="/reports", course=course, cold=number == 0, source_ip=ip))
    return Incident(setup=setup(report, routes=(route("GET", "/reports", "reports-fn"),)), calls=tuple(calls))
