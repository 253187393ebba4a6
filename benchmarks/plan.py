"""What happens in a reference set: every request with its times, its ids and the cause of its failure.

The plan is a pure function of the size: requests come in blocks of one stretch of time each, and every block has a
random generator of its own, so that any process can make any block again and all agree.

>>> shape = shape_of(0.01)
>>> shape.requests, shape.slices, shape.epochs
(1600, 2, 2)
>>> plan_block(shape, 0)[0].id == plan_block(shape, 0)[0].id
True
"""

import random
from bisect import bisect
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from itertools import accumulate

#: Part of every cache folder: a change of the plan or of the lines makes new sets.
GENERATOR_VERSION = 2
SIZES_GB = (0.01, 0.1, 1.0, 4.0, 10.0)

API, STAGE, REGION, ACCOUNT = "a1b2c3d4e5", "prod", "us-east-1", "123456789012"
START_MS = int(datetime(2026, 3, 1, 10, tzinfo=UTC).timestamp() * 1000)
_HOUR_MS = 3_600_000
BIN_MS = 300_000
#: No request is under way for longer than this.
TAIL_MS = 70_000
DEFAULT_LIMIT_MS = 29_000
_REQUESTS_PER_GB = 160_000
_BLOCK_REQUESTS = 1_000


@dataclass(frozen=True, slots=True)
class Route:
    """One method of the API and what is behind it."""

    method: str
    path: str
    backend: str
    work_ms: tuple[int, int]
    call: str = ""
    limit_ms: int = DEFAULT_LIMIT_MS
    function_timeout_ms: int = 31_000
    memory_mb: int = 512
    authorizer: bool = False
    is_lambda: bool = True


ROUTES = (
    Route("GET", "/orders/{id}", "orders-fn", (40, 140), "DynamoDB GetItem table=orders", authorizer=True),
    Route("POST", "/orders", "orders-create-fn", (60, 220), "DynamoDB PutItem table=orders", authorizer=True),
    Route("GET", "/customers/{id}", "customers-fn", (30, 120), "DynamoDB GetItem table=customers"),
    Route("GET", "/search", "search-fn", (150, 900), "search index: GET /products/_search", memory_mb=1024),
    Route("POST", "/payments", "payments-fn", (200, 900), "POST https://psp.example.com/v1/charge", authorizer=True),
    Route("GET", "/quote", "quote-fn", (1_500, 4_500), limit_ms=6_500, function_timeout_ms=20_000),
    Route("POST", "/render", "render-fn", (800, 3_000), memory_mb=2048),
    Route("POST", "/reports", "reports-fn", (900, 6_000), function_timeout_ms=10_000),
    Route("GET", "/exports/{id}", "exports-fn", (400, 6_000), function_timeout_ms=60_000),
    Route("GET", "/catalog", "catalog.internal.example.com", (20, 150), is_lambda=False),
    Route("GET", "/partners/{id}", "partners.example.net", (50, 400), is_lambda=False),
    Route("POST", "/inventory", "inventory.internal.example.com", (30, 200), is_lambda=False),
)
_LAMBDA = tuple(number for number, route in enumerate(ROUTES) if route.is_lambda)
_HTTP = tuple(number for number, route in enumerate(ROUTES) if not route.is_lambda)
_CALLING = tuple(number for number, route in enumerate(ROUTES) if route.call)
_AUTHORIZED = tuple(number for number, route in enumerate(ROUTES) if route.authorizer)
_QUOTE, _RENDER, _REPORTS, _EXPORTS, _PARTNERS, _INVENTORY = 5, 6, 7, 8, 10, 11
_ALL = tuple(range(len(ROUTES)))


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a request ends: its share of all, where it happens, its status, and the cause that the logs support."""

    name: str
    per_mille: float
    routes: tuple[int, ...]
    status: int
    cause: str | None = None
    error: str = ""
    error_type: str = ""
    #: the integration was called; it answered (the gateway did not cut or lose it); the function ran
    called: bool = True
    answered: bool = True
    near_limit: bool = False

    @property
    def failed(self) -> bool:
        """A 5xx."""
        return self.status >= 500

    @property
    def cut(self) -> bool:
        """The gateway's integration timeout fired."""
        return self.error_type == "INTEGRATION_TIMEOUT"


_TIMED_OUT = ("Endpoint request timed out", "INTEGRATION_TIMEOUT")
_FAILED = ("Internal server error", "INTEGRATION_FAILURE")
OUTCOMES = (
    Outcome("stalled", 4.5, _CALLING, 504, "stalled-call", *_TIMED_OUT, answered=False),
    Outcome("slower", 3.5, (_EXPORTS,), 504, "backend-slower-than-limit", *_TIMED_OUT, answered=False),
    Outcome("too-low", 3.0, (_QUOTE,), 504, "integration-timeout-too-low", *_TIMED_OUT, answered=False),
    Outcome("cold", 1.5, (_RENDER,), 504, "cold-start", *_TIMED_OUT, answered=False),
    # No log of the HTTP backend is in the set: a timeout for sure, its cause not decidable.
    Outcome("http-slower", 1.5, (_INVENTORY,), 504, "undetermined", *_TIMED_OUT, answered=False),
    Outcome(
        "network", 1.0, (_PARTNERS,), 504, "endpoint-unreachable",
        "Network error communicating with endpoint", "INTEGRATION_FAILURE", answered=False,
    ),
    Outcome("killed", 2.0, (_REPORTS,), 502, "function-timeout", *_FAILED),
    Outcome("malformed", 1.0, _LAMBDA, 502, "application-error", *_FAILED),
    Outcome("throttled", 2.0, _CALLING, 500, "function-throttled", *_FAILED),
    Outcome("near-limit", 1.0, (_RENDER,), 200, "backend-slower-than-limit", near_limit=True),
    Outcome("slow", 25.0, (*_CALLING, _EXPORTS), 200),
    Outcome("slow-authorizer", 3.0, _AUTHORIZED, 200),
    Outcome("limited", 5.0, _ALL, 429, None, "Too Many Requests", "THROTTLED", called=False),
    Outcome("unauthorized", 5.0, _AUTHORIZED, 401, None, "Unauthorized", "UNAUTHORIZED", called=False),
    Outcome("not-found", 10.0, _ALL, 404),
)  # fmt: skip
FINE = Outcome("fine", 0.0, _ALL, 200)
_CUMULATED = [share / 1000.0 for share in accumulate(outcome.per_mille for outcome in OUTCOMES)]


@dataclass(slots=True)
class Request:
    """One request; times in epoch milliseconds."""

    route: Route
    outcome: Outcome
    id: str
    lambda_id: str
    trace: str
    #: random bits to choose texts, addresses and names from
    dice: int
    arrived: int
    admitted: int
    sent: int
    begun: int
    work_ms: float
    init_ms: float
    ended: int
    done: int

    @property
    def integration_ms(self) -> int:
        """What the gateway waited for the integration."""
        return self.done - self.sent

    @property
    def invoked(self) -> bool:
        """A function ran."""
        return self.route.is_lambda and self.outcome.called and self.outcome.name != "throttled"


@dataclass(frozen=True, slots=True)
class Shape:
    """How a set of one size is divided: execution files, epochs of Lambda environments, blocks of requests."""

    size_gb: float
    window_ms: int
    requests: int
    slices: int
    epochs: int
    blocks: int

    @property
    def block_ms(self) -> float:
        """The stretch of time of one block."""
        return self.window_ms / self.blocks

    def starts(self, block: int) -> int:
        """When a block begins."""
        return START_MS + round(block * self.block_ms)

    def tail_blocks(self) -> int:
        """So many blocks before some moment can hold requests that are still under way then."""
        return int(TAIL_MS / self.block_ms) + 1


def shape_of(size_gb: float) -> Shape:
    """The shape of the set of this size: six hours of one API, only the smallest is an hour."""
    requests = round(size_gb * _REQUESTS_PER_GB)
    slices = max(2, round(8 * size_gb)) if size_gb != 0.1 else 4
    epochs = 2 if size_gb < 0.05 else 4 if size_gb < 0.5 else 8
    per_slice = max(1, round(requests / slices / _BLOCK_REQUESTS))
    if slices % epochs:
        raise ValueError("execution files must divide into epochs")
    return Shape(size_gb, _HOUR_MS if size_gb < 0.05 else 6 * _HOUR_MS, requests, slices, epochs, slices * per_slice)


def plan_block(shape: Shape, block: int) -> list[Request]:
    """The requests of one block in the order of their arrival."""
    rng = random.Random(f"{GENERATOR_VERSION}:{shape.requests}:{block}")
    first, last = shape.requests * block // shape.blocks, shape.requests * (block + 1) // shape.blocks
    start = shape.starts(block)
    arrivals = sorted(start + int(rng.random() * shape.block_ms) for _ in range(first, last))
    return [_request(rng, arrived) for arrived in arrivals]


def plan(shape: Shape, first_block: int, last_block: int) -> Iterator[Request]:
    """The requests of several blocks."""
    for block in range(max(first_block, 0), last_block):
        yield from plan_block(shape, block)


def _request(rng: random.Random, arrived: int) -> Request:
    share = rng.random()
    outcome = OUTCOMES[bisect(_CUMULATED, share)] if share < _CUMULATED[-1] else FINE
    route = ROUTES[outcome.routes[int(rng.random() * len(outcome.routes))]]
    bits = rng.getrandbits(512)
    admitted = arrived + (_authorizer_ms(rng, outcome) if route.authorizer else 0)
    sent = admitted + 6 + (bits & 7)
    init_ms = _between(rng, 3_050, 4_500) if outcome.name == "cold" else 0.0
    work_ms = _work_ms(rng, route, outcome)
    begun = sent + 8 + (bits >> 3 & 15) + round(init_ms)
    ended = begun + round(work_ms)
    return Request(
        route=route,
        outcome=outcome,
        id=_uuid(bits),
        lambda_id=_uuid(bits >> 128),
        trace=f"1-{arrived // 1000:08x}-{bits >> 256 & (1 << 96) - 1:024x}",
        dice=bits >> 352,
        arrived=arrived,
        admitted=admitted,
        sent=sent,
        begun=begun,
        work_ms=work_ms,
        init_ms=init_ms,
        ended=ended,
        done=_done(rng, route, outcome, sent, ended),
    )


def _done(rng: random.Random, route: Route, outcome: Outcome, sent: int, ended: int) -> int:
    """When the gateway has an answer, gives up, or sees that nobody is there."""
    if outcome.cut:
        return sent + route.limit_ms + 3 + int(rng.random() * 22)
    if outcome.name in ("throttled", "network"):
        return sent + 12 + int(rng.random() * 60)
    return ended + 4 + int(rng.random() * 12)


def _authorizer_ms(rng: random.Random, outcome: Outcome) -> int:
    low, high = (1_800, 4_400) if outcome.name == "slow-authorizer" else (8, 60)
    return int(_between(rng, low, high))


#: How long the backend works where the outcome decides, in milliseconds.
_WORK_MS = {
    "slower": (30_500, 45_000),
    "too-low": (7_300, 9_800),
    "cold": (26_300, 28_200),
    "near-limit": (24_500, 28_000),
    "http-slower": (30_500, 45_000),
    "slow": (3_000, 15_000),
    "malformed": (30, 300),
}


def _work_ms(rng: random.Random, route: Route, outcome: Outcome) -> float:
    if outcome.name in ("stalled", "killed"):
        return float(route.function_timeout_ms)
    return _between(rng, *_WORK_MS.get(outcome.name, route.work_ms))


def _between(rng: random.Random, low: int, high: int) -> float:
    return round(low + rng.random() * (high - low), 2)


def _uuid(bits: int) -> str:
    text = f"{bits & (1 << 128) - 1:032x}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"


@cache
def _second(epoch_s: int) -> str:
    return datetime.fromtimestamp(epoch_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.")


def iso(at_ms: int) -> str:
    """Epoch milliseconds as a CloudWatch export writes them.

    >>> iso(START_MS + 250)
    '2026-03-01T10:00:00.250Z'
    """
    return f"{_second(at_ms // 1000)}{at_ms % 1000:03d}Z"
