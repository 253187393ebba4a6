"""What a template says about its APIs, routes, integrations, authorizers and functions, in one shape for all formats.

Every record knows where it stands (`mark`), and where each of its fields stands (`marks`, by the field's name):

- a field that is in `marks` was written by the author; one that is not holds a default or was not given
- a field that hangs on parameters of the template names them in `depends`
- a value that cannot be worked out from the file is `Unresolved`, with its expression and what it may be, never a guess
- text that names another resource keeps it as `${LogicalId}` or `${LogicalId.Arn}`

What the reader did not understand is a `Problem`; nothing is dropped silently.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from apigw_doctor.limits.defaults import default_integration_limit_ms
from apigw_doctor.limits.table import value
from apigw_doctor.model.terms import ApiType
from apigw_doctor.templates.intrinsics import Unresolved
from apigw_doctor.templates.marked import Mark

TemplateKind = Literal["cloudformation", "sam", "openapi"]
EndpointType = Literal["REGIONAL", "EDGE", "PRIVATE"]
LogLevel = Literal["OFF", "ERROR", "INFO"]
IntegrationKind = Literal["aws-proxy", "aws", "http-proxy", "http", "mock"]
TransferMode = Literal["BUFFERED", "STREAM"]
#: IAM is no authorizer of its own: routes say it in `authorization`.
AuthorizerKind = Literal["TOKEN", "REQUEST", "JWT", "COGNITO_USER_POOLS"]
ProblemKind = Literal["not-understood", "left-out"]

Known = TypeVar("Known")


def known(field: "Known | Unresolved | None", otherwise: Known) -> Known:
    """The field's value; `otherwise` where it was not given or cannot be worked out."""
    return otherwise if field is None or isinstance(field, Unresolved) else field


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Something in the file that the model does not hold.

    `not-understood`: the reader does not know what it means, or what it refers to is not here.
    `left-out`: the author's own condition leaves it out with the parameters that were given.
    """

    file: str
    line: int
    column: int
    text: str
    kind: ProblemKind = "not-understood"

    @property
    def place(self) -> str:
        """`template.yaml:12:7`."""
        return f"{self.file}:{self.line}:{self.column}"


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What all records have: where they and their fields stand in which file."""

    mark: Mark
    marks: dict[str, Mark] = {}
    #: names of the template parameters and pseudo parameters that a field hangs on, by field
    depends: dict[str, tuple[str, ...]] = {}
    #: the CDK construct that made the resource (`Stack/Api/Default`)
    construct: str | None = None

    def mark_of(self, field: str) -> Mark:
        """Where the field stands; the record's own place where the field was not written."""
        return self.marks.get(field, self.mark)

    def is_explicit(self, field: str) -> bool:
        """Whether the author wrote the field, rather than leaving it to its default."""
        return field in self.marks


class Function(Record, frozen=True, kw_only=True):
    """A Lambda function with what decides how long it may run, and where its code lies."""

    logical_id: str
    #: None: AWS makes a name of the stack's and the logical id
    name: str | Unresolved | None = None
    package: Literal["Zip", "Image"] = "Zip"
    handler: str | Unresolved | None = None
    runtime: str | Unresolved | None = None
    timeout_ms: float | Unresolved = value("lambda-timeout")
    memory_mb: float | Unresolved = 128.0
    #: the code on this machine, relative paths taken from the template's directory; it may not exist
    code_path: Path | None = None
    inline_code: str | Unresolved | None = None
    #: where the code lies as the template has it, when that is not on this machine (`s3://...`, an image)
    code_uri: str | Unresolved | None = None
    environment: dict[str, str | Unresolved] = {}
    layers: tuple[str | Unresolved, ...] = ()
    architecture: str | Unresolved | None = None
    reserved_concurrency: float | Unresolved | None = None
    #: of the alias that callers reach, or of any alias or version of the function
    provisioned_concurrency: float | Unresolved | None = None
    #: the alias that SAM publishes, or the only alias in the template
    alias: str | Unresolved | None = None
    snap_start: bool | Unresolved = False
    in_vpc: bool | Unresolved = False
    #: Active, PassThrough, Disabled
    tracing: str | Unresolved | None = None
    #: Text or JSON
    log_format: str | Unresolved | None = None


class Integration(Record, frozen=True, kw_only=True):
    """What the gateway calls for a route, and for how long it waits.

    `function` is the logical id of a function of this template; `function_name` the name in an ARN, or the logical
    id that the URI refers to, where the function is not in the template. `action` is the AWS service action of a
    direct integration (`states:action/StartSyncExecution`, `StepFunctions-StartSyncExecution`).
    """

    kind: IntegrationKind | Unresolved
    logical_id: str | None = None
    uri: str | Unresolved | None = None
    function: str | None = None
    function_name: str | None = None
    qualifier: str | None = None
    url: str | Unresolved | None = None
    action: str | None = None
    #: None: the API type's own default holds, see `effective_timeout_ms`
    timeout_ms: float | Unresolved | None = None
    transfer_mode: TransferMode | Unresolved = "BUFFERED"
    payload_format: str | Unresolved | None = None
    #: INTERNET or VPC_LINK
    connection_type: str | Unresolved = "INTERNET"
    connection_id: str | Unresolved | None = None
    http_method: str | Unresolved | None = None
    #: the function is called with `X-Amz-Invocation-Type: Event`: nobody waits for it
    asynchronous: bool = False
    request_parameters: dict[str, str | Unresolved] = {}

    @property
    def is_vpc_link(self) -> bool:
        """Whether the target is reached through a VPC link."""
        return self.connection_type == "VPC_LINK"


class Route(Record, frozen=True, kw_only=True):
    """One method of a REST resource, or one route of an HTTP or WebSocket API.

    `path` is the full resource path (`/orders/{id}`); of a WebSocket API, and for `$default`, the route key.
    A part of a path that the template does not tell stays as an expression (`/${Parent}/orders`).
    """

    method: str
    path: str
    logical_id: str | None = None
    integration: Integration | None = None
    #: name or logical id of an `Authorizer` of the same API; Unresolved where it lies elsewhere
    authorizer: str | Unresolved | None = None
    #: NONE, AWS_IAM, CUSTOM, COGNITO_USER_POOLS, JWT
    authorization: str | Unresolved = "NONE"
    api_key_required: bool | Unresolved = False

    @property
    def key(self) -> str:
        """`GET /orders/{id}`; the route key of a WebSocket API and `$default` as they are."""
        return f"{self.method} {self.path}" if self.path.startswith("/") else self.path


class Authorizer(Record, frozen=True, kw_only=True):
    """Who lets a request through, and how long its word is kept."""

    id: str
    name: str
    kind: AuthorizerKind | Unresolved
    function: str | None = None
    function_name: str | None = None
    qualifier: str | None = None
    uri: str | Unresolved | None = None
    #: None: the API type's own default (300 s of REST APIs)
    ttl_s: float | Unresolved | None = None
    simple_responses: bool | Unresolved = False
    payload_format: str | Unresolved | None = None
    identity_sources: tuple[str, ...] = ()


class RouteSettings(Record, frozen=True, kw_only=True):
    """Logging and throttling of one method or route; `*` and `/*` mean all of a stage."""

    method: str
    path: str
    log_level: LogLevel | Unresolved | None = None
    data_trace: bool | Unresolved | None = None
    metrics: bool | Unresolved | None = None
    throttle_rate: float | Unresolved | None = None
    throttle_burst: float | Unresolved | None = None


class Stage(Record, frozen=True, kw_only=True):
    """A stage, with the evidence that it will leave; the settings are those for all its routes."""

    name: str | Unresolved
    logical_id: str | None = None
    log_level: LogLevel | Unresolved | None = None
    data_trace: bool | Unresolved | None = None
    metrics: bool | Unresolved | None = None
    throttle_rate: float | Unresolved | None = None
    throttle_burst: float | Unresolved | None = None
    access_log_format: str | Unresolved | None = None
    access_log_destination: str | Unresolved | None = None
    tracing: bool | Unresolved = False
    variables: dict[str, str | Unresolved] = {}
    #: settings of single methods or routes, which win over the stage's
    route_settings: tuple[RouteSettings, ...] = ()


class GatewayResponse(Record, frozen=True, kw_only=True):
    """An answer of the gateway itself that the author changed (`DEFAULT_5XX`, `INTEGRATION_TIMEOUT`)."""

    response_type: str
    status: float | Unresolved | None = None
    #: body template by content type
    templates: dict[str, str | Unresolved] = {}
    #: `gatewayresponse.header.NAME` and its mapping, as the template has it
    parameters: dict[str, str | Unresolved] = {}


class Api(Record, frozen=True, kw_only=True):
    """One API with its stages and routes.

    `external`: the API itself is in another template or is only named by a parameter; `logical_id` is then the
    expression that names it. `implicit`: SAM makes it from the events of functions.
    """

    logical_id: str
    api_type: ApiType
    name: str | Unresolved | None = None
    #: of REST APIs; None where the template leaves it to AWS's default (EDGE for REST) or it has none
    endpoint_type: EndpointType | Unresolved | None = None
    stages: tuple[Stage, ...] = ()
    routes: tuple[Route, ...] = ()
    authorizers: tuple[Authorizer, ...] = ()
    gateway_responses: tuple[GatewayResponse, ...] = ()
    binary_media_types: tuple[str, ...] = ()
    implicit: bool = False
    external: bool = False

    def effective_timeout_ms(self, integration: Integration) -> float | None:
        """How long the gateway waits for this integration; None where the template does not tell."""
        if isinstance(integration.timeout_ms, Unresolved):
            return None
        if integration.timeout_ms is not None:
            return integration.timeout_ms
        endpoint = known(self.endpoint_type, "EDGE")
        return default_integration_limit_ms(self.api_type, endpoint, known(integration.transfer_mode, "BUFFERED"))

    def authorizer(self, name: str | Unresolved | None) -> Authorizer | None:
        """The authorizer that a route names."""
        return next((one for one in self.authorizers if name in (one.id, one.name)), None)


class OtherResource(Record, frozen=True, kw_only=True):
    """Any other resource: queues, tables, log groups, event sources, permissions, aliases.

    `values` are its properties with all that can be resolved; `marks` has one entry for each property, by its
    dotted path (`RedrivePolicy.maxReceiveCount`, `Events.0.Arn`). A SAM event of a function is one too, of type
    `SAM::Event::SQS`, with the function's logical id in `owner`.
    """

    logical_id: str
    type: str
    values: dict[str, Any] = {}
    owner: str | None = None


class Template(msgspec.Struct, frozen=True, kw_only=True):
    """One template as it was read, with everything that it includes from files beside it."""

    file: str
    path: Path
    kind: TemplateKind
    apis: tuple[Api, ...] = ()
    functions: tuple[Function, ...] = ()
    others: tuple[OtherResource, ...] = ()
    problems: tuple[Problem, ...] = ()
    #: values that were used for parameters and pseudo parameters; those without a value are not in it
    parameters: dict[str, Any] = {}

    def api(self, logical_id: str) -> Api:
        """The API of this logical id; `KeyError` for another."""
        for one in self.apis:
            if one.logical_id == logical_id:
                return one
        raise KeyError(logical_id)

    def function(self, logical_id: str) -> Function:
        """The function of this logical id; `KeyError` for another."""
        for one in self.functions:
            if one.logical_id == logical_id:
                return one
        raise KeyError(logical_id)

    def routes(self) -> Iterator[tuple[Api, Route]]:
        """Every route with the API that it belongs to."""
        for api in self.apis:
            for route in api.routes:
                yield api, route

    def others_of(self, *types: str) -> tuple[OtherResource, ...]:
        """The other resources of these types."""
        return tuple(one for one in self.others if one.type in types)
