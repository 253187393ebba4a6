"""A function as the target of a load balancer: the event that it gets, and what its answer has to look like."""

import base64
import binascii
import json
from typing import Any

from aiohttp import web
from multidict import CIMultiDict

from apigw_doctor.lab.invoking import Answer, Trace
from apigw_doctor.model.ids import trace_root

_GROUP = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/lab-fn/6d0ecf831eec9f09"
_THROTTLED = 429


def event(request: web.Request, body: bytes, headers: dict[str, str]) -> bytes:
    """The event of one request."""
    said: dict[str, Any] = {
        "requestContext": {"elb": {"targetGroupArn": _GROUP}},
        "httpMethod": request.method,
        "path": request.path,
        "queryStringParameters": dict(request.query),
        "headers": {name.lower(): value for name, value in headers.items()},
    }
    try:
        said |= {"body": body.decode(), "isBase64Encoded": False}
    except UnicodeDecodeError:
        said |= {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}
    return json.dumps(said).encode()


def trace(request: web.Request) -> Trace | None:
    """The trace that the request belongs to."""
    header = request.headers.get("X-Amzn-Trace-Id", "")
    root = trace_root(header)
    if root is None:
        return None
    parts = dict(part.strip().split("=", 1) for part in header.split(";") if "=" in part)
    return Trace(root=root, parent=parts.get("Parent", ""), sampled=parts.get("Sampled") == "1")


def response_of(answer: Answer) -> web.Response | str:
    """The function's response, or the error reason that the log gives for having none."""
    if answer.status == _THROTTLED:
        return "LambdaThrottling"
    if answer.status >= 400:
        return "LambdaServiceException"
    if answer.function_error is not None:
        return "LambdaUnhandled"
    try:
        said = json.loads(answer.payload)
        body = said.get("body") or ""
        data = base64.b64decode(body) if said.get("isBase64Encoded") else body.encode()
        headers = CIMultiDict({str(name): str(value) for name, value in (said.get("headers") or {}).items()})
        return web.Response(status=int(said["statusCode"]), body=data, headers=headers)
    except (ValueError, TypeError, KeyError, AttributeError, binascii.Error):
        return "LambdaInvalidResponse"
