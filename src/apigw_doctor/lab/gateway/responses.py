"""What the gateway answers on its own: gateway responses of a REST API, and their kin of HTTP and WebSocket APIs.

Statuses and texts: AWS's page of gateway response types, and answers that were observed; see each entry.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from apigw_doctor.lab.gateway.arrival import Arrival
from apigw_doctor.lab.setup import GatewayResponse, LabApi
from apigw_doctor.model.terms import ApiType


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """A gateway response type: documented default status, default message, and the name in `x-amzn-ErrorType`."""

    status: int
    message: str | None
    exception: str
    #: the message of HTTP APIs where it is another; None: as REST
    http_message: str | None = None
    http_status: int | None = None


_SERVER = "InternalServerErrorException"
_SAYS_INTERNAL = "Internal server error"
_HTTP_INTERNAL = "Internal Server Error"

KINDS: dict[str, Kind] = {
    "ACCESS_DENIED": Kind(
        status=403,
        message="User is not authorized to access this resource with an explicit deny",
        exception="AccessDeniedException",
        http_message="Forbidden",
    ),
    "API_CONFIGURATION_ERROR": Kind(status=500, message=_SAYS_INTERNAL, exception=_SERVER, http_message=_HTTP_INTERNAL),
    # The message is null, and both types were only seen with this name of the exception.
    "AUTHORIZER_CONFIGURATION_ERROR": Kind(
        status=500, message=None, exception="AuthorizerConfigurationException", http_message=_HTTP_INTERNAL
    ),
    "AUTHORIZER_FAILURE": Kind(
        status=500, message=None, exception="AuthorizerConfigurationException", http_message=_HTTP_INTERNAL
    ),
    "INTEGRATION_FAILURE": Kind(
        status=504, message=_SAYS_INTERNAL, exception=_SERVER, http_message=_HTTP_INTERNAL, http_status=500
    ),
    "INTEGRATION_TIMEOUT": Kind(
        status=504,
        message="Endpoint request timed out",
        exception=_SERVER,
        http_message="Service Unavailable",
        http_status=503,
    ),
    "MISSING_AUTHENTICATION_TOKEN": Kind(
        status=403, message="Missing Authentication Token", exception="MissingAuthenticationTokenException"
    ),
    "REQUEST_TOO_LARGE": Kind(
        status=413,
        message="Request Too Long",
        exception="RequestTooLargeException",
        http_message="Request Entity Too Large",
    ),
    "RESOURCE_NOT_FOUND": Kind(status=404, message="Not Found", exception="NotFoundException"),
    "THROTTLED": Kind(status=429, message="Too Many Requests", exception="TooManyRequestsException"),
    "UNAUTHORIZED": Kind(status=401, message="Unauthorized", exception="UnauthorizedException"),
}
_DENIED_SILENTLY = "User is not authorized to access this resource"
_FAILED, _CLIENT_FAILED = 500, 400
_VARIABLE = re.compile(r"\$context\.([A-Za-z]+(?:\.[A-Za-z]+)*)")


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What the client gets, and what the records say of it."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    error_type: str | None = None
    error_message: str | None = None
    failure_lines: tuple[str, ...] = ()
    #: sent in chunks, as it came
    streamed: bool = False


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why the gateway answers itself: a gateway response type, with what differs from the type's default."""

    kind: str
    status: int | None = None
    message: str | None = None
    #: body member in capitals (`Message`), as answers of the policy evaluation have it
    capital: bool = False
    failure_lines: tuple[str, ...] = ()


def denied(*, explicit: bool, lines: tuple[str, ...] = ()) -> Refusal:
    """A policy that denies, or that does not speak of this method at all."""
    message = KINDS["ACCESS_DENIED"].message if explicit else _DENIED_SILENTLY
    return Refusal(kind="ACCESS_DENIED", message=message, capital=True, failure_lines=lines)


def refuse(refusal: Refusal, arrival: Arrival, api: LabApi) -> Reply:
    """The gateway's own answer."""
    kind = KINDS[refusal.kind]
    http = api.api_type is ApiType.HTTP
    status = refusal.status or (http and kind.http_status) or kind.status
    message = refusal.message or kind.message
    if http:
        message = refusal.message if refusal.message and not refusal.capital else kind.http_message or kind.message
        return _plain(refusal, status, message, json.dumps({"message": message}, separators=(",", ":")), ())
    if api.api_type is ApiType.WEBSOCKET:
        return _plain(refusal, status, message, frame(message, arrival), ())
    custom, is_default = _override(refusal.kind, status, api)
    name = ("x-amzn-ErrorType", kind.exception)
    if custom is None:
        return _plain(refusal, status, message, _default_body(refusal, status, message), (name,))
    # A type that was changed without a status goes back to its documented status; a DEFAULT_... has none.
    status = custom.status or (status if is_default else kind.status)
    line = f"Gateway response type: {custom.response_type} with status code: {status}"
    values = _context(refusal, arrival, api, message, status)
    body = _default_body(refusal, status, message) if custom.body is None else _render(custom.body, values)
    headers = [(key, _render(_unquoted(value), values)) for key, value in custom.headers.items()]
    given = {key.lower() for key, _ in headers}
    if name[0].lower() not in given:
        headers.append(name)
    return Reply(
        status=status,
        body=body.encode(),
        headers=(*(() if "content-type" in given else (("Content-Type", "application/json"),)), *headers),
        error_type=refusal.kind,
        error_message=message,
        failure_lines=(*refusal.failure_lines, line),
    )


def frame(message: str | None, arrival: Arrival) -> str:
    """What a caller on an open connection gets; the blanks are AWS's."""
    said, connection = json.dumps(message), json.dumps(arrival.connection_id)
    return f'{{"message": {said}, "connectionId":{connection}, "requestId":{json.dumps(arrival.extended_id)}}}'


def _plain(
    refusal: Refusal, status: int, message: str | None, body: str, headers: tuple[tuple[str, str], ...]
) -> Reply:
    return Reply(
        status=status,
        body=body.encode(),
        headers=(("Content-Type", "application/json"), *headers),
        error_type=refusal.kind,
        error_message=message,
        failure_lines=refusal.failure_lines,
    )


def _default_body(refusal: Refusal, status: int, message: str | None) -> str:
    # Observed: a blank after the colon in 5xx answers, none in most 4xx answers.
    separators = (", ", ": ") if status >= _FAILED else (",", ":")
    return json.dumps({"Message" if refusal.capital else "message": message}, separators=separators)


def _override(kind: str, status: int, api: LabApi) -> tuple[GatewayResponse | None, bool]:
    known = {one.response_type: one for one in api.gateway_responses}
    if kind in known:
        return known[kind], False
    family = "DEFAULT_5XX" if status >= _FAILED else "DEFAULT_4XX" if status >= _CLIENT_FAILED else ""
    return known.get(family), True


def _context(refusal: Refusal, arrival: Arrival, api: LabApi, message: str | None, status: int) -> Mapping[str, Any]:
    return {
        "error.message": message,
        "error.messageString": json.dumps(message),
        "error.responseType": refusal.kind,
        "requestId": arrival.request_id,
        "extendedRequestId": arrival.extended_id,
        "status": status,
        "apiId": api.api_id,
        "stage": api.stage,
        "accountId": api.account_id,
        "httpMethod": arrival.method,
        "path": f"/{api.stage}{arrival.path}",
        "resourcePath": arrival.route.path if arrival.route else None,
        "resourceId": arrival.route.resource_id if arrival.route else None,
        "identity.sourceIp": arrival.source_ip,
        "identity.userAgent": arrival.user_agent,
        "domainName": arrival.host,
        "requestTimeEpoch": int(arrival.at),
        "xrayTraceId": f"Root={arrival.trace_root}" if api.tracing else None,
    }


def _render(template: str, values: Mapping[str, Any]) -> str:
    return _VARIABLE.sub(lambda match: str("" if (found := values.get(match[1])) is None else found), template)


def _unquoted(value: str) -> str:
    """Header values of gateway responses are expressions: fixed text stands in single quotes."""
    quoted = len(value) >= len("''") and value[0] == value[-1] == "'"
    return value[1:-1] if quoted else value
