"""Functions in a VPC that cannot get where they want to."""

import msgspec

from apigw_doctor.lab.network.faults import BlackHole
from apigw_doctor.lab.scenarios.course import Ending, Part
from apigw_doctor.lab.scenarios.incident import Draw, Incident, Service, scenario
from apigw_doctor.lab.scenarios.kit import dependency, function, lambda_clocks, route, setup, work
from apigw_doctor.lab.scenarios.traffic import Traffic, merged, note, some, unreachable
from apigw_doctor.model.terms import Layer


@scenario(
    "no-egress",
    "A function was moved into a VPC without a way out: every call to AWS hangs, from the first request on.",
    ("no-egress",),
)
def no_egress(draw: Draw) -> Incident:
    """The function beside it is in no VPC and is well."""
    profile = function("profile-fn", in_vpc=True)
    catalog = function("catalog-fn")
    broken = Traffic(draw, profile, lambda_clocks(profile), "GET", "/profile", init=(400, 700))
    well = Traffic(draw, catalog, lambda_clocks(catalog), "GET", "/catalog")
    hangs = some(draw, 0.08, least=3)
    words = "Calling DynamoDB GetItem https://dynamodb.eu-west-1.amazonaws.com/ table profiles"
    for number, at_ms in enumerate(draw.times(draw.requests, 480_000.0)):
        if number in hangs:
            broken.add(at_ms, note("profile requested"), unreachable("dynamodb", words, cause="no-egress"))
        else:
            call = dependency("offers", "GET https://offers.example.com/v1/all", draw.between(30, 2_600))
            well.add(at_ms, call)
    routes = (route("GET", "/profile", "profile-fn"), route("GET", "/catalog", "catalog-fn"))
    services = (
        Service(name="dynamodb", host="dynamodb.eu-west-1.amazonaws.com", faults=(BlackHole(),)),
        Service(name="offers", host="offers.example.com"),
    )
    return Incident(setup=setup(profile, catalog, routes=routes), calls=merged(broken, well), services=services)


@scenario(
    "blocked-target",
    "A security group lets the function read secrets and talk to its cache, but not connect to its database.",
    ("blocked-target",),
)
def blocked_target(draw: Draw) -> Incident:
    """Only what needs the database hangs; everything else of the same function answers."""
    one = function("members-fn", in_vpc=True, log_form="text-old")
    traffic = Traffic(draw, one, lambda_clocks(one), "GET", "/members", init=(500, 900))
    blocked = some(draw, 0.08, least=3)
    reading = "GET https://secretsmanager.eu-west-1.amazonaws.com/ members-db"
    connect = "Connecting to members-db.cluster-c9x1.eu-west-1.rds.amazonaws.com:5432"
    for number, at_ms in enumerate(draw.times(draw.requests, 480_000.0)):
        if number in blocked:
            traffic.add(
                at_ms,
                dependency("secrets", reading, draw.between(20, 90)),
                unreachable("database", connect, cause="blocked-target"),
                path="/members/all",
            )
        else:
            call = dependency("cache", "GET http://cache.shop.internal/members/recent", draw.between(2, 60))
            traffic.add(at_ms, call, work(draw.between(10, 800)), path="/members/recent")
    routes = (route("GET", "/members/all", "members-fn"), route("GET", "/members/recent", "members-fn"))
    database = "members-db.cluster-c9x1.eu-west-1.rds.amazonaws.com"
    services = (
        Service(name="secrets", host="secretsmanager.eu-west-1.amazonaws.com"),
        Service(name="database", host=database, faults=(BlackHole(),)),
        Service(name="cache", host="cache.shop.internal"),
    )
    return Incident(setup=setup(one, routes=routes), calls=merged(traffic), services=services)


@scenario(
    "blocked-target-retried",
    "Connecting to a database behind a closed security group is given up after 10 s and tried again, four times.",
    ("blocked-target",),
)
def blocked_target_retried(draw: Draw) -> Incident:
    """Looks like a client's retries of a slow service, but no connection was ever made."""
    one = function("ledger-fn", in_vpc=True, timeout_ms=60_000.0)
    traffic = Traffic(draw, one, lambda_clocks(one), "GET", "/ledger", init=(500, 900))
    blocked = some(draw, 0.08, least=3)
    connect = "connecting to 10.20.3.14:5432"
    failed = "connection attempt {attempt} of {attempts} to 10.20.3.14:5432 failed: {failure}"
    for number, at_ms in enumerate(draw.times(draw.requests, 480_000.0)):
        if number in blocked:
            part = dependency(
                "database", connect, 40_000.0, cause="blocked-target", normal_ms=30.0, done="",
                failed=failed, attempts=4, timeout_s=10.0,
            )  # fmt: skip
            traffic.add(at_ms, msgspec.structs.replace(part, layer=Layer.NETWORK), path="/ledger/entries")
        else:
            call = dependency("cache", "GET http://cache.shop.internal/ledger/balance", draw.between(2, 60))
            traffic.add(at_ms, call, work(draw.between(10, 1_400)), path="/ledger/balance")
    routes = (route("GET", "/ledger/entries", "ledger-fn"), route("GET", "/ledger/balance", "ledger-fn"))
    services = (
        Service(name="database", host="10.20.3.14:5432", faults=(BlackHole(),)),
        Service(name="cache", host="cache.shop.internal"),
    )
    return Incident(setup=setup(one, routes=routes), calls=merged(traffic), services=services)


@scenario(
    "dns-stall",
    "The resolver is cut off now and then: names do not resolve, and retries use up the time.",
    ("dns-stall",),
)
def dns_stall(draw: Draw) -> Incident:
    """Some look-ups are tried until the gateway gives up, some fail at once as an error of the function."""
    one = function("shipping-fn", in_vpc=True, timeout_ms=60_000.0, log_form="json")
    traffic = Traffic(draw, one, lambda_clocks(one), "POST", "/shipments", init=(400, 800))
    host = "carrier.example.com"
    words = f"POST https://{host}/v3/labels"
    failing = {number: place % 3 for place, number in enumerate(sorted(some(draw, 0.07, least=3)))}
    for number, at_ms in enumerate(draw.times(draw.requests, 480_000.0)):
        kind = failing.get(number)
        if kind is None:
            call, ending = dependency("carrier", words, draw.between(90, 2_900)), None
        elif kind < 2:
            call, ending = _lookup(host, words, draw.between(36_000, 44_000), attempts=4), None
        else:
            ending = Ending(cause="dns-stall", layer=Layer.NETWORK)
            call = _lookup(host, words, draw.between(4_900, 5_200), attempts=1)
        traffic.add(at_ms, note("label requested"), call, ending=ending, body='{"parcel": 6612}')
    service = Service(name="carrier", host=host)
    routes = (route("POST", "/shipments", "shipping-fn"),)
    return Incident(setup=setup(one, routes=routes), calls=merged(traffic), services=(service,))


def _lookup(host: str, words: str, ms: float, attempts: int) -> Part:
    step: dict[str, object] = {"do": "dns", "host": host, "ms": ms, "attempts": attempts, "say": words}
    return Part(layer=Layer.NETWORK, name=f"look-up of {host}", ms=ms, cause="dns-stall", normal_ms=5.0, step=step)
