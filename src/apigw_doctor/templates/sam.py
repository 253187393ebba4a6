"""`AWS::Serverless::*`: what SAM makes of functions' events, its kinds of API, and its Globals."""

import msgspec

from apigw_doctor.model.terms import ApiType
from apigw_doctor.templates.drafts import (
    Draft,
    Drafts,
    read_access_log,
    read_endpoint,
    read_method_settings,
    read_route_settings,
)
from apigw_doctor.templates.functions import SAM_FUNCTION
from apigw_doctor.templates.integrations import function_fields, read_authorizer
from apigw_doctor.templates.intrinsics import Unresolved
from apigw_doctor.templates.links import named
from apigw_doctor.templates.marked import Mapping, Mark, Node, Scalar, Sequence
from apigw_doctor.templates.model import GatewayResponse, Integration, OtherResource, Route, Stage
from apigw_doctor.templates.reading import Fields, Resource, generic

TRANSFORM = "AWS::Serverless-2016-10-31"
_WEBSOCKET = "AWS::Serverless::WebSocketApi"
_STATE_MACHINE = "AWS::Serverless::StateMachine"
TYPES = frozenset({SAM_FUNCTION, "AWS::Serverless::Api", "AWS::Serverless::HttpApi", _WEBSOCKET})
_GLOBALS = {
    "Function": SAM_FUNCTION,
    "Api": "AWS::Serverless::Api",
    "HttpApi": "AWS::Serverless::HttpApi",
    "WebSocketApi": _WEBSOCKET,
    "SimpleTable": "AWS::Serverless::SimpleTable",
    "StateMachine": _STATE_MACHINE,
    "LayerVersion": "AWS::Serverless::LayerVersion",
    "CapacityProvider": "AWS::Serverless::CapacityProvider",
}
_IMPLICIT = {
    "Api": ("ServerlessRestApi", ApiType.REST, "Prod"),
    "HttpApi": ("ServerlessHttpApi", ApiType.HTTP, "$default"),
}
_AUTHORIZER = {
    "uri": "FunctionArn",
    "ttl": "ReauthorizeEvery",
    "simple": "EnableSimpleResponses",
    "payload": "AuthorizerPayloadFormatVersion",
    "source": "Header",
}
_NO_AUTHORIZER, _IAM = "NONE", "AWS_IAM"
_INVOKE_PATH = "2015-03-31/functions/{arn}/invocations"
_STREAM_PATH = "2021-11-15/functions/{arn}/response-streaming-invocations"
# SAM takes both words for a streamed response.
_TRANSFER_MODES = {"BUFFERED": "BUFFERED", "STREAM": "STREAM", "RESPONSE_STREAM": "STREAM"}


def with_globals(root: Mapping, type_: str, resource: Mapping, properties: Mapping) -> Mapping:
    """The properties of a resource with the template's Globals below them; every value keeps its place."""
    section = root.get("Globals")
    if not isinstance(section, Mapping):
        return properties
    ignored = _ignored_globals(resource)
    for name, (_, node) in section.entries.items():
        if _GLOBALS.get(name) == type_ and isinstance(node, Mapping) and "*" not in ignored:
            entries = {key: entry for key, entry in node.entries.items() if key not in ignored}
            return _merged(Mapping(entries, node.mark), properties)
    return properties


def _ignored_globals(resource: Mapping) -> set[str]:
    node = resource.get("IgnoreGlobals")
    items = node.items if isinstance(node, Sequence) else (node,)
    return {item.text for item in items if isinstance(item, Scalar)}


def _merged(below: Mapping, above: Mapping) -> Mapping:
    entries = dict(below.entries)
    for name, (key, node) in above.entries.items():
        under = entries[name][1] if name in entries else None
        entries[name] = (key, _laid_over(under, node))
    return Mapping(entries, above.mark)


def _laid_over(below: Node | None, above: Node) -> Node:
    """Mappings are merged and lists put after one another; anything else, and every expression, replaces."""
    if isinstance(below, Mapping) and isinstance(above, Mapping) and not (_is_call(below) or _is_call(above)):
        return _merged(below, above)
    if isinstance(below, Sequence) and isinstance(above, Sequence):
        return Sequence(below.items + above.items, above.mark)
    return above


def _is_call(node: Mapping) -> bool:
    return len(node.entries) == 1 and next(iter(node.entries)).startswith(("Fn::", "Ref", "!"))


# -- APIs ---------------------------------------------------------------------------------------------


def read_apis(drafts: Drafts) -> None:
    """Gather the APIs that are resources of their own."""
    for resource in drafts.reading.of_type("AWS::Serverless::Api"):
        fields = Fields(drafts.reading, resource.properties, resource.logical_id)
        _rest_api(drafts, resource.logical_id, resource.mark, fields, construct=resource.construct)
    for resource in drafts.reading.of_type("AWS::Serverless::HttpApi"):
        fields = Fields(drafts.reading, resource.properties, resource.logical_id)
        _http_api(drafts, resource.logical_id, resource.mark, fields, construct=resource.construct)
    for resource in drafts.reading.of_type(_WEBSOCKET):
        _websocket_api(drafts, resource)


def _rest_api(
    drafts: Drafts, logical_id: str, mark: Mark, fields: Fields, *, implicit: bool = False, construct: str | None = None
) -> Draft:
    fields.text("name", "Name")
    read_endpoint(fields)
    if media := fields.item_texts("BinaryMediaTypes"):
        fields.put("binary_media_types", tuple(str(one).replace("~1", "/") for one in media), "BinaryMediaTypes")
    draft = drafts.add(logical_id, ApiType.REST, mark, fields, implicit=implicit, construct=construct)
    drafts.read_body(draft, fields, "DefinitionBody", "DefinitionUri")
    stage = Fields(drafts.reading, fields.node, logical_id)
    stage.flag("tracing", "TracingEnabled")
    stage.texts("variables", "Variables")
    read_access_log(stage, "AccessLogSetting")
    read_method_settings(stage)
    draft.stages.append(_stage(stage, mark, "Prod"))
    _gateway_responses(draft, fields)
    _authorizers(drafts, draft, fields.child("Auth"))
    _guard_body(draft, fields.child("Auth"))
    return draft


def _http_api(
    drafts: Drafts, logical_id: str, mark: Mark, fields: Fields, *, implicit: bool = False, construct: str | None = None
) -> Draft:
    fields.text("name", "Name")
    draft = drafts.add(logical_id, ApiType.HTTP, mark, fields, implicit=implicit, construct=construct)
    drafts.read_body(draft, fields, "DefinitionBody", "DefinitionUri")
    stage = Fields(drafts.reading, fields.node, logical_id)
    stage.texts("variables", "StageVariables")
    read_access_log(stage, "AccessLogSettings")
    read_route_settings(stage)
    draft.stages.append(_stage(stage, mark, "$default"))
    _authorizers(drafts, draft, fields.child("Auth"))
    _guard_body(draft, fields.child("Auth"))
    return draft


def _guard_body(draft: Draft, auth: Fields) -> None:
    """The default authorizer guards the routes of the API's body too, where they do not say otherwise."""
    if not auth.has("DefaultAuthorizer"):
        return
    for number, route in enumerate(draft.routes):
        if "authorization" not in route.marks and route.method != "OPTIONS":
            fields = Fields(auth.reading, Mapping({}, route.mark), f"{draft.logical_id}: {route.key}")
            _name_authorizer(draft, fields, "DefaultAuthorizer", auth)
            changed = {key: value for key, value in fields.values.items() if key in ("authorizer", "authorization")}
            draft.routes[number] = msgspec.structs.replace(route, marks=route.marks | fields.marks, **changed)


def _websocket_api(drafts: Drafts, resource: Resource) -> None:
    """`AWS::Serverless::WebSocketApi`: its routes name their functions."""
    fields = Fields(drafts.reading, resource.properties, resource.logical_id)
    fields.text("name", "Name")
    draft = drafts.add(resource.logical_id, ApiType.WEBSOCKET, resource.mark, fields, construct=resource.construct)
    stage = Fields(drafts.reading, fields.node, resource.logical_id)
    stage.texts("variables", "StageVariables")
    read_access_log(stage, "AccessLogSettings")
    read_route_settings(stage)
    draft.stages.append(_stage(stage, resource.mark, "default"))
    authorizer = _websocket_authorizer(drafts, draft, fields.child("Auth"))
    for key, route in fields.children("Routes"):
        route.flag("api_key_required", "ApiKeyRequired")
        if key == "$connect" and authorizer is not None:
            route.values |= authorizer
        draft.routes.append(
            Route(
                mark=route.node.mark,
                method=key,
                path=key,
                integration=_websocket_integration(drafts, Fields(drafts.reading, route.node, route.what)),
                **route.record(),
            )
        )


def _websocket_integration(drafts: Drafts, fields: Fields) -> Integration:
    fields.text("uri", "FunctionArn")
    fields.number("timeout_ms", "IntegrationTimeout")
    fields.values |= function_fields(fields.values.get("uri"), drafts.callables)
    return Integration(mark=fields.node.mark, kind="aws-proxy", **fields.record())


def _websocket_authorizer(drafts: Drafts, draft: Draft, auth: Fields) -> dict[str, str] | None:
    """What guards `$connect`."""
    kind = (auth.known("AuthType") or "NONE").upper()
    if kind != "CUSTOM":
        return {"authorization": kind}
    name = auth.known("Name") or f"{draft.logical_id}ConnectAuthorizer"
    auth.values["kind"] = "REQUEST"
    keys = _AUTHORIZER | {"uri": "AuthArn", "source": "IdentitySource"}
    draft.authorizers.append(read_authorizer(auth, name, auth.node.mark, drafts.callables, keys))
    return {"authorizer": name, "authorization": "CUSTOM"}


def _stage(fields: Fields, mark: Mark, default: str) -> Stage:
    fields.text("name", "StageName")
    fields.values.setdefault("name", default)
    return Stage(mark=mark, **fields.record())


def _gateway_responses(draft: Draft, fields: Fields) -> None:
    for name, one in fields.children("GatewayResponses"):
        one.number("status", "StatusCode")
        one.texts("templates", "ResponseTemplates")
        for place, below in one.children("ResponseParameters"):
            for key, value in below.reading_texts(below.node).items():
                one.values.setdefault("parameters", {})[f"gatewayresponse.{_PLACES.get(place, place)}.{key}"] = value
        draft.gateway_responses.append(GatewayResponse(mark=one.node.mark, response_type=name, **one.record()))


_PLACES = {"Headers": "header", "Paths": "path", "QueryStrings": "querystring"}


def _authorizers(drafts: Drafts, draft: Draft, auth: Fields) -> None:
    for name, fields in auth.children("Authorizers"):
        identity = fields.child("Identity")
        # SAM has the time to keep an answer, and where the token stands, one level down.
        fields.node = Mapping(identity.node.entries | fields.node.entries, fields.node.mark)
        fields.values["kind"] = _authorizer_kind(fields, draft.api_type)
        if fields.has("UserPoolArn") or fields.has("JwtConfiguration"):
            fields.node = Mapping(
                {key: entry for key, entry in fields.node.entries.items() if key != "FunctionArn"}, fields.node.mark
            )
        draft.authorizers.append(read_authorizer(fields, name, fields.node.mark, drafts.callables, _AUTHORIZER))


def _authorizer_kind(fields: Fields, api_type: ApiType) -> str:
    if fields.has("UserPoolArn"):
        return "COGNITO_USER_POOLS"
    if fields.has("JwtConfiguration") or (fields.has("AuthorizationScopes") and not fields.has("FunctionArn")):
        return "JWT"
    if api_type is ApiType.HTTP:
        return "REQUEST"
    return "REQUEST" if str(fields.peek("FunctionPayloadType")).upper() == "REQUEST" else "TOKEN"


# -- functions' events ----------------------------------------------------------------------------------


def read_events(drafts: Drafts, globals_of: dict[str, Mapping]) -> list[OtherResource]:
    """Routes from the events of functions; events of other kinds are returned as they are.

    `globals_of` has the Globals of the APIs that SAM makes by itself, by the name of the event's type.
    """
    others: list[OtherResource] = []
    for resource in drafts.reading.of_type(SAM_FUNCTION, _STATE_MACHINE):
        fields = Fields(drafts.reading, resource.properties, resource.logical_id)
        for name, event in fields.children("Events"):
            kind = event.known("Type") or "?"
            if kind == "Api" or (kind == "HttpApi" and resource.type == SAM_FUNCTION):
                _route(drafts, resource, name, event, kind, globals_of)
            else:
                others.append(_other_event(drafts, resource, name, event, kind))
    return others


def _other_event(drafts: Drafts, resource: Resource, name: str, event: Fields, kind: str) -> OtherResource:
    return OtherResource(
        mark=event.node.mark,
        logical_id=f"{resource.logical_id}{name}",
        type=f"SAM::Event::{kind}",
        owner=resource.logical_id,
        **generic(drafts.reading, event.child("Properties").node),
    )


def _route(
    drafts: Drafts, resource: Resource, name: str, event: Fields, kind: str, globals_of: dict[str, Mapping]
) -> None:
    fields = event.child("Properties")
    fields.what = f"{resource.logical_id}: {name}"
    draft = _draft(drafts, fields, event.node.mark, kind, globals_of)
    if kind == "Api" and not draft.takes_events:
        # SAM gives such an event its permission only; the body of the API says what is called.
        return
    path, method = fields.known("Path"), fields.known("Method")
    route = Fields(drafts.reading, fields.node, fields.what)
    for field, key in (("path", "Path"), ("method", "Method")):
        if fields.has(key):
            route.marks[field] = fields.node.entries[key][1].mark
    _security(draft, route)
    path = None if path in ("$default", "/$default") else path
    is_catch_all = path is None
    if path is not None and not path.startswith(("/", "$")):
        drafts.reading.problem(event.node.mark, f"{fields.what}: the path {path[:60]} does not begin with /")
    draft.add_route(
        Route(
            mark=event.node.mark,
            method="$default" if is_catch_all else _method(method),
            path="$default" if path is None else path,
            integration=_integration(drafts, resource, fields, draft.api_type, event.node.mark),
            **route.record(),
        )
    )


def _method(text: str | None) -> str:
    return "ANY" if text is None or text.lower() in ("any", "x-amazon-apigateway-any-method", "*") else text.upper()


def _draft(drafts: Drafts, fields: Fields, mark: Mark, kind: str, globals_of: dict[str, Mapping]) -> Draft:
    key = "RestApiId" if kind == "Api" else "ApiId"
    implicit, api_type, _ = _IMPLICIT[kind]
    reference = fields.peek(key)
    # An id may also be written without !Ref.
    name = named(reference) or (str(reference) if reference is not None else implicit)
    if name in drafts.by_id:
        return drafts.by_id[name]
    if name != implicit:
        return drafts.of(reference, api_type, mark)
    node = globals_of.get(kind, Mapping({}, mark))
    build = _rest_api if kind == "Api" else _http_api
    return build(drafts, implicit, mark, Fields(drafts.reading, node, implicit), implicit=True)


def _integration(drafts: Drafts, resource: Resource, fields: Fields, api_type: ApiType, mark: Mark) -> Integration:
    one = Fields(drafts.reading, fields.node, fields.what)
    one.number("timeout_ms", "TimeoutInMillis")
    one.choice("transfer_mode", "ResponseTransferMode", _TRANSFER_MODES)
    one.text("payload_format", "PayloadFormatVersion")
    if api_type is ApiType.HTTP:
        one.values.setdefault("payload_format", "2.0")
    one.note_misspelt()
    alias = drafts.callables.aliases.get(resource.logical_id)
    if resource.type == _STATE_MACHINE:
        one.values |= {"kind": "aws", "action": "states:action/StartExecution"}
        return Integration(mark=mark, **one.record())
    arn = f"${{{resource.logical_id}.Arn}}" + (f":{alias}" if alias else "")
    is_stream = one.values.get("transfer_mode") == "STREAM"
    path = _STREAM_PATH if is_stream else _INVOKE_PATH
    uri = f"arn:aws:apigateway:{drafts.reading.resolver.pseudo['AWS::Region']}:lambda:path/{path.format(arn=arn)}"
    one.values |= {"kind": "aws-proxy", "uri": uri}
    one.values |= function_fields(one.values["uri"], drafts.callables)
    return Integration(mark=mark, **one.record())


def _security(draft: Draft, route: Fields) -> None:
    """The authorizer of an event: its own, or the API's default."""
    own = route.child("Auth")
    api = draft.fields.child("Auth")
    key, holder = ("Authorizer", own) if own.has("Authorizer") else ("DefaultAuthorizer", api)
    name = holder.peek(key)
    for place, flags in (("ApiKeyRequired", api), ("ApiKeyRequired", own)):
        flags.flag("api_key_required", place)
        if "api_key_required" in flags.values:
            route.put("api_key_required", flags.values["api_key_required"], place, flags.node.get(place))
    if name is not None:
        _name_authorizer(draft, route, key, holder)


def _name_authorizer(draft: Draft, route: Fields, key: str, holder: Fields) -> None:
    name = holder.peek(key)
    route.put("authorizer", name, key, holder.node.get(key))
    route.marks["authorization"] = route.marks["authorizer"]
    if name in (_NO_AUTHORIZER, _IAM):
        route.values["authorization"] = name
        del route.values["authorizer"]
        return
    kind = next((one.kind for one in draft.authorizers if one.name == name), None)
    if kind is None and isinstance(name, str):
        route.reading.problem(route.marks["authorizer"], f"{route.what}: the authorizer {name} is not defined")
        route.values["authorizer"] = Unresolved(name)
    route.values["authorization"] = kind if kind in ("JWT", "COGNITO_USER_POOLS") else "CUSTOM"
