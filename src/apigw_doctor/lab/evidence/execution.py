"""Execution log of one request, as REST and WebSocket stages write it at ERROR, INFO, and INFO with data trace.

HTTP APIs have none, and streamed routes write none. Order and wording: facts 3.1 and 3.2; where requests end early
the rest of the sequence is simply not there.
"""

import json
from collections.abc import Iterator, Mapping

from apigw_doctor.lab.evidence.forms import clf_time, digest, http_date, masked, moment, stamp, whole
from apigw_doctor.lab.records import AuthorizerCall, Exchange, IntegrationCall
from apigw_doctor.lab.setup import LabApi
from apigw_doctor.model.terms import ApiType

#: API Gateway cuts every event before it submits it (AWS: API Gateway known issues); this is put in place of the rest.
MAX_BYTES, CUT = 1024, " [TRUNCATED]"
_SECRET_HEADERS = frozenset({"authorization", "x-api-key", "cookie", "x-amz-security-token"})
_DENIED = (401, 403)
_THROTTLED = ("THROTTLED", "QUOTA_EXCEEDED")
#: What the gateway finds out before it looks at usage plans.
_UNROUTED = ("MISSING_AUTHENTICATION_TOKEN", "RESOURCE_NOT_FOUND", "WAF_FILTERED")
_MALFORMED = "Malformed Lambda proxy response"

_ERROR, _INFO, _TRACE = "error", "info", "trace"
Line = tuple[float, str, str]
"""Time, level, words."""


def execution_events(exchange: Exchange, api: LabApi) -> list[tuple[int, str]]:
    """The events of one request at the level of the stage, with the times at which they were written."""
    streamed = exchange.route is not None and exchange.route.stream
    if api.api_type is ApiType.HTTP or api.log_level == "OFF" or streamed:
        return []
    wanted = {_ERROR} if api.log_level == "ERROR" else {_ERROR, _INFO, _TRACE} if api.data_trace else {_ERROR, _INFO}
    request_id = log_id(exchange, api)
    return [
        (stamp(at), cut(f"({request_id}) {words}")) for at, level, words in _lines(exchange, api) if level in wanted
    ]


def log_id(exchange: Exchange, api: LabApi) -> str:
    """The id in front of the request's lines: WebSocket APIs have one id only."""
    return exchange.extended_request_id if api.api_type is ApiType.WEBSOCKET else exchange.request_id


def cut(message: str) -> str:
    """The event as it is submitted, of at most 1,024 bytes."""
    data = message.encode()
    return message if len(data) <= MAX_BYTES else data[: MAX_BYTES - len(CUT)].decode(errors="ignore") + CUT


def called_uri(call: IntegrationCall, api: LabApi) -> str:
    """The URL that is called: an integration's ARN names Lambda's API in another way."""
    head = f"arn:aws:apigateway:{api.region}:lambda:path"
    return (
        f"https://lambda.{api.region}.amazonaws.com{call.uri.removeprefix(head)}"
        if call.uri.startswith(head)
        else call.uri
    )


def header_map(headers: Mapping[str, str]) -> str:
    """`{Accept=*/*, Authorization=****d8f2a1}`: no JSON, values may hold anything."""
    shown = (f"{name}={masked(value) if name.lower() in _SECRET_HEADERS else value}" for name, value in headers.items())
    return f"{{{', '.join(shown)}}}"


def _lines(exchange: Exchange, api: LabApi) -> Iterator[Line]:
    call = exchange.integration
    yield exchange.arrived_at, _INFO, f"Extended Request Id: {exchange.extended_request_id}"
    if exchange.authorizer is not None:
        yield from _authorizer(exchange, exchange.authorizer, api)
    if api.api_type is ApiType.REST and _reached_usage_plan(exchange):
        yield from _usage_plan(exchange, api)
    if call is not None:
        yield from _start(exchange, api)
        yield from _request(exchange, call, api)
        yield from _call(exchange, call, api)
    yield from _end(exchange, api)


def _admitted(exchange: Exchange) -> float:
    """When the authorizer, if there is one, had let the request through."""
    return exchange.arrived_at if exchange.authorizer is None else exchange.authorizer.ended_at


def _before(exchange: Exchange, after_ms: float) -> float:
    """A moment after the admission, but not after the call or the end."""
    call = exchange.integration
    return min(_admitted(exchange) + after_ms, exchange.completed_at if call is None else call.sent_at)


def _reached_usage_plan(exchange: Exchange) -> bool:
    if exchange.integration is not None:
        return True
    return exchange.error_type not in _UNROUTED and exchange.route is not None and not _stopped_by_authorizer(exchange)


def _stopped_by_authorizer(exchange: Exchange) -> bool:
    call = exchange.authorizer
    return exchange.integration is None and call is not None and not _allowed(call)


def _allowed(call: AuthorizerCall) -> bool:
    return call.status == 200


def _authorizer(exchange: Exchange, call: AuthorizerCall, api: LabApi) -> Iterator[Line]:
    request_id = log_id(exchange, api)
    yield call.started_at, _INFO, f"Starting authorizer: {call.authorizer_id} for request: {request_id}"
    token = next((value for name, value in exchange.request_headers.items() if name.lower() == "authorization"), "")
    yield call.started_at, _TRACE, f"Incoming identity: {masked(token)}"
    if not call.cached:
        yield from _authorizer_call(exchange, call, api)
    if _allowed(call) or call.status == 403:
        yield call.ended_at, _INFO, f"Using valid authorizer policy for principal: {masked(call.principal or 'user')}"
        yield call.ended_at, _INFO, "Successfully completed authorizer execution"
    elif call.status == 401:
        yield call.ended_at, _INFO, f"Unauthorized request: {request_id}"


def _authorizer_call(exchange: Exchange, call: AuthorizerCall, api: LabApi) -> Iterator[Line]:
    declared = next((one for one in api.authorizers if one.id == call.authorizer_id), None)
    name = declared.function if declared else "authorizer"
    arn = f"arn:aws:lambda:{api.region}:{api.account_id}:function:{name}"
    uri = f"https://lambda.{api.region}.amazonaws.com/2015-03-31/functions/{arn}/invocations"
    yield call.started_at, _TRACE, f"Endpoint request URI: {uri}"
    yield call.started_at, _TRACE, f"Endpoint request headers: {_signed_headers(exchange, api, call.started_at)}"
    kind = declared.kind if declared else "TOKEN"
    event = json.dumps({"type": kind, "methodArn": _method_arn(exchange, api)}, separators=(",", ":"))
    yield call.started_at, _TRACE, f"Endpoint request body after transformations: {event}"
    if _allowed(call) or call.status == 403:
        effect = "Allow" if _allowed(call) else "Deny"
        statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": _method_arn(exchange, api)}
        document = {"Version": "2012-10-17", "Statement": [statement]}
        policy = {"principalId": call.principal or "user", "policyDocument": document}
        text = json.dumps(policy, separators=(",", ":"))
        yield call.ended_at, _TRACE, f"Authorizer result body before parsing: {text}"


def _usage_plan(exchange: Exchange, api: LabApi) -> Iterator[Line]:
    place = f"{api.api_id}/{api.stage}"
    at = _before(exchange, 1)
    # There is no API key: the blanks round it stay.
    yield at, _INFO, f"Verifying Usage Plan for request: {exchange.request_id}. API Key:  API Stage: {place}"
    if exchange.error_type in _THROTTLED:
        return
    at = _before(exchange, 2)
    method = f"{exchange.method} {exchange.route.path if exchange.route else exchange.path}"
    yield (
        at,
        _INFO,
        f"API Key  authorized because method '{method}' does not require API Key."
        " Request will not contribute to throttle or quota limits",
    )
    yield at, _INFO, f"Usage Plan check succeeded for API Key  and API Stage {place}"


def _start(exchange: Exchange, api: LabApi) -> Iterator[Line]:
    at = _before(exchange, 2)
    if api.api_type is ApiType.WEBSOCKET:
        said = f"WebSocket API [{api.api_id}] received message from client [Connection Id: {exchange.connection_id}]."
        yield at, _INFO, said
        yield at, _INFO, f"Starting execution for request: {exchange.extended_request_id}"
        return
    yield at, _INFO, f"Starting execution for request: {exchange.request_id}"
    yield at, _INFO, f"HTTP Method: {exchange.method}, Resource Path: {exchange.path}"


def _request(exchange: Exchange, call: IntegrationCall, api: LabApi) -> Iterator[Line]:
    at = _before(exchange, 2)
    if api.api_type is ApiType.REST:
        yield at, _TRACE, f"Method request path: {header_map(path_parameters(exchange))}"
        yield at, _TRACE, f"Method request query string: {header_map(exchange.query)}"
        yield at, _TRACE, f"Method request headers: {header_map(_method_headers(exchange, api))}"
        yield at, _TRACE, f"Method request body before transformations: {exchange.request_body}"
    at = _before(exchange, 3)
    yield at, _TRACE, f"Endpoint request URI: {called_uri(call, api)}"
    headers = (
        _signed_headers(exchange, api, call.sent_at) if call.function else header_map(_sent_headers(exchange, api))
    )
    yield at, _TRACE, f"Endpoint request headers: {headers}"
    body = json.dumps(_event(exchange, api), separators=(",", ":")) if call.function else exchange.request_body
    yield at, _TRACE, f"Endpoint request body after transformations: {body}"
    yield call.sent_at, _TRACE, f"Sending request to {called_uri(call, api)}"


def _call(exchange: Exchange, call: IntegrationCall, api: LabApi) -> Iterator[Line]:
    if not call.answered:
        return
    at, status = call.ended_at, call.service_status if call.function else call.status
    yield at, _TRACE, f"Received response. Status: {status or 200}, Integration latency: {latency_ms(call)} ms"
    yield at, _TRACE, f"Endpoint response headers: {header_map(_answer_headers(exchange, call))}"
    # At ERROR the answer that could not be read is shown with the failure.
    level = _ERROR if any(_MALFORMED in line for line in exchange.failure_lines) else _TRACE
    yield at, level, f"Endpoint response body before transformations: {call.response_body}"


def _end(exchange: Exchange, api: LabApi) -> Iterator[Line]:
    call, at = exchange.integration, exchange.completed_at
    failed = bool(exchange.failure_lines) or exchange.error_type is not None
    decided_at = call.ended_at if call is not None else _admitted(exchange) if _stopped_by_authorizer(exchange) else at
    for line in exchange.failure_lines:
        yield decided_at, _ERROR, line
    if call is not None and not failed:
        yield at, _TRACE, f"Method response body after transformations: {exchange.response_body}"
        yield at, _TRACE, f"Method response headers: {header_map(_client_headers(exchange))}"
        yield at, _INFO, "Successfully completed execution"
    yield at, _ERROR if failed else _INFO, f"Method completed with status: {exchange.status}"
    if call is not None and call.answered and call.request_id is not None:
        yield at, _INFO, f"AWS Integration Endpoint RequestId : {call.request_id}"
    if call is not None and api.tracing:
        yield at, _INFO, f"X-ray Tracing ID : Root={exchange.trace_id}"


def latency_ms(call: IntegrationCall) -> int:
    """Integration latency."""
    return whole(call.ended_at - call.sent_at)


def path_parameters(exchange: Exchange) -> dict[str, str]:
    """`{id=42}` of `/orders/{id}` and `/orders/42`."""
    if exchange.route is None:
        return {}
    wanted, given = exchange.route.path.strip("/").split("/"), exchange.path.strip("/").split("/")
    found: dict[str, str] = {}
    for number, (name, value) in enumerate(zip(wanted, given, strict=False)):
        if name.startswith("{") and name.endswith("+}"):
            found[name[1:-2]] = "/".join(given[number:])
        elif name.startswith("{"):
            found[name[1:-1]] = value
    return found


def _method_headers(exchange: Exchange, api: LabApi) -> dict[str, str]:
    """What the client sent, and what the gateway's front adds to it."""
    own = {
        "Host": exchange.host or api.domain_name,
        "User-Agent": exchange.user_agent,
        "X-Amzn-Trace-Id": f"Root={exchange.trace_id}",
        "X-Forwarded-For": exchange.source_ip,
        "X-Forwarded-Port": "443",
        "X-Forwarded-Proto": "https",
    }
    sent = {name.lower() for name in exchange.request_headers}
    return exchange.request_headers | {name: value for name, value in own.items() if name.lower() not in sent}


def _sent_headers(exchange: Exchange, api: LabApi) -> dict[str, str]:
    headers = _method_headers(exchange, api)
    headers["User-Agent"] = f"AmazonAPIGateway_{api.api_id}"
    headers["x-amzn-apigateway-api-id"] = api.api_id
    return headers


def _signed_headers(exchange: Exchange, api: LabApi, at: float) -> str:
    """The headers of a call of Lambda; the session token that comes last is in clear, and never fits in."""
    headers = {
        "x-amzn-lambda-integration-tag": exchange.request_id,
        "Authorization": "*" * 271 + exchange.trace_id[-6:],
        "X-Amz-Date": f"{moment(at):%Y%m%dT%H%M%SZ}",
        "x-amzn-apigateway-api-id": api.api_id,
        "X-Amz-Source-Arn": _method_arn(exchange, api),
        "Accept": "application/json",
        "User-Agent": f"AmazonAPIGateway_{api.api_id}",
    }
    token = "IQoJb3JpZ2luX2Vj" + "".join(digest("token", exchange.request_id, part) for part in range(24))
    return f"{header_map(headers)[:-1]}, X-Amz-Security-Token={token}}}"


def _answer_headers(exchange: Exchange, call: IntegrationCall) -> dict[str, str]:
    if not call.function:
        return call.response_headers
    headers = {"Date": http_date(call.ended_at), "Content-Type": "application/json"}
    headers |= {"Content-Length": str(len(call.response_body.encode())), "Connection": "keep-alive"}
    if call.request_id is not None:
        headers["x-amzn-RequestId"] = call.request_id
    if call.function_error is not None:
        headers["X-Amz-Function-Error"] = call.function_error
    headers["x-amzn-Remapped-Content-Length"] = "0"
    if call.executed_version is not None:
        headers["X-Amz-Executed-Version"] = call.executed_version
    headers["X-Amzn-Trace-Id"] = f"root={exchange.trace_id};sampled={int(exchange.sampled)}"
    return headers


def _client_headers(exchange: Exchange) -> dict[str, str]:
    if any(name.lower() == "x-amzn-trace-id" for name in exchange.response_headers):
        return exchange.response_headers
    return exchange.response_headers | {"X-Amzn-Trace-Id": f"Root={exchange.trace_id}"}


def _method_arn(exchange: Exchange, api: LabApi) -> str:
    what = (
        f"{exchange.method}{exchange.path}"
        if exchange.method
        else exchange.route.path
        if exchange.route
        else "$default"
    )
    return f"arn:aws:execute-api:{api.region}:{api.account_id}:{api.api_id}/{api.stage}/{what}"


def _event(exchange: Exchange, api: LabApi) -> dict[str, object]:
    """The proxy event, of which the log shows the beginning; what it holds is not masked."""
    if api.api_type is ApiType.WEBSOCKET:
        context: dict[str, object] = {
            "routeKey": exchange.route.path if exchange.route else "$default",
            "messageId": exchange.message_id,
            "eventType": exchange.event_type,
            "extendedRequestId": exchange.extended_request_id,
            "requestTime": clf_time(exchange.arrived_at),
            "messageDirection": "IN",
            "stage": api.stage,
            "connectedAt": None if exchange.connected_at is None else stamp(exchange.connected_at),
            "requestTimeEpoch": stamp(exchange.arrived_at),
            "identity": {"sourceIp": exchange.source_ip},
            "requestId": exchange.extended_request_id,
            "domainName": exchange.host or api.domain_name,
            "connectionId": exchange.connection_id,
            "apiId": api.api_id,
        }
        return {"requestContext": context, "body": exchange.request_body, "isBase64Encoded": False}
    headers, resource = _method_headers(exchange, api), exchange.route.path if exchange.route else exchange.path
    context = {
        "resourceId": exchange.route.resource_id if exchange.route else None,
        "resourcePath": resource,
        "httpMethod": exchange.method,
        "extendedRequestId": exchange.extended_request_id,
        "requestTime": clf_time(exchange.arrived_at),
        "path": f"/{api.stage}{exchange.path}",
        "accountId": api.account_id,
        "protocol": exchange.protocol,
        "stage": api.stage,
        "requestTimeEpoch": stamp(exchange.arrived_at),
        "requestId": exchange.request_id,
        "identity": {"sourceIp": exchange.source_ip, "userAgent": exchange.user_agent},
        "domainName": exchange.host or api.domain_name,
        "apiId": api.api_id,
    }
    return {
        "resource": resource,
        "path": exchange.path,
        "httpMethod": exchange.method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": exchange.query or None,
        "multiValueQueryStringParameters": {name: [value] for name, value in exchange.query.items()} or None,
        "pathParameters": path_parameters(exchange) or None,
        "stageVariables": None,
        "requestContext": context,
        "body": exchange.request_body or None,
        "isBase64Encoded": False,
    }
