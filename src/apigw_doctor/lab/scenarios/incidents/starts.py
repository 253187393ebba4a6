"""Cold starts and their look-alikes."""

from apigw_doctor.lab.scenarios.course import Course, Part
from apigw_doctor.lab.scenarios.incident import Call, Draw, Incident, Service, scenario
from apigw_doctor.lab.scenarios.kit import dependency, function, init, lambda_clocks, route, setup, work
from apigw_doctor.lab.scenarios.traffic import Traffic, merged, note, some
from apigw_doctor.model.terms import Layer


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


@scenario(
    "lazy-initialization",
    "The first request of every environment loads the model; the init phase itself is short.",
    ("lazy-initialization",),
)
def lazy_initialization(draw: Draw) -> Incident:
    """Environments are replaced by deployments; the request that comes first pays, all others are fast."""
    one = function("classify-fn", timeout_ms=60_000.0, memory_mb=2048)
    traffic = Traffic(draw, one, lambda_clocks(one), "POST", "/classify", init=(260, 480))
    fresh = some(draw, 0.05, after=8)
    for number, at_ms in enumerate(draw.times(draw.requests, 540_000.0)):
        load_ms = draw.between(31_000, 37_000)
        load = Part(
            layer=Layer.INIT,
            name="model",
            ms=load_ms,
            cause="lazy-initialization",
            step={
                "do": "work",
                "ms": load_ms,
                "say": "loading model distilbert-base-uncased",
                "done": f"model loaded in {load_ms / 1000.0:.1f} s",
            },
        )
        own = work(draw.between(90, 1_800), say="classifying 1 document", done="label=invoice")
        traffic.add(at_ms, own, first=(load,), new=number in fresh, body='{"text": "..."}')
    routes = (route("POST", "/classify", "classify-fn"),)
    return Incident(setup=setup(one, routes=routes), calls=merged(traffic))


@scenario(
    "init-timeout",
    "The init phase needs more than 10 s: it is cut, and run again inside the invocation.",
    ("init-timeout",),
)
def init_timeout(draw: Draw) -> Incident:
    """What the client waits for is 10 s in vain, then the whole init, then the work."""
    one = function("forecast-fn", timeout_ms=60_000.0, memory_mb=1536)
    traffic = Traffic(draw, one, lambda_clocks(one), "GET", "/forecast")
    fresh = some(draw, 0.05)
    for number, at_ms in enumerate(draw.times(draw.requests, 540_000.0)):
        long_ms = draw.between(19_500, 24_000) if number else draw.between(10_800, 12_500)
        own = work(draw.between(150, 2_400), say="forecast requested", done="forecast done")
        traffic.add(at_ms, own, init=(init(long_ms, cause="init-timeout"),), new=number in fresh)
    routes = (route("GET", "/forecast", "forecast-fn"),)
    return Incident(setup=setup(one, routes=routes), calls=merged(traffic))


@scenario(
    "init-timeout-killed",
    "The init phase is cut after 10 s; run again inside the invocation it uses up the function's own 15 s.",
    ("init-timeout",),
)
def init_timeout_killed(draw: Draw) -> Incident:
    """Killed at F before the gateway gives up; a slow but good init of 9 s beside it."""
    one = function("translate-fn", timeout_ms=15_000.0, memory_mb=1024, log_form="text-old")
    traffic = Traffic(draw, one, lambda_clocks(one), "POST", "/translate")
    fresh = sorted(some(draw, 0.08, least=3))
    for number, at_ms in enumerate(draw.times(draw.requests, 540_000.0)):
        bad = number in fresh and fresh.index(number) % 3 < 2
        begins = init(draw.between(15_400, 17_500), cause="init-timeout") if bad else init(draw.between(6_900, 8_800))
        own = work(draw.between(150, 2_400), say="translating 1 text", done="translated")
        traffic.add(at_ms, own, init=(begins,), new=number in fresh, body='{"to": "de"}')
    routes = (route("POST", "/translate", "translate-fn"),)
    return Incident(setup=setup(one, routes=routes), calls=merged(traffic))


@scenario(
    "cold-start-and-stalled-call",
    "After a deployment some requests fail by their cold start; others stall in a call, warm or cold.",
    ("cold-start", "stalled-call"),
)
def cold_start_and_stalled_call(draw: Draw) -> Incident:
    """A cold start of a call that stalls is a red herring: without it the call would have stalled as well."""
    one = function("baskets-fn", timeout_ms=33_000.0, memory_mb=1024, log_form="json")
    traffic = Traffic(draw, one, lambda_clocks(one), "GET", "/baskets")
    kinds = {number: place % 4 for place, number in enumerate(sorted(some(draw, 0.1, least=4)))}
    words = "Calling DynamoDB Query on table baskets"
    for number, at_ms in enumerate(draw.times(draw.requests, 540_000.0)):
        kind = kinds.get(number)
        if kind in (1, 2):
            call = dependency("dynamodb", words, float("inf"), cause="stalled-call", normal_ms=20.0)
        else:
            call = dependency("dynamodb", words, draw.between(8, 120), done="DynamoDB Query returned 5 items")
        own_ms = draw.between(25_600, 26_800) if kind == 0 else draw.between(60, 1_500)
        traffic.add(
            at_ms,
            work(own_ms, say="pricing basket", done="basket priced"),
            call,
            init=(init(draw.between(4_000, 5_000), cause="cold-start"),),
            new=kind in (0, 2, 3),
        )
    service = Service(name="dynamodb", host="dynamodb.eu-west-1.amazonaws.com")
    routes = (route("GET", "/baskets", "baskets-fn"),)
    return Incident(setup=setup(one, routes=routes), calls=merged(traffic), services=(service,))


@scenario(
    "prewarmed-and-stalled",
    "Environments of provisioned concurrency had a long init long before; what fails are calls that stall.",
    ("stalled-call",),
)
def prewarmed_and_stalled(draw: Draw) -> Incident:
    """Looks like cold starts in the init records, and is none: nobody waited for these."""
    one = function(
        "ranking-fn", memory_mb=1769, qualifier="live", version="12", provisioned_concurrency=4,
        environment={"MODEL_LOAD_MS": "14500"},
    )  # fmt: skip
    traffic = Traffic(draw, one, lambda_clocks(one), "GET", "/ranking")
    stalls = some(draw, 0.05, least=2, after=0)
    words = "Calling redis GET ranking:today at cache.shop.internal:6379"
    for number, at_ms in enumerate(draw.times(draw.requests, 540_000.0)):
        if number in stalls:
            call = dependency("cache", words, float("inf"), cause="stalled-call", normal_ms=3.0)
        else:
            call = dependency("cache", words, draw.between(2, 40), done="redis GET ranking:today -> 4.1 kB")
        traffic.add(at_ms, note("ranking requested"), call, work(draw.between(30, 900)))
    service = Service(name="cache", host="cache.shop.internal:6379")
    routes = (route("GET", "/ranking", "ranking-fn"),)
    return Incident(setup=setup(one, routes=routes), calls=merged(traffic), services=(service,))
