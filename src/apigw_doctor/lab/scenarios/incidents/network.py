"""The path to backends that are no functions: connects, delays, load balancers, their connections and their zones."""

from apigw_doctor.lab.network.faults import BlackHole, Delay, Fault, Refuse
from apigw_doctor.lab.scenarios.course import Course, Ending, Part
from apigw_doctor.lab.scenarios.incident import Call, Draw, Incident, Service, scenario
from apigw_doctor.lab.scenarios.kit import (
    HTTP_LIMIT_MS,
    NEVER,
    REST_LIMIT_MS,
    around,
    backend,
    http_clocks,
    route,
    setup,
    way,
)
from apigw_doctor.lab.setup import LabBalancer, LabRoute
from apigw_doctor.limits.table import value
from apigw_doctor.model.terms import ApiType, Layer

_CONNECT_MS = value("private-integration-connect")
_ALB_CONNECT_MS = value("alb-connect")
#: Calls that meet a fault alone have no other call so near.
_APART_MS = 1_500.0
_BALANCER = LabBalancer()


def _http(
    path: str,
    service: str,
    method: str = "GET",
    *,
    timeout_ms: float | None = None,
    vpc_link: bool = False,
    balancer: LabBalancer | None = None,
) -> LabRoute:
    return route(
        method,
        path,
        kind="http-proxy",
        url=f"lab://{service}{path}",
        timeout_ms=timeout_ms,
        vpc_link=vpc_link,
        load_balancer=None if balancer is None else balancer.name,
    )


def _private(
    path: str,
    service: str,
    method: str = "GET",
    *,
    timeout_ms: float | None = None,
    balancer: LabBalancer = _BALANCER,
) -> LabRoute:
    return _http(path, service, method, timeout_ms=timeout_ms, vpc_link=True, balancer=balancer)


def _balancer(
    name: str,
    *,
    balancer: LabBalancer = _BALANCER,
    faults: tuple[Fault, ...] = (),
    targets: tuple[tuple[Fault, ...], ...] = ((),),
    options: dict[str, float | str | bool | None] | None = None,
) -> Service:
    return Service(
        name=name,
        host=f"internal-{name}-1422670711.eu-west-1.elb.amazonaws.com",
        kind="balancer",
        balancer=balancer,
        faults=faults,
        targets=targets,
        options=options or {},
    )


@scenario(
    "endpoint-unreachable",
    "A public backend refuses some connections at once; behind the VPC link some connects are never answered.",
    ("endpoint-unreachable",),
)
def endpoint_unreachable(draw: Draw) -> Incident:
    """504 at once and 500 after ten seconds, both far below the limit; slow answers are no part of it."""
    calls, refusals, holes = [], [], []
    refused_ones = draw.some(0.05, among=range(0, draw.requests, 2))
    lost_ones = draw.some(0.05, among=range(1, draw.requests, 2))
    for number, at_ms in enumerate(draw.times(draw.requests, 400_000.0, gap_ms=_APART_MS)):
        private = number % 2 == 1
        clocks = http_clocks(connect_ms=_CONNECT_MS if private else None)
        slow = draw.chance.random() < 0.1
        parts: tuple[Part, ...] = (backend(draw.between(9_000, 14_000) if slow else draw.between(15, 900)),)
        course = Course(clocks=clocks, run=parts, lambda_target=False)
        if number in lost_ones:
            holes.append(around(at_ms, BlackHole, after_ms=_CONNECT_MS + 2_000.0))
            hole = way(NEVER, cause="endpoint-unreachable", normal_ms=1.0)
            course = Course(clocks=clocks, path=(hole,), run=parts, lambda_target=False)
        elif number in refused_ones:
            refusals.append(around(at_ms, Refuse))
            ending = Ending(cause="endpoint-unreachable", layer=Layer.NETWORK)
            course = Course(clocks=clocks, ending=ending, lambda_target=False)
        path = "/inventory" if private else "/rates"
        calls.append(Call(at_ms=at_ms, method="GET", path=path, course=course))
    calls = _spared(calls, [(hole.from_ms or 0.0, hole.until_ms or 0.0) for hole in holes], "/inventory")
    services = (
        Service(name="rates", host="rates.example.net", faults=tuple(refusals)),
        Service(name="inventory", host="inventory.internal.example.com", faults=tuple(holes)),
    )
    routes = (_http("/rates", "rates"), _http("/inventory", "inventory", vpc_link=True))
    return Incident(setup=setup(routes=routes), calls=tuple(calls), services=services)


@scenario(
    "endpoint-unreachable-http-api",
    "An HTTP API answers 503 after ten seconds where connects behind its VPC link are never answered.",
    ("endpoint-unreachable", "backend-slower-than-limit"),
    untold=("backend-slower-than-limit",),
)
def endpoint_unreachable_http_api(draw: Draw) -> Incident:
    """No execution log tells why; 503 is also what the integration timeout looks like here."""
    lost_ones = draw.some(0.05)
    slow_ones = draw.some(0.04, among=set(range(draw.requests)) - lost_ones)
    calls, holes = [], []
    # So far apart that nobody else meets a hole.
    for number, at_ms in enumerate(draw.times(draw.requests, 500_000.0, gap_ms=_APART_MS)):
        clocks = http_clocks(HTTP_LIMIT_MS, connect_ms=_CONNECT_MS)
        run = (backend(draw.between(20, 9_000)),)
        course = Course(clocks=clocks, run=run, lambda_target=False)
        if number in lost_ones:
            holes.append(around(at_ms, BlackHole, after_ms=_CONNECT_MS + 2_000.0))
            hole = way(NEVER, cause="endpoint-unreachable", normal_ms=1.0)
            course = Course(clocks=clocks, path=(hole,), run=run, lambda_target=False)
        elif number in slow_ones:
            run = (backend(draw.between(33_000, 45_000), cause="backend-slower-than-limit", normal_ms=2_000.0),)
            course = Course(clocks=clocks, run=run, lambda_target=False)
        calls.append(Call(at_ms=at_ms, method="GET", path="/inventory", course=course))
    kept = [call for call in calls if call.course.path or not _met(call, holes)]
    services = (Service(name="inventory", host="inventory.internal.example.com", faults=tuple(holes)),)
    routes = (_http("/inventory", "inventory", vpc_link=True),)
    made = setup(routes=routes, api_type=ApiType.HTTP, stage="$default")
    return Incident(setup=made, calls=tuple(kept), services=services)


def _met(call: Call, holes: list[BlackHole]) -> bool:
    return any((hole.from_ms or 0.0) <= call.at_ms < (hole.until_ms or 0.0) for hole in holes)


def _spared(calls: list[Call], windows: list[tuple[float, float]], path: str) -> list[Call]:
    """Calls that would fall into the fault of another call go elsewhere: to the other route."""
    kept = []
    for call in calls:
        meant = call.course.path != ()
        hit = call.path == path and not meant and any(begin <= call.at_ms < end for begin, end in windows)
        kept.append(call if not hit else _elsewhere(call))
    return kept


def _elsewhere(call: Call) -> Call:
    course = Course(clocks=http_clocks(), run=call.course.run, lambda_target=False)
    return Call(at_ms=call.at_ms, method=call.method, path="/rates", course=course)


@scenario(
    "network-latency",
    "Answers of a quick backend take most of half a minute on the way; the load balancer saw nothing of it.",
    ("network-latency",),
)
def network_latency(draw: Draw) -> Incident:
    """The load balancer's log shows the backend's own time: well within the limit."""
    late_ones = draw.some(0.08)
    calls, delays = [], []
    for number, at_ms in enumerate(draw.times(draw.requests, 480_000.0, gap_ms=_APART_MS)):
        late = number in late_ones
        run_ms = draw.between(300, 2_500)
        parts: tuple[Part, ...] = ()
        if late:
            # On the way back: the backend has long answered when the gateway gives up.
            delay_ms = draw.between(31_000, 45_000)
            delays.append(around(at_ms + run_ms, Delay, 500.0, 500.0, ms=delay_ms, per="chunk"))
            parts = (way(delay_ms, cause="network-latency", normal_ms=2.0),)
        elif draw.chance.random() < 0.08:
            run_ms = draw.between(12_000, 20_000)
        course = Course(clocks=http_clocks(), path=parts, run=(backend(run_ms),), lambda_target=False)
        calls.append(Call(at_ms=at_ms, method="GET", path="/inventory", course=course))
    calls = _away_from(calls, delays)
    services = (_balancer("inventory", faults=tuple(delays)),)
    made = setup(routes=(_private("/inventory", "inventory"),), balancers=(_BALANCER,))
    return Incident(setup=made, calls=tuple(calls), services=services)


def _away_from(calls: list[Call], delays: list[Delay]) -> list[Call]:
    """Ordinary calls whose answer would come within another's fault are left out."""
    windows = [(delay.from_ms or 0.0, delay.until_ms or 0.0) for delay in delays]
    return [
        call
        for call in calls
        if call.course.path or not any(a - 50.0 <= call.at_ms + _run_ms(call) <= b + 50.0 for a, b in windows)
    ]


def _run_ms(call: Call) -> float:
    return sum(part.ms for part in call.course.run)


@scenario(
    "load-balancer-timeout",
    "The load balancer's idle timer of 12 s is shorter than some orders take.",
    ("load-balancer-timeout",),
)
def load_balancer_timeout(draw: Draw) -> Incident:
    """504 after twelve seconds that the gateway only passes on; its own limit is far away."""
    balancer = LabBalancer(idle_timeout_ms=12_000.0)
    clocks = http_clocks(balancer_ms=balancer.idle_timeout_ms)
    slow_ones = draw.some(0.08)
    calls = []
    for number, at_ms in enumerate(draw.times(draw.requests, 400_000.0)):
        slow = number in slow_ones
        run_ms = draw.between(14_000, 25_000) if slow else draw.between(40, 9_000)
        course = Course(clocks=clocks, run=(backend(run_ms),), lambda_target=False)
        calls.append(Call(at_ms=at_ms, method="POST", path="/orders", course=course, body='{"item": 7}'))
    made = setup(routes=(_private("/orders", "orders", "POST"),), balancers=(balancer,))
    return Incident(setup=made, calls=tuple(calls), services=(_balancer("orders", balancer=balancer),))


@scenario(
    "load-balancer-460",
    "The load balancer logs 460 for slow orders: the gateway had hung up first.",
    ("backend-slower-than-limit",),
)
def load_balancer_460(draw: Draw) -> Incident:
    """Looks like a fault of the load balancer's client; it is the gateway's own limit."""
    clocks = http_clocks(balancer_ms=_BALANCER.idle_timeout_ms)
    slow_ones = draw.some(0.08)
    calls = []
    for number, at_ms in enumerate(draw.times(draw.requests, 480_000.0)):
        slow = number in slow_ones
        run_ms = draw.between(33_000, 55_000) if slow else draw.between(40, 11_000)
        part = backend(run_ms, cause="backend-slower-than-limit" if slow else None, normal_ms=3_000.0)
        course = Course(clocks=clocks, run=(part,), lambda_target=False)
        calls.append(Call(at_ms=at_ms, method="POST", path="/orders", course=course, body='{"item": 7}'))
    made = setup(routes=(_private("/orders", "orders", "POST"),), balancers=(_BALANCER,))
    return Incident(setup=made, calls=tuple(calls), services=(_balancer("orders"),))


@scenario(
    "keep-alive-mismatch",
    "The target closes idle connections after 5 s, the load balancer keeps them for 60 s: 502 after every lull.",
    ("keep-alive-mismatch", "application-error"),
)
def keep_alive_mismatch(draw: Draw) -> Incident:
    """Rare while traffic is dense, common in quiet minutes; a 502 of the application itself is the look-alike."""
    keep_ms = 5_000.0
    calls = []
    lull_ones = draw.some(0.08)
    own_ones = draw.some(0.03, among=set(range(draw.requests)) - lull_ones)
    at_ms, idle_since = 2_000.0, None
    for number in range(draw.requests):
        at_ms += draw.between(8_000, 40_000) if number in lull_ones else draw.between(700, 4_200)
        run_ms = draw.between(20, 400)
        lost = idle_since is not None and keep_ms < at_ms - idle_since < _BALANCER.idle_timeout_ms
        ending = Ending(cause="keep-alive-mismatch", layer=Layer.NETWORK) if lost else None
        plan: dict[str, object] = {}
        if not lost and number in own_ones:
            plan, ending = {"status": 500}, Ending(cause="application-error", layer=Layer.BACKEND)
        course = Course(
            clocks=http_clocks(), run=() if lost else (backend(run_ms),), ending=ending, lambda_target=False
        )
        calls.append(Call(at_ms=at_ms, method="GET", path="/stock", course=course, plan=plan))
        idle_since = None if lost else at_ms + run_ms
    services = (_balancer("stock", options={"keep_alive_ms": keep_ms, "race": True}),)
    made = setup(routes=(_private("/stock", "stock"),), balancers=(_BALANCER,))
    return Incident(setup=made, calls=tuple(calls), services=services)


@scenario(
    "zone-impaired",
    "One of three targets, all of one zone, answers no connect: every third request to it fails after 10 s.",
    ("endpoint-unreachable",),
)
def zone_impaired(draw: Draw) -> Incident:
    """The load balancer goes round; a third of one route's requests fails, whatever they ask for."""
    dead = draw.chance.randrange(3)
    calls, turns = [], 0
    for at_ms in draw.times(draw.requests, 400_000.0, gap_ms=_APART_MS):
        through = draw.chance.random() < 0.25
        clocks = http_clocks(balancer_ms=_BALANCER.idle_timeout_ms, connect_ms=_ALB_CONNECT_MS)
        parts: tuple[Part, ...] = ()
        if through:
            if turns % 3 == dead:
                parts = (way(NEVER, cause="endpoint-unreachable", normal_ms=1.0),)
            turns += 1
        run = (backend(draw.between(30, 2_000)),)
        course = Course(clocks=clocks if through else http_clocks(), path=parts, run=run, lambda_target=False)
        path = "/stock" if through else "/rates"
        calls.append(Call(at_ms=at_ms, method="GET", path=path, course=course))
    targets = tuple((BlackHole(),) if zone == dead else () for zone in range(3))
    services = (_balancer("stock", targets=targets), Service(name="rates", host="rates.example.net"))
    made = setup(routes=(_private("/stock", "stock"), _http("/rates", "rates")), balancers=(_BALANCER,))
    return Incident(setup=made, calls=tuple(calls), services=services)


@scenario(
    "http-backend-slower",
    "A backend of another company takes longer for some quotes than the gateway ever waits.",
    ("backend-slower-than-limit",),
    untold=("backend-slower-than-limit",),
)
def http_backend_slower(draw: Draw) -> Incident:
    """No function, no load balancer: nobody tells when the backend was done."""
    slow_ones = draw.some(0.08)
    calls = []
    for number, at_ms in enumerate(draw.times(draw.requests, 480_000.0)):
        slow = number in slow_ones
        run_ms = draw.between(33_000, 60_000) if slow else draw.between(100, 16_000)
        part = backend(run_ms, cause="backend-slower-than-limit" if slow else None, normal_ms=3_000.0)
        course = Course(clocks=http_clocks(), run=(part,), lambda_target=False)
        calls.append(Call(at_ms=at_ms, method="GET", path="/quotes", course=course))
    services = (Service(name="quotes", host="api.quotes.example.net"),)
    return Incident(setup=setup(routes=(_http("/quotes", "quotes"),)), calls=tuple(calls), services=services)


@scenario(
    "integration-timeout-too-low-http",
    "An HTTP backend gets 3 s where it needs up to 8 s, and the API would allow 29 s.",
    ("integration-timeout-too-low",),
)
def integration_timeout_too_low_http(draw: Draw) -> Incident:
    """A second route to the same backend has the default limit, and all its answers come."""
    low_ms = 3_000.0
    slow_ones = draw.some(0.11)
    calls = []
    for number, at_ms in enumerate(draw.times(draw.requests, 300_000.0)):
        low = number % 3 != 0
        slow = number in slow_ones
        clocks = http_clocks(low_ms, proper_limit_ms=REST_LIMIT_MS) if low else http_clocks()
        run_ms = draw.between(3_800, 8_000) if slow else draw.between(60, 2_300)
        course = Course(clocks=clocks, run=(backend(run_ms),), lambda_target=False)
        path = "/quotes" if low else "/offers"
        calls.append(Call(at_ms=at_ms, method="GET", path=path, course=course))
    services = (_balancer("quotes"),)
    routes = (_private("/quotes", "quotes", timeout_ms=low_ms), _private("/offers", "quotes"))
    made = setup(routes=routes, balancers=(_BALANCER,))
    return Incident(setup=made, calls=tuple(calls), services=services)
