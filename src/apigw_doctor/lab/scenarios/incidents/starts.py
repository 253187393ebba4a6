"""Cold starts and their look-alikes."""

from apigw_doctor.lab.scenarios.course import Course
from apigw_doctor.lab.scenarios.incident import Call, Draw, Incident, scenario
from apigw_doctor.lab.scenarios.kit import function, init, lambda_clocks, route, setup, work


@scenario("cold-start", "A deployment leaves no warm environment; the init phase uses up the margin.", ("cold-start",))
def cold_start(draw: Draw) -> Incident:
    """Heavy searches fit the limit warm; cold ones pass it. Light searches survive a cold start."""
    search = function("search-fn", memory_mb=1024)
    clocks = lambda_clocks(search)
    calls = []
    for number, at_ms in enumerate(draw.times(draw.requests, 600_000.0)):
        cold = number == 0 or draw.chance.random() < 0.06
        heavy = number > 0 and draw.chance.random() < (0.8 if cold else 0.04)
        work_ms = draw.between(26_000, 27_400) if heavy else draw.between(180, 1_900)
        course = Course(
            clocks=clocks,
            init=(init(draw.between(3_400, 4_400), cause="cold-start"),) if cold else (),
            run=(work(work_ms, say="search started", done="search done"),),
        )
        calls.append(Call(at_ms=at_ms, method="GET", path="/search", course=course, cold=cold))
    return Incident(setup=setup(search, routes=(route("GET", "/search", "search-fn"),)), calls=tuple(calls))
