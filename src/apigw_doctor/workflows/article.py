"""The web article "AWS API Gateway Timeouts: How to Diagnose and Fix", claim by claim.

State of the facts: November 2026.
"""

from typing import Literal

import msgspec

_DOCS = "https://docs.aws.amazon.com"
_REST_LIMITS = f"{_DOCS}/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html"
_HTTP_LIMITS = f"{_DOCS}/apigateway/latest/developerguide/http-api-quotas.html"
_WS_LIMITS = f"{_DOCS}/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html"
_LOGGING = f"{_DOCS}/apigateway/latest/developerguide/set-up-logging.html"
_METRICS = f"{_DOCS}/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html"
_VARIABLES = f"{_DOCS}/apigateway/latest/developerguide/api-gateway-variables-for-access-logging.html"
_PATCH = f"{_DOCS}/apigateway/latest/api/patch-operations.html"
_INIT = f"{_DOCS}/lambda/latest/dg/lambda-runtime-environment.html"
_XRAY_PRICE = "https://aws.amazon.com/xray/pricing/"

Judgement = Literal["right", "half right", "out of date", "wrong", "opinion"]


class Claim(msgspec.Struct, frozen=True):
    """What the article says, whether it holds, what holds instead, and where that stands."""

    claim: str
    judgement: Judgement
    fact: str
    source: str


CLAIMS: tuple[Claim, ...] = (
    Claim("There are three boundaries, and the gateway's 29 s is hard and not negotiable.", "out of date",
          "Regional and private REST APIs can have it raised (quota L-E5AE38E3, since June 2024); HTTP APIs have 30 s,"
          " WebSocket APIs 29 s, both fixed; streamed REST responses up to 15 minutes. And there are many more"
          " boundaries: function, init, authorizer, connect, load balancer, edge, client.", _REST_LIMITS),
    Claim("The network quietly costs 100 to 500 ms of a request.", "opinion",
          "No source is given. Measure it: integration latency less the backend's own duration (and init).", _METRICS),
    Claim("Switch execution logs on under Stages, Logs/Tracing, at INFO at least.", "right",
          "The section is called Logs and tracing today and needs the account's CloudWatch role first. INFO without"
          " data trace most likely lacks the line with the integration latency.", _LOGGING),
    Claim("The log group is api-gateway-execution-logs_[api-id]/[stage].", "wrong",
          "It is API-Gateway-Execution-Logs_{rest-api-id}/{stage}; names of log groups are case-sensitive.", _LOGGING),
    Claim("IntegrationLatency and Latency are metrics in the execution log.", "wrong",
          "They are CloudWatch metrics; in access logs they are $context.integration.latency and"
          " $context.responseLatency. The execution log has at most 'Received response ... Integration latency: N ms',"
          " and nothing of the kind when the request timed out.", _METRICS),
    Claim("The gap between the two explains the timeout (28,500 against 29,100 ms).", "half right",
          "The gap is the gateway's overhead (authorizer, WAF, mapping). The limit is on the integration alone, so"
          " the example would have succeeded.", _METRICS),
    Claim("An Insights query over integrationLatency, latency and status finds the culprits.", "half right",
          "Only on a JSON access log with just those keys, in the access log's group. `latency` is no standard key,"
          " `like /5\\d\\d/` is a substring test, and `-` drops out of numeric comparisons.", _VARIABLES),
    Claim("Latencies near 29,000 ms mean the hard limit.", "right",
          "For a REST API with default settings. Compare with the integration's effective limit; on a timeout the"
          " field may hold `-` or `-1` instead.", _VARIABLES),
    Claim("A Lambda Duration p99 above 20 s makes the function the problem.", "half right",
          "A rule of thumb: Duration leaves the init phase out, and a p99 of fewer than about 1,000 requests is weak."
          " Compare request by request.", _INIT),
    Claim("get-metric-statistics with --statistics Maximum shows the p99.", "wrong",
          "p99 needs --extended-statistics p99, and the two options exclude each other; `date -d` is GNU only.",
          f"{_DOCS}/AmazonCloudWatch/latest/APIReference/API_GetMetricStatistics.html"),
    Claim("The X-Ray service map shows where the time goes.", "right",
          "If the request was sampled (one a second and 5 %) and both the stage and the function trace actively. HTTP"
          " APIs are not traced, and with Transaction Search the classic calls find nothing.",
          f"{_DOCS}/apigateway/latest/developerguide/apigateway-xray.html"),
    Claim("SSH behind the load balancer and time a curl.", "half right",
          "It measures from another place. The load balancer's access log and TargetResponseTime measure it in place.",
          f"{_DOCS}/elasticloadbalancing/latest/application/load-balancer-access-logs.html"),
    Claim("A function that needs 28 s is still cut off at 29.", "half right",
          "28 s warm is in time; 28 s after a cold start or a wait for an environment may not be. The authorizer's time"
          " does not count: the limit is on the integration alone.", _REST_LIMITS),
    Claim("Nobody can get more time from the gateway.", "out of date",
          "See the first claim: by quota for Regional and private REST APIs, never for edge-optimised, HTTP and"
          " WebSocket APIs.", _REST_LIMITS),
    Claim("Go asynchronous with SQS: 202 and a job id.", "right",
          "The sample leaves out making the id, a store for the result, idempotency and a dead-letter"
          " queue. A message may hold 1 MiB today.",
          f"{_DOCS}/AWSSimpleQueueService/latest/SQSDeveloperGuide/welcome.html"),
    Claim("WebSocket APIs are free of this timeout.", "wrong",
          "Every WebSocket integration has 29 s, not raisable. What helps is pushing the result later over the open"
          " connection (idle 10 minutes, 2 hours in all).", _WS_LIMITS),
    Claim("Invoke Lambda asynchronously and poll.", "right",
          "On REST APIs without proxy integration; HTTP APIs cannot set the invocation type. Events wait up to 6 hours"
          " and are tried up to three times. Durable functions run longer than 15 minutes.",
          f"{_DOCS}/lambda/latest/dg/invocation-async.html"),
    Claim("Use Step Functions.", "right",
          "Standard workflows for long work. Synchronous Express ends after 5 minutes, and behind the gateway after"
          " the gateway's limit.", f"{_DOCS}/step-functions/latest/dg/concepts-standard-vs-express.html"),
    Claim("An integration timeout set too low is a common mistake.", "right",
          "The minimum is 50 ms. `get-resources --embed methods` shows every integration's value.", _REST_LIMITS),
    Claim("aws apigateway update-integration --timeout-in-millis 29000 restores it.", "wrong",
          "The REST call takes patch operations only: --patch-operations op=replace,path=/timeoutInMillis,value=29000,"
          " and nothing changes before create-deployment. The option exists for HTTP and WebSocket APIs"
          " (apigatewayv2).", _PATCH),
    Claim("The default is 29,000 ms.", "right", "For REST and WebSocket APIs; 30,000 ms for HTTP APIs.", _HTTP_LIMITS),
    Claim("X-Ray costs pennies per million.", "wrong",
          "5 USD per million traces recorded, 0.50 USD per million retrieved or scanned; 100,000 recorded and 1,000,000"
          " retrieved a month are free.", _XRAY_PRICE),
    Claim("A cold start takes 5 to 10 seconds.", "half right",
          "AWS says under 100 ms to over 1 s, for fewer than 1 % of invocations. Heavy functions can reach the 10 s"
          " at which the init phase is cut and run again inside the request.", _INIT),
    Claim("Provisioned concurrency costs about 0.015 USD per GB-hour.", "right",
          "That is the idle part (x86, us-east-1); running time and requests come on top. It does not work on $LATEST"
          " and not together with SnapStart, and is counted in steps of 5 minutes.",
          "https://aws.amazon.com/lambda/pricing/"),
    Claim("A 504 is the sign to look for.", "half right",
          "One of several: also 503 (HTTP API), 502 and 500 (function timeout, throttle), a WebSocket error frame, and"
          " a 504 of CloudFront or a load balancer.", _REST_LIMITS),
)  # fmt: skip


def article_page() -> str:
    """All claims as Markdown."""
    lines = [
        "# The article, claim by claim",
        "",
        'What "AWS API Gateway Timeouts: How to Diagnose and Fix" says, and what holds (state: November 2026).',
    ]
    for number, claim in enumerate(CLAIMS, start=1):
        lines += [
            "",
            f"## {number}. {claim.claim}",
            "",
            f"**{claim.judgement}** - {claim.fact}",
            "",
            f"Source: {claim.source}",
        ]
    return "\n".join(lines) + "\n"
