"""Access log of one request: any `$context` format string, filled as the gateway fills it.

What is not set, and what the API's type does not know, is `-`. `$context.error.messageString` brings quotes of its
own. On a gateway-side timeout the integration has no request id; its latency there is not documented by AWS, so it is
an option (`-`, `-1`, or the limit).

>>> CONSOLE["csv"][ApiType.REST].count("$context.")
11
"""

import re
from typing import Literal

from apigw_doctor.lab.evidence.execution import latency_ms
from apigw_doctor.lab.evidence.forms import clf_time, stamp, whole
from apigw_doctor.lab.records import AuthorizerCall, Exchange, IntegrationCall
from apigw_doctor.lab.setup import LabApi
from apigw_doctor.model.terms import ApiType

TimeoutLatency = Literal["-", "-1", "limit"]
"""What `integration.latency` is where the gateway stopped waiting."""

_VARIABLE = re.compile(r"\$context\.([A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)")
_TIMEOUT = "INTEGRATION_TIMEOUT"
#: `integration.error` of a REST or WebSocket request that ran into the integration timeout
_TIMEOUT_ERROR = "Execution failed due to a timeout error"

_WHO = "$context.identity.sourceIp $context.identity.caller $context.identity.user [$context.requestTime]"
_CLF = {
    ApiType.REST: f'{_WHO} "$context.httpMethod $context.resourcePath $context.protocol" $context.status'
    " $context.responseLength $context.requestId $context.extendedRequestId",
    ApiType.HTTP: '$context.identity.sourceIp - - [$context.requestTime] "$context.httpMethod $context.routeKey'
    ' $context.protocol" $context.status $context.responseLength $context.requestId',
    ApiType.WEBSOCKET: f'{_WHO} "$context.eventType $context.routeKey $context.connectionId" $context.status'
    " $context.requestId",
}
_JSON = {
    ApiType.REST: '{ "requestId":"$context.requestId", "extendedRequestId":"$context.extendedRequestId",'
    ' "ip": "$context.identity.sourceIp", "caller":"$context.identity.caller", "user":"$context.identity.user",'
    ' "requestTime":"$context.requestTime", "httpMethod":"$context.httpMethod",'
    ' "resourcePath":"$context.resourcePath", "status":"$context.status","protocol":"$context.protocol",'
    ' "responseLength":"$context.responseLength" }',
    ApiType.HTTP: '{ "requestId":"$context.requestId", "ip": "$context.identity.sourceIp",'
    ' "requestTime":"$context.requestTime", "httpMethod":"$context.httpMethod","routeKey":"$context.routeKey",'
    ' "status":"$context.status","protocol":"$context.protocol", "responseLength":"$context.responseLength" }',
    ApiType.WEBSOCKET: '{ "requestId":"$context.requestId", "ip": "$context.identity.sourceIp",'
    ' "caller":"$context.identity.caller", "user":"$context.identity.user",'
    ' "requestTime":"$context.requestTime", "eventType":"$context.eventType", "routeKey":"$context.routeKey",'
    ' "status":"$context.status", "connectionId":"$context.connectionId" }',
}
_XML = {
    ApiType.REST: '<request id="$context.requestId"> <extendedRequestId>$context.extendedRequestId</extendedRequestId>'
    " <ip>$context.identity.sourceIp</ip> <caller>$context.identity.caller</caller>"
    " <user>$context.identity.user</user> <requestTime>$context.requestTime</requestTime>"
    " <httpMethod>$context.httpMethod</httpMethod> <resourcePath>$context.resourcePath</resourcePath>"
    " <status>$context.status</status> <protocol>$context.protocol</protocol>"
    " <responseLength>$context.responseLength</responseLength> </request>",
    ApiType.HTTP: '<request id="$context.requestId"> <ip>$context.identity.sourceIp</ip>'
    " <requestTime>$context.requestTime</requestTime> <httpMethod>$context.httpMethod</httpMethod>"
    " <routeKey>$context.routeKey</routeKey> <status>$context.status</status> <protocol>$context.protocol</protocol>"
    " <responseLength>$context.responseLength</responseLength> </request>",
    ApiType.WEBSOCKET: '<request id="$context.requestId"> <ip>$context.identity.sourceIp</ip>'
    " <caller>$context.identity.caller</caller> <user>$context.identity.user</user>"
    " <requestTime>$context.requestTime</requestTime> <eventType>$context.eventType</eventType>"
    " <routeKey>$context.routeKey</routeKey> <status>$context.status</status>"
    " <connectionId>$context.connectionId</connectionId> </request>",
}
_CSV = {
    ApiType.REST: "$context.identity.sourceIp,$context.identity.caller,$context.identity.user,$context.requestTime,"
    "$context.httpMethod,$context.resourcePath,$context.protocol,$context.status,$context.responseLength,"
    "$context.requestId,$context.extendedRequestId",
    ApiType.HTTP: "$context.identity.sourceIp,$context.requestTime,$context.httpMethod,$context.routeKey,"
    "$context.protocol,$context.status,$context.responseLength,$context.requestId",
    ApiType.WEBSOCKET: "$context.identity.sourceIp,$context.identity.caller,$context.identity.user,"
    "$context.requestTime,$context.eventType,$context.routeKey,$context.connectionId,$context.status,"
    "$context.requestId",
}
CONSOLE = {"clf": _CLF, "json": _JSON, "xml": _XML, "csv": _CSV}
"""The formats that the console offers for a new access log, by API type."""

RECOMMENDED = (
    '{"requestId":"$context.requestId","extendedRequestId":"$context.extendedRequestId",'
    '"requestTimeEpoch":"$context.requestTimeEpoch","apiId":"$context.apiId","stage":"$context.stage",'
    '"httpMethod":"$context.httpMethod","resourcePath":"$context.resourcePath","status":"$context.status",'
    '"responseLatency":"$context.responseLatency","integrationLatency":"$context.integration.latency",'
    '"integrationRequestId":"$context.integration.requestId","integration.status":"$context.integration.status",'
    '"integrationStatus":"$context.integration.integrationStatus","integrationError":"$context.integration.error",'
    '"errorMessage":"$context.error.message","errorResponseType":"$context.error.responseType",'
    '"authorizerLatency":"$context.authorizer.latency","xrayTraceId":"$context.xrayTraceId",'
    '"sourceIp":"$context.identity.sourceIp"}'
)
"""The format that apigw-doctor recommends."""


def access_event(
    exchange: Exchange, api: LabApi, template: str, *, timeout_latency: TimeoutLatency = "-"
) -> tuple[int, str]:
    """The event of one request; its time is the arrival."""
    return stamp(exchange.arrived_at), render(template, exchange, api, timeout_latency=timeout_latency)


def render(template: str, exchange: Exchange, api: LabApi, *, timeout_latency: TimeoutLatency = "-") -> str:
    """The line that the stage writes with this format string."""
    known = context(exchange, api, timeout_latency=timeout_latency)
    return _VARIABLE.sub(lambda match: known.get(match[1], "-"), template)


def context(exchange: Exchange, api: LabApi, *, timeout_latency: TimeoutLatency = "-") -> dict[str, str]:
    """The variables that are set, without their `$context.`."""
    known = _common(exchange, api) | _error(exchange) | _of_type(exchange, api)
    if exchange.authorizer is not None:
        known |= _authorizer(exchange.authorizer, api)
    if exchange.integration is not None:
        known |= _integration(exchange, exchange.integration, api, timeout_latency)
    return {name: str(value) for name, value in known.items() if value is not None and value != ""}


Values = dict[str, str | int | None]


def _common(exchange: Exchange, api: LabApi) -> Values:
    host = exchange.host or api.domain_name
    return {
        "requestId": exchange.request_id if api.api_type is ApiType.REST else exchange.extended_request_id,
        "extendedRequestId": exchange.extended_request_id,
        "requestTime": clf_time(exchange.arrived_at),
        "requestTimeEpoch": stamp(exchange.arrived_at),
        "accountId": api.account_id,
        "apiId": api.api_id,
        "stage": api.stage,
        "domainName": host,
        "domainPrefix": host.partition(".")[0],
        "status": exchange.status,
        "identity.sourceIp": exchange.source_ip,
        "identity.userAgent": exchange.user_agent,
    }


def _error(exchange: Exchange) -> Values:
    return {
        "error.message": exchange.error_message,
        "error.messageString": None if exchange.error_message is None else f'"{exchange.error_message}"',
        "error.responseType": exchange.error_type,
    }


def _of_type(exchange: Exchange, api: LabApi) -> Values:
    key = exchange.route.key if exchange.route is not None else None
    if api.api_type is ApiType.WEBSOCKET:
        return {
            "routeKey": key,
            "eventType": exchange.event_type,
            "connectionId": exchange.connection_id,
            "connectedAt": None if exchange.connected_at is None else stamp(exchange.connected_at),
            "messageId": exchange.message_id,
        }
    path = exchange.path if api.stage == "$default" else f"/{api.stage}{exchange.path}"
    known: Values = {
        "httpMethod": exchange.method,
        "path": path,
        "protocol": exchange.protocol,
        "responseLength": len(exchange.response_body.encode()),
        "responseLatency": whole(exchange.completed_at - exchange.arrived_at),
    }
    if api.api_type is ApiType.HTTP:
        return known | {"routeKey": key or "$default"}
    return known | {
        "resourcePath": None if exchange.route is None else exchange.route.path,
        "resourceId": None if exchange.route is None else exchange.route.resource_id,
        "deploymentId": api.deployment_id,
        "endpointType": api.endpoint_type,
        "isCanaryRequest": "false",
        "xrayTraceId": f"Root={exchange.trace_id}" if api.tracing else None,
    }


def _authorizer(call: AuthorizerCall, api: LabApi) -> Values:
    if api.api_type is ApiType.HTTP:
        return {"authorizer.error": call.error, "authorizer.principalId": call.principal}
    spent = None if call.cached else whole(call.ended_at - call.started_at)
    return {
        "authorizer.latency": spent,
        "authorizer.integrationLatency": spent,
        "authorizer.status": call.status,
        "authorizer.integrationStatus": call.integration_status,
        "authorizer.error": call.error,
        "authorizer.requestId": call.request_id,
        "authorizer.principalId": call.principal,
    }


def _integration(exchange: Exchange, call: IntegrationCall, api: LabApi, timeout_latency: TimeoutLatency) -> Values:
    timed_out = not call.answered and exchange.error_type == _TIMEOUT
    error = call.error
    if timed_out and api.api_type is not ApiType.HTTP:
        error = _TIMEOUT_ERROR
    latency: str | int | None = latency_ms(call) if call.answered else None
    if timed_out:
        latency = latency_ms(call) if timeout_latency == "limit" else timeout_latency
    known: Values = {
        "integration.latency": latency,
        "integrationLatency": latency,
        "integration.status": call.status if call.answered else None,
        "integration.integrationStatus": call.service_status if call.answered else None,
        "integrationStatus": call.service_status if call.answered else None,
        "integration.error": error,
        "integrationErrorMessage": error,
        "integration.requestId": call.request_id if call.answered else None,
        "awsEndpointRequestId": call.request_id if call.answered else None,
    }
    if api.api_type is ApiType.HTTP:
        known["awsEndpointRequestId2"] = known["awsEndpointRequestId"]
    if api.api_type is ApiType.REST:
        known["integration.responseTransferMode"] = "STREAMED" if call.streamed else "BUFFERED"
    if call.streamed and call.first_byte_at is not None:
        known["integration.timeToAllHeaders"] = whole(call.first_byte_at - call.sent_at)
        known["integration.timeToFirstContent"] = whole(call.first_byte_at - call.sent_at)
    return known
