"""The remedies that a diagnosis may name: title, applicability, and the command to paste.

A command is filled with the ids of the requests it would have saved; where an id is not in the evidence
its place is held by a word in capitals. REST changes need a deployment before they do anything, and the
REST `update-integration` takes patch operations only (botocore's service model; facts of 2026-11).
"""

import shlex
from collections.abc import Callable
from typing import Literal

import msgspec

from apigw_doctor.model.terms import ApiType

Applicability = Literal["safe", "review", "advice"]


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """What a command is about; None where the evidence does not say."""

    api_type: ApiType = ApiType.UNKNOWN
    api_id: str | None = None
    stage: str | None = None
    method: str | None = None
    route: str | None = None
    function: str | None = None
    default_limit_ms: float = 29000.0

    @property
    def api(self) -> str:
        """API id or its placeholder."""
        return shell(self.api_id) if self.api_id else "API_ID"

    @property
    def stage_name(self) -> str:
        """Stage or its placeholder."""
        return shell(self.stage) if self.stage else "STAGE"

    @property
    def function_name(self) -> str:
        """Function or its placeholder."""
        return shell(self.function) if self.function else "FUNCTION"


class Remedy(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the catalogue."""

    id: str
    title: str
    applicability: Applicability
    why: str
    command: Callable[[Place], str | None] = lambda place: None


def shell(text: str) -> str:
    """A word that a shell takes as it is: log text may hold anything."""
    return shlex.quote(text)


ACCESS_LOG_FORMAT = (
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


def _integration_timeout(place: Place) -> str | None:
    value = f"{place.default_limit_ms:.0f}"
    if place.api_type in (ApiType.HTTP, ApiType.WEBSOCKET):
        return (
            f"aws apigatewayv2 update-integration --api-id {place.api} --integration-id INTEGRATION_ID"
            f" --timeout-in-millis {value}"
        )
    return (
        f"aws apigateway update-integration --rest-api-id {place.api} --resource-id {resource_id(place)}"
        f" --http-method {shell(place.method) if place.method else 'METHOD'}"
        f" --patch-operations op=replace,path=/timeoutInMillis,value={value}"
        f" && aws apigateway create-deployment --rest-api-id {place.api} --stage-name {place.stage_name}"
    )


def resource_id(place: Place) -> str:
    """A shell expression that finds the REST resource of the route."""
    if place.route is None or place.api_id is None or "'" in place.route or "`" in place.route:
        return "RESOURCE_ID"
    return (
        f'"$(aws apigateway get-resources --rest-api-id {place.api} --limit 500'
        f" --query 'items[?path==`{place.route}`].id' --output text)\""
    )


def _quota(place: Place) -> str | None:
    if place.api_type in (ApiType.HTTP, ApiType.WEBSOCKET):
        return None
    return (
        "aws service-quotas request-service-quota-increase --service-code apigateway --quota-code L-E5AE38E3"
        " --desired-value 60000"
    )


def _execution_logging(place: Place) -> str | None:
    if place.api_type is ApiType.HTTP:
        return None
    if place.api_type is ApiType.WEBSOCKET:
        return (
            f"aws apigatewayv2 update-stage --api-id {place.api} --stage-name {place.stage_name}"
            " --default-route-settings LoggingLevel=INFO,DataTraceEnabled=false"
        )
    return (
        f"aws apigateway update-stage --rest-api-id {place.api} --stage-name {place.stage_name}"
        " --patch-operations 'op=replace,path=/*/*/logging/loglevel,value=INFO'"
    )


def _access_logging(place: Place) -> str | None:
    if place.api_type in (ApiType.HTTP, ApiType.WEBSOCKET):
        words = ACCESS_LOG_FORMAT.replace("resourcePath", "routeKey").replace(
            '"xrayTraceId":"$context.xrayTraceId",', ""
        )
        settings = msgspec.json.encode({"DestinationArn": "LOG_GROUP_ARN", "Format": words}).decode()
        return (
            f"aws apigatewayv2 update-stage --api-id {place.api} --stage-name {place.stage_name}"
            f" --access-log-settings '{settings}'"
        )
    operations = [
        {"op": "replace", "path": "/accessLogSettings/destinationArn", "value": "LOG_GROUP_ARN"},
        {"op": "replace", "path": "/accessLogSettings/format", "value": ACCESS_LOG_FORMAT},
    ]
    return (
        f"aws apigateway update-stage --rest-api-id {place.api} --stage-name {place.stage_name}"
        f" --patch-operations '{msgspec.json.encode(operations).decode()}'"
    )


def _tracing(place: Place) -> str | None:
    function = (
        f"aws lambda update-function-configuration --function-name {place.function_name} --tracing-config Mode=Active"
    )
    if place.api_type in (ApiType.HTTP, ApiType.WEBSOCKET):
        return function
    return (
        f"aws apigateway update-stage --rest-api-id {place.api} --stage-name {place.stage_name}"
        f" --patch-operations op=replace,path=/tracingEnabled,value=true && {function}"
    )


def _function_timeout(place: Place) -> str | None:
    seconds = int(place.default_limit_ms / 1000) - 1
    return f"aws lambda update-function-configuration --function-name {place.function_name} --timeout {seconds}"


def _memory(place: Place) -> str | None:
    return f"aws lambda update-function-configuration --function-name {place.function_name} --memory-size 1769"


def _provisioned(place: Place) -> str | None:
    return (
        f"aws lambda put-provisioned-concurrency-config --function-name {place.function_name} --qualifier ALIAS"
        " --provisioned-concurrent-executions N"
    )


def _snapstart(place: Place) -> str | None:
    return (
        f"aws lambda update-function-configuration --function-name {place.function_name}"
        f" --snap-start ApplyOn=PublishedVersions && aws lambda publish-version --function-name {place.function_name}"
    )


def _authorizer_cache(place: Place) -> str | None:
    if place.api_type in (ApiType.HTTP, ApiType.WEBSOCKET):
        return (
            f"aws apigatewayv2 update-authorizer --api-id {place.api} --authorizer-id AUTHORIZER_ID"
            " --authorizer-result-ttl-in-seconds 300"
        )
    return (
        f"aws apigateway update-authorizer --rest-api-id {place.api} --authorizer-id AUTHORIZER_ID"
        " --patch-operations op=replace,path=/authorizerResultTtlInSeconds,value=300"
        f" && aws apigateway create-deployment --rest-api-id {place.api} --stage-name {place.stage_name}"
    )


def _idle_timeout(place: Place) -> str | None:
    return (
        "aws elbv2 modify-load-balancer-attributes --load-balancer-arn LOAD_BALANCER_ARN"
        " --attributes Key=idle_timeout.timeout_seconds,Value=60"
    )


def _concurrency(place: Place) -> str | None:
    return (
        "aws lambda get-account-settings --query AccountLimit"
        f" && aws lambda get-function-concurrency --function-name {place.function_name}"
    )


REMEDIES: dict[str, Remedy] = {
    remedy.id: remedy
    for remedy in (
        Remedy(
            id="integration-timeout",
            title="Raise the integration timeout to what the API allows",
            applicability="review",
            why="the gateway gave up before the limit that its API type allows",
            command=_integration_timeout,
        ),
        Remedy(
            id="quota-increase",
            title="Ask for a higher integration-timeout quota (REST, Regional or private only)",
            applicability="review",
            command=_quota,
            why="the backend needs longer than the default limit; AWS may lower the account's throttle in exchange",
        ),
        Remedy(
            id="execution-logging",
            title="Switch execution logging on",
            applicability="safe",
            why="without it nobody can see where the time went",
            command=_execution_logging,
        ),
        Remedy(
            id="access-logging",
            title="Log access with latencies, ids and error types",
            applicability="safe",
            why="without these fields neither the time nor the layer can be told",
            command=_access_logging,
        ),
        Remedy(
            id="tracing",
            title="Switch tracing on, at the stage and at the function",
            applicability="safe",
            why="a trace joins the request to its invocation and names the slow call",
            command=_tracing,
        ),
        Remedy(
            id="function-timeout",
            title="Set the function's timeout to fit the gateway's limit",
            applicability="review",
            why="the function's own timer ended the request while the gateway would still have waited",
            command=_function_timeout,
        ),
        Remedy(
            id="memory",
            title="Give the function more memory (and with it CPU)",
            applicability="review",
            why="the function ran at its memory or CPU limit",
            command=_memory,
        ),
        Remedy(
            id="provisioned-concurrency",
            title="Keep environments ready for the alias that the integration calls",
            applicability="review",
            why="the request waited for a cold start",
            command=_provisioned,
        ),
        Remedy(
            id="snapstart",
            title="Restore environments from a snapshot instead of initialising them",
            applicability="review",
            why="the request waited for a cold start",
            command=_snapstart,
        ),
        Remedy(
            id="authorizer-cache",
            title="Cache the authorizer's answer",
            applicability="review",
            why="the authorizer runs, and may stall, on every request",
            command=_authorizer_cache,
        ),
        Remedy(
            id="load-balancer-idle-timeout",
            title="Set the load balancer's idle timeout above the backend's slowest answer",
            applicability="review",
            why="the load balancer gave up before the gateway did",
            command=_idle_timeout,
        ),
        Remedy(
            id="log-retention",
            title="Keep the logs longer",
            applicability="safe",
            why="the logs of the incident are gone",
        ),
        Remedy(
            id="alarms",
            title="Alarm before the limit is reached",
            applicability="safe",
            why="requests came near their limit before any failed",
        ),
        Remedy(
            id="client-timeouts",
            title="Set client timeouts that fit: a function's calls below the gateway's limit, a caller's above it",
            applicability="advice",
            why="a call without a short timeout eats the whole budget; a caller's own may end before the answer",
        ),
        Remedy(
            id="vpc-endpoint",
            title="Give the function's subnets a way out: a VPC endpoint or a NAT gateway",
            applicability="advice",
            why="a function in a VPC without either cannot reach AWS or the internet",
        ),
        Remedy(
            id="database-proxy",
            title="Put a connection proxy before the database",
            applicability="advice",
            why="more environments than database connections wait for one another",
        ),
        Remedy(
            id="keep-alive",
            title="Align keep-alive: the caller drops idle connections before the called side does",
            applicability="advice",
            why="the called side closed a connection that the caller still meant to use",
        ),
        Remedy(
            id="response-streaming",
            title="Stream the response (REST, up to 15 minutes)",
            applicability="advice",
            why="the first bytes can go out before the limit",
        ),
        Remedy(
            id="async-conversion",
            title="Answer 202 at once and do the work behind a queue",
            applicability="advice",
            why="the work takes longer than any synchronous request may",
        ),
        Remedy(
            id="move-work-to-init",
            title="Move work from the first request into the init phase",
            applicability="advice",
            why="every environment's first request pays for it",
        ),
        Remedy(
            id="reduce-package",
            title="Load less: smaller package, lazy imports, fewer clients",
            applicability="advice",
            why="the init phase is long",
        ),
        Remedy(
            id="retry-transient",
            title="Retry once with jitter, if the call may be repeated",
            applicability="advice",
            why="the failure was transient and the backend did not run",
        ),
        Remedy(
            id="fix-application",
            title="Mend the application where the proof points: its error, or its slow code",
            applicability="advice",
            why="the error or the time is the application's own; no setting takes it away",
        ),
        Remedy(
            id="concurrency",
            title="Raise reserved or account concurrency, or stop what eats it",
            applicability="review",
            why="the function was throttled",
            command=_concurrency,
        ),
        Remedy(
            id="network-path",
            title="Repair the path to the endpoint: security group, route, DNS, target health",
            applicability="advice",
            why="the endpoint was not reached",
        ),
        Remedy(
            id="edge-timeout",
            title="Set the edge's origin response timeout above the API's limit",
            applicability="advice",
            why="the edge gave up while the gateway still waited",
        ),
        Remedy(
            id="extension",
            title="Update, reconfigure or remove the extension",
            applicability="advice",
            why="an extension holds the environment after the handler is done",
        ),
        Remedy(
            id="configuration",
            title="Correct the integration's configuration",
            applicability="advice",
            why="the gateway could not use the integration as it is configured",
        ),
    )
}
"""Every fix id of the contract."""
