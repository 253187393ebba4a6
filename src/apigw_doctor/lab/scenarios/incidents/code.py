"""What the function's own code does wrong."""

from apigw_doctor.lab.scenarios.course import Ending, Part
from apigw_doctor.lab.scenarios.incident import Draw, Incident, Service, scenario
from apigw_doctor.lab.scenarios.kit import NEVER, dependency, function, lambda_clocks, route, setup, work
from apigw_doctor.lab.scenarios.traffic import Traffic, merged, note, some
from apigw_doctor.model.terms import Layer

_WRONG = Ending(cause="application-error", layer=Layer.FUNCTION)


@scenario("function-hung", "Some invoices send the renderer round in circles; nothing says why.", ("function-hung",))
def function_hung(draw: Draw) -> Incident:
    """F lies far above L: cut by the gateway, killed half a minute later, and no call is in sight."""
    one = function("invoices-fn", timeout_ms=60_000.0)
    traffic = Traffic(draw, one, lambda_clocks(one), "GET", "/invoices")
    hangs = some(draw, 0.05)
    for number, at_ms in enumerate(draw.times(draw.requests, 480_000.0)):
        rows = note(f"invoice {number}: {draw.chance.randrange(3, 60)} rows")
        if number in hangs:
            own = work(NEVER, cause="function-hung", normal_ms=800.0)
        else:
            own = work(draw.between(150, 5_200), done="invoice rendered")
        traffic.add(at_ms, rows, own, path=f"/invoices/{number}")
    routes = (route("GET", "/invoices/{id}", "invoices-fn"),)
    return Incident(setup=setup(one, routes=routes), calls=merged(traffic))


@scenario(
    "event-loop-not-drained",
    "A Node function logs its result and then waits for a socket that nobody closes, on every request.",
    ("event-loop-not-drained",),
)
def event_loop_not_drained(draw: Draw) -> Incident:
    """Killed after Serverless' default of 6 s; the other function of the API is well."""
    share = function("share-fn", timeout_ms=6_000.0, runtime="nodejs22.x")
    feed = function("feed-fn", runtime="nodejs22.x")
    broken = Traffic(draw, share, lambda_clocks(share), "POST", "/share")
    well = Traffic(draw, feed, lambda_clocks(feed), "GET", "/feed")
    shares = some(draw, 0.08, least=3)
    for number, at_ms in enumerate(draw.times(draw.requests, 480_000.0)):
        if number in shares:
            done_ms = draw.between(60, 700)
            result = '{"statusCode":200,"body":"{\\"shared\\":true}"}'
            broken.add(
                at_ms,
                work(done_ms, say="share requested", done=f"response: {result}"),
                work(NEVER, cause="event-loop-not-drained"),
                body='{"with": "team"}',
                plan={"node": True},
            )
        else:
            own = work(draw.between(40, 2_100), say="feed requested", done='response: {"statusCode":200}')
            well.add(at_ms, own, plan={"node": True})
    routes = (route("POST", "/share", "share-fn"), route("GET", "/feed", "feed-fn"))
    return Incident(setup=setup(share, feed, routes=routes), calls=merged(broken, well))


@scenario(
    "application-error",
    "Exceptions, the application's own 500 and 503, and a process that ends: failures, but no timeouts.",
    ("application-error",),
)
def application_error(draw: Draw) -> Incident:
    """Beside them slow requests that succeed."""
    one = function("accounts-fn")
    traffic = Traffic(draw, one, lambda_clocks(one), "GET", "/accounts")
    wrong = {number: place % 4 for place, number in enumerate(sorted(some(draw, 0.09, least=4)))}
    for number, at_ms in enumerate(draw.times(draw.requests, 480_000.0)):
        kind = wrong.get(number)
        slow = draw.chance.random() < 0.05
        own = work(draw.between(9_000, 21_000) if slow and kind is None else draw.between(30, 900), say="account read")
        path = f"/accounts/{number}"
        if kind is None:
            traffic.add(at_ms, own, path=path)
        elif kind == 0:
            traffic.add(at_ms, own, _step("fail", type="KeyError", text="balance"), ending=_WRONG, path=path)
        elif kind == 1:
            body = {"error": "account store is read-only"}
            traffic.add(at_ms, own, ending=_WRONG, path=path, plan={"status": 500, "body": body})
        elif kind == 2:
            traffic.add(at_ms, own, _step("leave", status=137), ending=_WRONG, exits=True, path=path)
        else:
            text = "ledger answered 422: currency missing"
            traffic.add(at_ms, own, _step("fail", type="RuntimeError", text=text), ending=_WRONG, path=path)
    routes = (route("GET", "/accounts/{id}", "accounts-fn"),)
    return Incident(setup=setup(one, routes=routes), calls=merged(traffic))


@scenario(
    "own-503",
    "The application waits 5 s for a third party and then answers 503 itself.",
    ("application-error",),
)
def own_503(draw: Draw) -> Incident:
    """No timer of the gateway or of Lambda is near; the 503 is the function's answer."""
    one = function("datasets-fn")
    traffic = Traffic(draw, one, lambda_clocks(one), "GET", "/datasets", init=(600, 1_100))
    wrong = some(draw, 0.06)
    words = "GET https://data.example.org/api/v1/datasets"
    for number, at_ms in enumerate(draw.times(draw.requests, 480_000.0)):
        if number in wrong:
            given_up = dependency(
                "data", words, 5_000.0, done="", failed="No response from https://data.example.org within 5 seconds",
                timeout_s=5.0, sent_ms=1e8, swallow=True,
            )  # fmt: skip
            body = {
                "Code": "ServiceUnavailable",
                "Message": "No response from https://data.example.org within 5 seconds",
            }
            traffic.add(at_ms, given_up, ending=_WRONG, plan={"status": 503, "body": body})
        else:
            traffic.add(at_ms, dependency("data", words, draw.between(90, 4_300)))
    service = Service(name="data", host="data.example.org")
    routes = (route("GET", "/datasets", "datasets-fn"),)
    return Incident(setup=setup(one, routes=routes), calls=merged(traffic), services=(service,))


@scenario(
    "malformed-response", "One branch of the code returns a list instead of a proxy response.", ("application-error",)
)
def malformed_response(draw: Draw) -> Incident:
    """The function finishes well, the gateway says 502."""
    one = function("tags-fn", log_form="json")
    traffic = Traffic(draw, one, lambda_clocks(one), "GET", "/tags")
    wrong = some(draw, 0.06)
    for number, at_ms in enumerate(draw.times(draw.requests, 400_000.0)):
        bad = number in wrong
        own = work(draw.between(15, 600), say="listing tags", done="0 tags" if bad else "14 tags")
        traffic.add(at_ms, own, ending=_WRONG if bad else None, plan={"malformed": True} if bad else {})
    routes = (route("GET", "/tags", "tags-fn"),)
    return Incident(setup=setup(one, routes=routes), calls=merged(traffic))


@scenario(
    "response-too-large",
    "A search without a filter finishes well with a body over Lambda's limit, and the client gets an error.",
    ("response-too-large",),
)
def response_too_large(draw: Draw) -> Incident:
    """Bodies of 4 and 5 MB pass."""
    one = function("export-fn", memory_mb=1024)
    traffic = Traffic(draw, one, lambda_clocks(one), "GET", "/export")
    large, near = some(draw, 0.05), some(draw, 0.04)
    for number, at_ms in enumerate(draw.times(draw.requests, 400_000.0)):
        size = draw.chance.randrange(2_000, 90_000)
        if number in large:
            size = draw.chance.randrange(6_400_000, 7_900_000)
        elif number in near:
            size = draw.chance.randrange(3_900_000, 5_400_000)
        own = work(draw.between(80, 1_900), say="export requested", done=f"{size} bytes written")
        ending = Ending(cause="response-too-large", layer=Layer.FUNCTION) if number in large else None
        traffic.add(at_ms, own, ending=ending, exits=number in large, plan={"bytes": size})
    routes = (route("GET", "/export", "export-fn"),)
    return Incident(setup=setup(one, routes=routes), calls=merged(traffic))


def _step(do: str, **step: object) -> Part:
    return Part(layer=Layer.FUNCTION, name=do, ms=0.0, step={"do": do} | step)
