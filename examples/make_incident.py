"""Writes `checkout-incident/`: half an hour of a shop's REST API in which several things went wrong at once.

Everything is worked out from a fixed schedule, so the same files come out every time. The answers are written
from the schedule too, into `truth.jsonl`, and share no code with the tool.

    python examples/make_incident.py [FOLDER]
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

API, STAGE, REGION, ACCOUNT = "a1b2c3d4e5", "prod", "eu-west-1", "123456789012"
START = datetime(2026, 3, 10, 10, 0, tzinfo=UTC).timestamp() * 1000.0
LIMIT_MS, QUOTE_LIMIT_MS = 29_000, 6_500


def iso(at: float) -> str:
    """Epoch milliseconds as CloudWatch exports write them."""
    return datetime.fromtimestamp(at / 1000.0, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def digest(*words: object) -> str:
    """32 hex digits that look random and are always the same."""
    return sha256(":".join(map(str, words)).encode()).hexdigest()[:32]


def uuid(*words: object) -> str:
    """A version 4 UUID made from `words`."""
    d = digest(*words)
    return f"{d[:8]}-{d[8:12]}-4{d[13:16]}-a{d[17:20]}-{d[20:32]}"


@dataclass(kw_only=True)
class Request:
    """One request of the schedule; times in milliseconds after 10:00:00."""

    at: int
    route: str
    function: str | None
    #: how long the backend works (REPORT Duration), or until it is killed
    work_ms: int = 60
    init_ms: int = 0
    method: str = "GET"
    status: int = 200
    #: what the execution log says instead of an answer
    failure: str = ""
    error_type: str = "-"
    limit_ms: int = LIMIT_MS
    killed: bool = False
    lines: tuple[tuple[int, str], ...] = ()
    #: the truth of a failed request: cause, boundary, layer
    truth: tuple[str, str, str] | None = None
    logged: bool = True
    own_status: int | None = None
    authorizer_ms: int = 0
    answer_ms: int | None = None
    memory: tuple[int, int] = (512, 131)
    number: int = field(default=0)

    @property
    def id(self) -> str:
        """The gateway's request id."""
        return uuid("request", self.number)

    @property
    def extended(self) -> str:
        """The extended request id."""
        return f"{digest('extended', self.number)[:15].replace('0', 'A')}="

    @property
    def lambda_id(self) -> str:
        """The invocation's request id."""
        return uuid("lambda", self.number)

    @property
    def trace(self) -> str:
        """The X-Ray root."""
        return f"1-{int((START + self.at) / 1000):08x}-{digest('trace', self.number)[:24]}"

    @property
    def timed_out(self) -> bool:
        """Cut by the integration timeout."""
        return self.error_type == "INTEGRATION_TIMEOUT"

    @property
    def called(self) -> bool:
        """The integration was called."""
        return self.status not in (403, 404, 429)

    @property
    def integration_ms(self) -> int:
        """From sending to the answer or the cut."""
        if self.timed_out:
            return self.limit_ms + 7
        return self.answer_ms if self.answer_ms is not None else self.init_ms + self.work_ms + 21


def schedule() -> list[Request]:
    """All requests, by arrival."""
    requests = [*healthy(), *stalls(), *cold(), *quotes(), *others()]
    requests.sort(key=lambda request: request.at)
    for number, request in enumerate(requests):
        request.number = number
    return requests


def healthy() -> Iterator[Request]:
    """Ordinary traffic, and some that only looks suspicious."""
    for number in range(60):
        call = ((4, "DynamoDB GetItem table=orders"), (16 + number % 9, "DynamoDB GetItem table=orders -> 200"))
        yield Request(
            at=number * 29_000 + 700, route="/orders/{id}", function="orders-fn", work_ms=55 + number % 40, lines=call
        )
    for number in range(20):
        yield Request(at=number * 85_000 + 3_100, route="/search", function="search-fn", work_ms=700 + 13 * number)
    for number in range(8):
        yield Request(
            at=number * 200_000 + 5_300,
            route="/quote",
            function="quote-fn",
            work_ms=2_100 + 90 * number,
            limit_ms=QUOTE_LIMIT_MS,
        )
    yield Request(at=200_400, route="/reports", function="reports-fn", work_ms=7_400, method="POST")
    yield Request(at=409_000, route="/search", function="search-fn", work_ms=27_300)  # near its limit
    yield Request(at=610_000, route="/orders/{id}", function="orders-fn", work_ms=64, authorizer_ms=4_200)
    for at, status in ((62_000, 403), (118_000, 404), (305_000, 429), (306_500, 429)):
        yield Request(at=at, route="/orders/{id}", function="orders-fn", status=status)


def stalls() -> Iterator[Request]:
    """One DynamoDB call never answers: cut at 29 s, killed at F = 31 s (two above the limit, by design)."""
    for at in (342_000, 347_500, 361_000):
        yield Request(
            at=at, route="/orders/{id}", function="orders-fn", work_ms=31_000, killed=True, status=504,
            failure="Execution failed due to a timeout error", error_type="INTEGRATION_TIMEOUT",
            lines=((3, "Received GET /orders"), (9, "DynamoDB GetItem table=orders")),
            truth=("stalled-call", "integration-timeout", "dependency"),
        )  # fmt: skip


def cold() -> Iterator[Request]:
    """3.9 s of init push a run of 26.4 s over the limit."""
    for number, at in enumerate((455_000, 457_000)):
        yield Request(
            at=at, route="/search", function="search-fn", init_ms=3_900 + 40 * number, work_ms=26_400, status=504,
            failure="Execution failed due to a timeout error", error_type="INTEGRATION_TIMEOUT",
            truth=("cold-start", "integration-timeout", "init"),
        )  # fmt: skip


def quotes() -> Iterator[Request]:
    """Somebody set 6.5 s on this integration; the function needs 7 to 9 s."""
    for number, at in enumerate((500_000, 560_500, 745_000)):
        yield Request(
            at=at, route="/quote", function="quote-fn", work_ms=7_300 + 800 * number, status=504, limit_ms=QUOTE_LIMIT_MS,
            failure="Execution failed due to a timeout error", error_type="INTEGRATION_TIMEOUT",
            truth=("integration-timeout-too-low", "integration-timeout", "gateway"),
        )  # fmt: skip


def others() -> Iterator[Request]:
    """One or two of each."""
    for at in (520_000, 680_000):
        yield Request(
            at=at, route="/reports", function="reports-fn", method="POST", work_ms=10_000, killed=True, status=502,
            failure="Lambda execution failed with status 200 due to customer function error: {time} {lambda} Task timed out"
            " after 10.00 seconds. Lambda request id: {lambda}",
            error_type="INTEGRATION_FAILURE", truth=("function-timeout", "function-timeout", "function"),
            lines=tuple((ms, f"page {ms // 1000} of 40 rendered") for ms in range(1_000, 10_000, 900)),
        )  # fmt: skip
    for at in (585_000, 585_900):
        yield Request(
            at=at, route="/orders/{id}", function="orders-fn", status=500, logged=False, answer_ms=18,
            failure="Execution failed due to configuration error: Rate Exceeded.", error_type="INTEGRATION_FAILURE",
            truth=("function-throttled", "none", "capacity"),
        )  # fmt: skip
    yield Request(
        at=640_000, route="/partners", function=None, status=504, answer_ms=41, error_type="INTEGRATION_FAILURE",
        failure="Execution failed due to a network error communicating with endpoint: Connection is closed",
        truth=("endpoint-unreachable", "none", "network"),
    )  # fmt: skip
    yield Request(
        at=702_000, route="/reports", function="reports-fn", method="POST", work_ms=38, status=502,
        failure="Lambda execution failed with status 200 due to customer function error: 'tenant'. Lambda request id: {lambda}",
        error_type="INTEGRATION_FAILURE", truth=("application-error", "none", "function"),
        lines=((31, "[ERROR] KeyError: 'tenant'"),),
    )  # fmt: skip
    yield Request(
        at=820_000, route="/orders/{id}", function="orders-fn", work_ms=5_020, status=503, own_status=503,
        truth=("application-error", "none", "function"),
        lines=((4, "Calling https://rates.example.com/v1"), (5_009, "No response from https://rates.example.com within 5 seconds")),
    )  # fmt: skip
    yield Request(
        at=905_000, route="/invoices", function="invoices-fn", work_ms=40_000, status=504, logged=False,
        failure="Execution failed due to a timeout error", error_type="INTEGRATION_TIMEOUT",
        truth=("undetermined", "integration-timeout", "unknown"),
    )  # fmt: skip


# the gateway's logs


def execution_lines(request: Request) -> Iterator[tuple[float, str]]:
    """INFO and data trace, in the order of recorded logs."""
    at = START + request.at
    yield at, f"Extended Request Id: {request.extended}"
    if request.authorizer_ms:
        yield at + 1, f"Starting authorizer: 4hugyv for request: {request.id}"
        at += request.authorizer_ms
        yield at, "Successfully completed authorizer execution"
    yield at + 1, f"Verifying Usage Plan for request: {request.id}. API Key:  API Stage: {API}/{STAGE}"
    if request.status == 429:
        yield (
            at + 1,
            f"Key throttle limit exceeded for RestApi {API}, Stage {STAGE}, Resource x1, HttpMethod GET. Limit: 10.00 Burst: 20",
        )
        yield at + 1, "Method completed with status: 429"
        return
    if not request.called:
        yield at + 2, f"Method completed with status: {request.status}"
        return
    yield (
        at + 2,
        f"API Key  authorized because method '{request.method} {request.route}' does not require API Key. Request will not contribute to throttle or quota limits",
    )
    yield at + 2, f"Starting execution for request: {request.id}"
    yield at + 2, f"HTTP Method: {request.method}, Resource Path: {request.route}"
    yield (
        at + 2,
        f"Method request headers: {{Accept=*/*, Authorization=*****, Host=shop.example.com, X-Amzn-Trace-Id=Root={request.trace}, X-Forwarded-For=203.0.113.{request.number % 9 + 1}}}",
    )
    yield (
        at + 3,
        'Method request body before transformations: {\n  "note": "the old log said Method completed with status: 500",\n  "qty": 1\n}',
    )
    yield at + 3, f"Endpoint request URI: {uri(request)}"
    yield (
        at + 3,
        f"Endpoint request headers: {{x-amzn-lambda-integration-tag={request.id}, User-Agent=AmazonAPIGateway_{API} [TRUNCATED]",
    )
    yield at + 4, f"Sending request to {uri(request)}"
    done = at + 4 + request.integration_ms
    if request.failure:
        yield from failed_lines(request, done)
        return
    yield done, f"Received response. Status: 200, Integration latency: {request.integration_ms} ms"
    yield (
        done,
        f"Endpoint response headers: {{Date=Tue, 10 Mar 2026 10:00:00 GMT, Content-Type=application/json, x-amzn-RequestId={request.lambda_id}, X-Amz-Executed-Version=$LATEST, X-Amzn-Trace-Id=root={request.trace};sampled=1}}",
    )
    yield (
        done,
        f'Endpoint response body before transformations: {{"statusCode": {request.own_status or 200}, "body": "..."}}',
    )
    yield done, "Successfully completed execution"
    yield done, f"Method completed with status: {request.status}"
    yield done, f"AWS Integration Endpoint RequestId : {request.lambda_id}"
    yield done, f"X-ray Tracing ID : Root={request.trace}"


def failed_lines(request: Request, done: float) -> Iterator[tuple[float, str]]:
    """The end of a request that failed at the integration."""
    if "Rate Exceeded" in request.failure:
        yield done, f"Lambda invocation failed with status: 429. Lambda request id: {request.lambda_id}"
    yield done, request.failure.replace("{lambda}", request.lambda_id).replace("{time}", iso(done - 9))
    yield done, f"Method completed with status: {request.status}"
    yield done, f"X-ray Tracing ID : Root={request.trace}"


def uri(request: Request) -> str:
    """Where the gateway sends the request."""
    if request.function is None:
        return "https://partners.internal.example.com/v2/list"
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{request.function}"
    return f"https://lambda.{REGION}.amazonaws.com/2015-03-31/functions/{arn}/invocations"


def access_line(request: Request) -> str:
    """JSON in a format that quotes $context.error.messageString: no JSON at all on the rows that matter."""
    answered = request.called and not request.timed_out and request.function is not None
    message = (
        '"Endpoint request timed out"' if request.timed_out else '"Internal server error"' if request.failure else "-"
    )
    fields = {
        "requestId": request.id,
        "extendedRequestId": request.extended,
        "requestTimeEpoch": f"{START + request.at:.0f}",
        "apiId": API,
        "stage": STAGE,
        "httpMethod": request.method,
        "resourcePath": request.route,
        "status": str(request.status),
        "responseLatency": str(request.authorizer_ms + 6 + (request.integration_ms if request.called else 0)),
        "integration_latency": str(request.integration_ms) if answered else "-",
        "integration_requestId": request.lambda_id if answered else "-",
        "integration_status": str(request.own_status or 200) if answered and not request.failure else "-",
        "integration_integrationStatus": "200" if answered and "Rate" not in request.failure else "-",
        "error_responseType": request.error_type,
        "error_messageString": f" {message}" if request.failure else "-",
        "xrayTraceId": f"Root={request.trace}",
        "sourceIp": f"203.0.113.{request.number % 9 + 1}",
    }
    return "{" + ", ".join(f'"{key}": "{value}"' for key, value in fields.items()) + "}"


# the functions' logs


def stream_of(request: Request) -> str:
    """The log stream; every cold start opens one."""
    new = request.number if request.init_ms or request.killed else "warm"
    return digest("stream", request.function, new)


def function_lines(request: Request) -> Iterator[tuple[float, str]]:
    """Text log of one invocation; orders-fn and quote-fn write the new format, reports-fn the old one."""
    begun = START + request.at + request.authorizer_ms + 14
    started = begun + request.init_ms
    if request.init_ms:
        yield (
            begun,
            f"INIT_START Runtime Version: python:3.13.v21\tRuntime Version ARN: arn:aws:lambda:{REGION}::runtime:{digest('runtime')}",
        )
    yield started, f"START RequestId: {request.lambda_id} Version: $LATEST"
    for after, text in request.lines:
        line = text if text.startswith("[ERROR]") else f"[INFO]\t{iso(started + after)}\t{request.lambda_id}\t{text}"
        yield started + after, line
    ended = started + request.work_ms
    old = request.function == "reports-fn"
    if request.killed and old:
        yield ended, f"{iso(ended)} {request.lambda_id} Task timed out after {request.work_ms / 1000:.2f} seconds"
    yield ended, f"END RequestId: {request.lambda_id}"
    report = (
        f"REPORT RequestId: {request.lambda_id}\tDuration: {request.work_ms:.2f} ms\tBilled Duration: {request.work_ms} ms\t"
        f"Memory Size: {request.memory[0]} MB\tMax Memory Used: {request.memory[1]} MB\t"
    )
    report += f"Init Duration: {request.init_ms:.2f} ms\t" if request.init_ms else ""
    report += "Status: timeout" if request.killed and not old else ""
    traced = request.number % 3 != 0 and not old
    yield (
        ended,
        report
        + (
            f"\nXRAY TraceId: {request.trace}\tSegmentId: {digest(request.number)[:16]}\tSampled: true\t"
            if traced
            else ""
        ),
    )


def json_events(request: Request) -> Iterator[tuple[float, str]]:
    """The same as JSON, for the function that logs so."""
    begun = START + request.at + 15
    started = begun + request.init_ms
    if request.init_ms:
        yield begun, platform("initStart", begun, {"initializationType": "on-demand", "phase": "init"})
    yield started, platform("start", started, {"requestId": request.lambda_id, "version": "$LATEST"})
    ended = started + request.work_ms
    metrics: dict[str, object] = {
        "durationMs": float(request.work_ms),
        "billedDurationMs": request.work_ms,
        "memorySizeMB": 1024,
        "maxMemoryUsedMB": 402,
    }
    if request.init_ms:
        metrics["initDurationMs"] = float(request.init_ms)
    tracing = {"type": "X-Amzn-Trace-Id", "value": f"Root={request.trace};Sampled=1"}
    yield (
        ended,
        platform(
            "report",
            ended,
            {"requestId": request.lambda_id, "metrics": metrics, "status": "success", "tracing": tracing},
        ),
    )


def platform(kind: str, at: float, record: dict[str, object]) -> str:
    """One JSON system event."""
    return json.dumps({"time": iso(at), "type": f"platform.{kind}", "record": record})


# files


def write(folder: Path) -> None:
    """All files of the incident."""
    requests = schedule()
    group = folder / f"API-Gateway-Execution-Logs_{API}" / STAGE
    for half in (0, 1):
        lines = [(at, f"({r.id}) {text}") for r in requests if r.number % 2 == half for at, text in execution_lines(r)]
        save(group / f"{digest('execution', half)}.log", lines)
    save(folder / "access.log", [(START + r.at, access_line(r)) for r in requests], prefix=False)
    invoked = [r for r in requests if r.function and r.logged and r.called]
    for function in ("orders-fn", "quote-fn", "reports-fn"):
        for stream in sorted({stream_of(r) for r in invoked if r.function == function}):
            rows = [
                line for r in invoked if r.function == function and stream_of(r) == stream for line in function_lines(r)
            ]
            save(folder / "aws" / "lambda" / function / f"2026-03-10-[$LATEST]{stream}.log", rows)
    searches = [r for r in invoked if r.function == "search-fn"]
    events = [
        {
            "logStreamName": f"2026/03/10/[$LATEST]{stream_of(r)}",
            "timestamp": int(at),
            "message": text,
            "eventId": digest(at, text),
        }
        for r in searches
        for at, text in json_events(r)
    ]
    events.sort(key=lambda event: str(event["timestamp"]))
    path = folder / "aws" / "lambda" / "search-fn" / "filter-log-events.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"events": events, "searchedLogStreams": []}, indent=1) + "\n", encoding="utf-8")
    truth = [json.dumps(truth_of(r)) for r in requests if r.truth is not None]
    (folder / "truth.jsonl").write_text("\n".join(truth) + "\n", encoding="utf-8")


def save(path: Path, lines: list[tuple[float, str]], *, prefix: bool = True) -> None:
    """Lines by time, each behind its time as an S3 export writes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ordered = sorted(lines, key=lambda line: line[0])
    path.write_text("".join(f"{iso(at)} {text}\n" if prefix else f"{text}\n" for at, text in ordered), encoding="utf-8")


def truth_of(request: Request) -> dict[str, object]:
    """What really happened, from the schedule."""
    assert request.truth is not None  # noqa: S101 - the caller looked
    cause, boundary, layer = request.truth
    return {
        "request_id": request.id,
        "status": request.status,
        "timed_out": boundary not in ("none", "unknown"),
        "boundary": boundary,
        "layer": layer,
        "cause": cause,
        "invocation": {"request_id": request.lambda_id} if request.logged and request.function else None,
    }


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "checkout-incident")
