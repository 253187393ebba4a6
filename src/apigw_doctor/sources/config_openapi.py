"""OpenAPI 3 and Swagger 2 documents with `x-amazon-apigateway-integration`, also inside templates.

>>> document = parse_yaml('''
... openapi: "3.0.1"
... paths:
...   /reports:
...     get:
...       x-amazon-apigateway-integration:
...         type: aws_proxy
...         uri: !Sub "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Fn.Arn}/invocations"
...         timeoutInMillis: 12000
...         passthroughBehavior: when_no_match
... ''', "openapi.yaml")
>>> [(row.api_type.value, row.method, row.route, row.timeout_ms, row.uri) for row in document]
[('rest', 'GET', '/reports', 12000.0, None)]
"""

import re
from collections.abc import Iterator
from typing import Any

from apigw_doctor.evidence.tables import Gap, IntegrationSettings, Row
from apigw_doctor.model.terms import ApiType, EvidenceKind
from apigw_doctor.sources.config_integrations import settings
from apigw_doctor.sources.json_values import array, get, mapping, number, text

_EXTENSION = "x-amazon-apigateway-integration"
_ANY = "x-amazon-apigateway-any-method"
_METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace", _ANY})
_HTTP_SIGNS = ("x-amazon-apigateway-importexport-version", "x-amazon-apigateway-cors")
_REST_SIGNS = (
    "swagger",  # HTTP APIs import OpenAPI 3 only
    "x-amazon-apigateway-gateway-responses",
    "x-amazon-apigateway-binary-media-types",
    "x-amazon-apigateway-request-validators",
    "x-amazon-apigateway-request-validator",
    "x-amazon-apigateway-documentation",
    "x-amazon-apigateway-policy",
    "x-amazon-apigateway-api-key-source",
    "x-amazon-apigateway-minimum-compression-size",
)
_REST_INTEGRATION_SIGNS = frozenset(
    {
        "passthroughBehavior",
        "responses",
        "requestTemplates",
        "cacheNamespace",
        "contentHandling",
        "responseTransferMode",
    }
)
_API_HOST = re.compile(r"(?:https://)?([a-z0-9]{8,12})\.execute-api\.")
_BODIES = ("Body", "DefinitionBody")
_WORTH_READING = re.compile(r"^\s*[\"']?(?:openapi|swagger)[\"']?\s*:", re.MULTILINE)
#: PyYAML reads some 100 KB a second; exports of large APIs are below this
_MAX_YAML_CHARS = 1_500_000


def parse_yaml(words: str, origin: str) -> list[Row] | None:
    """Read an OpenAPI document, or a template that holds some; None when the text is neither."""
    if len(words) > _MAX_YAML_CHARS or _WORTH_READING.search(words) is None:
        return None
    from apigw_doctor.sources.yaml_documents import yaml_documents  # few inputs need it, and PyYAML is large

    found: list[Row] | None = None
    try:
        for document in yaml_documents(words):
            rows = parse(document, origin)
            found = found if rows is None else (found or []) + rows
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError):
        # PyYAML lets all of these out for explicit tags with values that do not fit them.
        return found
    return found


def parse(value: object, origin: str) -> list[Row] | None:
    """The integrations of a document or of the API bodies in a CloudFormation template; None when it is neither."""
    if _is_openapi(value):
        return list(_integrations(mapping(value), origin))
    resources = mapping(get(value, "Resources"))
    properties = [mapping(get(resource, "Properties")) for resource in resources.values()]
    bodies = [body for node in properties for name in _BODIES if _is_openapi(body := node.get(name))]
    return [row for body in bodies for row in _integrations(mapping(body), origin)] if bodies else None


def _is_openapi(value: object) -> bool:
    return (
        isinstance(value, dict) and ("openapi" in value or "swagger" in value) and isinstance(value.get("paths"), dict)
    )


def _integrations(document: dict[str, Any], origin: str) -> Iterator[Row]:
    found = list(_methods(document))
    api_type = _api_type(document, [node for _, _, node in found])
    api_id = _api_id(document)
    for path, method, node in found:
        if node.get("timeoutInMillis") is not None and number(node["timeoutInMillis"]) is None:
            yield _unresolved(method, path, origin)
            continue
        row = settings(node, api_type, origin, method=method, route=path)
        yield IntegrationSettings(**{name: getattr(row, name) for name in row.__struct_fields__} | {"api_id": api_id})


def _methods(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in mapping(document["paths"]).items():
        for name, operation in mapping(item).items():
            if name not in _METHODS:
                continue
            node = mapping(get(operation, _EXTENSION))
            node = _resolved(document, node)
            if node:
                yield str(path), "ANY" if name == _ANY else str(name).upper(), node


def _resolved(document: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    """Follow a `$ref` to the shared integrations of HTTP APIs, once."""
    reference = text(node.get("$ref"))
    if reference is None or not reference.startswith("#/"):
        return node
    place: object = document
    for step in reference.removeprefix("#/").split("/"):
        place = get(place, step)
    return mapping(place)


def _api_type(document: dict[str, Any], nodes: list[dict[str, Any]]) -> ApiType:
    if any(sign in document for sign in _HTTP_SIGNS):
        return ApiType.HTTP
    if any(node.get("payloadFormatVersion") in ("2.0", 2.0) for node in nodes):
        return ApiType.HTTP
    if any(sign in document for sign in _REST_SIGNS):
        return ApiType.REST
    if any(node.keys() & _REST_INTEGRATION_SIGNS or _is_custom(node) for node in nodes):
        return ApiType.REST
    # REST exports do not have this field; of HTTP APIs it is required.
    return ApiType.HTTP if any("payloadFormatVersion" in node for node in nodes) else ApiType.UNKNOWN


def _is_custom(node: dict[str, Any]) -> bool:
    """Types `aws`, `http` and `mock` need mappings, which HTTP APIs do not have."""
    return (text(node.get("type")) or "").lower() in ("aws", "http", "mock")


def _api_id(document: dict[str, Any]) -> str | None:
    for host in (document.get("host"), *(get(server, "url") for server in array(document.get("servers")))):
        if match := _API_HOST.match(text(host) or ""):
            return match[1]
    return None


def _unresolved(method: str, path: str, origin: str) -> Gap:
    return Gap(
        origin=origin,
        evidence=EvidenceKind.CONFIGURATION,
        reason=f"timeoutInMillis of {method} {path} is an expression of a template, not a number",
        remedy="export the deployed API, or give the output of get-integration",
    )
