"""Integrations as `apigateway` (v1, camel case) and `apigatewayv2` (Pascal case) describe them.

>>> rows = parse({"Items": [{"IntegrationId": "a1b2c3", "IntegrationType": "AWS_PROXY", "PayloadFormatVersion": "2.0",
...                          "TimeoutInMillis": 6500}]}, "get-integrations.json")
>>> routes = parse({"Items": [{"RouteId": "r1", "RouteKey": "GET /reports", "Target": "integrations/a1b2c3"}]}, "r")
>>> joined = join_routes(rows + routes)
>>> [(row.api_type.value, row.method, row.route, row.timeout_ms) for row in joined]
[('http', 'GET', '/reports', 6500.0)]
"""

from typing import Any

import msgspec

from apigw_doctor.evidence.tables import IntegrationSettings
from apigw_doctor.model.ids import function_from_uri
from apigw_doctor.model.terms import ApiType
from apigw_doctor.sources.json_values import array, cite, get, mapping, number, text

_TYPES = frozenset({"AWS", "AWS_PROXY", "HTTP", "HTTP_PROXY", "MOCK"})
_V1_SIGNS = frozenset(
    {"integrationResponses", "cacheNamespace", "passthroughBehavior", "timeoutInMillis", "cacheKeyParameters"}
)
#: settings and types that botocore's apigatewayv2 model calls "supported only for WebSocket APIs"
_WEBSOCKET_SIGNS = frozenset(
    {
        "PassthroughBehavior",
        "TemplateSelectionExpression",
        "IntegrationResponseSelectionExpression",
        "ContentHandlingStrategy",
        "RequestTemplates",
    }
)
_WEBSOCKET_TYPES = frozenset({"AWS", "HTTP", "MOCK"})
#: a WebSocket integration cannot be set higher
_WEBSOCKET_MAX_MS = 29_000
_WEBSOCKET_ROUTES = ("$connect", "$disconnect")
_TARGET = "integrations/"


def parse(value: dict[str, Any], origin: str) -> list[IntegrationSettings] | None:
    """Read get-integration(s), get-method, get-resource(s) or get-route(s); None when it is none of these."""
    if (found := _v1(value, origin)) is not None:
        return found
    items = array(value.get("Items"))
    nodes = [node for node in (items or [value]) if isinstance(node, dict)]
    if integrations := [node for node in nodes if "IntegrationId" in node or "IntegrationType" in node]:
        api_type = _v2_type(integrations)
        return [_v2(node, api_type, origin) for node in integrations]
    if routes := [node for node in nodes if "RouteKey" in node and ("RouteId" in node or "Target" in node)]:
        api_type = _route_type(routes)
        return [row for node in routes if (row := _route(node, api_type, origin)) is not None]
    return None


def join_routes(rows: list[IntegrationSettings]) -> list[IntegrationSettings]:
    """Give integrations the routes that target them, once all documents are read.

    An integration without a known route stays as it is; a route whose integration was not given is
    left out, since it says nothing about a timeout.
    """
    routes: dict[str, list[IntegrationSettings]] = {}
    for row in rows:
        if is_route(row) and row.integration_id is not None:
            routes.setdefault(row.integration_id, []).append(row)
    joined: list[IntegrationSettings] = []
    for row in rows:
        if is_route(row):
            continue
        known = routes.get(row.integration_id or "", []) if row.route is None else []
        joined.extend(_joined(row, route) for route in known)
        if not known:
            joined.append(row)
    return joined


def is_route(row: IntegrationSettings) -> bool:
    """The row came from get-routes and still lacks its integration."""
    return row.integration_id is not None and row.type is None and row.uri is None and row.route is not None


def settings(
    node: dict[str, Any], api_type: ApiType, origin: str, *, method: str | None = None, route: str | None = None
) -> IntegrationSettings:
    """The row of a v1 integration, or of an OpenAPI extension, which uses the same names."""
    uri = text(node.get("uri"))
    function, qualifier = function_from_uri(uri or "")
    kind = text(node.get("type"))
    return IntegrationSettings(
        api_type=api_type,
        method=method,
        route=route,
        type=kind.upper() if kind else None,
        uri=uri,
        function=function,
        qualifier=qualifier,
        timeout_ms=number(node.get("timeoutInMillis")),
        transfer_mode=text(node.get("responseTransferMode")),
        connection_type=text(node.get("connectionType")),
        cites=cite(origin, {"method": method, "path": route} | node if route else node),
    )


def _joined(row: IntegrationSettings, route: IntegrationSettings) -> IntegrationSettings:
    api_type = route.api_type if row.api_type is ApiType.UNKNOWN else row.api_type
    return msgspec.structs.replace(
        row, api_type=api_type, method=route.method, route=route.route, cites=row.cites + route.cites
    )


def _v1(value: dict[str, Any], origin: str) -> list[IntegrationSettings] | None:
    items = value.get("items", value.get("item"))
    if isinstance(items, list):
        resources = [node for node in items if _is_resource(node)]
        return [row for node in resources for row in _resource(node, origin)] if resources else None
    if _is_resource(value):
        return _resource(value, origin)
    if isinstance(value.get("methodIntegration"), dict):
        return [settings(value["methodIntegration"], ApiType.REST, origin, method=text(value.get("httpMethod")))]
    named = ":apigateway:" in (text(value.get("uri")) or "")
    if text(value.get("type")) in _TYPES and (named or value.keys() & _V1_SIGNS):
        return [settings(value, ApiType.REST, origin)]
    return None


def _is_resource(node: object) -> bool:
    path = get(node, "path")
    return isinstance(path, str) and path.startswith("/") and get(node, "id") is not None and _only_resource_keys(node)


def _only_resource_keys(node: object) -> bool:
    return mapping(node).keys() <= {"id", "parentId", "pathPart", "path", "resourceMethods", "ResponseMetadata"}


def _resource(node: dict[str, Any], origin: str) -> list[IntegrationSettings]:
    methods = mapping(node.get("resourceMethods"))
    return [
        settings(integration, ApiType.REST, origin, method=str(method), route=text(node.get("path")))
        for method, embedded in methods.items()
        if isinstance(integration := get(embedded, "methodIntegration"), dict)
    ]


def _v2(node: dict[str, Any], api_type: ApiType, origin: str) -> IntegrationSettings:
    uri = text(node.get("IntegrationUri"))
    function, qualifier = function_from_uri(uri or "")
    return IntegrationSettings(
        api_type=api_type,
        api_id=text(node.get("ApiId")),
        integration_id=text(node.get("IntegrationId")),
        type=text(node.get("IntegrationType")),
        uri=uri,
        function=function,
        qualifier=qualifier,
        timeout_ms=number(node.get("TimeoutInMillis")),
        transfer_mode=text(node.get("ResponseTransferMode")),
        connection_type=text(node.get("ConnectionType")),
        cites=cite(origin, node),
    )


def _v2_type(nodes: list[dict[str, Any]]) -> ApiType:
    """All integrations of one answer belong to one API, so one that tells is enough."""
    if any(node.keys() & _WEBSOCKET_SIGNS or text(node.get("IntegrationType")) in _WEBSOCKET_TYPES for node in nodes):
        return ApiType.WEBSOCKET
    for node in nodes:
        timeout = number(node.get("TimeoutInMillis"))
        if node.get("PayloadFormatVersion") == "2.0" or "IntegrationSubtype" in node:
            return ApiType.HTTP
        if timeout is not None and timeout > _WEBSOCKET_MAX_MS:
            return ApiType.HTTP
    return ApiType.UNKNOWN


def _route_type(nodes: list[dict[str, Any]]) -> ApiType:
    keys = [text(node.get("RouteKey")) or "" for node in nodes]
    if any(key in _WEBSOCKET_ROUTES for key in keys):
        return ApiType.WEBSOCKET
    return ApiType.HTTP if any(" /" in key for key in keys) else ApiType.UNKNOWN


def _route(node: dict[str, Any], api_type: ApiType, origin: str) -> IntegrationSettings | None:
    key, target = text(node.get("RouteKey")), text(node.get("Target"))
    if key is None or target is None or not target.startswith(_TARGET):
        return None
    method, _, path = key.partition(" ")
    return IntegrationSettings(
        api_type=api_type,
        method=method if path else None,
        route=path or key,
        integration_id=target.removeprefix(_TARGET),
        cites=cite(origin, node),
    )
