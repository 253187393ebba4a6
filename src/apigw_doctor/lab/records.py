"""What the lab's gateway, functions, balancer, edge and clients did: the one source of all evidence.

The servers append records to a `Journal` while they work; the modules in `lab/evidence/` write AWS's forms from them.
Times are the lab's own clock, in epoch milliseconds; durations are milliseconds; None is "there was none".
"""

from typing import Any, Literal

import msgspec

from apigw_doctor.lab.setup import LabRoute

InitKind = Literal["on-demand", "provisioned-concurrency", "snap-start"]
Outcome = Literal["success", "error", "timeout"]


class AuthorizerCall(msgspec.Struct, frozen=True, kw_only=True):
    """The gateway asked a Lambda authorizer."""

    authorizer_id: str
    started_at: float
    ended_at: float
    #: 200 allowed, 401/403 denied, 500 failed or timed out
    status: int
    #: what the Lambda service answered (200 also where the function failed); None when it never answered
    integration_status: int | None = None
    request_id: str | None = None
    principal: str | None = None
    error: str | None = None
    timed_out: bool = False
    cached: bool = False


class IntegrationCall(msgspec.Struct, frozen=True, kw_only=True):
    """The gateway called the integration: Lambda, or a URL."""

    uri: str
    sent_at: float
    #: effective integration timeout
    limit_ms: float
    #: when the answer was complete, or when the gateway gave up or failed to connect
    ended_at: float
    #: False: the gateway cut the call, or the connection failed
    answered: bool
    function: str | None = None
    #: status of the backend's own answer (`integration.status`)
    status: int | None = None
    #: status of the service call (`integration.integrationStatus`): 200, 429, ...
    service_status: int | None = None
    #: Lambda request id, only known where Lambda answered
    request_id: str | None = None
    executed_version: str | None = None
    #: `Unhandled` where the function raised or was killed
    function_error: str | None = None
    #: `integration.error` / `integrationErrorMessage`
    error: str | None = None
    response_headers: dict[str, str] = {}
    response_body: str = ""
    streamed: bool = False
    first_byte_at: float | None = None
    vpc_link: bool = False


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """One request at the gateway, or one message or connection event of a WebSocket API, from arrival to answer."""

    request_id: str
    extended_request_id: str
    #: trace root, `1-5c7674f4-a3491d0a9c8012c191821b83`
    trace_id: str
    sampled: bool = False
    arrived_at: float
    completed_at: float
    #: GET, POST ...; empty for WebSocket messages
    method: str
    #: the path that was asked for, without the stage
    path: str
    #: None: no route fits
    route: LabRoute | None
    #: status that the client got (before it was given up on); for a WebSocket message: of the route
    status: int
    #: `$context.error.responseType`; None on success
    error_type: str | None = None
    #: `$context.error.message`
    error_message: str | None = None
    #: the lines that the execution log has for the failure, in order, without the id in front
    failure_lines: tuple[str, ...] = ()
    authorizer: AuthorizerCall | None = None
    integration: IntegrationCall | None = None
    request_headers: dict[str, str] = {}
    query: dict[str, str] = {}
    request_body: str = ""
    response_headers: dict[str, str] = {}
    response_body: str = ""
    source_ip: str = "203.0.113.7"
    user_agent: str = "lab-client/1.0"
    protocol: str = "HTTP/1.1"
    host: str = ""
    #: WebSocket: CONNECT, MESSAGE, DISCONNECT
    event_type: str | None = None
    connection_id: str | None = None
    connected_at: float | None = None
    message_id: str | None = None
    #: the gateway's segment in the trace, and its subsegment for the integration (16 hex digits)
    segment_id: str = ""
    subsegment_id: str = ""


class InitStarted(msgspec.Struct, frozen=True, kw_only=True):
    """An execution environment begins its init phase."""

    at: float
    function: str
    version: str
    stream: str
    runtime: str
    kind: InitKind = "on-demand"


class InitEnded(msgspec.Struct, frozen=True, kw_only=True):
    """An init phase ended; `phase` is `invoke` where it was run again inside an invocation."""

    at: float
    function: str
    version: str
    stream: str
    duration_ms: float
    kind: InitKind = "on-demand"
    phase: Literal["init", "invoke"] = "init"
    outcome: Outcome = "success"
    error_type: str | None = None


class InvocationStarted(msgspec.Struct, frozen=True, kw_only=True):
    """An invocation begins in a ready environment."""

    at: float
    function: str
    version: str
    stream: str
    request_id: str
    trace_id: str | None = None


class FunctionLine(msgspec.Struct, frozen=True, kw_only=True):
    """The function, its runtime or an SDK wrote a line (one event; it may hold line breaks)."""

    at: float
    function: str
    version: str
    stream: str
    text: str
    request_id: str | None = None
    #: for JSON logs: level and logger message; None: a bare line
    level: str | None = None


class InvocationEnded(msgspec.Struct, frozen=True, kw_only=True):
    """An invocation ended: answered, raised, or killed at the function's timeout."""

    at: float
    function: str
    version: str
    stream: str
    request_id: str
    started_at: float
    duration_ms: float
    memory_mb: int
    max_memory_mb: int
    timeout_ms: float
    outcome: Outcome = "success"
    #: Init Duration as REPORT shows it (on-demand cold start)
    init_ms: float | None = None
    init_started_at: float | None = None
    restore_ms: float | None = None
    #: `Runtime.ExitError`, `Function.Unhandled`, `Sandbox.Timedout`
    error_type: str | None = None
    error_message: str | None = None
    #: from START until the handler's answer was there; None when there was none
    response_ms: float | None = None
    #: time that extensions took after the answer
    extension_ms: float = 0.0
    trace_id: str | None = None
    sampled: bool = False
    #: the id of the function's segment (`AWS::Lambda::Function`), its service segment's, and the caller's
    segment_id: str = ""
    service_segment_id: str = ""
    parent_segment_id: str = ""


LambdaRecord = InitStarted | InitEnded | InvocationStarted | FunctionLine | InvocationEnded


class BalancerEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One request at the load balancer; -1 ms stands for "not dispatched" or "no answer", as in its log."""

    created_at: float
    ended_at: float
    balancer: str
    client: str
    target: str
    request_ms: float
    target_ms: float
    response_ms: float
    status: int
    target_status: int | None
    method: str
    url: str
    received_bytes: int = 0
    sent_bytes: int = 0
    user_agent: str = "AmazonAPIGateway"
    trace_id: str | None = None
    error_reason: str | None = None


class EdgeEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One request at the edge (CloudFront, or another proxy in front of the gateway)."""

    arrived_at: float
    ended_at: float
    method: str
    path: str
    status: int
    result_type: str
    detailed_result_type: str
    edge_request_id: str
    host: str
    client_ip: str = "203.0.113.7"
    user_agent: str = "lab-client/1.0"


class ClientEntry(msgspec.Struct, frozen=True, kw_only=True):
    """What the caller saw: status and headers, or its own timeout (`status` None)."""

    started_at: float
    ended_at: float
    method: str
    url: str
    status: int | None
    #: headers that the caller sent beside its own `Host`, `User-Agent` and `Accept`
    sent: dict[str, str] = {}
    headers: dict[str, str] = {}
    body: str = ""
    timed_out: bool = False
    connection_id: str | None = None


class Journal:
    """Everything that happened in one run of a lab, in the order in which it was written down."""

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []
        self.functions: list[LambdaRecord] = []
        #: X-Ray documents that a function's SDK sent, as they came
        self.segments: list[dict[str, Any]] = []
        self.balancers: list[BalancerEntry] = []
        self.edges: list[EdgeEntry] = []
        self.clients: list[ClientEntry] = []
