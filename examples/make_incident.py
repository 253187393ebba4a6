"""Writes `checkout-incident/`: half an hour of the REST API `shop` in which several things went wrong at once.

Everything follows from one fixed schedule, to the millisecond, so the same bytes come out every time. The answers
(`truth.jsonl`) are written from the schedule too and share no code with the tool. Optional argument: the folder.
"""

import json
import math
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from string import Template

API, STAGE, REGION = "a1b2c3d4e5", "prod", "eu-west-1"
ARN = f"arn:aws:lambda:{REGION}:123456789012:function"
START = datetime(2026, 3, 10, 10, 0, tzinfo=UTC).timestamp() * 1000.0
Lines = Iterator[tuple[float, str]]
# How a request ends: status, responseType, message, the execution log's words; then the truth: cause, boundary, layer.
CUT = (504, "INTEGRATION_TIMEOUT", "Endpoint request timed out", "Execution failed due to a timeout error")
RAISED = "Lambda execution failed with status 200 due to customer function error: $error. Lambda request id: $lambda_id"
FAILED, NETWORK = ("INTEGRATION_FAILURE", "Internal server error"), "Network error communicating with endpoint"
ENDINGS: dict[str, tuple[int, str, str, str, tuple[str, str, str] | None]] = {
    "ok": (200, "", "", "", None),
    "stalled": (*CUT, ("stalled-call", "integration-timeout", "dependency")),
    "cold": (*CUT, ("cold-start", "integration-timeout", "init")),
    "too-low": (*CUT, ("integration-timeout-too-low", "integration-timeout", "gateway")),
    "no-log": (*CUT, ("undetermined", "integration-timeout", "unknown")),
    "killed": (502, *FAILED, RAISED, ("function-timeout", "function-timeout", "function")),
    "raised": (502, *FAILED, RAISED, ("application-error", "none", "function")),
    "throttled": (500, *FAILED, "Execution failed due to configuration error: Rate Exceeded.", ("function-throttled", "none", "capacity")),
    "own-503": (503, "", "", "", ("application-error", "none", "function")),
    "network": (504, FAILED[0], NETWORK, f"Execution failed due to a {NETWORK.lower()}: Connection is closed", ("endpoint-unreachable", "none", "network")),
    "denied": (403, "ACCESS_DENIED", "User is not authorized to access this resource", "", None),
    "unknown": (404, "RESOURCE_NOT_FOUND", "Not Found", "", None),
    "limited": (429, "THROTTLED", "Too Many Requests", f"Key throttle limit exceeded for RestApi {API}, Stage {STAGE}, Resource x1, HttpMethod GET. Limit: 10.00 Burst: 20", None),
}  # fmt: skip
# The execution log at INFO with data trace; each line behind its moment, an attribute of Request.
AUTH = "arrived+1 Starting authorizer: 4hugyv for request: $id\nadmitted Successfully completed authorizer execution\n"
USAGE = f"admitted+1 Verifying Usage Plan for request: $id. API Key:  API Stage: {API}/{STAGE}\n"
CALL = f"""\
admitted+2 API Key  authorized because method '$method $route' does not require API Key. Request will not contribute to throttle or quota limits
admitted+2 Usage Plan check succeeded for API Key  and API Stage {API}/{STAGE}
admitted+2 Starting execution for request: $id
admitted+2 HTTP Method: $method, Resource Path: $route
admitted+2 Method request query string: {{basket=$client}}
admitted+2 Method request headers: {{Accept=*/*, Authorization=*****, Host=shop.example.com, X-Amzn-Trace-Id=Root=$trace, X-Forwarded-For=203.0.113.$client}}
admitted+3 Method request body before transformations: $body
admitted+3 Endpoint request URI: $uri
admitted+3 Endpoint request headers: {{x-amzn-lambda-integration-tag=$id, User-Agent=AmazonAPIGateway_{API} [TRUNCATED]
sent Sending request to $uri
"""
ANSWER = """\
done Received response. Status: 200, Integration latency: $integration_ms ms
done Endpoint response headers: {Content-Type=application/json, x-amzn-RequestId=$lambda_id, ${unhandled}X-Amz-Executed-Version=$version, X-Amzn-Trace-Id=root=$trace;sampled=1}
done Endpoint response body before transformations: $answer
"""
THROTTLED = """\
done Received response. Status: 429, Integration latency: $integration_ms ms
done Endpoint response body before transformations: {"Reason":"ReservedFunctionConcurrentInvocationLimitExceeded","Type":"User","message":"Rate Exceeded."}
done Lambda invocation failed with status: 429. Lambda request id: $lambda_id
"""
# Bodies over several lines that only talk about failures.
NOTE = '{\n  "note": "the old log said Method completed with status: 500",\n  "qty": 1\n}'
HISTORY = '{\n  "statusCode": %d,\n  "history": [\n    "Execution failed due to a timeout error",\n    "Method completed with status: 500" [TRUNCATED]'

# The JSON system events of search-fn; only a cold start has the first two.
EVENTS = """\
begun {"time": "$begun_iso", "type": "platform.initStart", "record": {"initializationType": "on-demand", "phase": "init"}}
started {"time": "$started_iso", "type": "platform.initReport", "record": {"initializationType": "on-demand", "phase": "init", "status": "success", "metrics": {"durationMs": $init_ms.0}}}
started {"time": "$started_iso", "type": "platform.start", "record": {"requestId": "$lambda_id", "version": "$version"}}
ended {"time": "$ended_iso", "type": "platform.runtimeDone", "record": {"requestId": "$lambda_id", "status": "success", "metrics": {"durationMs": $work_ms.0}}}
ended {"time": "$ended_iso", "type": "platform.report", "record": {"requestId": "$lambda_id", "status": "success", "metrics": {"durationMs": $work_ms.0, "billedDurationMs": $billed_ms, "initDurationMs": $init_ms.0, "memorySizeMB": 1024, "maxMemoryUsedMB": 402}, "tracing": {"type": "X-Amzn-Trace-Id", "value": "Root=$trace;Sampled=1"}}}
"""
# The stage's access log format. $context.error.messageString brings quotes of its own: the failed rows are no JSON.
FORMAT = '{"requestId": "$id", "extendedRequestId": "$extended", "requestTimeEpoch": "$epoch", "apiId": "$api", "stage": "$stage", "httpMethod": "$method", "resourcePath": "$route", "status": "$status", "responseLatency": "$latency", "authorizer_latency": "$authorizer", "integration_latency": "$integration", "integration_requestId": "$called_id", "integration_status": "$own_status", "integration_integrationStatus": "$lambda_status", "error_responseType": "$error_type", "error_messageString": "$quoted", "xrayTraceId": "Root=$trace", "sourceIp": "203.0.113.$client"}'


def iso(at: float) -> str:
    """Epoch milliseconds as CloudWatch exports write them."""
    return datetime.fromtimestamp(at / 1000.0, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def digest(*words: object) -> str:
    """32 hex digits that look random and are always the same."""
    return sha256(":".join(map(str, words)).encode()).hexdigest()[:32]


def uuid(*words: object) -> str:
    """A version 4 UUID made from `words`."""
    return f"{(d := digest(*words))[:8]}-{d[8:12]}-4{d[13:16]}-a{d[17:20]}-{d[20:32]}"


@dataclass(kw_only=True)
class Request:
    """One request of the schedule; `at` in milliseconds after 10:00:00."""

    at: int
    route: str
    work_ms: int = 0  # how long the backend works (REPORT Duration), or until Lambda kills it
    init_ms: int = 0  # a cold start, on the clock of this request
    prewarmed_ms: int = 0  # an init minutes before, by provisioned concurrency: costs this request nothing
    authorizer_ms: int = 0
    method: str = "GET"
    end: str = "ok"
    limit_ms: int = 29_000
    lines: tuple[tuple[int, str], ...] = ()  # what the function logs, after its START
    client: int = 0  # who asks: a retry has the client and the order of the failed request

    def __post_init__(self) -> None:
        """What follows from the rest, first of all the times."""
        self.function = f"{self.route.split('/')[1]}-fn"
        self.status, self.error_type, self.message, self.text, self.truth = ENDINGS[self.end]
        self.stream, self.called = "", self.end not in ("denied", "unknown", "limited")
        self.killed, self.cut = self.end in ("stalled", "killed"), self.error_type == CUT[1]
        self.answered = self.called and not self.cut and self.end != "network"
        self.logged = self.called and self.end not in ("throttled", "network", "no-log")
        self.arrived, self.admitted = START + self.at, START + self.at + self.authorizer_ms
        self.sent = self.admitted + 4  # the gateway calls the integration ...
        self.begun = self.sent + 10 + (self.function == "search-fn")  # ... Lambda has the event ...
        self.started, self.billed_ms = self.begun + self.init_ms, self.init_ms + self.work_ms
        self.ended = self.begun + self.billed_ms  # ... END of the invocation ...
        known = {"throttled": 18, "network": 41}.get(self.end, self.billed_ms + 21)
        self.integration_ms = self.limit_ms + 7 if self.cut else known  # ... and the answer, or the cut
        self.done = self.sent + self.integration_ms if self.called else self.arrived + 2

    def name(self, number: int) -> None:
        """Ids, once the place in the order of arrival is known, and what the log texts need besides."""
        self.number, self.client = number, self.client or number % 9 + 1
        self.id, self.lambda_id = uuid("request", number), uuid("lambda", number)
        self.extended = f"{digest('extended', number)[:15].replace('0', 'A')}="
        self.trace = f"1-{int(self.arrived / 1000):08x}-{digest('trace', number)[:24]}"
        self.version, alias = ("7", ":live") if self.function == "quote-fn" else ("$LATEST", "")
        called = f"https://lambda.{REGION}.amazonaws.com/2015-03-31/functions/{ARN}:{self.function}{alias}/invocations"
        self.uri = "https://partners.internal.example.com/v2/list" if self.end == "network" else called
        self.begun_iso, self.started_iso, self.ended_iso = iso(self.begun), iso(self.started), iso(self.ended)
        self.events = EVENTS if self.init_ms else EVENTS.split("\n", 2)[2].replace('"initDurationMs": $init_ms.0, ', "")
        self.body = NOTE if number % 4 < 2 else ""
        killed = f"{iso(self.ended)} {self.lambda_id} Task timed out after {self.work_ms / 1000:.2f} seconds"
        self.error = killed if self.killed else "'tenant'"
        self.unhandled = "X-Amz-Function-Error=Unhandled, " if self.text else ""
        answer = HISTORY % self.status if number % 8 < 2 else json.dumps({"statusCode": self.status, "body": "..."})
        self.answer = json.dumps({"errorMessage": self.error}) if self.text else answer


def schedule() -> list[Request]:
    """All requests by arrival, each given to a free environment of its function."""
    requests = sorted([*healthy(), *failing()], key=lambda request: request.at)
    busy: dict[str, dict[int, float]] = {}  # until when, per environment; those of before 10:00 are warm
    for number, r in enumerate(requests):
        r.name(number)
        if r.logged:
            pool = busy.setdefault(r.function, {})
            free = [] if r.init_ms else [n for n, until in pool.items() if until <= r.begun]
            place = max(free, key=pool.__getitem__, default=len(pool))  # the one used last
            pool[place] = math.inf if r.killed else r.ended
            r.stream = f"[{r.version}]{digest('stream', r.function, place)}"
    return requests


def healthy() -> Iterator[Request]:
    """Ordinary traffic (clients 21 to 23 come back after their 504), and some that only looks suspicious."""
    for n in range(60):
        call = ((4, "DynamoDB GetItem table=orders"), (16 + n % 9, "DynamoDB GetItem table=orders -> 200"))
        again = n + 8 if 13 <= n <= 15 else 0
        yield Request(at=n * 29_000 + 700, route="/orders/{id}", work_ms=55 + n % 40, lines=call, client=again)
    for n in range(20):
        yield Request(at=n * 85_000 + 3_100, route="/search", work_ms=700 + 13 * n)
    for n in range(8):
        at, init, lines = n * 200_000 + 5_300, 0 if n else 4_120, ((460, "rates read at attempt 2"),)
        yield Request(at=at, route="/quote", work_ms=2_100 + 90 * n, prewarmed_ms=init, limit_ms=6_500, lines=lines)
    yield Request(at=200_400, route="/reports", work_ms=7_400, method="POST")
    yield Request(at=409_000, route="/search", work_ms=27_300)  # near the limit
    yield Request(at=610_000, route="/orders/{id}", work_ms=64, authorizer_ms=4_200)  # no part of the limit
    for at, end in ((62_000, "denied"), (118_000, "unknown"), (305_000, "limited"), (306_500, "limited")):
        yield Request(at=at, route="/orders/{id}", end=end)


def failing() -> Iterator[Request]:
    """The sixteen requests of `truth.jsonl`."""
    silence = ((3, "Received GET /orders"), (9, "DynamoDB GetItem table=orders"))
    pages = tuple((1_000 + 900 * n, f"page {n + 1} of 40 rendered") for n in range(10))
    crash = ((31, "[ERROR] KeyError: 'tenant'\nTraceback (most recent call last):\n  File 'app.py', line 31"),)
    rates = ((4, "Calling rates.example.com"), (5_009, "No response from rates.example.com within 5 seconds"))
    # One DynamoDB call never answers: cut at 29 s, killed at the function's own 31 s, which is two more by design.
    for n, at in enumerate((342_000, 347_500, 361_000)):
        yield Request(at=at, route="/orders/{id}", work_ms=31_000, end="stalled", lines=silence, client=21 + n)
    # A deployment at 10:07 leaves no warm environment: 3.9 s of init push 26.4 s of work over the limit.
    yield Request(at=455_000, route="/search", init_ms=3_900, work_ms=26_400, end="cold")
    yield Request(at=457_000, route="/search", init_ms=3_940, work_ms=26_400, end="cold")
    # Somebody set 6.5 s on this integration; the function needs 7.3 to 8.9 s.
    for at, work in ((500_000, 7_300), (560_500, 8_100), (745_000, 8_900)):
        yield Request(at=at, route="/quote", work_ms=work, limit_ms=6_500, end="too-low", lines=((80, "pricing"),))
    # Lambda kills reports-fn at its own 10 s; refuses orders-fn (reserved concurrency); and nobody is at /partners.
    for at in (520_000, 680_000):
        yield Request(at=at, route="/reports", method="POST", work_ms=10_000, end="killed", lines=pages)
    for at in (585_000, 585_900):
        yield Request(at=at, route="/orders/{id}", end="throttled")
    yield Request(at=640_000, route="/partners", end="network")
    # An unhandled exception, and an application that gave up on a third party after 5 s and said so itself.
    yield Request(at=702_000, route="/reports", method="POST", work_ms=38, end="raised", lines=crash)
    yield Request(at=820_000, route="/orders/{id}", work_ms=5_020, end="own-503", lines=rates)
    yield Request(at=905_000, route="/invoices", work_ms=40_000, end="no-log")  # nobody exported its log group


def fill(template: str, r: Request) -> Lines:
    """The lines of a template with their moments; an unknown `$LATEST` stays as it is."""
    for line in template.splitlines():
        moment, text = line.split(" ", 1)
        name, _, later = moment.partition("+")
        yield float(getattr(r, name)) + int(later or 0), Template(text).safe_substitute(vars(r))


def execution_lines(r: Request) -> Lines:
    """The gateway's lines of one request."""
    template = "arrived Extended Request Id: $extended\n" + (AUTH if r.authorizer_ms else "")
    template += USAGE + (CALL if r.called else "")
    template += "" if not r.answered else THROTTLED if r.end == "throttled" else ANSWER
    template += f"done {r.text or 'Successfully completed execution'}\n" if r.called or r.text else ""
    template += "done Method completed with status: $status\n"
    template += "done AWS Integration Endpoint RequestId : $lambda_id\n" if r.answered else ""
    return fill(template + ("done X-ray Tracing ID : Root=$trace\n" if r.called else ""), r)


def access_line(r: Request) -> str:
    """What the gateway makes of the format: what does not apply is `-`."""
    latency = r.authorizer_ms + 6 + (r.integration_ms if r.called else 0)
    known: dict[str, object] = {"epoch": int(r.arrived), "api": API, "stage": STAGE, "latency": latency}
    known |= {"authorizer": r.authorizer_ms, "error_type": r.error_type, "quoted": r.message and f' "{r.message}"'}
    if r.answered:
        known |= {"own_status": "" if r.text else r.status, "lambda_status": 429 if r.end == "throttled" else 200}
        known |= {"integration": r.integration_ms, "called_id": r.lambda_id}
    return Template(FORMAT).substitute(defaultdict(lambda: "-", {k: v or "-" for k, v in (vars(r) | known).items()}))


def function_lines(r: Request) -> Lines:
    """Text log of one invocation; orders-fn and quote-fn write the new format, reports-fn the old one."""
    old, before, prewarmed = r.function == "reports-fn", START - 118_000, f"Init Duration: {r.prewarmed_ms:.2f} ms\t"
    if r.prewarmed_ms:
        arn = f"arn:aws:lambda:{REGION}::runtime:{digest('runtime')}"
        yield before, f"INIT_START Runtime Version: python:3.13.v21\tRuntime Version ARN: {arn}"
        yield before + r.prewarmed_ms, f"INIT_REPORT {prewarmed}Phase: init\tStatus: success"
    yield r.begun, f"START RequestId: {r.lambda_id} Version: {r.version}"
    for at, text in ((r.begun + after, text) for after, text in r.lines):
        yield at, text if text.startswith("[ERROR]") else f"[INFO]\t{iso(at)}\t{r.lambda_id}\t{text}"
    yield r.ended, f"END RequestId: {r.lambda_id}"
    report = f"REPORT RequestId: {r.lambda_id}\tDuration: {r.work_ms:.2f} ms\tBilled Duration: {r.work_ms} ms\t"
    report += "Memory Size: 512 MB\tMax Memory Used: 131 MB\t" + (prewarmed if r.prewarmed_ms else "")
    report += "Status: timeout" if r.killed and not old else ""
    segment = f"\nXRAY TraceId: {r.trace}\tSegmentId: {digest(r.number)[:16]}\tSampled: true\t"
    yield r.ended, report + (segment if r.number % 3 and not old else "")  # without it only the time window joins
    yield from [(r.ended, r.error)] if r.killed and old else []


def truth_line(r: Request) -> str:
    """What really happened, from the schedule."""
    cause, boundary, layer = r.truth or ("", "", "")
    row = {"request_id": r.id, "status": r.status, "timed_out": boundary != "none", "boundary": boundary}
    called = {"request_id": r.lambda_id} if r.logged else None
    return json.dumps(row | {"layer": layer, "cause": cause, "invocation": called})


def save(path: Path, lines: list[tuple[float, str]], *, stamped: bool = True) -> None:
    """Lines by time, each behind its time as an S3 export writes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    texts = (f"{iso(at)} {text}\n" if stamped else f"{text}\n" for at, text in sorted(lines, key=lambda line: line[0]))
    path.write_bytes("".join(texts).encode())


def write(folder: Path) -> None:
    """All files of the incident."""
    requests = schedule()
    for half in (0, 1):
        lines = [(at, f"({r.id}) {text}") for r in requests if r.number % 2 == half for at, text in execution_lines(r)]
        save(folder / f"API-Gateway-Execution-Logs_{API}/{STAGE}/{digest('execution', half)}.log", lines)
    save(folder / "access.log", [(r.arrived, access_line(r)) for r in requests], stamped=False)
    rows: list[tuple[int, str, str]] = []
    texts: defaultdict[str, list[tuple[float, str]]] = defaultdict(list)
    for r in requests:
        if r.logged and r.function == "search-fn":
            rows += [(int(at), f"2026/03/10/{r.stream}", text) for at, text in fill(r.events, r)]
        elif r.logged:
            texts[f"aws/lambda/{r.function}/2026-03-10-{r.stream}.log"] += function_lines(r)
    for name, lines in texts.items():
        save(folder / name, lines)
    events = [
        {"logStreamName": stream, "timestamp": at, "message": text, "eventId": f"39{at}{n:041d}"}
        for n, (at, stream, text) in enumerate(sorted(rows, key=lambda row: row[0]))
    ]
    document = json.dumps({"events": events, "searchedLogStreams": []}, indent=1)
    save(folder / "aws/lambda/search-fn/filter-log-events.json", [(0, document)], stamped=False)
    save(folder / "truth.jsonl", [(r.at, truth_line(r)) for r in requests if r.truth], stamped=False)


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "checkout-incident")
