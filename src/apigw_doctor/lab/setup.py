"""What a lab serves: one API with its routes, the functions behind it and the targets they call.

A scenario writes a setup by hand, a template of the user is read into one (`lab/from_template.py`); the gateway
serves it, the evidence names it, and the publisher creates the same resources at an AWS endpoint.
"""

from pathlib import Path
from typing import Literal

import msgspec

from apigw_doctor.model.terms import ApiType

EndpointType = Literal["REGIONAL", "EDGE", "PRIVATE"]
LogLevel = Literal["OFF", "ERROR", "INFO"]
#: How a function's log looks: the text of before and after 2025's change of timeout lines, or JSON.
LogForm = Literal["text", "text-old", "json"]
IntegrationKind = Literal["aws-proxy", "http-proxy", "mock"]

ACCOUNT, REGION = "123456789012", "eu-west-1"


class LabFunction(msgspec.Struct, frozen=True, kw_only=True):
    """A function: one subprocess per execution environment runs `handler` of the code in `code`."""

    name: str
    handler: str
    code: Path
    runtime: str = "python3.13"
    timeout_ms: float = 3_000.0
    memory_mb: int = 128
    environment: dict[str, str] = {}
    #: the alias or version that callers name; None: `$LATEST`
    qualifier: str | None = None
    version: str = "$LATEST"
    reserved_concurrency: int | None = None
    provisioned_concurrency: int = 0
    in_vpc: bool = False
    tracing: bool = False
    log_form: LogForm = "text"
    #: an extension that works on for so long after the handler has answered
    extension_ms: float = 0.0
    #: what REPORT says of memory; None: what the process really used, capped at memory_mb
    max_memory_mb: int | None = None
    region: str = REGION
    account_id: str = ACCOUNT

    @property
    def arn(self) -> str:
        """Unqualified ARN."""
        return f"arn:aws:lambda:{self.region}:{self.account_id}:function:{self.name}"

    @property
    def called_arn(self) -> str:
        """ARN as integrations name it, with the qualifier where there is one."""
        return f"{self.arn}:{self.qualifier}" if self.qualifier else self.arn


class LabAuthorizer(msgspec.Struct, frozen=True, kw_only=True):
    """A Lambda authorizer; `timeout_ms` is the time that the gateway gives it (None: the API type's own limit)."""

    id: str
    name: str
    function: str
    kind: Literal["TOKEN", "REQUEST"] = "TOKEN"
    timeout_ms: float | None = None
    cache_ttl_s: int = 0
    simple_responses: bool = False


class LabRoute(msgspec.Struct, frozen=True, kw_only=True):
    """One method of a resource (REST), or one route (HTTP, WebSocket), with its integration.

    `path` is the resource path (`/orders/{id}`, `/{proxy+}`), or the WebSocket route key (`$connect`, `ask`);
    `method` is `ANY` where all are meant. `function` names the target of `aws-proxy`, `url` that of `http-proxy`.
    """

    method: str
    path: str
    kind: IntegrationKind = "aws-proxy"
    function: str | None = None
    url: str | None = None
    timeout_ms: float | None = None
    stream: bool = False
    payload_format: Literal["1.0", "2.0"] = "1.0"
    authorizer: str | None = None
    resource_id: str = "r1"
    integration_id: str = "i1"
    vpc_link: bool = False
    load_balancer: str | None = None
    #: requests per second and burst above which this route answers 429; None: none
    throttle_rate: float | None = None
    throttle_burst: int = 0

    @property
    def key(self) -> str:
        """`GET /orders/{id}`; the route key of a WebSocket API as it is."""
        return f"{self.method} {self.path}" if self.path.startswith("/") else self.path


class GatewayResponse(msgspec.Struct, frozen=True, kw_only=True):
    """A gateway response that the API's owner changed: by response type (`INTEGRATION_TIMEOUT`, `DEFAULT_5XX`)."""

    response_type: str
    status: int | None = None
    body: str | None = None
    headers: dict[str, str] = {}


class LabApi(msgspec.Struct, frozen=True, kw_only=True):
    """One API and one stage of it."""

    api_id: str
    name: str
    api_type: ApiType
    stage: str = "prod"
    endpoint_type: EndpointType = "REGIONAL"
    log_level: LogLevel = "INFO"
    data_trace: bool = True
    access_log_format: str | None = None
    tracing: bool = False
    routes: tuple[LabRoute, ...] = ()
    authorizers: tuple[LabAuthorizer, ...] = ()
    gateway_responses: tuple[GatewayResponse, ...] = ()
    region: str = REGION
    account_id: str = ACCOUNT
    deployment_id: str = "d3pl0y"

    @property
    def domain_name(self) -> str:
        """Host of the API's own endpoint."""
        return f"{self.api_id}.execute-api.{self.region}.amazonaws.com"


class LabBalancer(msgspec.Struct, frozen=True, kw_only=True):
    """An Application Load Balancer between the gateway and its targets."""

    name: str = "app/lab-alb/50dc6c495c0c9188"
    idle_timeout_ms: float = 60_000.0
    connect_timeout_ms: float = 10_000.0
    keep_alive_ms: float = 3_600_000.0


class LabSetup(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one lab serves."""

    api: LabApi
    functions: tuple[LabFunction, ...] = ()
    balancers: tuple[LabBalancer, ...] = ()

    def function(self, name: str) -> LabFunction:
        """The function of this name; `KeyError` for another."""
        for one in self.functions:
            if one.name == name:
                return one
        raise KeyError(name)
