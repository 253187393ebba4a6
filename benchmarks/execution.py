"""The execution log of a request: INFO level with data trace, in the gateway's words and order.

A message is cut at 1,024 characters, and ` [TRUNCATED]` is put behind it. Messages of one moment come as one chunk.
"""

from base64 import urlsafe_b64encode

from benchmarks.plan import ACCOUNT, API, REGION, STAGE, Request, iso
from benchmarks.texts import (
    ANSWER_BODIES,
    BROWSERS,
    LANGUAGES,
    NOT_FOUND,
    PROXY_ANSWERS,
    REQUEST_BODIES,
    noise,
)

Chunk = tuple[int, str]
"""Time in epoch milliseconds, and the lines of that moment."""

_MESSAGE_CHARS = 1024
_FUNCTIONS = f"https://lambda.{REGION}.amazonaws.com/2015-03-31/functions/arn:aws:lambda:{REGION}:{ACCOUNT}:function"
_HOST = f"{API}.execute-api.{REGION}.amazonaws.com"


def group_name() -> str:
    """The log group, as an S3 export names its folder."""
    return f"API-Gateway-Execution-Logs_{API}/{STAGE}"


def execution_chunks(request: Request) -> list[Chunk]:
    """All lines of one request."""
    chunks = [(request.arrived, _prefix(request, request.arrived) + f"Extended Request Id: {extended_id(request)}\n")]
    if request.outcome.name == "unauthorized":
        return [*chunks, *_unauthorized(request)]
    if request.route.authorizer:
        chunks += _authorizer(request)
    if request.outcome.name == "limited":
        return [*chunks, _limited(request)]
    chunks += _accepted(request)
    if not request.outcome.answered:
        chunks.append(_given_up(request))
    elif request.outcome.failed:
        chunks.append(_broken(request))
    else:
        chunks += _answered(request)
    return chunks


#: How the lines begin that a search by hand would pick: what each says about a request.
TELLING = (
    r"\) (Extended Request Id|HTTP Method|Sending request to|Received response|Execution failed"
    r"|Lambda (execution|invocation) failed|Method completed|AWS Integration|X-ray Tracing)"
)


def telling_lines(request: Request) -> int:
    """How many of them a request has."""
    outcome = request.outcome
    if not outcome.called:
        return 2
    called = 6 + (outcome.answered and request.route.is_lambda)
    return called + {"killed": 1, "malformed": 1, "throttled": 2}.get(outcome.name, 0)


def extended_id(request: Request) -> str:
    """The extended request id."""
    return urlsafe_b64encode((request.dice & (1 << 88) - 1).to_bytes(11)).decode()


def client_ip(request: Request) -> str:
    """An address of the documentation range."""
    return f"203.0.113.{request.dice % 251}"


def uri(request: Request) -> str:
    """What the gateway calls."""
    if request.route.is_lambda:
        return f"{_FUNCTIONS}:{request.route.backend}/invocations"
    return f"https://{request.route.backend}/v2{request.route.path.split('{')[0].rstrip('/')}/{request.dice % 9973}"


def _prefix(request: Request, at: int) -> str:
    return f"{iso(at)} ({request.id}) "


def _cut(start: str, value: str) -> str:
    """The words of a message as CloudWatch keeps them; the request id and its brackets count."""
    room, words = _MESSAGE_CHARS - len("(00000000-0000-4000-8000-000000000000) "), start + value
    return words if len(words) <= room else f"{words[:room]} [TRUNCATED]"


def _authorizer(request: Request) -> list[Chunk]:
    start, end = request.arrived + 1, request.admitted
    p, q = _prefix(request, start), _prefix(request, end)
    name = f"{_FUNCTIONS}:authorizer-fn/invocations"
    token = noise(request.dice >> 3, 120)
    method = f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{API}/{STAGE}/{request.route.method}{request.route.path}"
    event = f'{{"type":"TOKEN","methodArn":"{method}","authorizationToken":"Bearer {token}"}}'
    policy = (
        '{"principalId":"user-' + f"{request.dice % 5003}" + '","policyDocument":{"Version":"2012-10-17","Statement":'
        '[{"Action":"execute-api:Invoke","Effect":"Allow","Resource":"' + method + '"}]}}'
    )
    return [
        (
            start,
            f"{p}Starting authorizer: 4hugyv for request: {request.id}\n"
            f"{p}Incoming identity: **************************************************{token[:6]}\n"
            f"{p}Endpoint request URI: {name}\n"
            f"{p}Endpoint request body after transformations: {event}\n",
        ),
        (
            end,
            f"{q}Authorizer result body before parsing: {policy}\n"
            f"{q}Using valid authorizer policy for principal: ******{request.dice % 5003:04d}\n"
            f"{q}Successfully completed authorizer execution\n",
        ),
    ]


def _unauthorized(request: Request) -> list[Chunk]:
    at = request.arrived + 2
    p = _prefix(request, at)
    return [
        (
            at,
            f"{p}Starting authorizer: 4hugyv for request: {request.id}\n"
            f"{p}Unauthorized request: {request.id}\n"
            f"{p}Method completed with status: 401\n",
        )
    ]


def _limited(request: Request) -> Chunk:
    at = request.admitted + 1
    p = _prefix(request, at)
    return (
        at,
        f"{p}Verifying Usage Plan for request: {request.id}. API Key:  API Stage: {API}/{STAGE}\n"
        f"{p}Key throttle limit exceeded for RestApi {API}, Stage {STAGE}, Resource x1y2z3, HttpMethod"
        f" {request.route.method}. Limit: 100.00 Burst: 200\n"
        f"{p}Method completed with status: 429\n",
    )


def _accepted(request: Request) -> list[Chunk]:
    route, dice, at = request.route, request.dice, request.admitted
    a, b, c, d = (_prefix(request, moment) for moment in (at + 1, at + 2, request.sent - 1, request.sent))
    place = f"{route.method} {route.path}"
    path = f"{{id={dice % 99991}}}" if "{" in route.path else "{}"
    query = f"{{page={dice % 7}, pageSize=50, filter=status:open}}" if route.method == "GET" else "{}"
    body = REQUEST_BODIES[dice >> 5 & 63] if route.method == "POST" else ""
    return [
        (
            at + 1,
            f"{a}Verifying Usage Plan for request: {request.id}. API Key:  API Stage: {API}/{STAGE}\n"
            f"{a}API Key  authorized because method '{place}' does not require API Key."
            " Request will not contribute to throttle or quota limits\n"
            f"{a}Usage Plan check succeeded for API Key  and API Stage {API}/{STAGE}\n"
            f"{a}Starting execution for request: {request.id}\n"
            f"{a}HTTP Method: {route.method}, Resource Path: {route.path}\n",
        ),
        (
            at + 2,
            f"{b}Method request path: {path}\n"
            f"{b}Method request query string: {query}\n"
            f"{b}{_cut('Method request headers: ', _method_headers(request))}\n"
            f"{b}{_cut('Method request body before transformations: ', body)}\n",
        ),
        (
            request.sent - 1,
            f"{c}Endpoint request URI: {uri(request)}\n"
            f"{c}{_cut('Endpoint request headers: ', _endpoint_headers(request))}\n"
            f"{c}{_cut('Endpoint request body after transformations: ', _event(request, body))}\n",
        ),
        (request.sent, f"{d}Sending request to {uri(request)}\n"),
    ]


def _method_headers(request: Request) -> str:
    dice = request.dice
    return (
        f"{{Accept=application/json, Accept-Encoding=gzip, deflate, br, Accept-Language={LANGUAGES[dice & 3]}, "
        f"Authorization=*********************************************{noise(dice >> 9, 6)}, "
        f"Host={_HOST}, Referer=https://shop.example.com/basket, User-Agent={BROWSERS[dice % 6]}, "
        f"X-Amzn-Trace-Id=Root={request.trace}, X-Forwarded-For={client_ip(request)}, X-Forwarded-Port=443, "
        f"X-Forwarded-Proto=https}}"
    )


def _endpoint_headers(request: Request) -> str:
    route = request.route
    if not route.is_lambda:
        return (
            f"{{x-amzn-apigateway-api-id={API}, Accept=application/json, User-Agent={BROWSERS[request.dice % 6]}, "
            f"X-Amzn-Trace-Id=Root={request.trace}, X-Forwarded-For={client_ip(request)}, Host={route.backend}}}"
        )
    stamp = iso(request.sent)[:19].replace("-", "").replace(":", "")
    return (
        f"{{x-amzn-lambda-integration-tag={request.id}, Authorization=**************************************"
        f"{noise(request.dice >> 7, 6)}, X-Amz-Date={stamp}Z, x-amzn-apigateway-api-id={API}, "
        f"X-Amz-Source-Arn=arn:aws:execute-api:{REGION}:{ACCOUNT}:{API}/{STAGE}/{route.method}{route.path}, "
        f"Accept=application/json, User-Agent=AmazonAPIGateway_{API}, X-Amzn-Trace-Id=Root={request.trace}, "
        f"X-Amz-Security-Token=IQoJb3JpZ2luX2VjE{noise(request.dice >> 11, 560)}"
    )


def _event(request: Request, body: str) -> str:
    """The body that goes to the backend: a proxy event for a function."""
    route = request.route
    if not route.is_lambda:
        return body
    ip, agent, language = client_ip(request), BROWSERS[request.dice % 6], LANGUAGES[request.dice & 3]
    path = route.path.replace("{id}", str(request.dice % 99991))
    return (
        f'{{"resource":"{route.path}","path":"{path}","httpMethod":"{route.method}","headers":{{"Accept":'
        f'"application/json","Accept-Encoding":"gzip, deflate, br","Accept-Language":"{language}","Host":"{_HOST}",'
        f'"User-Agent":"{agent}","X-Amzn-Trace-Id":"Root={request.trace}","X-Forwarded-For":"{ip}",'
        f'"X-Forwarded-Port":"443","X-Forwarded-Proto":"https"}},"multiValueHeaders":{{"Accept":["application/json"],'
        f'"Accept-Encoding":["gzip, deflate, br"],"Accept-Language":["{language}"],"Host":["{_HOST}"],"User-Agent":'
        f'["{agent}"],"X-Amzn-Trace-Id":["Root={request.trace}"],"X-Forwarded-For":["{ip}"]}},'
        f'"queryStringParameters":{{"page":"{request.dice % 7}"}},"requestContext":{{"accountId":"{ACCOUNT}",'
        f'"apiId":"{API}","stage":"{STAGE}","requestId":"{request.id}","identity":{{"sourceIp":"{ip}"}}}},"body":null}}'
    )


def _answered(request: Request) -> list[Chunk]:
    route, done = request.route, request.done
    p, q = _prefix(request, done), _prefix(request, done + 1)
    status = request.outcome.status
    inner, answer = _bodies(request)
    headers = f"{{Content-Type=application/json, X-Amzn-Trace-Id=Root={request.trace};Sampled=1}}"
    lambda_id = f"{q}AWS Integration Endpoint RequestId : {request.lambda_id}\n" if route.is_lambda else ""
    return [
        (
            done,
            f"{p}Received response. Status: {200 if route.is_lambda else status}, Integration latency: "
            f"{request.integration_ms} ms\n"
            f"{p}{_cut('Endpoint response headers: ', _response_headers(request, len(answer)))}\n"
            f"{p}{_cut('Endpoint response body before transformations: ', answer)}\n",
        ),
        (
            done + 1,
            f"{q}{_cut('Method response body after transformations: ', inner)}\n"
            f"{q}Method response headers: {headers}\n"
            f"{q}Successfully completed execution\n"
            f"{q}Method completed with status: {status}\n"
            f"{lambda_id}{q}X-ray Tracing ID : {request.trace}\n",
        ),
    ]


def _bodies(request: Request) -> tuple[str, str]:
    """What the client gets, and what the backend gave to the gateway."""
    which = request.dice >> 17 & 63
    if request.outcome.status != 200:
        quoted = NOT_FOUND.replace('"', '\\"')
        return NOT_FOUND, f'{{"statusCode": 404, "body": "{quoted}"}}' if request.route.is_lambda else NOT_FOUND
    inner = ANSWER_BODIES[which]
    return inner, PROXY_ANSWERS[which] if request.route.is_lambda else inner


def _response_headers(request: Request, length: int, extra: str = "") -> str:
    date = f"Sun, 01 Mar 2026 {iso(request.done)[11:19]} GMT"
    common = f"Date={date}, Content-Type=application/json, Content-Length={length}, Connection=keep-alive"
    if not request.route.is_lambda:
        return f"{{{common}, Server=nginx}}"
    return (
        f"{{{common}, x-amzn-RequestId={request.lambda_id}, {extra}x-amzn-Remapped-Content-Length=0, "
        f"X-Amz-Executed-Version=$LATEST, X-Amzn-Trace-Id=root={request.trace};"
        f"parent={request.dice & (1 << 64) - 1:016x};sampled=1}}"
    )


def _given_up(request: Request) -> Chunk:
    p = _prefix(request, request.done)
    why = (
        "a timeout error"
        if request.outcome.cut
        else "a network error communicating with endpoint: Connection is closed"
    )
    return (
        request.done,
        f"{p}Execution failed due to {why}\n"
        f"{p}Method completed with status: {request.outcome.status}\n"
        f"{p}X-ray Tracing ID : {request.trace}\n",
    )


def _broken(request: Request) -> Chunk:
    """The function answered, but not well."""
    p = _prefix(request, request.done)
    received, extra, body, why = _BROKEN[request.outcome.name](request)
    return (
        request.done,
        f"{p}Received response. Status: {received}, Integration latency: {request.integration_ms} ms\n"
        f"{p}{_cut('Endpoint response headers: ', _response_headers(request, len(body), extra))}\n"
        f"{p}{_cut('Endpoint response body before transformations: ', body)}\n"
        + "".join(f"{p}{words}\n" for words in why)
        + f"{p}Method completed with status: {request.outcome.status}\n"
        f"{p}AWS Integration Endpoint RequestId : {request.lambda_id}\n"
        f"{p}X-ray Tracing ID : {request.trace}\n",
    )


Broken = tuple[int, str, str, tuple[str, ...]]


def _killed(request: Request) -> Broken:
    limit = f"{request.route.function_timeout_ms / 1000:.2f}"
    message = f"RequestId: {request.lambda_id} Error: Task timed out after {limit} seconds"
    body = f'{{"errorType":"Sandbox.Timedout","errorMessage":"{message}"}}'
    why = (
        f"Lambda execution failed with status 200 due to customer function error: {message}."
        f" Lambda request id: {request.lambda_id}"
    )
    return 200, "X-Amz-Function-Error=Unhandled, ", body, (why,)


def _malformed(request: Request) -> Broken:
    return 200, "", '"accepted"', ("Execution failed due to configuration error: Malformed Lambda proxy response",)


def _throttled(request: Request) -> Broken:
    body = '{"Reason":"ReservedFunctionConcurrentInvocationLimitExceeded","Type":"User","message":"Rate Exceeded."}'
    said = f"Lambda invocation failed with status: 429. Lambda request id: {request.lambda_id}"
    return 429, "", body, (said, "Execution failed due to configuration error: Rate Exceeded.")


_BROKEN = {"killed": _killed, "malformed": _malformed, "throttled": _throttled}
