"""The events that functions get: proxy events 1.0 and 2.0, WebSocket events, and those of authorizers."""

import json
from base64 import b64encode
from collections.abc import Iterable
from typing import Any

from apigw_doctor.lab.evidence.forms import clf_time, stamp
from apigw_doctor.lab.gateway.arrival import Admission, Arrival
from apigw_doctor.lab.setup import LabApi, LabAuthorizer
from apigw_doctor.model.terms import ApiType

Event = dict[str, Any]
_TEXT = ("text/", "application/json", "application/javascript", "application/xml")
_FORM = "application/x-www-form-urlencoded"
_EDGE_VIEWER = (
    ("CloudFront-Forwarded-Proto", "https"),
    ("CloudFront-Is-Desktop-Viewer", "true"),
    ("CloudFront-Is-Mobile-Viewer", "false"),
    ("CloudFront-Is-SmartTV-Viewer", "false"),
    ("CloudFront-Is-Tablet-Viewer", "false"),
    ("CloudFront-Viewer-Country", "IE"),
)


def encode(event: Event) -> bytes:
    """As it is sent to Lambda."""
    return json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode()


def proxy_event(arrival: Arrival, api: LabApi, admission: Admission | None = None) -> Event:
    """The event of a Lambda proxy integration."""
    if api.api_type is ApiType.WEBSOCKET:
        return _socket_event(arrival, api, admission)
    route = arrival.route
    if api.api_type is ApiType.HTTP and route is not None and route.payload_format == "2.0":
        return _version_2(arrival, api, admission)
    return _version_1(arrival, api, admission)


def token_event(arrival: Arrival, api: LabApi, token: str) -> Event:
    """The event of a TOKEN authorizer."""
    return {"type": "TOKEN", "methodArn": method_arn(arrival, api), "authorizationToken": token}


def request_event(arrival: Arrival, api: LabApi, authorizer: LabAuthorizer) -> Event:
    """The event of a REQUEST authorizer; simple responses go with format 2.0."""
    arn = method_arn(arrival, api)
    if api.api_type is ApiType.HTTP and authorizer.simple_responses:
        event = _without_body(_version_2(arrival, api, None))
        token = arrival.header("Authorization")
        return {
            "version": "2.0",
            "type": "REQUEST",
            "routeArn": arn,
            "identitySource": [token] if token else [],
        } | event
    if api.api_type is ApiType.WEBSOCKET:
        return {"type": "REQUEST", "methodArn": arn} | _socket_event(arrival, api, None)
    event = _without_body(_version_1(arrival, api, None))
    token = arrival.header("Authorization")
    named = {"identitySource": token, "authorizationToken": token} if api.api_type is ApiType.HTTP else {}
    return {"type": "REQUEST", "methodArn": arn} | named | event


def _without_body(event: Event) -> Event:
    return {name: given for name, given in event.items() if name not in ("body", "isBase64Encoded")}


def method_arn(arrival: Arrival, api: LabApi) -> str:
    """The ARN that policies are judged by."""
    if api.api_type is ApiType.WEBSOCKET:
        what = arrival.route.path if arrival.route else "$connect"
    else:
        what = f"{arrival.method}{arrival.path}"
    return f"arn:aws:execute-api:{api.region}:{api.account_id}:{api.api_id}/{api.stage}/{what}"


def body_text(arrival: Arrival, *, form_is_text: bool = True) -> tuple[str, bool]:
    """The body as an event holds it, and whether it is base64: what is no text travels encoded.

    A content type that says nothing counts as text if the bytes are; HTTP APIs encode forms as well.
    """
    kind = (arrival.header("Content-Type") or "").partition(";")[0].strip().lower()
    form = kind == _FORM
    textual = not kind or kind.startswith(_TEXT) or kind.endswith(("+json", "+xml")) or (form and form_is_text)
    if textual:
        try:
            return arrival.body.decode(), False
        except UnicodeDecodeError:
            pass
    return b64encode(arrival.body).decode(), True


def event_headers(arrival: Arrival, api: LabApi) -> list[tuple[str, str]]:
    """What the caller sent, and what the gateway's front adds."""
    skipped = {"host", "x-amzn-trace-id", "x-forwarded-for", "x-forwarded-port", "x-forwarded-proto"}
    pairs = [(name, value) for name, value in arrival.headers if name.lower() not in skipped]
    forwarded = arrival.header("X-Forwarded-For")
    pairs += [
        ("Host", arrival.host),
        ("X-Amzn-Trace-Id", arrival.trace_header),
        ("X-Forwarded-For", f"{forwarded}, {arrival.source_ip}" if forwarded else arrival.source_ip),
        ("X-Forwarded-Port", "443"),
        ("X-Forwarded-Proto", "https"),
    ]
    if api.api_type is ApiType.REST and api.endpoint_type == "EDGE":
        pairs += [*_EDGE_VIEWER, ("Via", f"2.0 {edge_host(arrival)} (CloudFront)"), ("X-Amz-Cf-Id", edge_id(arrival))]
    return pairs


def edge_host(arrival: Arrival) -> str:
    """The edge server that the request came by."""
    return f"{arrival.segment_id}{arrival.subsegment_id}.cloudfront.net"


def edge_id(arrival: Arrival) -> str:
    """The edge's id of the request: 54 characters and `==`."""
    return f"{arrival.extended_id[:-1]}{arrival.trace_root[11:]}{arrival.segment_id[:15]}=="


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Values by name; the first spelling of a name is kept."""
    spelled: dict[str, str] = {}
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(spelled.setdefault(name.lower(), name), []).append(value)
    return found


def _queried(arrival: Arrival) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in arrival.query:
        found.setdefault(name, []).append(value)
    return found


def _last(values: dict[str, list[str]]) -> dict[str, str]:
    return {name: several[-1] for name, several in values.items()}


def _identity(arrival: Arrival) -> Event:
    names = ("cognitoIdentityPoolId", "accountId", "cognitoIdentityId", "caller", "principalOrgId", "accessKey")
    more = ("cognitoAuthenticationType", "cognitoAuthenticationProvider", "userArn", "user")
    return {
        **dict.fromkeys(names),
        "sourceIp": arrival.source_ip,
        **dict.fromkeys(more),
        "userAgent": arrival.user_agent or None,
    }


def _version_1(arrival: Arrival, api: LabApi, admission: Admission | None) -> Event:
    rest = api.api_type is ApiType.REST
    route = arrival.route
    resource = route.path if route is not None else arrival.path
    headers, query = _grouped(event_headers(arrival, api)), _queried(arrival)
    body, is_base64 = body_text(arrival, form_is_text=rest)
    context: Event = {
        "resourceId": (route.resource_id if route is not None else None) if rest else (route.key if route else None),
        "resourcePath": resource,
        "httpMethod": arrival.method,
        "extendedRequestId": arrival.extended_id,
        "requestTime": clf_time(arrival.at),
        "path": stage_path(arrival, api),
        "accountId": api.account_id,
        "protocol": arrival.protocol,
        "stage": api.stage,
        "domainPrefix": arrival.host.partition(".")[0],
        "requestTimeEpoch": stamp(arrival.at),
        "requestId": arrival.request_id,
        "identity": _identity(arrival),
        "domainName": arrival.host,
        "deploymentId": api.deployment_id,
        "apiId": api.api_id,
    }
    if admission is not None:
        context["authorizer"] = _said(admission, api)
    return {
        **({} if rest else {"version": "1.0"}),
        "resource": resource,
        "path": arrival.path if rest else stage_path(arrival, api),
        "httpMethod": arrival.method,
        "headers": _last(headers) if rest else {name: ",".join(values) for name, values in headers.items()},
        "multiValueHeaders": headers,
        "queryStringParameters": _last(query) or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": arrival.path_parameters or None,
        "stageVariables": None,
        "requestContext": context,
        "body": body or None,
        "isBase64Encoded": is_base64 and bool(body),
    }


def _version_2(arrival: Arrival, api: LabApi, admission: Admission | None) -> Event:
    pairs = event_headers(arrival, api)
    cookies = [part.strip() for name, value in pairs if name.lower() == "cookie" for part in value.split(";")]
    plain = _grouped((name.lower(), value) for name, value in pairs if name.lower() != "cookie")
    body, is_base64 = body_text(arrival, form_is_text=False)
    key = arrival.route.key if arrival.route else "$default"
    context: Event = {
        "accountId": api.account_id,
        "apiId": api.api_id,
        "domainName": arrival.host,
        "domainPrefix": arrival.host.partition(".")[0],
        "http": {
            "method": arrival.method,
            "path": stage_path(arrival, api),
            "protocol": arrival.protocol,
            "sourceIp": arrival.source_ip,
            "userAgent": arrival.user_agent,
        },
        "requestId": arrival.extended_id,
        "routeKey": key,
        "stage": api.stage,
        "time": clf_time(arrival.at),
        "timeEpoch": stamp(arrival.at),
    }
    if admission is not None:
        said = _said(admission, api)
        context["authorizer"] = {"lambda": admission.context if admission.authorizer.simple_responses else said}
    queried = {name: ",".join(values) for name, values in _queried(arrival).items()}
    return {
        "version": "2.0",
        "routeKey": key,
        "rawPath": stage_path(arrival, api),
        "rawQueryString": arrival.raw_query,
        **({"cookies": cookies} if cookies else {}),
        "headers": {name: ",".join(values) for name, values in plain.items()},
        **({"queryStringParameters": queried} if queried else {}),
        "requestContext": context,
        **({"pathParameters": arrival.path_parameters} if arrival.path_parameters else {}),
        **({"body": body} if body else {}),
        "isBase64Encoded": is_base64 and bool(body),
    }


def stage_path(arrival: Arrival, api: LabApi) -> str:
    """The path with the stage in front, as the API's own host has it."""
    return arrival.path if api.stage == "$default" else f"/{api.stage}{arrival.path}"


def _said(admission: Admission, api: LabApi) -> Event:
    """What functions get to know: the context, as text, the principal and the time that it took."""
    known = {name: _as_text(value) for name, value in admission.context.items()}
    if admission.principal is not None:
        known["principalId"] = admission.principal
    if api.api_type is not ApiType.HTTP:
        known["integrationLatency"] = admission.latency_ms
    return known


def _as_text(value: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


def _socket_event(arrival: Arrival, api: LabApi, admission: Admission | None) -> Event:
    connecting = arrival.event_type == "CONNECT"
    context: Event = {
        "routeKey": arrival.route.path if arrival.route else "$default",
        **({"messageId": arrival.message_id} if arrival.message_id else {}),
        "eventType": arrival.event_type,
        "extendedRequestId": arrival.extended_id,
        "requestTime": clf_time(arrival.at),
        "messageDirection": "IN",
        "stage": api.stage,
        "connectedAt": None if arrival.connected_at is None else stamp(arrival.connected_at),
        "requestTimeEpoch": stamp(arrival.at),
        "identity": {
            **({"userAgent": arrival.user_agent} if arrival.user_agent else {}),
            "sourceIp": arrival.source_ip,
        },
        "requestId": arrival.extended_id,
        "domainName": arrival.host,
        "connectionId": arrival.connection_id,
        "apiId": api.api_id,
    }
    if admission is not None:
        context["authorizer"] = _said(admission, api)
    if arrival.event_type == "DISCONNECT":
        context |= {"disconnectStatusCode": arrival.close_code, "disconnectReason": arrival.close_reason}
    if not connecting and arrival.event_type != "DISCONNECT":
        body, is_base64 = body_text(arrival)
        return {"requestContext": context, "body": body, "isBase64Encoded": is_base64}
    headers, query = _grouped(event_headers(arrival, api)), _queried(arrival)
    return {
        "headers": _last(headers),
        "multiValueHeaders": headers,
        **({"queryStringParameters": _last(query), "multiValueQueryStringParameters": query} if query else {}),
        "requestContext": context,
        "isBase64Encoded": False,
    }
