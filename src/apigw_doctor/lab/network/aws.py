"""An AWS endpoint that is just good enough for a real SDK: DynamoDB, SQS, S3 and the like.

Hand its URL to the SDK as `endpoint_url`, or in `AWS_ENDPOINT_URL`. Nothing is stored and no signature is checked.
"""

import asyncio
import hashlib
import json
from typing import Any, Literal
from uuid import UUID

import msgspec
from aiohttp import web

from apigw_doctor.lab.clock import Clock
from apigw_doctor.lab.network.serving import HttpServer, hang_up

_STALL_S = 1e7
_THROTTLED = {
    "DynamoDB": (400, "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"),
    "SQS": (403, "com.amazonaws.sqs#RequestThrottled"),
}
_ANSWERS: dict[str, dict[str, Any]] = {
    "DynamoDB.GetItem": {"Item": {"id": {"S": "42"}, "state": {"S": "open"}}},
    "DynamoDB.Query": {"Items": [], "Count": 0, "ScannedCount": 0},
    "DynamoDB.Scan": {"Items": [], "Count": 0, "ScannedCount": 0},
    "SQS.ReceiveMessage": {},
    "secretsmanager.GetSecretValue": {"Name": "orders-db", "SecretString": '{"password": "example"}'},
    "AmazonSSM.GetParameter": {"Parameter": {"Name": "/orders/db", "Type": "String", "Value": "db.example.com"}},
}
_S3_VERBS = {"GET": "Get", "HEAD": "Head", "PUT": "Put", "DELETE": "Delete"}


class AwsBehaviour(msgspec.Struct, frozen=True, kw_only=True):
    """How the service answers a call; `stall` takes it and never answers."""

    does: Literal["answer", "stall", "throttle", "fail", "close"] = "answer"
    latency_ms: float = 0.0


class AwsCall(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt of an SDK; `status` None: it got no answer."""

    #: `DynamoDB.GetItem`
    operation: str
    started_at: float
    ended_at: float
    #: the SDK's own count, from 1
    attempt: int
    status: int | None


class AwsEndpoint(HttpServer):
    """All services in one; `behaviour`, and `behaviours` of single operations, may be changed at any time."""

    def __init__(self, clock: Clock, behaviour: AwsBehaviour | None = None) -> None:
        super().__init__(clock)
        self.behaviour = behaviour or AwsBehaviour()
        self.behaviours: dict[str, AwsBehaviour] = {}
        #: what operations of JSON services answer
        self.answers = dict(_ANSWERS)
        self.calls: list[AwsCall] = []
        self._requests = 0

    @property
    def url(self) -> str:
        """For `endpoint_url`."""
        return "http://{}:{}".format(*self.address)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one attempt."""
        started_at = self.clock.now_ms()
        operation = _operation(request)
        behaviour = self.behaviours.get(operation, self.behaviour)
        body = await request.read()
        status: int | None = None
        try:
            await asyncio.sleep(_STALL_S if behaviour.does == "stall" else behaviour.latency_ms / 1000.0)
            if behaviour.does == "close":
                return hang_up(request, reset=False)
            response = self._answer(operation, behaviour.does, body)
            status = response.status
        finally:
            self.calls.append(
                AwsCall(
                    operation=operation,
                    started_at=started_at,
                    ended_at=self.clock.now_ms(),
                    attempt=_attempt(request.headers.get("amz-sdk-request", "")),
                    status=status,
                )
            )
        return response

    def _answer(self, operation: str, does: str, body: bytes) -> web.Response:
        self._requests += 1
        request_id = str(UUID(int=self._requests))
        headers = {"x-amzn-RequestId": request_id, "x-amz-request-id": request_id}
        service, _, _ = operation.partition(".")
        if service == "S3":
            return _s3(operation, does, headers)
        headers["Content-Type"] = "application/x-amz-json-1.0"
        if does == "throttle":
            status, kind = _THROTTLED.get(service, (400, "ThrottlingException"))
            return _json(status, {"__type": kind, "message": "Rate exceeded"}, headers)
        if does == "fail":
            return _json(500, {"__type": "InternalServerError", "message": "Internal server error"}, headers)
        if operation == "SQS.SendMessage":
            text = str(json.loads(body or b"{}").get("MessageBody", ""))
            digest = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
            return _json(200, {"MessageId": request_id, "MD5OfMessageBody": digest}, headers)
        return _json(200, self.answers.get(operation, {}), headers)


def _operation(request: web.Request) -> str:
    """`DynamoDB.GetItem` of `DynamoDB_20120810.GetItem`; what names no target is taken for S3's REST."""
    target = request.headers.get("X-Amz-Target")
    if target is None:
        return f"S3.{_S3_VERBS.get(request.method, request.method)}Object"
    service, _, operation = target.partition(".")
    return f"{service.partition('_')[0].replace('AmazonSQS', 'SQS')}.{operation}"


def _attempt(header: str) -> int:
    """The SDK's count.

    >>> _attempt("ttl=20260101T000000Z; attempt=2; max=4")
    2
    """
    said = dict(part.strip().split("=", 1) for part in header.split(";") if "=" in part)
    return int(said.get("attempt", "1"))


def _json(status: int, answer: dict[str, Any], headers: dict[str, str]) -> web.Response:
    return web.Response(status=status, body=json.dumps(answer).encode(), headers=headers)


def _s3(operation: str, does: str, headers: dict[str, str]) -> web.Response:
    if does in ("throttle", "fail"):
        status, code = (503, "SlowDown") if does == "throttle" else (500, "InternalError")
        page = f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>{code}</Message></Error>"
        return web.Response(status=status, body=page.encode(), headers={**headers, "Content-Type": "application/xml"})
    body = b'{"ok": true}' if operation == "S3.GetObject" else b""
    return web.Response(status=200, body=body, headers={**headers, "ETag": '"9a0364b9e99bb480dd25e1f0284c8555"'})
