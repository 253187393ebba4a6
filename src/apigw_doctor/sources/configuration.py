"""Configuration as the AWS CLI prints it and as OpenAPI files hold it.

`item` and camel case are REST APIs (v1); `Items` and Pascal case are HTTP and WebSocket APIs (v2).
Which command printed a document is told by its shape alone.

>>> rows = parse_document({"httpMethod": "POST", "type": "AWS", "cacheNamespace": "y9h6rt", "uri":
...     "arn:aws:apigateway:us-west-2:lambda:path/2015-03-31/functions/"
...     "arn:aws:lambda:us-west-2:123412341234:function:My_Function/invocations"}, "get-integration.json")
>>> rows[0].function, rows[0].timeout_ms
('My_Function', None)
>>> parse_document({"level": "INFO", "message": "starting"}, "app.log:1") is None
True
"""

from collections.abc import Callable, Sequence
from typing import Any

from apigw_doctor.evidence.tables import (
    ApiSettings,
    AuthorizerSettings,
    ConcurrencySettings,
    GatewayResponseSettings,
    LoadBalancerSettings,
    Row,
)
from apigw_doctor.model.ids import function_from_uri
from apigw_doctor.model.terms import ApiType
from apigw_doctor.sources import config_functions, config_integrations, config_openapi, config_stages
from apigw_doctor.sources.config_integrations import join_routes
from apigw_doctor.sources.config_openapi import parse_yaml
from apigw_doctor.sources.json_values import array, cite, flag, get, mapping, number, text, whole

__all__ = ["join_routes", "parse_document", "parse_yaml"]

_IDLE = "idle_timeout.timeout_seconds"
_AUTHORIZER_TYPES = frozenset({"TOKEN", "REQUEST", "COGNITO_USER_POOLS", "JWT"})
_V1_AUTHORIZER_SIGNS = frozenset(
    {"authorizerUri", "authorizerResultTtlInSeconds", "providerARNs", "identitySource", "authType", "jwtConfiguration"}
)
_V1_API_SIGNS = frozenset({"endpointConfiguration", "apiKeySource", "rootResourceId"})
_RESPONSE_SIGNS = frozenset({"responseTemplates", "responseParameters", "defaultResponse"})
_RESERVED = "ReservedConcurrentExecutions"
_PROTOCOLS = {"HTTP": ApiType.HTTP, "WEBSOCKET": ApiType.WEBSOCKET}


def parse_document(value: object, origin: str) -> list[Row] | None:
    """The settings that a document holds; None when it is no configuration that is known here."""
    if isinstance(value, list):
        found = [rows for item in value if isinstance(item, dict) and (rows := _object(item, origin)) is not None]
        return [row for rows in found for row in rows] if found else None
    return _object(value, origin) if isinstance(value, dict) else None


def _object(value: dict[str, Any], origin: str) -> list[Row] | None:
    for parse in _PARSERS:
        rows = parse(value, origin)
        if rows is not None:
            return list(rows)
    return None


def _apis(value: dict[str, Any], origin: str) -> list[ApiSettings] | None:
    nodes = [mapping(node) for key in ("items", "Items") for node in array(value.get(key))] or [value]
    rows = [row for node in nodes if (row := _v1_api(node, origin) or _v2_api(node, origin)) is not None]
    return rows or None


def _v1_api(node: dict[str, Any], origin: str) -> ApiSettings | None:
    api_id = text(node.get("id"))
    if api_id is None or "name" not in node or not node.keys() & _V1_API_SIGNS:
        return None
    types = [kind for kind in array(get(node.get("endpointConfiguration"), "types")) if isinstance(kind, str)]
    return ApiSettings(
        api_id=api_id,
        name=text(node.get("name")),
        api_type=ApiType.REST,
        endpoint_type=types[0] if types else None,
        cites=cite(origin, node),
    )


def _v2_api(node: dict[str, Any], origin: str) -> ApiSettings | None:
    api_id, protocol = text(node.get("ApiId")), text(node.get("ProtocolType"))
    if api_id is None or protocol not in _PROTOCOLS:
        return None
    return ApiSettings(
        api_id=api_id, name=text(node.get("Name")), api_type=_PROTOCOLS[protocol], cites=cite(origin, node)
    )


def _authorizers(value: dict[str, Any], origin: str) -> list[AuthorizerSettings] | None:
    nodes = [mapping(node) for key in ("items", "item", "Items") for node in array(value.get(key))] or [value]
    rows = [row for node in nodes if (row := _authorizer(node, origin)) is not None]
    return rows or None


def _authorizer(node: dict[str, Any], origin: str) -> AuthorizerSettings | None:
    authorizer_id = text(node.get("AuthorizerId"))
    kind = text(node.get("AuthorizerType"))
    if authorizer_id is None and node.keys() & _V1_AUTHORIZER_SIGNS:
        authorizer_id, kind = text(node.get("id")), text(node.get("type"))
    if authorizer_id is None or kind not in _AUTHORIZER_TYPES:
        return None
    function, _ = function_from_uri(text(get(node, "authorizerUri", "AuthorizerUri")) or "")
    return AuthorizerSettings(
        authorizer_id=authorizer_id,
        name=text(get(node, "name", "Name")),
        type=kind,
        function=function,
        cache_ttl_s=whole(get(node, "authorizerResultTtlInSeconds", "AuthorizerResultTtlInSeconds")),
        cites=cite(origin, node),
    )


def _load_balancers(value: dict[str, Any], origin: str) -> list[LoadBalancerSettings] | None:
    for attribute in array(value.get("Attributes")):
        if get(attribute, "Key") == _IDLE:
            return _idle(get(attribute, "Value"), attribute, origin)
    classic = get(get(value.get("LoadBalancerAttributes"), "ConnectionSettings"), "IdleTimeout")
    return _idle(classic, value, origin) if classic is not None else None


def _idle(value: object, node: object, origin: str) -> list[LoadBalancerSettings] | None:
    seconds = number(value)
    if seconds is None:
        return None
    return [LoadBalancerSettings(idle_timeout_ms=seconds * 1000.0, cites=cite(origin, node))]


def _gateway_responses(value: dict[str, Any], origin: str) -> list[GatewayResponseSettings] | None:
    nodes = [mapping(node) for key in ("items", "item") for node in array(value.get(key))] or [value]
    rows = [
        GatewayResponseSettings(
            response_type=kind,
            status=whole(node.get("statusCode")),
            is_default=flag(node.get("defaultResponse")),
            cites=cite(origin, node),
        )
        for node in nodes
        if (kind := text(node.get("responseType"))) is not None and node.keys() & _RESPONSE_SIGNS
    ]
    return rows or None


def _concurrency(value: dict[str, Any], origin: str) -> list[ConcurrencySettings] | None:
    """What get-function-concurrency prints: a number and nothing else."""
    reserved = whole(value.get(_RESERVED))
    if reserved is None or not value.keys() <= {_RESERVED, "ResponseMetadata"}:
        return None
    return [ConcurrencySettings(reserved=reserved, cites=cite(origin, value))]


_PARSERS: tuple[Callable[[dict[str, Any], str], Sequence[Row] | None], ...] = (
    config_openapi.parse,
    config_stages.parse,
    config_functions.parse,
    _authorizers,
    _apis,
    config_integrations.parse,
    _load_balancers,
    _gateway_responses,
    _concurrency,
)
