"""WebSocket APIs: connections, their messages, and the address by which functions reach them.

Routes answer what their function gives as body, as with a `$default` route response; without a body nothing is sent.
"""

import asyncio
import re

import msgspec
from aiohttp import WSCloseCode, WSMessage, WSMsgType, web

from apigw_doctor.lab.clock import Clock
from apigw_doctor.lab.evidence.forms import iso
from apigw_doctor.lab.gateway.arrival import Admission, Arrival
from apigw_doctor.lab.gateway.frames import Watch
from apigw_doctor.lab.gateway.front import Front, PlanError
from apigw_doctor.lab.gateway.responses import Refusal
from apigw_doctor.lab.gateway.routing import DEFAULT, Match
from apigw_doctor.lab.gateway.service import Outcome, Service
from apigw_doctor.lab.gateway.tasks import Tasks
from apigw_doctor.lab.gateway.texts import parse
from apigw_doctor.lab.setup import LabApi, LabRoute
from apigw_doctor.limits.table import value

#: AWS: quotas of WebSocket APIs.
_MOST_MESSAGE, _MOST_FRAME = int(value("websocket-message")), int(value("websocket-frame"))
_CONNECT, _DISCONNECT = "$connect", "$disconnect"
#: Connections at a time, and messages at work of one of them.
_MAX_CONNECTIONS, _MAX_AT_WORK = 5_000, 100
#: So long a push waits for a client that does not read.
_PUSH_S = 10.0
_OK, _NO_CONTENT, _REDIRECTED = 200, 204, 300
_BAD_REQUEST, _FORBIDDEN, _GONE, _TOO_LARGE, _NOT_ALLOWED = 400, 403, 410, 413, 405
_MANAGEMENT = re.compile(r"(?:/[^/]*)?/@connections/([^/]+)")
_NO_CODE, _ABNORMAL = 1005, 1006
#: Reasons that $disconnect gets to know.
_REASONS = {
    1001: "Going away",
    1003: "Unsupported data",
    1005: "Client-side close frame status not set",
    1006: "Connection closed abnormally",
    1009: "Message too big",
}


class _Connection:
    """An open connection."""

    def __init__(self, handshake: Arrival, admission: Admission | None, ws: web.WebSocketResponse) -> None:
        self.handshake, self.admission, self.ws = handshake, admission, ws
        self.connected_at = self.active_at = handshake.at
        self.at_work = asyncio.Semaphore(_MAX_AT_WORK)
        #: why the gateway closes it; None: the client does
        self.code: int | None = None
        self.left = False

    @property
    def id(self) -> str:
        return self.handshake.connection_id or ""


class Sockets:
    """The connections of one API."""

    def __init__(self, api: LabApi, clock: Clock, front: Front, service: Service, work: Tasks) -> None:
        self._api, self._clock, self._front, self._service, self._work = api, clock, front, service, work
        self._open: dict[str, _Connection] = {}
        self._stopping = False

    async def stop(self) -> None:
        """Close every connection; nobody is told any more."""
        self._stopping = True
        closing = (self._close(connection, WSCloseCode.SERVICE_RESTART) for connection in list(self._open.values()))
        await asyncio.gather(*closing)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """A handshake, or a call of the management API."""
        path = request.rel_url.path
        if (managed := _MANAGEMENT.fullmatch(path)) is not None:
            return await self._manage(request, managed[1])
        ws = web.WebSocketResponse(autoping=False, compress=False, max_msg_size=_MOST_MESSAGE + 1, timeout=_PUSH_S)
        if path.strip("/") not in ("", self._api.stage) or not ws.can_prepare(request).ok:
            return web.json_response({"message": "Forbidden"}, status=_FORBIDDEN)
        try:
            arrival = self._handshake(request)
        except PlanError as error:
            return web.json_response({"message": str(error)}, status=_BAD_REQUEST)
        full = len(self._open) >= _MAX_CONNECTIONS
        refusal = Refusal(kind="THROTTLED") if full else None
        outcome = await asyncio.shield(self._work.start(self._service.serve(arrival, refusal=refusal)))
        if not _OK <= outcome.reply.status < _REDIRECTED:
            return await self._front.respond(request, arrival, outcome.reply)
        return await self._talk(request, arrival, outcome, ws)

    def _handshake(self, request: web.BaseRequest) -> Arrival:
        now_ms = self._clock.now_ms()
        connection_id = self._front.ids.extended_id()
        return self._front.arrival(
            request,
            Match(route=self._route(_CONNECT), path=""),
            now_ms,
            method="",
            event_type="CONNECT",
            connection_id=connection_id,
            connected_at=now_ms,
        )

    def _route(self, key: str) -> LabRoute | None:
        return next((route for route in self._api.routes if route.path == key), None)

    async def _talk(
        self, request: web.BaseRequest, arrival: Arrival, outcome: Outcome, ws: web.WebSocketResponse
    ) -> web.StreamResponse:
        connection = _Connection(arrival, outcome.admission, ws)
        for name, content in outcome.reply.headers:
            if name.lower() == "sec-websocket-protocol":
                ws.headers[name] = content
        try:
            self._watch(request, connection)
            await ws.prepare(request)
            self._open[connection.id] = connection
            await self._listen(connection)
        except ConnectionError:
            connection.code = connection.code or _ABNORMAL
        finally:
            self._leave(connection)
        return ws

    def _watch(self, request: web.BaseRequest, connection: _Connection) -> None:
        def too_large() -> None:
            self._work.start(self._close(connection, WSCloseCode.MESSAGE_TOO_BIG))

        transport = request.transport
        if transport is None:
            raise ConnectionResetError("the client left during the handshake")
        inner = transport.get_protocol()
        if isinstance(inner, asyncio.Protocol):
            transport.set_protocol(Watch(inner, _MOST_FRAME, too_large))

    async def _listen(self, connection: _Connection) -> None:
        ends_at = connection.connected_at + value("websocket-connection")
        while not connection.ws.closed:
            left_ms = min(connection.active_at + value("websocket-idle"), ends_at) - self._clock.now_ms()
            if left_ms <= 0:
                await self._end(connection, WSCloseCode.GOING_AWAY)
                return
            try:
                message = await connection.ws.receive(timeout=left_ms / 1000.0)
            except TimeoutError:
                continue
            if not await self._hear(connection, message):
                return

    async def _hear(self, connection: _Connection, message: WSMessage) -> bool:
        """Whether there may be more."""
        connection.active_at = self._clock.now_ms()
        match message.type:
            case WSMsgType.TEXT:
                if len(message.data.encode()) > _MOST_MESSAGE:
                    await self._end(connection, WSCloseCode.MESSAGE_TOO_BIG)
                    return False
                await connection.at_work.acquire()
                self._work.start(self._answer(connection, self._message(connection, message.data)))
            case WSMsgType.BINARY:
                await self._end(connection, WSCloseCode.UNSUPPORTED_DATA)
                return False
            case WSMsgType.PING:
                await connection.ws.pong(message.data)
            case WSMsgType.PONG:
                pass
            case WSMsgType.CLOSED | WSMsgType.ERROR:
                # Nobody has said farewell; what the gateway closes itself has its code already.
                connection.code = connection.code or int(getattr(message.data, "code", _ABNORMAL))
                return False
            case _:
                return False
        return True

    def _message(self, connection: _Connection, text: str) -> Arrival:
        text, plan = self._front.message_plan(text)
        key = _selected(text)
        route = self._route(key) if key is not None and not key.startswith("$") else None
        return self._event(
            connection,
            event_type="MESSAGE",
            route=route or self._route(DEFAULT),
            body=text.encode(),
            message_id=self._front.ids.extended_id(),
            plan=plan,
            authorizer_plan=None,
        )

    def _event(self, connection: _Connection, **facts: object) -> Arrival:
        """Something on a connection, with ids of its own and what is known from the handshake."""
        now_ms, ids = self._clock.now_ms(), self._front.ids
        extended_id, root = ids.extended_id(), ids.trace_root(now_ms)
        own: dict[str, object] = {
            "at": now_ms,
            "request_id": extended_id,
            "extended_id": extended_id,
            "trace_root": root,
            "trace_header": f"Root={root}",
            "segment_id": ids.segment_id(),
            "subsegment_id": ids.segment_id(),
        }
        return msgspec.structs.replace(connection.handshake, **own | facts)

    async def _answer(self, connection: _Connection, arrival: Arrival) -> None:
        try:
            outcome = await self._service.serve(arrival, admission=connection.admission)
        finally:
            connection.at_work.release()
        failed = outcome.reply.error_type is not None or not _OK <= outcome.reply.status < _REDIRECTED
        said = outcome.reply.body if failed else outcome.said
        if said is not None:
            await self._push(connection, said.decode(errors="replace"))

    def _leave(self, connection: _Connection) -> None:
        """The connection is over; $disconnect hears of it once."""
        self._open.pop(connection.id, None)
        if not connection.left and not self._stopping:
            self._work.start(self._say_goodbye(connection))
        connection.left = True

    async def _say_goodbye(self, connection: _Connection) -> None:
        code = connection.code or connection.ws.close_code or _NO_CODE
        arrival = self._event(
            connection,
            event_type="DISCONNECT",
            route=self._route(_DISCONNECT),
            close_code=code,
            close_reason=_REASONS.get(code, ""),
            plan=None,
            authorizer_plan=None,
        )
        await self._service.serve(arrival, admission=connection.admission)

    async def _push(self, connection: _Connection, text: str) -> bool:
        """Send a frame; False: the connection is gone."""
        if connection.ws.closed:
            return False
        connection.active_at = self._clock.now_ms()
        try:
            async with asyncio.timeout(_PUSH_S):
                await connection.ws.send_str(text)
        except (ConnectionError, TimeoutError):
            return False
        return True

    async def _close(self, connection: _Connection, code: int) -> None:
        connection.code = connection.code or int(code)
        await connection.ws.close(code=code, message=_REASONS.get(int(code), "").encode())
        self._leave(connection)

    async def _end(self, connection: _Connection, code: int) -> None:
        """Close as work of its own, so that whoever waits for the gateway's work waits for the farewell too."""
        await asyncio.shield(self._work.start(self._close(connection, code)))

    async def _manage(self, request: web.BaseRequest, connection_id: str) -> web.StreamResponse:
        act = {"POST": self._post, "GET": self._tell, "DELETE": self._delete}.get(request.method)
        if act is None:
            return _error(_NOT_ALLOWED, "MethodNotAllowedException")
        connection = self._open.get(connection_id)
        if connection is None or connection.ws.closed:
            return _error(_GONE, "GoneException")
        return await act(request, connection)

    async def _post(self, request: web.BaseRequest, connection: _Connection) -> web.StreamResponse:
        data = await request.read()
        if len(data) > _MOST_MESSAGE:
            return _error(_TOO_LARGE, "PayloadTooLargeException")
        sent = await self._push(connection, data.decode(errors="replace"))
        return web.Response(status=_OK) if sent else _error(_GONE, "GoneException")

    async def _tell(self, request: web.BaseRequest, connection: _Connection) -> web.StreamResponse:
        identity = {"sourceIp": connection.handshake.source_ip, "userAgent": connection.handshake.user_agent}
        known = {
            "connectedAt": iso(connection.connected_at),
            "identity": identity,
            "lastActiveAt": iso(connection.active_at),
        }
        return web.json_response(known)

    async def _delete(self, request: web.BaseRequest, connection: _Connection) -> web.StreamResponse:
        self._work.start(self._close(connection, WSCloseCode.OK))
        return web.Response(status=_NO_CONTENT)


def _selected(text: str) -> str | None:
    """`$request.body.action`."""
    message = parse(text)
    action = message.get("action") if isinstance(message, dict) else None
    return action if isinstance(action, str) else None


def _error(status: int, name: str) -> web.Response:
    return web.json_response({"message": None}, status=status, headers={"x-amzn-ErrorType": name})
