"""The dated facts that a diagnosis compares measured times, sizes and costs with.

AWS changes such numbers, so each stands here once, with the page that says so and the month in
which that page was read. Rules ask for a fact by its id and never write the number themselves.

>>> limit("http-integration-timeout").maximum
30000.0
>>> value("lambda-timeout")
3000.0
"""

from typing import Literal

import msgspec

#: How well a fact is known: B read in the AWS service model or in the source of the named client,
#: D read in AWS's own documentation or price page, O observed in public logs, issues or posts,
#: I inferred from such facts, U not verified.
Mark = Literal["B", "D", "O", "I", "U"]

Unit = Literal["ms", "bytes", "count", "usd_per_gb", "usd_per_million", "usd_per_gb_second"]


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """One fact with its unit, its range, its source and its date.

    `value` is what holds when nobody has set anything: a default where the setting can be
    changed, the fixed boundary where it cannot. `None` means that nothing ends the wait.
    `minimum` and `maximum` bound what can be set; `None` means that no bound is documented.
    `adjustable` tells whether AWS raises the `maximum` on request (`quota_code` names the quota);
    `None` where that question has no meaning, as for a client's default or a price.
    `as_of` is the month (or only the year) in which `source` said so.
    """

    id: str
    title: str
    value: float | None
    unit: Unit
    source: str
    as_of: str
    mark: Mark
    minimum: float | None = None
    maximum: float | None = None
    adjustable: bool | None = None
    quota_code: str | None = None


def limit(limit_id: str) -> Limit:
    """Return the fact with this id; `KeyError` for an id that is not in the table."""
    return LIMITS[limit_id]


def value(limit_id: str) -> float:
    """Return the number of a fact in its unit.

    Where the fact is that there is no boundary (`limit(...).value is None`), asking for its
    number is a mistake in the caller and raises `ValueError`.
    """
    number = LIMITS[limit_id].value
    if number is None:
        raise ValueError(f"{limit_id}: there is no boundary, so there is no number")
    return number


_SECOND_MS = 1_000.0
_MINUTE_MS = 60_000.0
_HOUR_MS = 3_600_000.0
_KIB = 1_024.0
_MIB = 1_048_576.0

# Text of AWS pages was read between April and August 2026, the service models (botocore 1.44.5)
# and the client packages in November 2026.
_DOCS_READ = "2026-08"
_SOURCE_READ = "2026-11"

_GATEWAY = "https://docs.aws.amazon.com/apigateway/latest/developerguide"
_REST_QUOTAS = f"{_GATEWAY}/api-gateway-execution-service-limits-table.html"
_HTTP_QUOTAS = f"{_GATEWAY}/http-api-quotas.html"
_WEBSOCKET_QUOTAS = f"{_GATEWAY}/apigateway-execution-service-websocket-limits-table.html"
_ACCOUNT_QUOTAS = f"{_GATEWAY}/limits.html"
_STREAMING = f"{_GATEWAY}/response-transfer-mode.html"
_LAMBDA = "https://docs.aws.amazon.com/lambda/latest"
_LAMBDA_INIT = f"{_LAMBDA}/dg/lambda-runtime-environment.html"
_LAMBDA_TIMEOUT = f"{_LAMBDA}/api/API_CreateFunction.html"
_LAMBDA_INVOKE = f"{_LAMBDA}/api/API_Invoke.html"
_BALANCER = "https://docs.aws.amazon.com/elasticloadbalancing/latest"
_ALB_TROUBLE = f"{_BALANCER}/application/load-balancer-troubleshooting.html"
_ALB_ATTRIBUTES = f"{_BALANCER}/APIReference/API_LoadBalancerAttribute.html"
_CLOUDFRONT = "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide"
_CLOUDFRONT_ORIGIN = f"{_CLOUDFRONT}/DownloadDistValuesOrigin.html"
_SDK_TIMEOUTS = "https://repost.aws/knowledge-center/lambda-function-retry-timeout-sdk"
_XRAY_PRICE = "https://aws.amazon.com/xray/pricing/"
_LAMBDA_PRICE = "https://aws.amazon.com/lambda/pricing/"
_CLOUDWATCH_PRICE = "https://aws.amazon.com/cloudwatch/pricing/"

_INTEGRATION = (
    Limit(
        id="rest-regional-integration-timeout",
        title="integration timeout of a Regional REST API",
        value=29 * _SECOND_MS,
        unit="ms",
        minimum=50.0,
        adjustable=True,
        quota_code="L-E5AE38E3",
        source=_REST_QUOTAS,
        as_of=_DOCS_READ,
        mark="D",
    ),
    Limit(
        id="rest-private-integration-timeout",
        title="integration timeout of a private REST API",
        value=29 * _SECOND_MS,
        unit="ms",
        minimum=50.0,
        adjustable=True,
        quota_code="L-E5AE38E3",
        source=_REST_QUOTAS,
        as_of=_DOCS_READ,
        mark="D",
    ),
    Limit(
        id="rest-edge-integration-timeout",
        title="integration timeout of an edge-optimised REST API",
        value=29 * _SECOND_MS,
        unit="ms",
        minimum=50.0,
        maximum=29 * _SECOND_MS,
        adjustable=False,
        source=_REST_QUOTAS,
        as_of=_DOCS_READ,
        mark="D",
    ),
    Limit(
        # The maximum is documented. That an unset timeout stays at 29 s in STREAM mode is
        # inferred: the page sets the timeout explicitly in every example.
        id="rest-stream-integration-timeout",
        title="integration timeout of a REST method that streams its response",
        value=29 * _SECOND_MS,
        unit="ms",
        minimum=50.0,
        maximum=15 * _MINUTE_MS,
        adjustable=False,
        source=_STREAMING,
        as_of=_DOCS_READ,
        mark="I",
    ),
    Limit(
        id="http-integration-timeout",
        title="integration timeout of an HTTP API",
        value=30 * _SECOND_MS,
        unit="ms",
        minimum=50.0,
        maximum=30 * _SECOND_MS,
        adjustable=False,
        source=_HTTP_QUOTAS,
        as_of=_SOURCE_READ,
        mark="B",
    ),
    Limit(
        id="websocket-integration-timeout",
        title="integration timeout of a WebSocket API route",
        value=29 * _SECOND_MS,
        unit="ms",
        minimum=50.0,
        maximum=29 * _SECOND_MS,
        adjustable=False,
        source=_WEBSOCKET_QUOTAS,
        as_of=_SOURCE_READ,
        mark="B",
    ),
)

_GATEWAY_OTHER = (
    Limit(
        id="rest-stream-duration",
        title="whole streamed response of a REST API",
        value=15 * _MINUTE_MS,
        unit="ms",
        adjustable=False,
        source=_STREAMING,
        as_of=_DOCS_READ,
        mark="D",
    ),
    Limit(
        id="rest-stream-idle",
        title="silence within a streamed response, Regional or private REST API",
        value=5 * _MINUTE_MS,
        unit="ms",
        adjustable=False,
        source=_STREAMING,
        as_of=_DOCS_READ,
        mark="D",
    ),
    Limit(
        id="rest-stream-idle-edge",
        title="silence within a streamed response, edge-optimised REST API",
        value=30 * _SECOND_MS,
        unit="ms",
        adjustable=False,
        source=_STREAMING,
        as_of=_DOCS_READ,
        mark="D",
    ),
    Limit(
        id="rest-client-idle",
        title="idle client connection of a REST API",
        value=310 * _SECOND_MS,
        unit="ms",
        adjustable=False,
        source=_REST_QUOTAS,
        as_of=_DOCS_READ,
        mark="D",
    ),
    Limit(
        id="rest-payload",
        title="payload of a REST API request or buffered response",
        value=10 * _MIB,
        unit="bytes",
        adjustable=False,
        source=_REST_QUOTAS,
        as_of=_DOCS_READ,
        mark="D",
    ),
    Limit(
        id="http-authorizer-timeout",
        title="answer of a Lambda authorizer of an HTTP API",
        value=10 * _SECOND_MS,
        unit="ms",
        maximum=10 * _SECOND_MS,
        adjustable=False,
        source=_HTTP_QUOTAS,
        as_of=_DOCS_READ,
        mark="D",
    ),
    Limit(
        id="http-jwks-timeout",
        title="answer of the JWKS or OIDC discovery endpoint of an HTTP API's JWT authorizer, each",
        value=1_500.0,
        unit="ms",
        adjustable=False,
        source=_HTTP_QUOTAS,
        as_of=_DOCS_READ,
        mark="D",
    ),
    Limit(
        id="websocket-idle",
        title="silence on a WebSocket connection",
        value=10 * _MINUTE_MS,
        unit="ms",
        adjustable=False,
        source=_WEBSOCKET_QUOTAS,
        as_of=_DOCS_READ,
        mark="D",
    ),
    Limit(
        id="websocket-connection",
        title="life of a WebSocket connection",
        value=2 * _HOUR_MS,
        unit="ms",
        adjustable=False,
        source=_WEBSOCKET_QUOTAS,
        as_of=_DOCS_READ,
        mark="D",
    ),
    Limit(
        id="websocket-message",
        title="size of a WebSocket message",
        value=128 * _KIB,
        unit="bytes",
        adjustable=False,
        source=_WEBSOCKET_QUOTAS,
        as_of=_DOCS_READ,
        mark="D",
    ),
    Limit(
        id="websocket-frame",
        title="size of a frame of a WebSocket message",
        value=32 * _KIB,
        unit="bytes",
        adjustable=False,
        source=_WEBSOCKET_QUOTAS,
        as_of=_DOCS_READ,
        mark="D",
    ),
    Limit(
        # One public test-invoke log: 17:30:04 "Sending request to", 17:30:14 failure.
        id="private-integration-connect",
        title="private integration whose target cannot be reached, until the gateway gives up",
        value=10 * _SECOND_MS,
        unit="ms",
        source="https://github.com/aws/apprunner-roadmap/issues/193",
        as_of=_SOURCE_READ,
        mark="O",
    ),
    Limit(
        id="execution-log-event",
        title="execution log event before API Gateway cuts it",
        value=1 * _KIB,
        unit="bytes",
        adjustable=False,
        source=f"{_GATEWAY}/api-gateway-known-issues.html",
        as_of=_DOCS_READ,
        mark="D",
    ),
    Limit(
        # Raising the integration timeout may cost part of this one.
        id="account-throttle-rate",
        title="requests a second of all APIs of an account in one Region (2,500 in newer Regions)",
        value=10_000.0,
        unit="count",
        adjustable=True,
        quota_code="L-8A5B8E43",
        source=_ACCOUNT_QUOTAS,
        as_of=_DOCS_READ,
        mark="D",
    ),
)

_FUNCTIONS = (
    Limit(
        # A call through a gateway ends at 900 s even where the model allows more.
        id="lambda-timeout",
        title="Lambda function timeout",
        value=3 * _SECOND_MS,
        unit="ms",
        minimum=1 * _SECOND_MS,
        maximum=900 * _SECOND_MS,
        adjustable=False,
        source=_LAMBDA_TIMEOUT,
        as_of=_SOURCE_READ,
        mark="B",
    ),
    Limit(
        id="lambda-managed-instances-timeout",
        title="Lambda Managed Instances: asynchronous and most event-source invocations only",
        value=3 * _SECOND_MS,
        unit="ms",
        minimum=1 * _SECOND_MS,
        maximum=5_400 * _SECOND_MS,
        adjustable=False,
        source=_LAMBDA_TIMEOUT,
        as_of=_SOURCE_READ,
        mark="B",
    ),
    Limit(
        # Passed, the init phase runs again inside the first invocation, under the function timeout.
        id="lambda-init",
        title="Lambda init phase, on demand",
        value=10 * _SECOND_MS,
        unit="ms",
        adjustable=False,
        source=_LAMBDA_INIT,
        as_of=_DOCS_READ,
        mark="D",
    ),
    Limit(
        # The larger of 130 s and the function timeout.
        id="lambda-init-prepared",
        title="Lambda init phase with provisioned concurrency, SnapStart or Managed Instances",
        value=130 * _SECOND_MS,
        unit="ms",
        maximum=900 * _SECOND_MS,
        adjustable=False,
        source=_LAMBDA_INIT,
        as_of=_DOCS_READ,
        mark="D",
    ),
    Limit(
        id="lambda-snapstart-restore",
        title="SnapStart restore with its after-restore hooks",
        value=10 * _SECOND_MS,
        unit="ms",
        adjustable=False,
        source=_LAMBDA_INIT,
        as_of=_DOCS_READ,
        mark="D",
    ),
    Limit(
        id="lambda-shutdown-without-extensions",
        title="Lambda shutdown phase with no extension registered",
        value=0.0,
        unit="ms",
        adjustable=False,
        source=_LAMBDA_INIT,
        as_of=_DOCS_READ,
        mark="D",
    ),
    Limit(
        id="lambda-shutdown-internal-extension",
        title="Lambda shutdown phase with an internal extension",
        value=500.0,
        unit="ms",
        adjustable=False,
        source=_LAMBDA_INIT,
        as_of=_DOCS_READ,
        mark="D",
    ),
    Limit(
        id="lambda-shutdown-external-extension",
        title="Lambda shutdown phase with an external extension",
        value=2 * _SECOND_MS,
        unit="ms",
        adjustable=False,
        source=_LAMBDA_INIT,
        as_of=_DOCS_READ,
        mark="D",
    ),
    Limit(
        id="lambda-payload-sync",
        title="payload of a synchronous Lambda invocation, each way",
        value=6 * _MIB,
        unit="bytes",
        adjustable=False,
        source=_LAMBDA_INVOKE,
        as_of=_SOURCE_READ,
        mark="B",
    ),
    Limit(
        id="lambda-payload-async",
        title="payload of an asynchronous Lambda invocation",
        value=1 * _MIB,
        unit="bytes",
        adjustable=False,
        source=_LAMBDA_INVOKE,
        as_of=_SOURCE_READ,
        mark="B",
    ),
    Limit(
        id="step-functions-express",
        title="Step Functions Express workflow, StartSyncExecution included",
        value=5 * _MINUTE_MS,
        unit="ms",
        adjustable=False,
        source="https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html",
        as_of="2023",
        mark="D",
    ),
    Limit(
        id="sqs-visibility",
        title="SQS visibility timeout",
        value=30 * _SECOND_MS,
        unit="ms",
        minimum=0.0,
        maximum=43_200 * _SECOND_MS,
        adjustable=False,
        source="https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html",
        as_of=_SOURCE_READ,
        mark="B",
    ),
)

_NETWORK = (
    Limit(
        id="alb-idle",
        title="ALB idle timeout (idle_timeout.timeout_seconds)",
        value=60 * _SECOND_MS,
        unit="ms",
        minimum=1 * _SECOND_MS,
        maximum=4_000 * _SECOND_MS,
        adjustable=False,
        source=_ALB_ATTRIBUTES,
        as_of=_SOURCE_READ,
        mark="B",
    ),
    Limit(
        id="alb-connect",
        title="ALB TCP connection to a target",
        value=10 * _SECOND_MS,
        unit="ms",
        adjustable=False,
        source=_ALB_TROUBLE,
        as_of=_DOCS_READ,
        mark="D",
    ),
    Limit(
        id="alb-tls-handshake",
        title="ALB TLS handshake with a target",
        value=10 * _SECOND_MS,
        unit="ms",
        adjustable=False,
        source=_ALB_TROUBLE,
        as_of=_DOCS_READ,
        mark="D",
    ),
    Limit(
        id="alb-client-keep-alive",
        title="ALB client keep-alive (client_keep_alive.seconds)",
        value=3_600 * _SECOND_MS,
        unit="ms",
        minimum=60 * _SECOND_MS,
        maximum=604_800 * _SECOND_MS,
        adjustable=False,
        source=_ALB_ATTRIBUTES,
        as_of=_SOURCE_READ,
        mark="B",
    ),
    Limit(
        id="alb-deregistration-delay",
        title="ALB target deregistration delay (deregistration_delay.timeout_seconds)",
        value=300 * _SECOND_MS,
        unit="ms",
        minimum=0.0,
        maximum=3_600 * _SECOND_MS,
        adjustable=False,
        source=f"{_BALANCER}/APIReference/API_TargetGroupAttribute.html",
        as_of=_SOURCE_READ,
        mark="B",
    ),
    Limit(
        id="nlb-idle",
        title="NLB TCP idle timeout (tcp.idle_timeout.seconds)",
        value=350 * _SECOND_MS,
        unit="ms",
        minimum=60 * _SECOND_MS,
        maximum=6_000 * _SECOND_MS,
        adjustable=False,
        source=f"{_BALANCER}/APIReference/API_ListenerAttribute.html",
        as_of=_SOURCE_READ,
        mark="B",
    ),
    Limit(
        id="nat-idle",
        title="NAT gateway idle timeout",
        value=350 * _SECOND_MS,
        unit="ms",
        adjustable=False,
        source="https://docs.aws.amazon.com/vpc/latest/userguide/vpc-nat-gateway-cloudwatch.html",
        as_of="2023",
        mark="D",
    ),
    Limit(
        id="cloudfront-origin-connect",
        title="CloudFront connection to the origin, each attempt",
        value=10 * _SECOND_MS,
        unit="ms",
        minimum=1 * _SECOND_MS,
        maximum=10 * _SECOND_MS,
        adjustable=False,
        source=_CLOUDFRONT_ORIGIN,
        as_of=_DOCS_READ,
        mark="D",
    ),
    Limit(
        id="cloudfront-origin-attempts",
        title="CloudFront connection attempts to the origin",
        value=3.0,
        unit="count",
        minimum=1.0,
        maximum=3.0,
        adjustable=False,
        source=_CLOUDFRONT_ORIGIN,
        as_of=_DOCS_READ,
        mark="D",
    ),
    Limit(
        # Holds for the first byte and again between packets.
        id="cloudfront-origin-response",
        title="CloudFront origin response timeout",
        value=30 * _SECOND_MS,
        unit="ms",
        minimum=1 * _SECOND_MS,
        maximum=120 * _SECOND_MS,
        adjustable=True,
        source=_CLOUDFRONT_ORIGIN,
        as_of=_DOCS_READ,
        mark="D",
    ),
    Limit(
        id="cloudfront-origin-keep-alive",
        title="CloudFront keep-alive to the origin",
        value=5 * _SECOND_MS,
        unit="ms",
        minimum=1 * _SECOND_MS,
        maximum=120 * _SECOND_MS,
        source=_CLOUDFRONT_ORIGIN,
        as_of=_DOCS_READ,
        mark="D",
    ),
)

_CLIENTS = (
    Limit(
        id="boto3-connect",
        title="boto3 connect timeout, each attempt",
        value=60 * _SECOND_MS,
        unit="ms",
        source="https://github.com/boto/botocore/blob/develop/botocore/endpoint.py",
        as_of=_SOURCE_READ,
        mark="B",
    ),
    Limit(
        id="boto3-read",
        title="boto3 read timeout, each attempt",
        value=60 * _SECOND_MS,
        unit="ms",
        source="https://github.com/boto/botocore/blob/develop/botocore/endpoint.py",
        as_of=_SOURCE_READ,
        mark="B",
    ),
    Limit(
        id="aws-sdk-js-v2-socket",
        title="AWS SDK for JavaScript v2 socket timeout",
        value=120 * _SECOND_MS,
        unit="ms",
        source=_SDK_TIMEOUTS,
        as_of=_SOURCE_READ,
        mark="D",
    ),
    Limit(
        id="axios-timeout",
        title="axios request timeout",
        value=None,
        unit="ms",
        source="https://github.com/axios/axios/blob/v1.x/lib/defaults/index.js",
        as_of=_SOURCE_READ,
        mark="B",
    ),
    Limit(
        id="requests-timeout",
        title="requests (Python) timeout",
        value=None,
        unit="ms",
        source="https://github.com/psf/requests/blob/main/src/requests/sessions.py",
        as_of=_SOURCE_READ,
        mark="B",
    ),
    Limit(
        id="httpx-timeout",
        title="httpx connect, read, write and pool timeout, each",
        value=5 * _SECOND_MS,
        unit="ms",
        source="https://github.com/encode/httpx/blob/master/httpx/_config.py",
        as_of=_SOURCE_READ,
        mark="B",
    ),
    Limit(
        id="serverless-framework-timeout",
        title="function timeout that the Serverless Framework sets when serverless.yml does not",
        value=6 * _SECOND_MS,
        unit="ms",
        source="https://www.serverless.com/framework/docs/providers/aws/guide/serverless.yml",
        as_of=_SOURCE_READ,
        mark="O",
    ),
)

# Prices are those of us-east-1; free tiers are for each month.
_PRICES = (
    Limit(
        id="logs-insights-scan-price",
        title="CloudWatch Logs Insights, scanned data",
        value=0.005,
        unit="usd_per_gb",
        source=_CLOUDWATCH_PRICE,
        as_of="2026",
        mark="O",
    ),
    Limit(
        id="xray-recorded-price",
        title="X-Ray traces recorded",
        value=5.0,
        unit="usd_per_million",
        source=_XRAY_PRICE,
        as_of=_DOCS_READ,
        mark="D",
    ),
    Limit(
        id="xray-retrieved-price",
        title="X-Ray traces retrieved or scanned",
        value=0.5,
        unit="usd_per_million",
        source=_XRAY_PRICE,
        as_of=_DOCS_READ,
        mark="D",
    ),
    Limit(
        id="xray-recorded-free",
        title="X-Ray traces recorded free of charge in a month",
        value=100_000.0,
        unit="count",
        source=_XRAY_PRICE,
        as_of=_DOCS_READ,
        mark="D",
    ),
    Limit(
        id="xray-retrieved-free",
        title="X-Ray traces retrieved or scanned free of charge in a month",
        value=1_000_000.0,
        unit="count",
        source=_XRAY_PRICE,
        as_of=_DOCS_READ,
        mark="D",
    ),
    Limit(
        # Billed while provisioned, busy or not, in steps of five minutes.
        id="provisioned-concurrency-idle-price",
        title="Lambda provisioned concurrency (x86), while provisioned",
        value=0.0000041667,
        unit="usd_per_gb_second",
        source=_LAMBDA_PRICE,
        as_of=_SOURCE_READ,
        mark="O",
    ),
    Limit(
        id="provisioned-concurrency-executing-price",
        title="Lambda duration on provisioned concurrency (x86), on top of the idle price",
        value=0.0000097222,
        unit="usd_per_gb_second",
        source=_LAMBDA_PRICE,
        as_of=_SOURCE_READ,
        mark="O",
    ),
)

#: Every fact by its id, in the order of a request's path, then prices.
LIMITS: dict[str, Limit] = {
    entry.id: entry for entry in (*_INTEGRATION, *_GATEWAY_OTHER, *_FUNCTIONS, *_NETWORK, *_CLIENTS, *_PRICES)
}
