"""`AWS::ApiGateway::*` and `AWS::ApiGatewayV2::*` of CloudFormation, also as the CDK writes them."""

from apigw_doctor.model.terms import ApiType
from apigw_doctor.templates.drafts import (
    Draft,
    Drafts,
    read_access_log,
    read_endpoint,
    read_logging,
    read_method_settings,
    read_route_settings,
    split_route_key,
)
from apigw_doctor.templates.integrations import V1, V2, function_fields, read_authorizer, read_integration
from apigw_doctor.templates.intrinsics import Unresolved
from apigw_doctor.templates.links import named
from apigw_doctor.templates.marked import Mark
from apigw_doctor.templates.model import Authorizer, GatewayResponse, Integration, Route, Stage
from apigw_doctor.templates.reading import Fields, Reading, Resource

_V1, _V2 = "AWS::ApiGateway::", "AWS::ApiGatewayV2::"
#: What these readers take into the model; all other types are kept as they are.
TYPES = frozenset(
    {
        f"{_V1}{name}"
        for name in ("RestApi", "Resource", "Method", "Stage", "Deployment", "GatewayResponse", "Authorizer")
    }
    | {f"{_V2}{name}" for name in ("Api", "Route", "Integration", "Stage", "Authorizer")}
)
_AUTHORIZER_V1 = {
    "kind": "Type",
    "uri": "AuthorizerUri",
    "ttl": "AuthorizerResultTtlInSeconds",
    "simple": "EnableSimpleResponses",
    "payload": "AuthorizerPayloadFormatVersion",
    "source": "IdentitySource",
}
_AUTHORIZER_V2 = _AUTHORIZER_V1 | {"kind": "AuthorizerType"}
_ROOT = "RootResourceId"
_MAX_PARENTS = 50
_PROTOCOLS = {"HTTP": ApiType.HTTP, "WEBSOCKET": ApiType.WEBSOCKET}
_INTEGRATIONS = "integrations/"


def read_apis(drafts: Drafts) -> None:
    """Gather all APIs that the template spells out."""
    reading = drafts.reading
    for resource in reading.of_type(f"{_V1}RestApi"):
        _rest_api(drafts, resource)
    for resource in reading.of_type(f"{_V2}Api"):
        _v2_api(drafts, resource)


def read_parts(drafts: Drafts) -> None:
    """Gather what belongs to APIs, those of SAM among them."""
    for suffix, part in (
        ("Authorizer", _authorizer),
        ("Method", _method),
        ("Deployment", _deployment),
        ("Stage", _stage),
        ("GatewayResponse", _gateway_response),
    ):
        for resource in drafts.reading.of_type(f"{_V1}{suffix}"):
            part(drafts, resource, _fields(drafts, resource))
    integrations = _integrations(drafts)
    for resource in drafts.reading.of_type(f"{_V2}Authorizer"):
        _v2_authorizer(drafts, resource, _fields(drafts, resource))
    for resource in drafts.reading.of_type(f"{_V2}Route"):
        _v2_route(drafts, resource, _fields(drafts, resource), integrations)
    for resource in drafts.reading.of_type(f"{_V2}Stage"):
        _v2_stage(drafts, resource, _fields(drafts, resource))


def _fields(drafts: Drafts, resource: Resource) -> Fields:
    return Fields(drafts.reading, resource.properties, resource.logical_id)


# -- REST APIs ----------------------------------------------------------------------------------------


def _rest_api(drafts: Drafts, resource: Resource) -> None:
    fields = _fields(drafts, resource)
    fields.text("name", "Name")
    read_endpoint(fields)
    if media := fields.item_texts("BinaryMediaTypes"):
        fields.put("binary_media_types", tuple(str(one) for one in media), "BinaryMediaTypes")
    draft = drafts.add(resource.logical_id, ApiType.REST, resource.mark, fields, construct=resource.construct)
    drafts.read_body(draft, fields, "Body", "BodyS3Location")


def _authorizer(drafts: Drafts, resource: Resource, fields: Fields) -> None:
    draft = drafts.of(fields.peek("RestApiId"), ApiType.REST, resource.mark)
    name = fields.known("Name") or resource.logical_id
    draft.authorizers.append(
        read_authorizer(fields, name, resource.mark, drafts.callables, _AUTHORIZER_V1, resource.logical_id)
    )


def _method(drafts: Drafts, resource: Resource, fields: Fields) -> None:
    draft = drafts.of(fields.peek("RestApiId"), ApiType.REST, resource.mark)
    method = (fields.known("HttpMethod") or "ANY").upper()
    fields.marks["method"] = fields.node.entries["HttpMethod"][1].mark if fields.has("HttpMethod") else resource.mark
    path, mark = _resource_path(drafts.reading, fields)
    if mark is not None:
        fields.marks["path"] = mark
    fields.text("authorization", "AuthorizationType")
    fields.flag("api_key_required", "ApiKeyRequired")
    _names_authorizer(fields)
    draft.routes.append(
        Route(
            mark=resource.mark,
            logical_id=resource.logical_id,
            construct=resource.construct,
            method=method,
            path=path,
            integration=_method_integration(drafts, resource, fields, f"{method} {path}"),
            **fields.record(),
        )
    )


def _method_integration(drafts: Drafts, resource: Resource, fields: Fields, what: str) -> Integration | None:
    if not fields.has("Integration"):
        drafts.reading.problem(resource.mark, f"{resource.logical_id} ({what}) has no Integration")
        return None
    mark = fields.node.entries["Integration"][0].mark
    return read_integration(fields.child("Integration"), V1, drafts.callables, mark, resource.logical_id)


def _names_authorizer(fields: Fields) -> None:
    found = fields.peek("AuthorizerId")
    if found is not None:
        fields.put(
            "authorizer",
            named(found) or (found if isinstance(found, Unresolved) else Unresolved(found)),
            "AuthorizerId",
        )


def _resource_path(reading: Reading, method: Fields) -> tuple[str, Mark | None]:
    """The full path of a method, from its resource up to the root; what is not here stays an expression."""
    parts: list[str] = []
    mark: Mark | None = None
    at = method.known("ResourceId")
    for _ in range(_MAX_PARENTS):
        name = named(at)
        if name is None or (at or "").endswith(f".{_ROOT}}}"):
            break
        resource = reading.resources.get(name)
        if resource is None or resource.type != f"{_V1}Resource":
            break
        fields = Fields(reading, resource.properties, resource.logical_id)
        parts.append(fields.known("PathPart") or "?")
        mark = mark or (fields.node.entries["PathPart"][1].mark if fields.has("PathPart") else resource.mark)
        at = fields.known("ParentId")
    is_root = at is None or at.endswith(f".{_ROOT}}}") or "root" in at.lower()
    if not is_root:
        parts.append(at or "?")
        reading.problem(method.node.mark, f"{method.what}: the path above it is not in this template ({at})")
    return "/" + "/".join(reversed(parts)), mark


def _stage(drafts: Drafts, resource: Resource, fields: Fields) -> None:
    draft = drafts.of(fields.peek("RestApiId"), ApiType.REST, resource.mark)
    draft.stages.append(_rest_stage(resource, fields, fields.known("StageName") or resource.logical_id))


def _rest_stage(resource: Resource, fields: Fields, name: str) -> Stage:
    fields.text("name", "StageName")
    fields.values.setdefault("name", name)
    fields.flag("tracing", "TracingEnabled")
    fields.texts("variables", "Variables")
    read_logging(fields)
    read_access_log(fields, "AccessLogSetting")
    read_method_settings(fields)
    return Stage(mark=resource.mark, logical_id=resource.logical_id, construct=resource.construct, **fields.record())


def _deployment(drafts: Drafts, resource: Resource, fields: Fields) -> None:
    """A deployment that names a stage makes it."""
    draft = drafts.of(fields.peek("RestApiId"), ApiType.REST, resource.mark)
    name = fields.peek("StageName")
    if name is None:
        return
    described = fields.child("StageDescription")
    described.put("name", name, "StageName", fields.node.get("StageName"))
    stage = _rest_stage(resource, described, str(name))
    draft.stages.append(stage)


def _gateway_response(drafts: Drafts, resource: Resource, fields: Fields) -> None:
    draft = drafts.of(fields.peek("RestApiId"), ApiType.REST, resource.mark)
    fields.number("status", "StatusCode")
    fields.texts("templates", "ResponseTemplates")
    fields.texts("parameters", "ResponseParameters")
    draft.gateway_responses.append(
        GatewayResponse(mark=resource.mark, response_type=fields.known("ResponseType") or "?", **fields.record())
    )


# -- HTTP and WebSocket APIs --------------------------------------------------------------------------


def _v2_api(drafts: Drafts, resource: Resource) -> None:
    fields = _fields(drafts, resource)
    fields.text("name", "Name")
    protocol = fields.known("ProtocolType")
    api_type = _PROTOCOLS.get((protocol or "HTTP").upper(), ApiType.UNKNOWN)
    if api_type is ApiType.UNKNOWN:
        drafts.reading.problem(resource.mark, f"{resource.logical_id}: ProtocolType is neither HTTP nor WEBSOCKET")
    draft = drafts.add(resource.logical_id, api_type, resource.mark, fields, construct=resource.construct)
    drafts.read_body(draft, fields, "Body", "BodyS3Location")
    if fields.has("Target"):
        _quick_create(drafts, draft, resource, fields)


def _quick_create(drafts: Drafts, draft: Draft, resource: Resource, fields: Fields) -> None:
    """An API with a `Target` has one route and the stage `$default`, which deploys by itself."""
    uri = fields.peek("Target")
    is_url = str(uri).startswith("http")
    mark = fields.node.entries["Target"][0].mark
    integration = Integration(
        mark=mark,
        marks={"uri": fields.node.entries["Target"][1].mark},
        kind="http-proxy" if is_url else "aws-proxy",
        uri=uri,
        url=uri if is_url else None,
        payload_format="1.0" if is_url else "2.0",
        **({} if is_url else function_fields(uri, drafts.callables)),
    )
    method, path = split_route_key(fields.known("RouteKey") or "$default")
    draft.routes.append(Route(mark=mark, method=method, path=path, integration=integration))
    draft.stages.append(Stage(mark=resource.mark, name="$default"))


def _integrations(drafts: Drafts) -> dict[str, Integration]:
    found: dict[str, Integration] = {}
    for resource in drafts.reading.of_type(f"{_V2}Integration"):
        fields = _fields(drafts, resource)
        found[resource.logical_id] = read_integration(fields, V2, drafts.callables, resource.mark, resource.logical_id)
    return found


def _v2_authorizer(drafts: Drafts, resource: Resource, fields: Fields) -> None:
    draft = drafts.of(fields.peek("ApiId"), ApiType.HTTP, resource.mark)
    name = fields.known("Name") or resource.logical_id
    authorizer: Authorizer = read_authorizer(
        fields, name, resource.mark, drafts.callables, _AUTHORIZER_V2, resource.logical_id
    )
    draft.authorizers.append(authorizer)


def _v2_route(drafts: Drafts, resource: Resource, fields: Fields, integrations: dict[str, Integration]) -> None:
    key = fields.known("RouteKey") or "$default"
    api_type = ApiType.HTTP if " " in key or key == "$default" else ApiType.WEBSOCKET
    draft = drafts.of(fields.peek("ApiId"), api_type, resource.mark)
    method, path = split_route_key(key)
    if fields.has("RouteKey"):
        fields.marks["path"] = fields.marks["method"] = fields.node.entries["RouteKey"][1].mark
    fields.text("authorization", "AuthorizationType")
    fields.flag("api_key_required", "ApiKeyRequired")
    _names_authorizer(fields)
    draft.routes.append(
        Route(
            mark=resource.mark,
            logical_id=resource.logical_id,
            construct=resource.construct,
            method=method,
            path=path,
            integration=_target(drafts, resource, fields, integrations),
            **fields.record(),
        )
    )


def _target(
    drafts: Drafts, resource: Resource, fields: Fields, integrations: dict[str, Integration]
) -> Integration | None:
    text = (fields.known("Target") or "").removeprefix(_INTEGRATIONS)
    found = integrations.get(named(text) or "")
    if found is None:
        words = f"its integration is not in this template ({text})" if text else "it has no Target"
        drafts.reading.problem(resource.mark, f"{resource.logical_id}: {words}")
    return found


def _v2_stage(drafts: Drafts, resource: Resource, fields: Fields) -> None:
    draft = drafts.of(fields.peek("ApiId"), ApiType.HTTP, resource.mark)
    fields.text("name", "StageName")
    fields.values.setdefault("name", "$default")
    fields.texts("variables", "StageVariables")
    read_access_log(fields, "AccessLogSettings")
    read_route_settings(fields)
    draft.stages.append(
        Stage(mark=resource.mark, logical_id=resource.logical_id, construct=resource.construct, **fields.record())
    )
