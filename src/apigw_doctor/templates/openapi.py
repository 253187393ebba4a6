"""OpenAPI 3 and Swagger 2 with API Gateway's extensions: a file of its own, or the body of an API."""

import re

import msgspec

from apigw_doctor.model.terms import ApiType
from apigw_doctor.templates.integrations import OPENAPI, read_authorizer, read_integration
from apigw_doctor.templates.intrinsics import Unknown, Unresolved
from apigw_doctor.templates.links import Callables
from apigw_doctor.templates.marked import Mapping, Mark, Node, Scalar, Sequence
from apigw_doctor.templates.model import Api, Authorizer, EndpointType, GatewayResponse, Integration, Route
from apigw_doctor.templates.reading import Fields, Reading

_INTEGRATION = "x-amazon-apigateway-integration"
_ANY = "x-amazon-apigateway-any-method"
_AUTHORIZER = "x-amazon-apigateway-authorizer"
_RESPONSES = "x-amazon-apigateway-gateway-responses"
_METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace", "any", _ANY})
_AUTHORIZER_KEYS = {
    "kind": "type",
    "uri": "authorizerUri",
    "ttl": "authorizerResultTtlInSeconds",
    "simple": "enableSimpleResponses",
    "payload": "authorizerPayloadFormatVersion",
    "source": "identitySource",
}
_HTTP_SIGNS = ("x-amazon-apigateway-importexport-version", "x-amazon-apigateway-cors")
_REST_SIGNS = (
    "swagger",  # HTTP APIs import OpenAPI 3 only
    _RESPONSES,
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
_ENDPOINTS: dict[str, EndpointType] = {"REGIONAL": "REGIONAL", "EDGE": "EDGE", "PRIVATE": "PRIVATE"}
_MAX_REFERENCES = 10
_PLAIN_ID = re.compile(r"[^A-Za-z0-9]+")


class Body(msgspec.Struct, frozen=True, kw_only=True):
    """What an OpenAPI document says of its API."""

    api_type: ApiType
    title: str | Unresolved | None = None
    title_mark: Mark | None = None
    routes: tuple[Route, ...] = ()
    authorizers: tuple[Authorizer, ...] = ()
    gateway_responses: tuple[GatewayResponse, ...] = ()
    binary_media_types: tuple[str, ...] = ()
    endpoint_type: EndpointType | None = None
    endpoint_mark: Mark | None = None


def is_openapi(node: Node | Unknown | None) -> bool:
    """Whether a mapping is an OpenAPI or Swagger document."""
    return isinstance(node, Mapping) and (node.get("openapi") is not None or node.get("swagger") is not None)


def read_file(reading: Reading, root: Mapping, name: str) -> Api:
    """The API of an OpenAPI file that stands for itself."""
    body = read_body(reading, root, Callables(), None)
    marks = {} if body.title_mark is None else {"name": body.title_mark}
    if body.endpoint_mark is not None:
        marks["endpoint_type"] = body.endpoint_mark
    if not any(route.integration for route in body.routes):
        reading.problem(root.mark, "no operation of this API has an x-amazon-apigateway-integration")
    return Api(
        mark=root.mark,
        marks=marks,
        logical_id=_PLAIN_ID.sub("", name) or "Api",
        name=body.title,
        api_type=body.api_type,
        endpoint_type=body.endpoint_type,
        routes=body.routes,
        authorizers=body.authorizers,
        gateway_responses=body.gateway_responses,
        binary_media_types=body.binary_media_types,
    )


def read_body(reading: Reading, root: Mapping, callables: Callables, api_type: ApiType | None) -> Body:
    """Read a document; `api_type` is the kind of API where the resource around it tells."""
    document = _Document(reading, root, callables)
    routes = tuple(document.routes())
    info = reading.fields(root.get("info"), root.mark, "info")
    info.text("title", "title")
    endpoint, endpoint_mark = document.endpoint()
    return Body(
        api_type=api_type or document.api_type(),
        title=info.values.get("title"),
        title_mark=info.marks.get("title"),
        routes=routes,
        authorizers=tuple(document.authorizers()),
        gateway_responses=tuple(gateway_responses(reading, root.get(_RESPONSES))),
        binary_media_types=tuple(
            str(one) for one in Fields(reading, root, "").item_texts("x-amazon-apigateway-binary-media-types")
        ),
        endpoint_type=endpoint,
        endpoint_mark=endpoint_mark,
    )


def gateway_responses(reading: Reading, node: Node | None) -> list[GatewayResponse]:
    """The gateway responses by type, as OpenAPI has them."""
    if node is None:
        return []
    found: list[GatewayResponse] = []
    fields = reading.fields(node, node.mark, "gateway responses")
    for name, value in fields.node.items():
        one = reading.fields(value, name.mark, name.text)
        one.number("status", "statusCode")
        one.texts("templates", "responseTemplates")
        one.texts("parameters", "responseParameters")
        found.append(GatewayResponse(mark=name.mark, response_type=name.text, **one.record()))
    return found


class _Document:
    """One document while it is read."""

    def __init__(self, reading: Reading, root: Mapping, callables: Callables) -> None:
        self._reading, self._root, self._callables = reading, root, callables
        self._integrations: list[Fields] = []
        self._fields = Fields(reading, root, "OpenAPI")

    def routes(self) -> list[Route]:
        paths = self._fields.child("paths")
        found: list[Route] = []
        for path, item in paths.node.items():
            operations = self._reading.fields(self._followed(item), path.mark, path.text)
            for name, operation in operations.node.items():
                if name.text.lower() in _METHODS:
                    found.append(self._route(path, name, operation))
        return found

    def _route(self, path: Scalar, name: Scalar, operation: Node) -> Route:
        method = "ANY" if name.text == _ANY else name.text.upper()
        fields = self._reading.fields(operation, name.mark, f"{method} {path.text}")
        integration = self._integration(fields, name.mark)
        authorizer, authorization, mark = self._security(fields)
        marks = {"path": path.mark, "method": name.mark}
        if mark is not None:
            marks["authorizer"] = marks["authorization"] = mark
        return Route(
            mark=name.mark,
            marks=marks,
            method=method if path.text != "$default" and path.text != "/$default" else "$default",
            path=path.text if path.text != "/$default" else "$default",
            integration=integration,
            authorizer=authorizer,
            authorization=authorization,
        )

    def _integration(self, operation: Fields, mark: Mark) -> Integration | None:
        node = operation.node.get(_INTEGRATION)
        if node is None:
            if operation.what.split(" ")[0] != "OPTIONS":
                self._reading.problem(mark, f"{operation.what} has no {_INTEGRATION}")
            return None
        settled = self._reading.resolver.settle(self._followed(node))
        if not isinstance(settled, Mapping):
            self._reading.problem(node.mark, f"{operation.what}: the integration cannot be read from this file")
            return None
        fields = Fields(self._reading, settled, operation.what)
        self._integrations.append(fields)
        return read_integration(fields, OPENAPI, self._callables, operation.node.entries[_INTEGRATION][0].mark)

    def _followed(self, node: Node) -> Node:
        """What a `$ref` within the document leads to; the node itself where it leads nowhere."""
        for _ in range(_MAX_REFERENCES):
            reference = node.get("$ref") if isinstance(node, Mapping) else None
            if not isinstance(reference, Scalar):
                return node
            found = self._at(reference.text)
            if found is None:
                self._reading.problem(
                    reference.mark, f"the reference {reference.text[:80]} leads to nothing in this file"
                )
                return node
            node = found
        return node

    def _at(self, reference: str) -> Node | None:
        if not reference.startswith("#/"):
            return None
        place: Node | None = self._root
        for step in reference.removeprefix("#/").split("/"):
            name = step.replace("~1", "/").replace("~0", "~")
            settled = self._reading.resolver.settle(place) if place is not None else None
            place = settled.get(name) if isinstance(settled, Mapping) else None
        return place

    def _security(self, operation: Fields) -> tuple[str | None, str, Mark | None]:
        """The authorizer, the authorization that it means, and where the document says so."""
        holder = operation.node if operation.node.get("security") is not None else self._root
        node = holder.get("security")
        settled = self._reading.resolver.settle(node) if node is not None else None
        if not isinstance(settled, Sequence) or node is None:
            return None, "NONE", None
        schemes = self._schemes()
        for item in settled.items:
            for name in item.entries if isinstance(item, Mapping) else ():
                scheme = schemes.get(name)
                if scheme is None and name == "NONE":
                    return None, "NONE", node.mark
                if scheme is None:
                    self._reading.problem(item.mark, f"{operation.what}: the security scheme {name} is not defined")
                elif _is_iam(scheme):
                    return None, "AWS_IAM", node.mark
                elif scheme.has(_AUTHORIZER):
                    return name, _authorization(scheme.child(_AUTHORIZER)), node.mark
        return None, "NONE", node.mark

    def _schemes(self) -> dict[str, Fields]:
        definitions = self._fields.child("securityDefinitions")
        if not definitions.node.entries:
            definitions = self._fields.child("components").child("securitySchemes")
        return {key.text: self._reading.fields(node, key.mark, key.text) for key, node in definitions.node.items()}

    def authorizers(self) -> list[Authorizer]:
        found: list[Authorizer] = []
        for name, scheme in self._schemes().items():
            if not scheme.has(_AUTHORIZER) or _is_iam(scheme):
                continue
            key = scheme.node.entries[_AUTHORIZER][0]
            fields = self._reading.fields(self._followed(scheme.node.entries[_AUTHORIZER][1]), key.mark, name)
            found.append(read_authorizer(fields, name, key.mark, self._callables, _AUTHORIZER_KEYS))
        return found

    def endpoint(self) -> tuple[EndpointType | None, Mark | None]:
        for holder in (self._root, *self._servers()):
            fields = self._reading.fields(holder, self._root.mark, "OpenAPI").child(
                "x-amazon-apigateway-endpoint-configuration"
            )
            for one in fields.item_texts("types"):
                if str(one).upper() in _ENDPOINTS:
                    return _ENDPOINTS[str(one).upper()], fields.node.mark
        return None, None

    def _servers(self) -> list[Node]:
        found = self._reading.resolver.settle(self._root.get("servers")) if self._root.get("servers") else None
        return [item for item in found.items if isinstance(item, Mapping)] if isinstance(found, Sequence) else []

    def api_type(self) -> ApiType:
        keys = self._root.entries.keys()
        formats = {fields.known("payloadFormatVersion") for fields in self._integrations}
        if any(sign in keys for sign in _HTTP_SIGNS) or formats & {"2.0", "2"}:
            return ApiType.HTTP
        if any(sign in keys for sign in _REST_SIGNS) or any(_is_rest(fields) for fields in self._integrations):
            return ApiType.REST
        # REST exports do not have this field; of HTTP APIs it is required.
        return ApiType.HTTP if formats - {None} else ApiType.UNKNOWN


def _is_rest(fields: Fields) -> bool:
    """Types `aws`, `http` and `mock` need mappings, which HTTP APIs do not have."""
    custom = (fields.known("type") or "").lower() in ("aws", "http", "mock")
    return custom or bool(fields.node.entries.keys() & _REST_INTEGRATION_SIGNS)


def _is_iam(scheme: Fields) -> bool:
    kinds = scheme.known("x-amazon-apigateway-authtype"), scheme.child(_AUTHORIZER).known("type")
    return any((kind or "").lower() == "awssigv4" for kind in kinds)


def _authorization(authorizer: Fields) -> str:
    kind = (authorizer.known("type") or "").lower()
    return {"jwt": "JWT", "cognito_user_pools": "COGNITO_USER_POOLS"}.get(kind, "CUSTOM")
