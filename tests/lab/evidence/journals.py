"""Hand-built journals: what happened is written down here, step by step, and the answers with it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from apigw_doctor.lab.evidence.access import RECOMMENDED
from apigw_doctor.lab.evidence.forms import digest, uuid
from apigw_doctor.lab.records import (
    AuthorizerCall,
    BalancerEntry,
    ClientEntry,
    EdgeEntry,
    Exchange,
    FunctionLine,
    InitEnded,
    InitStarted,
    IntegrationCall,
    InvocationEnded,
    InvocationStarted,
    Journal,
)
from apigw_doctor.lab.setup import LabApi, LabAuthorizer, LabBalancer, LabFunction, LabRoute, LabSetup
from apigw_doctor.model.terms import ApiType

#: 2026-03-10T10:00:00Z
START = 1_773_136_800_000.0
CODE = Path("app.py")
ALB = "http://internal-stock-1234567890.eu-west-1.elb.amazonaws.com"

FUNCTIONS = (
    LabFunction(name="orders-fn", handler="app.handler", code=CODE, timeout_ms=31_000, memory_mb=512, tracing=True),
    LabFunction(name="reports-fn", handler="app.handler", code=CODE, timeout_ms=10_000, memory_mb=512, tracing=True),
    LabFunction(name="auth-fn", handler="app.handler", code=CODE, timeout_ms=15_000),
    LabFunction(
        name="quote-fn",
        handler="app.handler",
        code=CODE,
        timeout_ms=30_000,
        memory_mb=1024,
        qualifier="live",
        version="7",
        provisioned_concurrency=2,
        reserved_concurrency=20,
        in_vpc=True,
        tracing=True,
    ),
)
BALANCER = LabBalancer(name="app/stock/50dc6c495c0c9188", idle_timeout_ms=20_000)

ORDERS = LabRoute(method="GET", path="/orders/{id}", function="orders-fn", resource_id="or1")
REPORTS = LabRoute(method="POST", path="/reports", function="reports-fn", resource_id="re1")
SECURE = LabRoute(method="GET", path="/secure", function="orders-fn", authorizer="auth01", resource_id="se1")
QUOTE = LabRoute(method="GET", path="/quote", function="quote-fn", resource_id="qu1", timeout_ms=6_500)
STOCK = LabRoute(method="GET", path="/stock/{sku}", kind="http-proxy", url=f"{ALB}/stock", resource_id="st1")
EXPORT = LabRoute(method="POST", path="/export", function="orders-fn", resource_id="ex1", timeout_ms=60_000)

REST_API = LabApi(
    api_id="a1b2c3d4e5",
    name="shop",
    api_type=ApiType.REST,
    tracing=True,
    access_log_format=RECOMMENDED,
    routes=(ORDERS, REPORTS, SECURE, QUOTE, STOCK, EXPORT),
    authorizers=(LabAuthorizer(id="auth01", name="tokens", function="auth-fn"),),
)
TIMED_OUT = ("Execution failed due to a timeout error",)
CUT: dict[str, Any] = {
    "status": 504,
    "error_type": "INTEGRATION_TIMEOUT",
    "error_message": "Endpoint request timed out",
    "failure_lines": TIMED_OUT,
    "response_body": '{"message": "Endpoint request timed out"}',
}
FAILED: dict[str, Any] = {
    "error_type": "INTEGRATION_FAILURE",
    "error_message": "Internal server error",
    "response_body": '{"message": "Internal server error"}',
}


@dataclass
class Scene:
    """A journal being written, and what a diagnosis must say of it."""

    setup: LabSetup
    journal: Journal = field(default_factory=Journal)
    #: request id -> cause, status, invocation joined (None: none)
    expected: dict[str, tuple[str, int, str | None]] = field(default_factory=dict)
    count: int = 0

    def exchange(self, route: LabRoute, at: float, took: float, *, path: str | None = None, **facts: Any) -> Exchange:
        """A request, `at` ms after ten o'clock."""
        self.count += 1
        number, api = self.count, self.setup.api
        arrived = START + at
        extended = f"{digest('extended', api.api_id, number)[:15].replace('0', 'A')}="
        given: dict[str, Any] = {
            "request_id": uuid("request", api.api_id, number) if api.api_type is ApiType.REST else extended,
            "extended_request_id": extended,
            "trace_id": f"1-{int(arrived / 1000):08x}-{digest('trace', api.api_id, number)[:24]}",
            "sampled": True,
            "arrived_at": arrived,
            "completed_at": arrived + took,
            "method": route.method,
            "path": path or route.path.replace("{id}", "42").replace("{sku}", "7"),
            "route": route,
            "status": 200,
            "response_body": '{"ok": true}',
            "request_headers": {"Accept": "*/*", "Authorization": "Bearer very-secret-token-0123456789"},
            "segment_id": digest("segment", number)[:16],
            "subsegment_id": digest("subsegment", number)[:16],
        }
        made = Exchange(**given | facts)
        self.journal.exchanges.append(made)
        return made

    def uri(self, name: str) -> str:
        """The integration's URI of a function."""
        arn = self.setup.function(name).called_arn
        return f"arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/{arn}/invocations"

    def lambda_call(
        self, name: str, sent: float, ended: float, *, limit: float = 29_000, **facts: Any
    ) -> IntegrationCall:
        """A call of a function, in ms after ten o'clock; answered with 200 unless said otherwise."""
        given: dict[str, Any] = {"answered": True, "status": 200, "service_status": 200, "executed_version": "$LATEST"}
        given |= {"response_body": '{"statusCode": 200, "body": "{}"}'}
        if facts.get("answered") is False:
            given = {}
        times = {"sent_at": START + sent, "ended_at": START + ended, "limit_ms": limit}
        return IntegrationCall(**{"uri": self.uri(name), "function": name, **times, **given, **facts})

    def run(
        self,
        name: str,
        at: float,
        took: float,
        *,
        environment: int = 0,
        lines: tuple[tuple[float, str], ...] = (),
        init: float | None = None,
        caller: Exchange | None = None,
        request_id: str | None = None,
        **facts: Any,
    ) -> str:
        """An invocation, with its environment's init before it where there is one; its Lambda request id."""
        function = self.setup.function(name)
        place: dict[str, Any] = {
            "function": name,
            "version": function.version,
            "stream": digest("stream", name, environment),
        }
        request_id = request_id or uuid("lambda", name, at)
        began, trace = START + at, caller.trace_id if caller else None
        records = self.journal.functions
        if init is not None:
            records.append(InitStarted(at=began - init, runtime=function.runtime, **place))
            records.append(InitEnded(at=began, duration_ms=init, **place))
        records.append(InvocationStarted(at=began, request_id=request_id, trace_id=trace, **place))
        for after, text in lines:
            records.append(FunctionLine(at=began + after, text=text, request_id=request_id, level="INFO", **place))
        records.append(
            InvocationEnded(
                **place
                | {
                    "at": began + took,
                    "request_id": request_id,
                    "started_at": began,
                    "duration_ms": took,
                    "memory_mb": function.memory_mb,
                    "max_memory_mb": 91,
                    "timeout_ms": function.timeout_ms,
                    "init_ms": init,
                    "init_started_at": None if init is None else began - init,
                    "response_ms": took - 1.5,
                    "trace_id": trace,
                    "sampled": caller is not None and function.tracing,
                    "segment_id": digest("function", name, at)[:16],
                    "service_segment_id": digest("service", name, at)[:16],
                    "parent_segment_id": caller.subsegment_id if caller else "",
                }
                | facts
            )
        )
        return request_id

    def answered(self, route: LabRoute, at: float, took: float, **run: Any) -> Exchange:
        """A request whose function answered 200 after `took` ms."""
        name, init = route.function or "", run.get("init") or 0.0
        lambda_id = uuid("lambda", name, at + 22 + init)
        limit = route.timeout_ms or 29_000
        call = self.lambda_call(name, at + 12, at + 34 + init + took, request_id=lambda_id, limit=limit)
        made = self.exchange(route, at, 38 + init + took, integration=call)
        self.run(name, at + 22 + init, took, caller=made, request_id=lambda_id, **run)
        return made

    def expect(self, exchange: Exchange, cause: str, invocation: str | None = None) -> None:
        """Write the right answer down."""
        self.expected[exchange.request_id] = (cause, exchange.status, invocation)


def rest() -> Scene:
    """A REST API on which everything goes wrong once."""
    scene = Scene(LabSetup(api=REST_API, functions=FUNCTIONS, balancers=(BALANCER,)))
    scene.answered(ORDERS, 0, 55.25, init=431.5, environment=0)
    scene.answered(ORDERS, 2_000, 61, environment=0)
    for number in range(8):
        scene.answered(ORDERS, 4_000 + number * 1_000, 40 + number, environment=0)
    _stalled(scene)
    _too_low(scene)
    _function_timeout(scene)
    _refused(scene)
    _raised(scene)
    _malformed(scene)
    _authorizer(scene)
    _own_503(scene)
    _balanced(scene)
    _edge(scene)
    return scene


def _stalled(scene: Scene) -> None:
    call = scene.lambda_call("orders-fn", 20_012, 49_019, answered=False)
    made = scene.exchange(ORDERS, 20_000, 29_023, integration=call, **CUT)
    lines = ((3.0, "Received GET /orders/42"), (9.0, "Calling DynamoDB GetItem on table orders"))
    ran = scene.run(
        "orders-fn",
        20_022,
        31_013.62,
        caller=made,
        environment=1,
        lines=lines,
        outcome="timeout",
        error_type="Sandbox.Timedout",
        response_ms=None,
    )
    scene.expect(made, "stalled-call", ran)
    scene.journal.clients.append(
        ClientEntry(
            started_at=START + 19_990,
            ended_at=START + 49_060,
            method="GET",
            url=f"https://{REST_API.domain_name}/prod/orders/42",
            status=504,
            headers={
                "x-amzn-RequestId": made.request_id,
                "x-amzn-ErrorType": "InternalServerErrorException",
                "x-amz-apigw-id": made.extended_request_id,
                "X-Amzn-Trace-Id": f"Root={made.trace_id}",
            },
            body='{"message": "Endpoint request timed out"}',
        )
    )


def _too_low(scene: Scene) -> None:
    call = scene.lambda_call("quote-fn", 60_012, 66_518, limit=6_500, answered=False)
    made = scene.exchange(QUOTE, 60_000, 6_524, integration=call, **CUT)
    lines = ((80.0, "pricing 40 lines"), (4_000.0, "20 lines priced"), (8_000.0, "40 lines priced"))
    ran = scene.run("quote-fn", 60_022, 8_100.5, caller=made, lines=lines)
    scene.expect(made, "integration-timeout-too-low", ran)


def _function_timeout(scene: Scene) -> None:
    lambda_id = uuid("lambda", "reports-fn", 80_022)
    error = f"RequestId: {lambda_id} Error: Task timed out after 10.00 seconds"
    call = scene.lambda_call(
        "reports-fn",
        80_012,
        90_034,
        request_id=lambda_id,
        function_error="Unhandled",
        status=None,
        error=f"Lambda Customer Function Error:{error}",
        response_body=f'{{"errorMessage":"{error}","errorType":"Sandbox.Timedout"}}',
    )
    said = f"Lambda execution failed with status 200 due to customer function error: {error}. Lambda request id: {lambda_id}"
    made = scene.exchange(REPORTS, 80_000, 10_038, integration=call, status=502, failure_lines=(said,), **FAILED)
    pages = tuple((1_000.0 + 900.0 * n, f"page {n + 1} of 40 rendered") for n in range(10))
    scene.run(
        "reports-fn",
        80_022,
        10_000.41,
        caller=made,
        request_id=lambda_id,
        lines=pages,
        outcome="timeout",
        error_type="Sandbox.Timedout",
        response_ms=None,
    )
    scene.expect(made, "function-timeout", lambda_id)


def _refused(scene: Scene) -> None:
    lambda_id = uuid("lambda", "orders-fn", "refused")
    lines = (
        f"Lambda invocation failed with status: 429. Lambda request id: {lambda_id}",
        "Execution failed due to configuration error: Rate Exceeded.",
    )
    call = scene.lambda_call(
        "orders-fn",
        100_012,
        100_030,
        request_id=lambda_id,
        service_status=429,
        status=None,
        executed_version=None,
        error="Rate Exceeded.",
        response_body='{"Reason":"ReservedFunctionConcurrentInvocationLimitExceeded","Type":"User","message":"Rate Exceeded."}',
    )
    made = scene.exchange(ORDERS, 100_000, 34, integration=call, status=500, failure_lines=lines, **FAILED)
    scene.expect(made, "function-throttled")


def _raised(scene: Scene) -> None:
    lambda_id = uuid("lambda", "reports-fn", 110_022)
    said = f"Lambda execution failed with status 200 due to customer function error: 'tenant'. Lambda request id: {lambda_id}"
    call = scene.lambda_call(
        "reports-fn",
        110_012,
        110_080,
        request_id=lambda_id,
        function_error="Unhandled",
        status=None,
        error="Lambda Customer Function Error:'tenant'",
        response_body='{"errorMessage": "\'tenant\'", "errorType": "KeyError"}',
    )
    made = scene.exchange(REPORTS, 110_000, 84, integration=call, status=502, failure_lines=(said,), **FAILED)
    crash = "[ERROR] KeyError: 'tenant'\nTraceback (most recent call last):\n  File \"/var/task/app.py\", line 31, in handler"
    scene.run(
        "reports-fn",
        110_022,
        38.2,
        caller=made,
        environment=1,
        init=210.0,
        request_id=lambda_id,
        lines=((31.0, crash),),
        outcome="error",
        error_type="Function.Unhandled",
        error_message="'tenant'",
    )
    scene.expect(made, "application-error", lambda_id)


def _malformed(scene: Scene) -> None:
    lambda_id = uuid("lambda", "orders-fn", 120_022)
    said = "Execution failed due to configuration error: Malformed Lambda proxy response"
    call = scene.lambda_call(
        "orders-fn", 120_012, 120_090, request_id=lambda_id, response_body='"Bad response"', status=None
    )
    made = scene.exchange(ORDERS, 120_000, 95, integration=call, status=502, failure_lines=(said,), **FAILED)
    scene.run("orders-fn", 120_022, 50, caller=made, request_id=lambda_id)
    scene.expect(made, "application-error", lambda_id)


def _authorizer(scene: Scene) -> None:
    asked = AuthorizerCall(
        authorizer_id="auth01",
        started_at=START + 130_002,
        ended_at=START + 145_030,
        status=500,
        integration_status=200,
        request_id=uuid("lambda", "auth-fn", 130_010),
        error="Internal server error",
        timed_out=True,
    )
    made = scene.exchange(
        SECURE,
        130_000,
        15_034,
        authorizer=asked,
        status=500,
        error_type="AUTHORIZER_FAILURE",
        error_message=None,
        failure_lines=("Execution failed due to configuration error: Authorizer error",),
        response_body='{"message": null}',
    )
    scene.run("auth-fn", 130_010, 15_000.3, outcome="timeout", error_type="Sandbox.Timedout", response_ms=None)
    scene.expect(made, "authorizer-timeout")
    allowed = AuthorizerCall(
        authorizer_id="auth01",
        started_at=START + 150_002,
        ended_at=START + 150_400,
        status=200,
        integration_status=200,
        request_id=uuid("lambda", "auth-fn", 150_010),
        principal="customer-4711",
    )
    scene.run("auth-fn", 150_010, 380.0, environment=1)
    lambda_id = uuid("lambda", "orders-fn", 150_422)
    call = scene.lambda_call("orders-fn", 150_412, 150_480, request_id=lambda_id)
    made = scene.exchange(SECURE, 150_000, 484, authorizer=allowed, integration=call)
    scene.run("orders-fn", 150_422, 40.0, caller=made, request_id=lambda_id)


def _own_503(scene: Scene) -> None:
    lambda_id = uuid("lambda", "orders-fn", 160_022)
    call = scene.lambda_call("orders-fn", 160_012, 165_060, request_id=lambda_id, status=503)
    made = scene.exchange(ORDERS, 160_000, 5_064, integration=call, status=503, response_body='{"error": "partner"}')
    lines = ((4.0, "Calling rates.example.com"), (5_009.0, "No response from rates.example.com within 5 seconds"))
    scene.run("orders-fn", 160_022, 5_020.0, caller=made, request_id=lambda_id, lines=lines)
    scene.expect(made, "application-error", lambda_id)


def _balanced(scene: Scene) -> None:
    """The balancer's idle timeout (504), the gateway's cut (460 in the balancer's log), and a target's reset (502)."""
    for at, status, took in ((170_000, 504, 20_007.0), (200_000, 460, 29_004.0), (240_000, 502, 4_206.0)):
        cut = status == 460
        facts: dict[str, Any] = dict(CUT) if cut else {"status": status, "response_body": "<html></html>"}
        call = IntegrationCall(
            uri=f"{ALB}/stock/7",
            sent_at=START + at + 8,
            ended_at=START + at + 8 + took,
            limit_ms=29_000,
            answered=not cut,
            status=None if cut else status,
            service_status=None if cut else status,
            response_headers={} if cut else {"Server": "awselb/2.0", "Content-Type": "text/html"},
            response_body="" if cut else "<html></html>",
        )
        made = scene.exchange(STOCK, at, took + 12, integration=call, **facts)
        reset = status == 502
        scene.journal.balancers.append(
            BalancerEntry(
                created_at=START + at + 9,
                ended_at=START + at + 8 + took,
                balancer=BALANCER.name,
                client="10.0.3.17:41234",
                target="10.0.5.20:8080",
                request_ms=1.0,
                target_ms=4_205.0 if reset else -1,
                response_ms=-1,
                status=status,
                target_status=None,
                method="GET",
                url=f"{ALB}/stock/7",
                received_bytes=812,
                user_agent="AmazonAPIGateway_a1b2c3d4e5",
                trace_id=made.trace_id,
            )
        )
        names = {504: "load-balancer-timeout", 460: "backend-slower-than-limit", 502: "keep-alive-mismatch"}
        scene.expect(made, names[status])


def _edge(scene: Scene) -> None:
    """The edge waits for 30 s, the gateway for 60: the function answers after 45."""
    made = scene.answered(EXPORT, 300_000, 45_000, environment=2, lines=((44_900.0, "export written"),))
    scene.journal.edges.append(
        EdgeEntry(
            arrived_at=START + 299_970,
            ended_at=START + 330_002,
            method="POST",
            path="/prod/export",
            status=504,
            result_type="Error",
            detailed_result_type="OriginCommError",
            edge_request_id="fakeEdgeRequestId0123456789abcdefghijklmnopqrstuvwxyz==",
            host="shop.example.com",
            client_ip="203.0.113.7",
        )
    )
    scene.expected[made.request_id] = ("edge-timeout", 504, uuid("lambda", "orders-fn", 300_022.0))


HTTP_API = LabApi(
    api_id="h1b2c3d4e5",
    name="shop-http",
    api_type=ApiType.HTTP,
    stage="$default",
    access_log_format=RECOMMENDED.replace("$context.resourcePath", "$context.routeKey").replace(
        "resourcePath", "routeKey"
    ),
    routes=(
        LabRoute(method="GET", path="/orders/{id}", function="orders-fn", integration_id="in1", payload_format="2.0"),
        LabRoute(method="POST", path="/reports", function="reports-fn", integration_id="in2", payload_format="2.0"),
    ),
)


def http() -> Scene:
    """An HTTP API: a good request, one cut at 30 s, one whose function was killed."""
    scene = Scene(LabSetup(api=HTTP_API, functions=FUNCTIONS[:2]))
    orders, reports = HTTP_API.routes
    scene.answered(orders, 0, 80)
    call = scene.lambda_call("orders-fn", 5_006, 35_010, limit=30_000, answered=False)
    made = scene.exchange(
        orders,
        5_000,
        30_014,
        integration=call,
        status=503,
        error_type="INTEGRATION_TIMEOUT",
        error_message="Service Unavailable",
        response_body='{"message":"Service Unavailable"}',
    )
    lines = ((3.0, f"api request {made.extended_request_id}"), (9.0, "Calling DynamoDB GetItem on table orders"))
    ran = scene.run(
        "orders-fn", 5_020, 31_000.5, environment=1, lines=lines, outcome="timeout", error_type="Sandbox.Timedout"
    )
    scene.expect(made, "stalled-call", ran)
    lambda_id = uuid("lambda", "reports-fn", 50_022)
    error = f"RequestId: {lambda_id} Error: Task timed out after 10.00 seconds"
    said = f"The Lambda function returned the following error: {error}. Check your Lambda function code and try again."
    call = scene.lambda_call(
        "reports-fn",
        50_012,
        60_034,
        limit=30_000,
        request_id=lambda_id,
        status=None,
        error=said,
        function_error="Unhandled",
    )
    made = scene.exchange(
        reports,
        50_000,
        10_038,
        integration=call,
        status=500,
        error_type="INTEGRATION_FAILURE",
        error_message="Internal Server Error",
        response_body='{"message":"Internal Server Error"}',
    )
    pages = tuple((1_000.0 + 900.0 * n, f"page {n + 1} of 40 rendered") for n in range(10))
    scene.run("reports-fn", 50_022, 10_000.4, request_id=lambda_id, lines=pages, outcome="timeout")
    scene.expect(made, "function-timeout", lambda_id)
    return scene


SOCKET_API = LabApi(
    api_id="w1b2c3d4e5",
    name="chat",
    api_type=ApiType.WEBSOCKET,
    access_log_format='{"requestId":"$context.requestId","eventType":"$context.eventType","routeKey":"$context.routeKey",'
    '"status":"$context.status","connectionId":"$context.connectionId","requestTimeEpoch":"$context.requestTimeEpoch",'
    '"integrationLatency":"$context.integration.latency","integrationError":"$context.integration.error",'
    '"integrationRequestId":"$context.integration.requestId","errorMessage":"$context.error.message",'
    '"errorResponseType":"$context.error.responseType"}',
    routes=(
        LabRoute(method="", path="$connect", function="orders-fn", integration_id="in1"),
        LabRoute(method="", path="report", function="orders-fn", integration_id="in2"),
    ),
)


def websocket() -> Scene:
    """A WebSocket API: a connection, a message that is answered, and one that runs into the 29 s."""
    scene = Scene(LabSetup(api=SOCKET_API, functions=FUNCTIONS[:1]))
    connect, report = SOCKET_API.routes
    socket: dict[str, Any] = {
        "method": "",
        "connection_id": "Qm3aceE2NjMCF7w=",
        "connected_at": START,
        "sampled": False,
    }
    for at, route, event in ((0, connect, "CONNECT"), (3_000, report, "MESSAGE")):
        lambda_id = uuid("lambda", "orders-fn", at + 22)
        call = scene.lambda_call("orders-fn", at + 12, at + 80, request_id=lambda_id)
        made = scene.exchange(route, at, 84, integration=call, event_type=event, path="", **socket)
        scene.run("orders-fn", at + 22, 50, request_id=lambda_id)
    call = scene.lambda_call("orders-fn", 10_012, 39_016, answered=False)
    facts = CUT | {"status": 504, "event_type": "MESSAGE", "message_id": "Qm3b7cE2NjMCF7w="}
    made = scene.exchange(report, 10_000, 29_020, integration=call, path="", **facts, **socket)
    lines = ((3.0, f"message {made.extended_request_id}"), (9.0, "Calling DynamoDB GetItem on table orders"))
    ran = scene.run("orders-fn", 10_022, 31_000.2, environment=1, lines=lines, outcome="timeout", response_ms=None)
    scene.expect(made, "stalled-call", ran)
    scene.journal.clients.append(
        ClientEntry(
            started_at=START + 10_000,
            ended_at=START + 39_030,
            method="",
            url=f"wss://{SOCKET_API.domain_name}/prod",
            status=None,
            body='{"message": "Endpoint request timed out", "connectionId":"Qm3aceE2NjMCF7w=",'
            f' "requestId":"{made.extended_request_id}"}}',
            connection_id="Qm3aceE2NjMCF7w=",
        )
    )
    return scene


def environments() -> Scene:
    """What happens to execution environments: every kind of init, a restore, a crash, an extension."""
    scene = Scene(LabSetup(api=REST_API, functions=FUNCTIONS))
    records = scene.journal.functions
    orders: dict[str, Any] = {"function": "orders-fn", "version": "$LATEST"}
    ready: dict[str, Any] = {
        "function": "quote-fn",
        "version": "7",
        "stream": digest("ready"),
        "kind": "provisioned-concurrency",
    }
    records.append(InitStarted(at=START - 90_000, runtime="python3.13", **ready))
    records.append(InitEnded(at=START - 86_000, duration_ms=4_000.25, **ready))
    slow = {**orders, "stream": digest("slow")}
    records.append(InitStarted(at=START, runtime="python3.13", **slow))
    records.append(InitEnded(at=START + 10_000, duration_ms=9_999.79, outcome="timeout", **slow))
    scene.run("orders-fn", 10_001, 14_022.4, environment=7)
    broken = {**orders, "stream": digest("broken")}
    missing = "Runtime.ImportModuleError"
    for at, phase in ((30_000.0, "init"), (31_000.0, "invoke")):
        failed: dict[str, Any] = {"outcome": "error", "error_type": missing, "phase": phase, "duration_ms": 812.5}
        records.append(InitStarted(at=START + at - 812.5, runtime="python3.13", **broken))
        text = f"[ERROR] {missing}: Unable to import module 'app': No module named 'daily'\nTraceback (most recent call last):"
        records.append(FunctionLine(at=START + at - 1, text=text, **broken))
        records.append(InitEnded(at=START + at, **failed, **broken))
    scene.run("orders-fn", 40_474, 61.5, environment=8, restore_ms=474.16)
    dead: dict[str, Any] = {"outcome": "error", "error_type": "Runtime.ExitError", "response_ms": None}
    dead["error_message"] = "Runtime exited with error: signal: killed"
    scene.run("orders-fn", 50_000, 212.7, environment=8, **dead)
    scene.run("orders-fn", 60_000, 2_040.0, environment=9, extension_ms=2_000.0, response_ms=38.5)
    return scene
