"""Limits against work: which of the two is wrong."""

from apigw_doctor.lab.scenarios.course import Course
from apigw_doctor.lab.scenarios.incident import Call, Draw, Incident, scenario
from apigw_doctor.lab.scenarios.kit import REST_LIMIT_MS, function, lambda_clocks, route, setup, work


@scenario("healthy", "Ordinary traffic, some of it slow, nothing wrong.", ())
def healthy(draw: Draw) -> Incident:
    """Nothing to find; a few requests come near the limit."""
    orders = function("orders-fn")
    clocks = lambda_clocks(orders)
    calls = [
        Call(
            at_ms=at_ms,
            method="GET",
            path=f"/orders/{number}",
            course=Course(clocks=clocks, run=(work(draw.between(20, 1_500), say="order read"),)),
            cold=number == 0,
        )
        for number, at_ms in enumerate(draw.times(draw.requests, 300_000.0))
    ]
    return Incident(setup=setup(orders, routes=(route("GET", "/orders/{id}", "orders-fn"),)), calls=tuple(calls))


@scenario(
    "integration-timeout-too-low",
    "Somebody set 6.5 s on an integration whose function needs up to 9 s.",
    ("integration-timeout-too-low",),
)
def integration_timeout_too_low(draw: Draw) -> Incident:
    """The backend would have fitted the default."""
    quote = function("quote-fn")
    clocks = lambda_clocks(quote, 6_500.0, proper_limit_ms=REST_LIMIT_MS)
    calls = []
    for number, at_ms in enumerate(draw.times(draw.requests, 400_000.0)):
        slow = number > 0 and draw.chance.random() < 0.08
        work_ms = draw.between(7_000, 9_500) if slow else draw.between(300, 4_500)
        course = Course(clocks=clocks, run=(work(work_ms, say="pricing", done="priced"),))
        calls.append(Call(at_ms=at_ms, method="GET", path="/quote", course=course, cold=number == 0))
    routes = (route("GET", "/quote", "quote-fn", timeout_ms=6_500.0),)
    return Incident(setup=setup(quote, routes=routes), calls=tuple(calls))


@scenario(
    "backend-slower-than-limit",
    "Reports take longer than the gateway ever waits, and finish unseen.",
    ("backend-slower-than-limit",),
)
def backend_slower_than_limit(draw: Draw) -> Incident:
    """The function works on and finishes after the cut."""
    report = function("reports-fn", timeout_ms=120_000.0)
    clocks = lambda_clocks(report)
    calls = []
    for number, at_ms in enumerate(draw.times(draw.requests, 600_000.0)):
        slow = number > 0 and draw.chance.random() < 0.08
        work_ms = draw.between(33_000, 70_000) if slow else draw.between(1_000, 14_000)
        cause = "backend-slower-than-limit" if slow else None
        course = Course(clocks=clocks, run=(work(work_ms, cause=cause, normal_ms=5_000.0, pages=1_500.0),))
        calls.append(
            Call(at_ms=at_ms, method="POST", path="/reports", course=course, cold=number == 0, body='{"year": 2026}')
        )
    return Incident(setup=setup(report, routes=(route("POST", "/reports", "reports-fn"),)), calls=tuple(calls))


@scenario(
    "function-timeout", "The function's own 10 s end its work while the gateway still waits.", ("function-timeout",)
)
def function_timeout(draw: Draw) -> Incident:
    """Killed at F, far below L."""
    report = function("reports-fn", timeout_ms=10_000.0)
    clocks = lambda_clocks(report)
    calls = []
    for number, at_ms in enumerate(draw.times(draw.requests, 400_000.0)):
        slow = number > 0 and draw.chance.random() < 0.08
        work_ms = draw.between(11_000, 19_000) if slow else draw.between(400, 7_000)
        cause = "function-timeout" if slow else None
        course = Course(clocks=clocks, run=(work(work_ms, cause=cause, normal_ms=3_000.0, pages=900.0),))
        calls.append(
            Call(at_ms=at_ms, method="POST", path="/reports", course=course, cold=number == 0, body='{"year": 2026}')
        )
    return Incident(setup=setup(report, routes=(route("POST", "/reports", "reports-fn"),)), calls=tuple(calls))
