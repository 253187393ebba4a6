"""APIs while their parts are gathered: stages, routes and authorizers stand elsewhere in a template than their API."""

from typing import Any

import msgspec

from apigw_doctor.model.terms import ApiType
from apigw_doctor.templates.intrinsics import Unresolved
from apigw_doctor.templates.links import Callables, named
from apigw_doctor.templates.marked import Mapping, Mark, Scalar
from apigw_doctor.templates.model import Api, Authorizer, GatewayResponse, Integration, Route, RouteSettings, Stage
from apigw_doctor.templates.openapi import Body, is_openapi, read_body
from apigw_doctor.templates.reading import Fields, Reading

_LEVELS = {"OFF": "OFF", "ERROR": "ERROR", "INFO": "INFO"}
ENDPOINTS = {"REGIONAL": "REGIONAL", "EDGE": "EDGE", "PRIVATE": "PRIVATE"}


class Draft(msgspec.Struct, kw_only=True):
    """An API that is still being gathered."""

    logical_id: str
    api_type: ApiType
    mark: Mark
    fields: Fields
    construct: str | None = None
    implicit: bool = False
    external: bool = False
    #: routes come from the events of functions too, as SAM has it where the API has no body of its own
    takes_events: bool = True
    stages: list[Stage] = []
    routes: list[Route] = []
    authorizers: list[Authorizer] = []
    gateway_responses: list[GatewayResponse] = []

    def add_body(self, body: Body) -> None:
        """Take over what an OpenAPI document says; the resource's own properties win."""
        self.routes.extend(body.routes)
        self.authorizers.extend(body.authorizers)
        self.gateway_responses.extend(body.gateway_responses)
        for field, value, mark in (
            ("name", body.title, body.title_mark),
            ("endpoint_type", body.endpoint_type, body.endpoint_mark),
        ):
            if value is not None and mark is not None and field not in self.fields.values:
                self.fields.values[field] = value
                self.fields.marks[field] = mark
        if body.binary_media_types:
            self.fields.values.setdefault("binary_media_types", body.binary_media_types)

    def add_route(self, route: Route) -> None:
        """Add a route; one that the body already has gets the integration, and what the new one says of access."""
        for number, one in enumerate(self.routes):
            if (one.method, one.path) == (route.method, route.path):
                keeps = "authorization" in one.marks and "authorization" not in route.marks
                kept: dict[str, Any] = (
                    {"authorizer": one.authorizer, "authorization": one.authorization} if keeps else {}
                )
                if self.api_type is ApiType.HTTP and one.integration is not None and route.integration is not None:
                    kept["integration"] = _refined(one.integration, route.integration)
                self.routes[number] = msgspec.structs.replace(route, marks=one.marks | route.marks, **kept)
                return
        self.routes.append(route)

    def finished(self) -> Api:
        """The record."""
        return Api(
            mark=self.mark,
            logical_id=self.logical_id,
            api_type=self.api_type,
            construct=self.construct,
            implicit=self.implicit,
            external=self.external,
            stages=tuple(self.stages),
            routes=tuple(self.routes),
            authorizers=tuple(self.authorizers),
            gateway_responses=tuple(self.gateway_responses),
            **self.fields.record(),
        )


def _refined(body: Integration, event: Integration) -> Integration:
    """An HTTP API's body says what is called; an event on the same route sets no more than it spells out."""
    spelled_out = {field: getattr(event, field) for field in ("timeout_ms", "payload_format") if field in event.marks}
    marks = {field: event.marks[field] for field in spelled_out}
    depends = {field: names for field, names in event.depends.items() if field in spelled_out}
    return msgspec.structs.replace(body, marks=body.marks | marks, depends=body.depends | depends, **spelled_out)


class Drafts:
    """All APIs of a template, by logical id."""

    def __init__(self, reading: Reading, callables: Callables) -> None:
        self.reading, self.callables = reading, callables
        self.by_id: dict[str, Draft] = {}

    def add(self, logical_id: str, api_type: ApiType, mark: Mark, fields: Fields, **more: Any) -> Draft:  # noqa: ANN401
        """Begin an API."""
        draft = Draft(logical_id=logical_id, api_type=api_type, mark=mark, fields=fields, **more)
        self.by_id[logical_id] = draft
        return draft

    def of(self, reference: str | Unresolved | None, api_type: ApiType, mark: Mark) -> Draft:
        """The API that a route or a stage belongs to; one that is not in this template is external."""
        name = named(reference) or str(reference or "?")
        if name not in self.by_id:
            self.add(name, api_type, mark, Fields(self.reading, Mapping({}, mark), name), external=True)
            self.reading.problem(mark, f"the API {name} is not in this template; its own settings are not known")
        return self.by_id[name]

    def read_body(self, draft: Draft, fields: Fields, inline: str, location: str) -> None:
        """Read the OpenAPI document of an API: written in the template, or in a file that it names."""
        if fields.has(inline):
            settled = fields.settled(inline)
            self._take_body(draft, settled if isinstance(settled, Mapping) else None, fields, inline)
        elif fields.has(location):
            self._take_body(draft, self._located(fields, location), fields, location)

    def _take_body(self, draft: Draft, node: Mapping | None, fields: Fields, key: str) -> None:
        is_managed = node is not None
        if node is None:
            self.reading.problem(
                fields.node.entries[key][0].mark,
                f"{draft.logical_id}: {key} is not in a file at hand, so its routes and integrations are not known",
            )
        else:
            if not is_openapi(node):
                self.reading.problem(node.mark, f"{draft.logical_id}: {key} says neither openapi nor swagger")
            draft.add_body(read_body(self.reading, node, self.callables, draft.api_type))
        merges = str(fields.peek("MergeDefinitions")).lower() == "true"
        draft.takes_events = merges or not is_managed

    def _located(self, fields: Fields, key: str) -> Mapping | None:
        settled = fields.settled(key)
        if not isinstance(settled, Scalar) or settled.text.startswith(("s3://", "https://")):
            return None
        found = self.reading.resolver.settle(self.reading.load(settled.text, settled.mark))
        return found if isinstance(found, Mapping) else None

    def finished(self) -> tuple[Api, ...]:
        """The records of all APIs."""
        return tuple(draft.finished() for draft in self.by_id.values())


def read_logging(fields: Fields) -> None:
    """Logging and throttling, as stages and their routes have it in all formats."""
    fields.choice("log_level", "LoggingLevel", _LEVELS)
    fields.flag("data_trace", "DataTraceEnabled")
    fields.flag("metrics", "DetailedMetricsEnabled" if fields.has("DetailedMetricsEnabled") else "MetricsEnabled")
    fields.number("throttle_rate", "ThrottlingRateLimit")
    fields.number("throttle_burst", "ThrottlingBurstLimit")


def read_access_log(fields: Fields, key: str) -> None:
    """Format and destination of the access log."""
    below = fields.child(key)
    below.text("access_log_format", "Format")
    below.text("access_log_destination", "DestinationArn")
    fields.adopt(below)


def read_method_settings(fields: Fields) -> None:
    """`MethodSettings` of a REST stage: those for all methods are the stage's own."""
    found: list[RouteSettings] = []
    for item in fields.items("MethodSettings"):
        if not isinstance(item, Mapping):
            fields.reading.problem(item.mark, f"{fields.what}: an item of MethodSettings cannot be read")
            continue
        one = Fields(fields.reading, item, f"{fields.what}: MethodSettings")
        method, path = one.known("HttpMethod") or "*", _path(one.known("ResourcePath") or "/*")
        if (method, path) == ("*", "/*"):
            read_logging(one)
            fields.adopt(one)
            continue
        read_logging(one)
        found.append(RouteSettings(mark=item.mark, method=method, path=path, **one.record()))
    if found:
        fields.put("route_settings", tuple(found), "MethodSettings")


def read_route_settings(fields: Fields) -> None:
    """`DefaultRouteSettings` and `RouteSettings` of an HTTP or WebSocket stage."""
    below = fields.child("DefaultRouteSettings")
    read_logging(below)
    fields.adopt(below)
    found: list[RouteSettings] = []
    for key, one in fields.children("RouteSettings"):
        method, path = split_route_key(key)
        read_logging(one)
        found.append(RouteSettings(mark=one.node.mark, method=method, path=path, **one.record()))
    if found:
        fields.put("route_settings", tuple(found), "RouteSettings")


def read_endpoint(fields: Fields) -> None:
    """`EndpointConfiguration`: a word, a list of types, or SAM's `Type`."""
    settled = fields.settled("EndpointConfiguration")
    if settled is None:
        return
    if not isinstance(settled, Mapping):
        fields.choice("endpoint_type", "EndpointConfiguration", ENDPOINTS)
        return
    below = fields.child("EndpointConfiguration")
    if below.has("Types"):
        types = below.item_texts("Types")
        one = types[0] if types else None
        found = ENDPOINTS.get(one.upper(), Unresolved(one)) if isinstance(one, str) else one
        if found is not None:
            below.put("endpoint_type", found, "Types")
    else:
        below.choice("endpoint_type", "Type", ENDPOINTS)
    fields.adopt(below)


def split_route_key(key: str) -> tuple[str, str]:
    """Method and path of `GET /orders`; a key without a path (`$default`, `ask`) is both."""
    method, _, path = key.strip().partition(" ")
    return (method.upper(), path.strip()) if path else (key, key)


def _path(text: str) -> str:
    """A resource path; in `MethodSettings` each `/` within may be written `~1`."""
    path = text.replace("~1", "/")
    return path[1:] if path.startswith("//") else path
