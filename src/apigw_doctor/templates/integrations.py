"""Integrations and authorizers: the same things under three spellings (REST, HTTP and WebSocket, OpenAPI)."""

from typing import Any

import msgspec

from apigw_doctor.model.terms import ApiType
from apigw_doctor.templates.intrinsics import Unresolved
from apigw_doctor.templates.links import Callables, action, target
from apigw_doctor.templates.marked import Mark
from apigw_doctor.templates.model import Authorizer, Integration
from apigw_doctor.templates.reading import Fields, as_number

_KINDS = {"AWS_PROXY": "aws-proxy", "AWS": "aws", "HTTP_PROXY": "http-proxy", "HTTP": "http", "MOCK": "mock"}
_TRANSFER_MODES = {"BUFFERED": "BUFFERED", "STREAM": "STREAM"}
_CONNECTIONS = {"INTERNET": "INTERNET", "VPC_LINK": "VPC_LINK"}
_AUTHORIZERS = {
    "TOKEN": "TOKEN",
    "REQUEST": "REQUEST",
    "JWT": "JWT",
    "COGNITO_USER_POOLS": "COGNITO_USER_POOLS",
    # what OpenAPI calls the authorizers of user pools in `x-amazon-apigateway-authtype`
    "COGNITO": "COGNITO_USER_POOLS",
}
_INVOCATION_TYPE = "integration.request.header.x-amz-invocation-type"


class Spelling(msgspec.Struct, frozen=True, kw_only=True):
    """How one format calls the properties of an integration."""

    kind: str
    uri: str
    timeout: str
    connection_type: str
    connection_id: str
    http_method: str
    request_parameters: str
    transfer_mode: str
    payload_format: str
    subtype: str


V1 = Spelling(
    kind="Type",
    uri="Uri",
    timeout="TimeoutInMillis",
    connection_type="ConnectionType",
    connection_id="ConnectionId",
    http_method="IntegrationHttpMethod",
    request_parameters="RequestParameters",
    transfer_mode="ResponseTransferMode",
    payload_format="PayloadFormatVersion",
    subtype="IntegrationSubtype",
)
V2 = Spelling(
    kind="IntegrationType",
    uri="IntegrationUri",
    timeout="TimeoutInMillis",
    connection_type="ConnectionType",
    connection_id="ConnectionId",
    http_method="IntegrationMethod",
    request_parameters="RequestParameters",
    transfer_mode="ResponseTransferMode",
    payload_format="PayloadFormatVersion",
    subtype="IntegrationSubtype",
)
OPENAPI = Spelling(
    kind="type",
    uri="uri",
    timeout="timeoutInMillis",
    connection_type="connectionType",
    connection_id="connectionId",
    http_method="httpMethod",
    request_parameters="requestParameters",
    transfer_mode="responseTransferMode",
    payload_format="payloadFormatVersion",
    subtype="integrationSubtype",
)


def read_integration(
    fields: Fields, spelling: Spelling, callables: Callables, mark: Mark, logical_id: str | None = None
) -> Integration:
    """The integration that these properties describe."""
    fields.choice("kind", spelling.kind, _KINDS, lambda word: word.upper().replace("-", "_"))
    if "kind" not in fields.values:
        fields.reading.problem(mark, f"{fields.what}: the integration has no {spelling.kind}")
        fields.values["kind"] = Unresolved("")
    fields.text("uri", spelling.uri)
    fields.number("timeout_ms", spelling.timeout)
    fields.choice("transfer_mode", spelling.transfer_mode, _TRANSFER_MODES)
    fields.choice("connection_type", spelling.connection_type, _CONNECTIONS)
    fields.text("connection_id", spelling.connection_id)
    fields.text("http_method", spelling.http_method)
    fields.texts("request_parameters", spelling.request_parameters)
    _payload_format(fields, spelling.payload_format)
    fields.values["asynchronous"] = _is_event(fields.values.get("request_parameters", {}))
    fields.values |= _aims_at(fields, spelling, callables)
    fields.note_misspelt()
    return Integration(mark=mark, logical_id=logical_id, **fields.record())


def function_fields(uri: str | Unresolved | None, callables: Callables) -> dict[str, Any]:
    """The fields that name the function behind a URI."""
    aim = target(uri, callables)
    return {"function": aim.function, "function_name": aim.name, "qualifier": aim.qualifier}


def read_authorizer(
    fields: Fields, name: str, mark: Mark, callables: Callables, keys: dict[str, str], id_: str | None = None
) -> Authorizer:
    """The authorizer that these properties describe; `keys` says how the format calls them."""
    if "kind" in keys and "kind" not in fields.values:
        fields.choice("kind", keys["kind"], _AUTHORIZERS)
    fields.text("uri", keys["uri"])
    fields.number("ttl_s", keys["ttl"])
    fields.flag("simple_responses", keys["simple"])
    _payload_format(fields, keys["payload"])
    sources = [str(item) for item in fields.item_texts(keys["source"])]
    if sources:
        fields.put("identity_sources", tuple(part for one in sources for part in _listed(one)), keys["source"])
    fields.values |= function_fields(fields.values.get("uri"), callables)
    fields.values.setdefault("kind", Unresolved(""))
    return Authorizer(mark=mark, id=id_ or name, name=name, **fields.record())


def default_payload_format(api_type: ApiType) -> str:
    """The format of events where the template does not say: 2.0 is HTTP APIs' own."""
    return "2.0" if api_type is ApiType.HTTP else "1.0"


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _payload_format(fields: Fields, key: str) -> None:
    """`2.0`, also where it is written as a number."""
    found = fields.peek(key)
    if found is None:
        return
    number = as_number(found) if isinstance(found, str) else None
    fields.put("payload_format", found if number is None else f"{number:.1f}", key)


def _is_event(parameters: dict[str, str | Unresolved]) -> bool:
    return any(
        name.lower() == _INVOCATION_TYPE and str(value).strip("'\"").lower() == "event"
        for name, value in parameters.items()
    )


def _aims_at(fields: Fields, spelling: Spelling, callables: Callables) -> dict[str, Any]:
    uri, kind = fields.values.get("uri"), fields.values["kind"]
    subtype = fields.known(spelling.subtype)
    if kind in ("http-proxy", "http"):
        is_arn = str(uri or "").startswith("arn:")
        return {} if uri is None or is_arn else {"url": uri}
    if kind == "mock":
        return {}
    found = function_fields(uri, callables)
    return found | {"action": subtype or action(uri)}
