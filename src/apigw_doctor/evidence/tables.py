"""Row types: the single truth about what each kind of evidence says.

Times (`*_at`) are milliseconds since the epoch, UTC, as floats; durations (`*_ms`) are
milliseconds. `None` means that the evidence did not say; it never stands for zero.
"""

from typing import Any

import msgspec

from apigw_doctor.evidence.crowd import Crowd
from apigw_doctor.evidence.traffic import Traffic
from apigw_doctor.model.terms import ApiType, EvidenceKind, Outcome


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A fact with its place of origin."""


class Cite(Row, frozen=True, kw_only=True):
    """A place in the evidence and the words that stand there (not yet redacted).

    `origin` is `file:line` or `log group/stream/event id`.
    """

    origin: str
    text: str


class GatewayRequest(Row, frozen=True, kw_only=True):
    """One request as the gateway's own logs tell it, all its lines and log kinds merged."""

    key: str
    request_id: str | None = None
    extended_request_id: str | None = None
    trace_id: str | None = None
    connection_id: str | None = None
    api_type: ApiType = ApiType.UNKNOWN
    api_id: str | None = None
    stage: str | None = None
    method: str | None = None
    route: str | None = None
    path: str | None = None
    event_type: str | None = None
    endpoint_type: str | None = None
    transfer_mode: str | None = None
    client_ip: str | None = None
    user_agent: str | None = None

    arrived_at: float | None = None
    #: how exact `arrived_at` is: 1 for epoch milliseconds, 1000 for CLF times and Test transcripts
    arrived_within_ms: float = 1.0
    started_at: float | None = None
    sending_at: float | None = None
    received_at: float | None = None
    failed_at: float | None = None
    completed_at: float | None = None
    last_line_at: float | None = None

    authorizer_started_at: float | None = None
    authorizer_completed_at: float | None = None
    authorizer_latency_ms: float | None = None
    authorizer_status: int | None = None
    authorizer_error: str | None = None

    response_latency_ms: float | None = None
    integration_latency_ms: float | None = None
    status: int | None = None
    #: what the function or endpoint returned (`$context.integration.status`)
    integration_status: int | None = None
    #: what the Lambda service answered (`$context.integrationStatus`)
    service_status: int | None = None
    response_type: str | None = None
    error_message: str | None = None
    #: text after "Execution failed due to ", "Lambda execution failed ...", or `$context.integration.error`
    failure: str | None = None
    #: start of the endpoint's response body, where the log level shows it
    endpoint_body: str | None = None
    #: the response headers carried X-Amz-Function-Error
    function_error: bool = False
    response_bytes: int | None = None
    waf_latency_ms: float | None = None

    endpoint_uri: str | None = None
    function: str | None = None
    qualifier: str | None = None
    lambda_request_id: str | None = None

    #: lines that only INFO (`Starting execution`) or only data trace (`Endpoint request ...`) writes
    saw_info: bool = False
    saw_trace: bool = False
    #: `Sending request to`: the integration was called
    was_sent: bool = False
    #: `Successfully completed execution`
    completed_well: bool = False
    #: a console Test transcript: the gateway writes no other log for it
    test_invoke: bool = False
    #: the client's WebSocket got an error frame
    error_frame: bool = False
    sources: tuple[EvidenceKind, ...] = ()
    cites: tuple[Cite, ...] = ()


class InitReport(Row, frozen=True, kw_only=True):
    """An INIT_REPORT or `platform.initReport`: written for failed inits, SnapStart and provisioned concurrency."""

    phase: str
    status: str | None = None
    duration_ms: float | None = None
    at: float | None = None
    init_type: str | None = None
    error_type: str | None = None
    cite: Cite | None = None


class AppLine(Row, frozen=True, kw_only=True):
    """One line that the function, a library or an extension wrote."""

    at: float | None
    text: str
    origin: str
    level: str | None = None
    #: written by an extension or by the platform about one, not by the function
    extension: bool = False


class LambdaInvocation(Row, frozen=True, kw_only=True):
    """One invocation as its log stream tells it."""

    request_id: str
    function: str | None = None
    version: str | None = None
    log_group: str | None = None
    stream: str | None = None
    #: INIT_START that belongs to this invocation (same stream, just before it)
    init_started_at: float | None = None
    started_at: float | None = None
    ended_at: float | None = None
    reported_at: float | None = None
    duration_ms: float | None = None
    billed_ms: float | None = None
    memory_mb: int | None = None
    max_memory_mb: int | None = None
    init_ms: float | None = None
    #: on-demand | provisioned-concurrency | snap-start, where the log says so
    init_type: str | None = None
    restore_ms: float | None = None
    outcome: Outcome = Outcome.UNKNOWN
    #: F as the log tells it: "Task timed out after N seconds", or Duration where Status is timeout
    timeout_ms: float | None = None
    error_type: str | None = None
    error_text: str | None = None
    trace_id: str | None = None
    #: ids of gateway requests that the function wrote into its log
    logged_ids: tuple[str, ...] = ()
    init_reports: tuple[InitReport, ...] = ()
    #: True: the first invocation of its log stream; None: the stream's beginning was not seen
    first_in_stream: bool | None = None
    #: number of this invocation in its stream, from 0
    position: int | None = None
    #: end of the invocation before this one in the same stream
    previous_ended_at: float | None = None
    lines: tuple[AppLine, ...] = ()
    line_count: int = 0
    #: time spent by extensions after the response, where the platform says so
    extension_overhead_ms: float | None = None
    response_latency_ms: float | None = None
    extensions: tuple[str, ...] = ()
    cites: tuple[Cite, ...] = ()

    @property
    def begun_at(self) -> float | None:
        """When the environment was asked for: INIT_START, else START (or end less duration) less init or restore."""
        if self.init_started_at is not None:
            return self.init_started_at
        started = self.started_at
        if started is None:
            ended = self.ended_at if self.ended_at is not None else self.reported_at
            if ended is None or self.duration_ms is None:
                return None
            started = ended - self.duration_ms
        return started - (self.init_ms or 0.0) - (self.restore_ms or 0.0)

    @property
    def finished_at(self) -> float | None:
        """END, else REPORT, else START plus Duration."""
        if self.ended_at is not None:
            return self.ended_at
        if self.reported_at is not None:
            return self.reported_at
        if self.started_at is not None and self.duration_ms is not None:
            return self.started_at + self.duration_ms
        return None


class LoadBalancerRequest(Row, frozen=True, kw_only=True):
    """One line of an Application Load Balancer access log."""

    ended_at: float
    created_at: float | None = None
    load_balancer: str
    client: str | None = None
    target: str | None = None
    request_ms: float | None = None
    target_ms: float | None = None
    response_ms: float | None = None
    status: int | None = None
    target_status: int | None = None
    method: str | None = None
    host: str | None = None
    path: str | None = None
    trace_id: str | None = None
    error_reason: str | None = None
    cites: tuple[Cite, ...] = ()


class EdgeRequest(Row, frozen=True, kw_only=True):
    """One line of a CloudFront standard log."""

    ended_at: float
    edge_request_id: str | None = None
    client_ip: str | None = None
    method: str | None = None
    host: str | None = None
    path: str | None = None
    status: int | None = None
    result_type: str | None = None
    detailed_result: str | None = None
    time_taken_ms: float | None = None
    cites: tuple[Cite, ...] = ()


class TraceSegment(Row, frozen=True, kw_only=True):
    """An X-Ray segment or subsegment; subsegments name their parent."""

    trace_id: str
    id: str
    parent_id: str | None = None
    name: str
    origin: str | None = None
    namespace: str | None = None
    started_at: float
    ended_at: float | None = None
    in_progress: bool = False
    fault: bool = False
    error: bool = False
    throttle: bool = False
    status: int | None = None
    operation: str | None = None
    gateway_request_id: str | None = None
    extended_request_id: str | None = None
    lambda_request_id: str | None = None
    function: str | None = None
    api_id: str | None = None
    stage: str | None = None
    cites: tuple[Cite, ...] = ()


class ClientReply(Row, frozen=True, kw_only=True):
    """What the caller saw: a transcript, a response body, a WebSocket frame."""

    at: float | None = None
    status: int | None = None
    request_id: str | None = None
    extended_request_id: str | None = None
    trace_id: str | None = None
    connection_id: str | None = None
    #: the only id that HTTP APIs send back
    http_api_id: str | None = None
    error_type: str | None = None
    message: str | None = None
    elapsed_ms: float | None = None
    #: the client's own timer fired (curl: (28), "socket hang up", ...)
    gave_up: bool = False
    #: came from a CloudFront distribution or edge-optimised endpoint
    via_edge: bool = False
    #: the edge's own id of the request (`x-amz-cf-id`)
    edge_request_id: str | None = None
    method: str | None = None
    host: str | None = None
    path: str | None = None
    frame: bool = False
    cites: tuple[Cite, ...] = ()


class TargetTiming(Row, frozen=True, kw_only=True):
    """`curl -w` timings of a target: about the target, never about one request."""

    host: str | None = None
    dns_ms: float | None = None
    connect_ms: float | None = None
    tls_ms: float | None = None
    first_byte_ms: float | None = None
    total_ms: float | None = None
    status: int | None = None
    cites: tuple[Cite, ...] = ()


class IntegrationSettings(Row, frozen=True, kw_only=True):
    """An integration as the control plane or an OpenAPI export describes it."""

    api_type: ApiType
    api_id: str | None = None
    method: str | None = None
    route: str | None = None
    integration_id: str | None = None
    type: str | None = None
    uri: str | None = None
    function: str | None = None
    qualifier: str | None = None
    #: None: not set, so the API type's default holds
    timeout_ms: float | None = None
    transfer_mode: str | None = None
    connection_type: str | None = None
    cites: tuple[Cite, ...] = ()


class StageSettings(Row, frozen=True, kw_only=True):
    """A stage: what it logs and traces."""

    api_type: ApiType
    api_id: str | None = None
    stage: str
    #: highest of the stage's method settings: OFF, ERROR or INFO; None: not set
    execution_logging: str | None = None
    #: False: only some methods are covered
    execution_logging_everywhere: bool = True
    data_trace: bool = False
    access_log_format: str | None = None
    access_log_destination: str | None = None
    tracing: bool | None = None
    cites: tuple[Cite, ...] = ()


class ApiSettings(Row, frozen=True, kw_only=True):
    """An API: its protocol and endpoint type."""

    api_id: str
    name: str | None = None
    api_type: ApiType
    endpoint_type: str | None = None
    cites: tuple[Cite, ...] = ()


class FunctionSettings(Row, frozen=True, kw_only=True):
    """A function's configuration."""

    function: str
    timeout_ms: float | None = None
    memory_mb: int | None = None
    #: None: the document did not say
    in_vpc: bool | None = None
    runtime: str | None = None
    tracing: str | None = None
    snap_start: str | None = None
    provisioned: int | None = None
    alias: str | None = None
    cites: tuple[Cite, ...] = ()


class AuthorizerSettings(Row, frozen=True, kw_only=True):
    """An authorizer and the function behind it."""

    authorizer_id: str
    name: str | None = None
    type: str | None = None
    function: str | None = None
    cache_ttl_s: int | None = None
    cites: tuple[Cite, ...] = ()


class LoadBalancerSettings(Row, frozen=True, kw_only=True):
    """Attributes of a load balancer that bound a request."""

    idle_timeout_ms: float
    cites: tuple[Cite, ...] = ()


class GatewayResponseSettings(Row, frozen=True, kw_only=True):
    """What a REST API's gateway answers for one response type."""

    response_type: str
    #: None: the type's own default holds
    status: int | None = None
    #: False: somebody changed it
    is_default: bool | None = None
    cites: tuple[Cite, ...] = ()


class ConcurrencySettings(Row, frozen=True, kw_only=True):
    """What is reserved for a function; get-function-concurrency does not say for which one."""

    reserved: int
    cites: tuple[Cite, ...] = ()


class MetricSeries(Row, frozen=True, kw_only=True):
    """One statistic of one CloudWatch metric over time."""

    #: as it was given: free text
    label: str
    #: None here and below: the label does not say
    namespace: str | None = None
    metric: str | None = None
    #: "Name=Value" each
    dimensions: tuple[str, ...] = ()
    statistic: str | None = None
    unit: str | None = None
    #: the smallest distance between two points
    period_ms: float | None = None
    first_at: float | None = None
    last_at: float | None = None
    #: how many points there were, those of value 0 too
    points: int = 0
    #: beginnings of the periods whose value is not 0, in order
    times: tuple[float, ...] = ()
    values: tuple[float, ...] = ()
    #: False: CloudWatch answered with only a part
    complete: bool = True
    cites: tuple[Cite, ...] = ()


class Unread(Row, frozen=True, kw_only=True):
    """Input that was seen and not understood; counted, never dropped silently."""

    origin: str
    lines: int
    reason: str


class Gap(Row, frozen=True, kw_only=True):
    """Evidence that was asked for and could not be had."""

    origin: str
    evidence: EvidenceKind | None = None
    reason: str
    remedy: str = ""


class InputFile(Row, frozen=True, kw_only=True):
    """One input as it was read."""

    name: str
    bytes_read: int
    lines: int
    kinds: tuple[str, ...] = ()


class Evidence(msgspec.Struct, kw_only=True):
    """All rows of one diagnosis. Filled by `sources`, read by everybody else."""

    requests: list[GatewayRequest] = []
    invocations: list[LambdaInvocation] = []
    load_balancer: list[LoadBalancerRequest] = []
    edge: list[EdgeRequest] = []
    segments: list[TraceSegment] = []
    clients: list[ClientReply] = []
    targets: list[TargetTiming] = []
    integrations: list[IntegrationSettings] = []
    stages: list[StageSettings] = []
    apis: list[ApiSettings] = []
    functions: list[FunctionSettings] = []
    authorizers: list[AuthorizerSettings] = []
    load_balancer_settings: list[LoadBalancerSettings] = []
    gateway_responses: list[GatewayResponseSettings] = []
    concurrency: list[ConcurrencySettings] = []
    metrics: list[MetricSeries] = []
    unread: list[Unread] = []
    gaps: list[Gap] = []
    files: list[InputFile] = []
    notes: list[str] = []
    #: requests and invocations without a row of their own: they went well, and nothing speaks of them
    traffic: Traffic = msgspec.field(default_factory=Traffic)
    crowd: Crowd = msgspec.field(default_factory=Crowd)
    #: records without an extended id whose plain id several requests share
    unjoined_records: int = 0

    def table(self, kind: type[Row]) -> list[Any]:
        """The list that holds rows of `kind`."""
        return getattr(self, _TABLES[kind])  # type: ignore[no-any-return]


_TABLES: dict[type[Row], str] = {
    GatewayRequest: "requests",
    LambdaInvocation: "invocations",
    LoadBalancerRequest: "load_balancer",
    EdgeRequest: "edge",
    TraceSegment: "segments",
    ClientReply: "clients",
    TargetTiming: "targets",
    IntegrationSettings: "integrations",
    StageSettings: "stages",
    ApiSettings: "apis",
    FunctionSettings: "functions",
    AuthorizerSettings: "authorizers",
    LoadBalancerSettings: "load_balancer_settings",
    GatewayResponseSettings: "gateway_responses",
    ConcurrencySettings: "concurrency",
    MetricSeries: "metrics",
    Unread: "unread",
    Gap: "gaps",
    InputFile: "files",
}
