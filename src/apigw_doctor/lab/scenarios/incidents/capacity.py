"""Too little of something: memory, concurrency; and extensions that hold environments."""

from apigw_doctor.lab.scenarios.course import Part
from apigw_doctor.lab.scenarios.incident import Draw, Incident, Service, scenario
from apigw_doctor.lab.scenarios.kit import NEVER, dependency, function, lambda_clocks, route, setup, work
from apigw_doctor.lab.scenarios.traffic import Traffic, merged, note, some
from apigw_doctor.model.terms import Layer


@scenario(
    "resource-starved",
    "Large images fill the function's memory, and the work that takes 3 s otherwise takes half a minute.",
    ("resource-starved",),
)
def resource_starved(draw: Draw) -> Incident:
    """Max Memory Used comes up to Memory Size; small images are fast."""
    one = function("thumbnails-fn", timeout_ms=60_000.0, memory_mb=128)
    traffic = Traffic(draw, one, lambda_clocks(one), "POST", "/thumbnails")
    large = some(draw, 0.06)
    for number, at_ms in enumerate(draw.times(draw.requests, 540_000.0)):
        big = number in large
        pixels = f"{draw.chance.randrange(60, 90)} megapixels" if big else f"{draw.chance.randrange(1, 9)} megapixels"
        decode = note(f"decoding image, {pixels}")
        fill = Part(layer=Layer.FUNCTION, name="memory", ms=0.0, step={"do": "fill", "until_mb": 124})
        ms = draw.between(31_500, 45_000) if big else draw.between(250, 2_800)
        scale = work(ms, cause="resource-starved" if big else None, normal_ms=3_000.0, pages=ms / 4 if big else 0.0)
        # Max Memory Used is the environment's peak, so small images that come later have it in their REPORT, too.
        traffic.add(at_ms, decode, *((fill,) if big else ()), scale, body='{"key": "img.jpg"}')
    routes = (route("POST", "/thumbnails", "thumbnails-fn"),)
    return Incident(setup=setup(one, routes=routes), calls=merged(traffic))


@scenario(
    "function-throttled",
    "A rush of requests meets a reserved concurrency of 3; Lambda refuses the rest.",
    ("function-throttled",),
)
def function_throttled(draw: Draw) -> Incident:
    """Refusals come at once and say 500; nothing was slow."""
    one = function("tickets-fn", reserved_concurrency=3)
    traffic = Traffic(draw, one, lambda_clocks(one), "POST", "/tickets")
    rush = min(max(round(draw.requests * 0.12), 5), 12)
    at = draw.between(150_000, 300_000)
    moments = [(ms, False) for ms in draw.times(max(draw.requests - rush, 0), 480_000.0)]
    moments += [(at + ms, True) for ms in draw.times(rush, 1_500.0, gap_ms=200.0)]
    for at_ms, rushed in sorted(moments):
        own = work(
            draw.between(2_600, 4_800) if rushed else draw.between(60, 900), say="reserving a seat", done="reserved"
        )
        traffic.add(at_ms, own, body='{"event": 41}')
    routes = (route("POST", "/tickets", "tickets-fn"),)
    return Incident(setup=setup(one, routes=routes), calls=merged(traffic))


@scenario(
    "throttled-after-stall",
    "Calls that stall keep environments busy until nothing is left of the reserved concurrency.",
    ("stalled-call", "function-throttled"),
)
def throttled_after_stall(draw: Draw) -> Incident:
    """First timeouts, then refusals of requests that would have been fast."""
    one = function("profiles-fn", reserved_concurrency=4)
    traffic = Traffic(draw, one, lambda_clocks(one), "GET", "/profiles")
    stalled, later = 4, min(max(round(draw.requests * 0.08), 3), 10)
    at = draw.between(150_000, 280_000)
    calm = draw.times(max(draw.requests - stalled - later, 0), 480_000.0)
    moments = [(ms, False) for ms in calm if not at - 2_000 < ms < at + 34_000]
    moments += [(ms + 40_000.0, False) for ms in calm if at - 2_000 < ms < at + 34_000]
    moments += [(at + ms, True) for ms in draw.times(stalled, 3_000.0, gap_ms=300.0)]
    moments += [(at + 4_000.0 + ms, False) for ms in draw.times(later, 20_000.0, gap_ms=300.0)]
    words = "Making POST request to https://identity.example.com/v1/introspect"
    for number, (at_ms, stalls) in enumerate(sorted(moments)):
        if stalls:
            call = dependency("identity", words, NEVER, cause="stalled-call", normal_ms=60.0)
        else:
            call = dependency("identity", words, draw.between(25, 400), done="Got 200 response from introspect")
        # The function logs the gateway's request id, or nobody could tell which of the stalled runs was whose.
        traffic.add(at_ms, call, path=f"/profiles/{number}", plan={"log_request_id": True})
    service = Service(name="identity", host="identity.example.com")
    routes = (route("GET", "/profiles/{id}", "profiles-fn"),)
    return Incident(setup=setup(one, routes=routes), calls=merged(traffic), services=(service,))


@scenario(
    "extension-overhead",
    "A telemetry extension works on for seconds after every answer: clients do not feel it, the concurrency does.",
    ("function-throttled",),
)
def extension_overhead(draw: Draw) -> Incident:
    """Durations beyond the gateway's limit, and a kill at F, with a 200 at the gateway; then refusals in a rush."""
    one = function("feeds-fn", log_form="json", reserved_concurrency=4, extension_ms=4_200.0)
    traffic = Traffic(draw, one, lambda_clocks(one), "GET", "/feeds", init=(800, 1_400))
    long = some(draw, 0.05)
    rush = min(max(round(draw.requests * 0.12), 6), 10)
    at = draw.between(150_000, 300_000)
    calm = draw.times(max(draw.requests - rush, 1), 500_000.0)
    moments = [(ms, "long" if number in long else "calm") for number, ms in enumerate(calm)]
    moments += [(at + ms, "rush") for ms in draw.times(rush, 3_600.0, gap_ms=300.0)]
    for at_ms, kind in sorted(moments):
        own_ms = draw.between(25_600, 28_200) if kind == "long" else draw.between(90, 900)
        traffic.add(at_ms, note("feed requested"), work(own_ms, say="rendering feed", done="feed rendered"))
    routes = (route("GET", "/feeds", "feeds-fn"),)
    return Incident(setup=setup(one, routes=routes), calls=merged(traffic))
