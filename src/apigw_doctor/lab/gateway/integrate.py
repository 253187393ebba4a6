"""Calls the integration of a route, and turns its answer - or its silence - into what the client gets."""

import asyncio
from http import HTTPStatus
from typing import Protocol

import msgspec

from apigw_doctor.lab.clock import Clock
from apigw_doctor.lab.gateway.answers import (
    ProxyAnswer,
    error_text,
    read_answer,
    read_lenient,
    read_socket,
    read_streamed,
    service_text,
)
from apigw_doctor.lab.gateway.arrival import Admission, Arrival
from apigw_doctor.lab.gateway.events import encode, proxy_event
from apigw_doctor.lab.gateway.responses import Refusal, Reply, frame, refuse
from apigw_doctor.lab.gateway.tasks import Tasks
from apigw_doctor.lab.invoking import Answer, Invoker, Trace
from apigw_doctor.lab.records import IntegrationCall
from apigw_doctor.lab.setup import LabApi, LabRoute, LabSetup
from apigw_doctor.limits.defaults import default_integration_limit_ms
from apigw_doctor.limits.table import value
from apigw_doctor.model.terms import ApiType

TIMED_OUT = "Execution failed due to a timeout error"
_CONFIGURATION = "Execution failed due to configuration error: "
_MALFORMED = f"{_CONFIGURATION}Malformed Lambda proxy response"
_PERMISSIONS = f"{_CONFIGURATION}Invalid permissions on Lambda function"
_HTTP_PERMISSIONS = (
    "The IAM role configured on the integration or API Gateway doesn't have permissions to call the integration."
    " Check the permissions and try again."
)
#: AWS's own number, in which the 6 MB have a little room.
_TOO_LARGE = "Response payload size exceeded maximum allowed payload size (6291556 bytes)."
_THROTTLED, _FORBIDDEN, _NOT_FOUND, _TOO_LONG = 429, 403, 404, 413
_OK, _REDIRECTED, _BAD_REQUEST, _BAD_GATEWAY, _INTERNAL, _UNAVAILABLE = 200, 300, 400, 502, 500, 503
_JSON_TYPE = ("Content-Type", "application/json")
#: What refused handshakes say.
_WORDS = {one.value: one.phrase for one in HTTPStatus if one.value in range(400, 500)}


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a request: the reply, and the call if there was one."""

    reply: Reply
    call: IntegrationCall | None = None
    #: the body that a WebSocket route's backend gave; None: it gave none
    said: bytes | None = None


class Integration(Protocol):
    """One kind of integration."""

    async def call(self, arrival: Arrival, route: LabRoute, admission: Admission | None) -> Served:
        """Call it, and say what came of it."""
        ...


def limit_ms(api: LabApi, route: LabRoute) -> float:
    """The effective integration timeout."""
    if route.timeout_ms is not None:
        return route.timeout_ms
    mode = "STREAM" if route.stream else None
    return default_integration_limit_ms(str(api.api_type), api.endpoint_type, mode)


def trace_of(arrival: Arrival, api: LabApi) -> Trace:
    """What a function gets to know of the trace; a gateway that does not trace is no part of it."""
    traces = api.tracing and api.api_type is ApiType.REST
    parent = arrival.subsegment_id if traces and arrival.may_sample else ""
    return Trace(root=arrival.trace_root, parent=parent, sampled=arrival.may_sample)


class LambdaIntegration:
    """Lambda proxy integration: the function goes on when the gateway has given up."""

    def __init__(self, setup: LabSetup, invoker: Invoker, clock: Clock, background: Tasks) -> None:
        self._setup, self._api = setup, setup.api
        self._invoker, self._clock, self._background = invoker, clock, background

    async def call(self, arrival: Arrival, route: LabRoute, admission: Admission | None) -> Served:
        """Invoke the function; the integration's timeout holds from the sending on."""
        payload = encode(proxy_event(arrival, self._api, admission))
        if len(payload) > value("lambda-payload-sync"):
            return Served(reply=self._refuse(arrival, Refusal(kind="REQUEST_TOO_LARGE")))
        name, limit = route.function or "", limit_ms(self._api, route)
        call = IntegrationCall(
            uri=self._uri(name),
            sent_at=self._clock.now_ms(),
            limit_ms=limit,
            ended_at=0.0,
            answered=False,
            function=name,
            streamed=route.stream,
        )
        invoked = self._background.start(
            self._invoker.invoke(name, payload, trace=trace_of(arrival, self._api), plan=arrival.plan)
        )
        done, _ = await asyncio.wait({invoked}, timeout=limit / 1000.0)
        call = msgspec.structs.replace(call, ended_at=self._clock.now_ms())
        if not done:
            return self._timed_out(arrival, call)
        if isinstance(invoked.exception(), KeyError):
            return self._forbidden(arrival, call)
        return self._answered(arrival, route, call, invoked.result())

    def _uri(self, name: str) -> str:
        try:
            arn = self._setup.function(name).called_arn
        except KeyError:
            arn = f"arn:aws:lambda:{self._api.region}:{self._api.account_id}:function:{name}"
        return f"arn:aws:apigateway:{self._api.region}:lambda:path/2015-03-31/functions/{arn}/invocations"

    def _refuse(self, arrival: Arrival, refusal: Refusal) -> Reply:
        return refuse(refusal, arrival, self._api)

    def _timed_out(self, arrival: Arrival, call: IntegrationCall) -> Served:
        refusal = Refusal(kind="INTEGRATION_TIMEOUT", failure_lines=(TIMED_OUT,))
        return Served(reply=self._refuse(arrival, refusal), call=msgspec.structs.replace(call, error=TIMED_OUT))

    def _forbidden(self, arrival: Arrival, call: IntegrationCall) -> Served:
        http = self._api.api_type is ApiType.HTTP
        call = msgspec.structs.replace(
            call,
            answered=True,
            service_status=_FORBIDDEN,
            error=_HTTP_PERMISSIONS if http else "Invalid permissions on Lambda function",
        )
        refusal = Refusal(kind="API_CONFIGURATION_ERROR", failure_lines=(_PERMISSIONS,))
        return Served(reply=self._refuse(arrival, refusal), call=call)

    def _answered(self, arrival: Arrival, route: LabRoute, call: IntegrationCall, answer: Answer) -> Served:
        call = msgspec.structs.replace(
            call,
            answered=True,
            service_status=answer.status,
            request_id=answer.request_id,
            response_body=answer.payload.decode(errors="replace"),
            function_error=answer.function_error,
            first_byte_at=call.ended_at if route.stream else None,
        )
        if answer.status >= _BAD_REQUEST:
            return self._refused_by_service(arrival, call, answer)
        call = msgspec.structs.replace(call, executed_version=answer.executed_version)
        if answer.function_error is not None:
            return self._function_failed(arrival, call, error_text(answer.payload))
        if len(answer.payload) > value("lambda-payload-sync") and not route.stream:
            call = msgspec.structs.replace(call, function_error="Unhandled", response_body="")
            return self._function_failed(arrival, call, _TOO_LARGE)
        return self._read(arrival, route, call, answer.payload)

    def _refused_by_service(self, arrival: Arrival, call: IntegrationCall, answer: Answer) -> Served:
        if answer.status in (_FORBIDDEN, _NOT_FOUND):
            return self._forbidden(arrival, call)
        if answer.status == _TOO_LONG:
            return Served(reply=self._refuse(arrival, Refusal(kind="REQUEST_TOO_LARGE")), call=call)
        said = service_text(answer.payload) or answer.error_type or ""
        if answer.status == _THROTTLED:
            said = "Rate Exceeded."
            if not answer.payload:
                body = f'{{"Reason":"{answer.reason}","Type":"User","message":"{said}"}}'
                call = msgspec.structs.replace(call, response_body=body)
        lines = (
            f"Lambda invocation failed with status: {answer.status}. Lambda request id: {answer.request_id}",
            f"{_CONFIGURATION}{said}",
        )
        # REST answers 500, not the documented 504; of HTTP APIs 503 is reported by users.
        http = self._api.api_type is ApiType.HTTP
        refusal = Refusal(
            kind="INTEGRATION_FAILURE",
            status=_UNAVAILABLE if http else _INTERNAL,
            message="Service Unavailable" if http else None,
            failure_lines=lines,
        )
        return Served(reply=self._refuse(arrival, refusal), call=msgspec.structs.replace(call, error=said))

    def _function_failed(self, arrival: Arrival, call: IntegrationCall, said: str) -> Served:
        http = self._api.api_type is ApiType.HTTP
        line = (
            f"Lambda execution failed with status 200 due to customer function error: {said}."
            f" Lambda request id: {call.request_id}"
        )
        error = (
            f"The Lambda function returned the following error: {said}. Check your Lambda function code and try again."
            if http
            else f"Lambda Customer Function Error:{said}"
        )
        refusal = Refusal(kind="INTEGRATION_FAILURE", status=_INTERNAL if http else _BAD_GATEWAY, failure_lines=(line,))
        return Served(reply=self._refuse(arrival, refusal), call=msgspec.structs.replace(call, error=error))

    def _read(self, arrival: Arrival, route: LabRoute, call: IntegrationCall, payload: bytes) -> Served:
        http, socket = self._api.api_type is ApiType.HTTP, self._api.api_type is ApiType.WEBSOCKET
        answer = self._proxy_answer(arrival, route, payload)
        if answer is None:
            refusal = Refusal(
                kind="INTEGRATION_FAILURE",
                status=_INTERNAL if http else _BAD_GATEWAY,
                failure_lines=(_MALFORMED,),
            )
            error = "Malformed Lambda proxy response"
            return Served(reply=self._refuse(arrival, refusal), call=msgspec.structs.replace(call, error=error))
        call = msgspec.structs.replace(call, status=answer.status)
        headers = answer.headers if http else remapped(answer.headers)
        reply = Reply(status=answer.status, body=answer.body, headers=headers, streamed=route.stream)
        if socket:
            reply = on_socket(reply, arrival, self._api)
        return Served(reply=reply, call=call, said=answer.body if socket and answer.has_body else None)

    def _proxy_answer(self, arrival: Arrival, route: LabRoute, payload: bytes) -> ProxyAnswer | None:
        if self._api.api_type is ApiType.WEBSOCKET:
            return read_answer(payload) if arrival.event_type == "CONNECT" else read_socket(payload)
        if self._api.api_type is ApiType.HTTP and route.payload_format == "2.0":
            return read_lenient(payload)
        return read_streamed(payload) if route.stream else read_answer(payload)


def on_socket(reply: Reply, arrival: Arrival, api: LabApi) -> Reply:
    """For what is no success a connection gets a frame of the gateway, and a handshake the backend's own status."""
    if _OK <= reply.status < _REDIRECTED:
        return reply
    if arrival.event_type != "CONNECT":
        return refuse(Refusal(kind="INTEGRATION_FAILURE", status=_INTERNAL), arrival, api)
    words = _WORDS.get(reply.status, "Internal server error")
    return Reply(status=reply.status, body=frame(words, arrival).encode(), headers=(_JSON_TYPE,))


class MockIntegration:
    """Answers 200 without calling anything."""

    async def call(self, arrival: Arrival, route: LabRoute, admission: Admission | None) -> Served:
        """An empty 200."""
        return Served(reply=Reply(status=_OK, headers=(_JSON_TYPE,)))


#: Headers that belong to one connection.
HOP_BY_HOP = frozenset(
    {
        "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
        "transfer-encoding", "upgrade",
    }
)  # fmt: skip
#: What a backend's header becomes when the gateway sets its own (AWS: API Gateway known issues).
_REMAPPED = frozenset({"authorization", "content-length", "date", "server", "user-agent", "www-authenticate", "host"})


def remapped(headers: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """A backend's headers as they reach the client."""
    return tuple(
        (f"x-amzn-Remapped-{name}" if name.lower() in _REMAPPED else name, content)
        for name, content in headers
        if name.lower() not in HOP_BY_HOP
    )
